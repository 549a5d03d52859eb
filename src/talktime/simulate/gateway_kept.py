"""The simulated payment company's books on disk, so that a restart in the demo forgets nothing that was paid.

The one rule: the file is whole or not there; one that cannot be read is put aside, and the books begin empty.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import orjson

from talktime.simulate.gateway_books import Books
from talktime.simulate.gateway_objects import Obj

_FORMAT = 1
"""Goes up when the objects get new names of ours: a file of before is then no longer read."""


class Kept:
    """Where the books are kept; nowhere, when there is no path."""

    def __init__(self, path: Path | None, books: Books, version: Callable[[], object]) -> None:
        """`version` gives something else whenever there is something new to write."""
        self._path = path
        self._books = books
        self._version = version
        self._written = version()

    def read(self) -> list[Obj]:
        """Fill the books, and give the events that nobody has taken yet."""
        if self._path is None:
            return []
        try:
            kept = orjson.loads(self._path.read_bytes())
            if kept["format"] != _FORMAT:
                raise KeyError("format")
            shelves = {name: {each["id"]: each for each in kept[name]} for name in self._books.shelves}
        except FileNotFoundError:
            return []
        except (orjson.JSONDecodeError, KeyError, TypeError):
            with contextlib.suppress(OSError):
                self._path.replace(self._path.with_suffix(".unreadable"))
            return []
        self._books.shelves.update(shelves)
        self._move_in()
        return [event for event in shelves["event"].values() if event["_state"] == "waiting"]

    def write(self) -> None:
        """Write what has changed since the last time."""
        if self._path is None or self._version() == self._written:
            return
        self._written = self._version()
        shelves = {name: list(shelf.values()) for name, shelf in self._books.shelves.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        draft.touch(0o600)
        draft.write_bytes(orjson.dumps({"format": _FORMAT, **shelves}))
        draft.replace(self._path)

    def _move_in(self) -> None:
        """A checkout that is still open is where we are now."""
        for session in self._books.shelves["checkout.session"].values():
            if session["status"] == "open":
                session["url"] = f"{self._books.url}/c/pay/{session['id']}"
