"""What differs between two versions of an agent: field by field, and line by line where a text is long.

The rule: nothing is left out. What the changes say, put onto the older one, gives the newer one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from talktime.agents.content import FIELDS, LONG_TEXTS, Content

_ALIGNED_LINES_MAX = 400
"""Of the part that differs. Aligning more than that would take longer than anybody waits."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a long text."""

    sign: Literal[" ", "-", "+"]
    """` ` in both, `-` only in the older one, `+` only in the newer one."""
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs."""

    field: str
    """With dots: `greeting`, `knowledge.parking`, `hours.week.monday`."""
    kind: Literal["added", "removed", "changed"]
    before: Any
    """As `Content.to_json` has it; None when it was not there."""
    after: Any
    lines: tuple[DiffLine, ...] = ()
    """Of a long text: all of its lines."""


def between(older: Content, newer: Content) -> tuple[Change, ...]:
    """Every difference, in the order of the fields."""
    before, after = older.to_json(), newer.to_json()
    return tuple(change for name in FIELDS for change in _field(name, before[name], after[name]))


def lines_between(before: str, after: str) -> tuple[DiffLine, ...]:
    """Two texts, aligned line by line."""
    old, new = before.splitlines(), after.splitlines()
    begin = _common(old, new)
    end = _common(old[begin:][::-1], new[begin:][::-1])
    middle_old, middle_new = old[begin : len(old) - end], new[begin : len(new) - end]
    return (
        *(DiffLine(" ", line) for line in old[:begin]),
        *_aligned(middle_old, middle_new),
        *(DiffLine(" ", line) for line in old[len(old) - end :]),
    )


def _field(name: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if name in LONG_TEXTS:
        yield _change(name, before or None, after or None, lines_between(before, after))
    elif name == "knowledge":
        yield from _knowledge(before, after)
    elif name == "hours" and before and after:
        for part in ("week", "special"):
            yield from _each(f"hours.{part}", before[part], after[part])
    elif name in ("turn_settings", "fallback_texts", "fallback_forwards"):
        yield from _each(name, before, after)
    else:
        yield _change(name, before, after)


def _knowledge(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    old, new = ({entry["key"]: entry for entry in entries} for entries in (before, after))
    yield from _each("knowledge", old, new)
    # The first of two entries that fit equally well is the one that is told, so their order is a difference too.
    if [*(key for key in old if key in new), *(key for key in new if key not in old)] != list(new):
        yield _change("knowledge.order", list(old), list(new))


def _each(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """The keys of two objects, in the order of the older one, new ones last."""
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            yield _change(f"{name}.{key}", before.get(key), after.get(key))


def _change(field: str, before: Any, after: Any, lines: tuple[DiffLine, ...] = ()) -> Change:
    return Change(field, "added" if before is None else "removed" if after is None else "changed", before, after, lines)


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines are the same from the beginning."""
    count = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        count += 1
    return count


def _aligned(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    if max(len(old), len(new)) > _ALIGNED_LINES_MAX:
        yield from (DiffLine("-", line) for line in old)
        yield from (DiffLine("+", line) for line in new)
        return
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from (DiffLine(" ", line) for line in old[old_from:old_to])
            continue
        yield from (DiffLine("-", line) for line in old[old_from:old_to])
        yield from (DiffLine("+", line) for line in new[new_from:new_to])
