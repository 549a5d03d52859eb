"""Reading the audit log: a page of it, all of it for somebody else's archive, and the proof that nothing of it was
changed. What writes it is `audit.record`.

The rule: nothing here changes an entry, and nothing here holds a transaction while somebody downloads. All of it needs
a transaction that is everyone's: the log is the operator's.
"""

import csv
import io
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy import Select, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import AuditEntry, AuditHead, User
from talktime.db.session import Database
from talktime.errors import BadInput

WHY = "the operator looks at what was done to whom"
PAGE_MAX = 1000
_EXPORT_PAGE = 1000
_USERS_AT_ONCE = 2000
_ENTRIES_AT_ONCE = 50_000
"""A statement proves so many: a second or so, far from the longest that one may take."""
_ACT = re.compile(r"[a-z_]+([.][a-z_]*)?", re.ASCII)

Format = Literal["csv", "jsonl"]
Place = tuple[datetime, uuid.UUID, int]
"""Where a page ended: the moment, whose chain and the number in it of its last entry."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries; what is None is all the same."""

    about: uuid.UUID | None = None
    by: uuid.UUID | None = None
    act: str | None = None
    """What the act begins with: `session` or `session.` for all of a noun, `session.began` for one."""
    since: datetime | None = None
    until: datetime | None = None
    """Up to here, and not this moment itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as it stands in the log."""

    at: datetime
    user_id: uuid.UUID
    seq: int
    actor_id: uuid.UUID | None
    act: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    door: str
    network: str | None
    hash: bytes

    @property
    def place(self) -> Place:
        return self.at, self.user_id, self.seq


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, newest first, and where the next page goes on; None at the end."""

    entries: Sequence[Entry]
    older: Place | None


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with a chain, and where."""

    user_id: uuid.UUID
    seq: int
    problem: str
    """`changed`, `missing` (before this one), `cut short`, `beyond the end`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a proof looked at, and what it found."""

    people: int
    entries: int
    violations: Sequence[Violation]

    @property
    def is_clean(self) -> bool:
        return not self.violations


async def page(db: AsyncSession, which: Filter, *, before: Place | None = None, limit: int = 100) -> Page:
    """The newest entries, or those before a place. Raises BadInput for an act that cannot be one."""
    assert 1 <= limit <= PAGE_MAX, limit
    chosen = _chosen(which)
    if before is not None:
        # The bound on the moment alone is what the index is read from.
        chosen = chosen.where(AuditEntry.at <= before[0], tuple_(*_ORDER) < tuple_(*before))
    rows = await db.execute(chosen.order_by(*(column.desc() for column in _ORDER)).limit(limit + 1))
    entries = [Entry(*row) for row in rows]
    shown = entries[:limit]
    return Page(shown, shown[-1].place if len(entries) > limit else None)


def written(place: Place) -> str:
    """A place as a word that can stand in an address or be typed: `2026-11-23T09:15:19.000001+00:00,<id>,7`."""
    return f"{place[0].isoformat()},{place[1]},{place[2]}"


def read_place(word: str) -> Place:
    """What `written` wrote. Raises BadInput."""
    try:
        at, user, seq = word.split(",")
        moment, number = datetime.fromisoformat(at), int(seq)
        if moment.utcoffset() is None or not 0 < number < 2**63:
            raise ValueError(word)
        return moment, uuid.UUID(user), number
    except ValueError:
        raise BadInput("There is no such place in the audit log: begin with the newest page again.") from None


async def export(database: Database, which: Filter, how: Format) -> AsyncIterator[bytes]:
    """All entries that a filter chooses, newest first, as CSV with a header or as one JSON document a line.

    Page by page, each in a transaction of its own: whoever downloads slowly holds none. An entry never changes, so the
    pages are as good as a cursor; what is written meanwhile is newer and left out.
    """
    if how == "csv":
        yield _csv_line(_NAMES)
    before: Place | None = None
    while True:
        async with database.transaction(everyone=WHY) as db:
            found = await page(db, which, before=before, limit=_EXPORT_PAGE)
        yield b"".join(_csv_row(entry) if how == "csv" else _json_line(entry) for entry in found.entries)
        before = found.older
        if before is None:
            return


async def verify(database: Database, user: uuid.UUID | None = None) -> Verdict:
    """Prove the chain of one person, or of everybody: each entry against the one before, each end against its head.

    In statements of bounded length, by ranges of people; what is written meanwhile is no violation, since each
    statement sees one moment. What it cannot see: a chain that was rewritten to its end with its head by somebody who
    may write both; against that stands only a copy elsewhere, which `export` makes.
    """
    if user is not None:
        async with database.transaction(everyone=WHY) as db:
            return await _prove(db, [user])
    people = entries = 0
    violations: list[Violation] = []
    after: uuid.UUID | None = None
    while True:
        async with database.transaction(everyone=WHY) as db:
            some = await _next_people(db, after)
            if not some:
                return Verdict(people, entries, violations)
            done = await _prove(db, some)
        after = some[-1]
        people, entries = people + done.people, entries + done.entries
        violations += done.violations


async def _next_people(db: AsyncSession, after: uuid.UUID | None) -> list[uuid.UUID]:
    """Whose chains are proved next: everybody, since somebody without a head may have entries all the same."""
    chosen = select(User.id, func.coalesce(AuditHead.seq, 0)).outerjoin(AuditHead, AuditHead.user_id == User.id)
    if after is not None:
        chosen = chosen.where(User.id > after)
    some: list[uuid.UUID] = []
    together = 0
    for user, length in await db.execute(chosen.order_by(User.id).limit(_USERS_AT_ONCE)):
        together += length
        if some and together > _ENTRIES_AT_ONCE:
            break
        some.append(user)
    return some


async def _prove(db: AsyncSession, people: Sequence[uuid.UUID]) -> Verdict:
    """Those between the first and the last of these, who are all there are between them."""
    span = {"first": people[0], "last": people[-1]}
    # The chain of one person is one statement, however long it is: 18 µs an entry on two busy cores.
    await db.execute(text("SET LOCAL statement_timeout = '600s'"))
    rows = await db.execute(text("SELECT * FROM verify_audit_range_v1(:first, :last) ORDER BY 1, 2, 3"), span)
    violations = [Violation(*row) for row in rows]
    length = await db.scalar(text("SELECT count(*) FROM audit_entries WHERE user_id BETWEEN :first AND :last"), span)
    return Verdict(len(people), int(length or 0), violations)


def _chosen(which: Filter) -> Select[*tuple[Any, ...]]:
    chosen = select(*(getattr(AuditEntry, name) for name in _NAMES))
    if which.about is not None:
        chosen = chosen.where(AuditEntry.user_id == which.about)
    if which.by is not None:
        chosen = chosen.where(AuditEntry.actor_id == which.by)
    if which.act is not None:
        if _ACT.fullmatch(which.act) is None:
            raise BadInput("An act is a noun and what happened to it, such as session.began; its beginning is enough.")
        chosen = chosen.where(func.starts_with(AuditEntry.act, which.act))
    if which.since is not None:
        chosen = chosen.where(AuditEntry.at >= which.since)
    if which.until is not None:
        chosen = chosen.where(AuditEntry.at < which.until)
    return chosen


def row_of(entry: Entry) -> dict[str, Any]:
    """An entry as plain values, for a document."""
    row = {name: getattr(entry, name) for name in _NAMES}
    return {**row, "at": entry.at.isoformat(), "hash": entry.hash.hex()}


def _json_line(entry: Entry) -> bytes:
    return orjson.dumps(row_of(entry), option=orjson.OPT_APPEND_NEWLINE)


def _csv_row(entry: Entry) -> bytes:
    row = row_of(entry)
    for name in ("before", "after"):
        row[name] = "" if row[name] is None else orjson.dumps(row[name]).decode()
    return _csv_line(list(row.values()))


def _csv_line(cells: Sequence[Any]) -> bytes:
    """RFC 4180. Every cell is ours, and none begins with what a spreadsheet takes for a formula."""
    line = io.StringIO()
    csv.writer(line).writerow("" if cell is None else cell for cell in cells)
    return line.getvalue().encode()


_NAMES = tuple(field.name for field in fields(Entry))
_ORDER = (AuditEntry.at, AuditEntry.user_id, AuditEntry.seq)
