"""`talktime users audit | audit-verify | audit-export`: who did what to whom, and the proof that nobody changed it."""

import contextlib
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import orjson
import typer

from talktime.cli import typed
from talktime.cli.books import AsJson, emails, find_user, in_the_books, show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.accounts.audit_log import Entry, Filter, Page, Verdict

_About = Annotated[
    str | None, typer.Argument(metavar="[USER]", help="About whom: an e-mail address, or an id; everybody otherwise.")
]
_Actor = Annotated[str | None, typer.Option("--actor", metavar="USER", help="Only what this person did.")]
_Act = Annotated[str | None, typer.Option("--act", metavar="ACT", help="Only acts that begin so: session., price.set")]
_From = Annotated[datetime | None, typer.Option("--from", help="From this moment on (UTC).")]
_To = Annotated[datetime | None, typer.Option("--to", help="Until this moment (UTC).")]


def read(
    user: _About = None,
    *,
    actor: _Actor = None,
    act: _Act = None,
    since: _From = None,
    until: _To = None,
    before: Annotated[
        str | None, typer.Option("--before", metavar="PLACE", help="Go on there, as the last page says.")
    ] = None,
    limit: Annotated[int, typer.Option(parser=typed.between(1, 1000), help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Print who did what to whom, newest first."""
    from talktime.accounts import audit_log

    async def work(db: "AsyncSession") -> "tuple[Page, dict[uuid.UUID | None, str]]":
        which = await _filter(db, user, actor, act, since, until)
        place = audit_log.read_place(before) if before is not None else None
        page = await audit_log.page(db, which, before=place, limit=limit)
        named = (person for entry in page.entries for person in (entry.user_id, entry.actor_id))
        return page, await emails(db, named)

    page, named = in_the_books(work)
    older = audit_log.written(page.older) if page.older is not None else None
    lines = [line_of(entry, named, with_whom=True) for entry in page.entries]
    if older is not None:
        lines.append(f"There are more: --before {older}")
    document = {"entries": [audit_log.row_of(entry) for entry in page.entries], "older": older}
    show(document, lines or ["Nothing like that was written down."], as_json=as_json)


def verify(
    user: _About = None,
    as_json: AsJson = False,
) -> None:
    """Prove that no entry was changed, moved or taken out, each by the one before it. Exit code 1 when one was."""
    from talktime.accounts import audit_log
    from talktime.cli.running import open_database, read_settings, run

    async def work() -> "Verdict":
        async with open_database(read_settings()) as database:
            whose: uuid.UUID | None = None
            if user is not None:
                async with database.transaction(everyone=audit_log.WHY) as db:
                    whose = (await find_user(db, user)).id
            return await audit_log.verify(database, whose)

    began = time.monotonic()
    verdict = run(work())
    seconds = round(time.monotonic() - began, 2)
    found = [{"user_id": str(each.user_id), "seq": each.seq, "problem": each.problem} for each in verdict.violations]
    lines = [f"{row['user_id']}  entry {row['seq']}: {row['problem']}" for row in found]
    if verdict.is_clean:
        lines = [
            f"Nothing was changed: {verdict.entries:,} entries about {verdict.people:,} people, in {seconds} seconds."
        ]
    document = {"people": verdict.people, "entries": verdict.entries, "violations": found, "seconds": seconds}
    show(document, lines, as_json=as_json)
    raise typer.Exit(0 if verdict.is_clean else 1)


def export(
    user: _About = None,
    *,
    actor: _Actor = None,
    act: _Act = None,
    since: _From = None,
    until: _To = None,
    how: Annotated[str, typer.Option("--format", metavar="csv|jsonl", help="A table, or JSON lines.")] = "jsonl",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to; to the terminal, when not said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the audit log, newest first, for an archive elsewhere: that one counts when this one was rewritten."""
    from talktime.accounts import audit_log
    from talktime.cli.running import open_database, read_settings, run
    from talktime.errors import BadInput

    if how not in get_args(audit_log.Format):
        raise BadInput("The format is csv or jsonl.")
    if as_json and out is None:
        raise BadInput("With --json say where the log goes: --out FILE.")

    async def work() -> int:
        async with open_database(read_settings()) as database:
            async with database.transaction(everyone=audit_log.WHY) as db:
                which = await _filter(db, user, actor, act, since, until)
            parts = audit_log.export(database, which, "csv" if how == "csv" else "jsonl")
            return await _write(parts, out)

    size = run(work())
    if out is not None:
        show({"file": str(out), "bytes": size}, [f"{out}: {size:,} bytes."], as_json=as_json)


def line_of(entry: "Entry", named: dict[uuid.UUID | None, str], *, with_whom: bool = False) -> str:
    """One entry as a person reads it."""
    who = named.get(entry.actor_id) or str(entry.actor_id or "nobody signed in, or Talktime itself")
    whom = f"  about {named.get(entry.user_id, entry.user_id)}" if with_whom else ""
    change = "".join(
        f"  {word} {orjson.dumps(values).decode()}"
        for word, values in (("before", entry.before), ("after", entry.after))
        if values
    )
    where = f"{entry.door}{f' {entry.network}' if entry.network else ''}"
    return f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.act}{whom}  by {who}  ({where}){change}"


async def _filter(  # noqa: PLR0917 -- what two commands have in common, in their order
    db: "AsyncSession",
    user: str | None,
    actor: str | None,
    act: str | None,
    since: datetime | None,
    until: datetime | None,
) -> "Filter":
    from talktime.accounts.audit_log import Filter

    async def found(name: str | None) -> uuid.UUID | None:
        return (await find_user(db, name)).id if name is not None else None

    moments: dict[str, Any] = {
        name: moment.replace(tzinfo=UTC) if moment is not None else None
        for name, moment in (("since", since), ("until", until))
    }
    return Filter(about=await found(user), by=await found(actor), act=act, **moments)


async def _write(parts: "AsyncIterator[bytes]", out: Path | None) -> int:
    """Raises BadInput where nothing can be written."""
    from talktime.errors import BadInput

    size = 0
    try:
        # Unbuffered by Python's text layer: a long log goes out as it comes.
        with contextlib.nullcontext(sys.stdout.buffer) if out is None else out.open("wb") as file:
            async for part in parts:
                file.write(part)
                size += len(part)
            file.flush()
    except OSError as error:
        raise BadInput(f"{out or 'The terminal'} cannot be written to ({error.strerror}).") from None
    return size
