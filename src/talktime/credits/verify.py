"""Prove the books: every line, every account, every hold against each other.

The work is cut into parts of about as many lines, by users and, within somebody's long ledger, by number, and done on
several connections; each part is one snapshot, so that a posting in between is seen whole or not at all. A quick run
goes on from each user's checkpoint; it cannot see tampering before that, so a full one starts from the first line and
runs nightly. What is kept in memory is the list of parts and what is wrong, never the lines.
"""

import asyncio
import itertools
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import TextClause, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.db.session import Database

_WHY = "the books of all users are verified together"
PART_LINES = 200_000
_ACCOUNT_LINES = 20
"""Looking at an account costs about as much as so many lines."""

_NIL, _LAST = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)
_SEQ_MAX = 2**63 - 1

_LINES = "verify_lines_v2(:low, :after_seq, :high, :to_seq)"
_ACCOUNTS = "verify_accounts_v2(:low, :high)"
_CALLS = "verify_calls_v2(:low, :from_call, :high, :to_call)"
_NEW_LINES = "verify_new_lines_v2(:low, :high)"
_NEW_CALLS = "verify_new_calls_v2(:low, :high)"

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be."""

    user_id: uuid.UUID
    seq: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification saw."""

    accounts: int
    lines: int
    violations: Sequence[Violation] = field(default_factory=tuple)

    @property
    def is_clean(self) -> bool:
        return not self.violations


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a verification is."""

    lines_done: int
    lines: int


@dataclass(frozen=True, slots=True)
class _Part:
    """What one snapshot looks at: functions that list violations, all asked with the same values."""

    functions: tuple[str, ...]
    values: Values
    lines: int = 0
    moves_checkpoints: bool = False
    """When nothing is wrong: of the users from `low` on and before `high`."""


@dataclass(frozen=True, slots=True)
class _Ledger:
    """Somebody whose ledger is too long for one part."""

    user: uuid.UUID
    begin: int
    """The newest line that was verified before; 0 for a full verification."""
    seq: int


async def verify(
    database: Database,
    *,
    full: bool = False,
    connections: int = 2,
    progress: Callable[[Progress], None] | None = None,
    part_lines: int = PART_LINES,
) -> Verdict:
    """Check all invariants; `full` from the first line, else from where the last clean verification ended.

    `progress` is told after each part. Every violation is listed, whatever their number.
    """
    async with database.transaction(everyone=_WHY, snapshot=True) as db:
        await db.execute(text("SET LOCAL statement_timeout = 0"))
        accounts, lines, ledgers, parts = await _cut(db, full=full, part_lines=part_lines)
    waiting = deque(parts)
    violations: list[Violation] = []
    done = 0

    async def work() -> None:
        nonlocal done
        while waiting:
            part = waiting.popleft()
            violations.extend(await _verify_part(database, part))
            done += part.lines
            if progress is not None:
                progress(Progress(done, lines))

    async with asyncio.TaskGroup() as workers:
        for _ in range(connections):
            workers.create_task(work())
    wrong = {violation.user_id for violation in violations}
    for ledger in ledgers:
        if ledger.user not in wrong:
            async with database.transaction(everyone=_WHY) as db:
                await db.execute(_move_checkpoints("user_id = :user AND seq = :seq"), _values(ledger))
    return Verdict(
        accounts, lines, tuple(sorted(violations, key=lambda found: (found.user_id, found.seq or 0, found.problem)))
    )


async def _cut(db: AsyncSession, *, full: bool, part_lines: int) -> tuple[int, int, Sequence[_Ledger], Sequence[_Part]]:
    """All the work, in parts; the long ones come first, so that nobody is left alone with one at the end."""
    values = {"full": full, "part": part_lines, "each": _ACCOUNT_LINES}
    accounts, lines = (await db.execute(text(_COUNT), values)).one()
    ledgers = [_Ledger(row.user_id, row.begin, row.seq) for row in await db.execute(text(_LONG), values)]
    cuts = await db.execute(text(_CUTS), values)
    starts = {row.user_id: int(row.lines) for row in cuts}
    alone = {ledger.user: ledger for ledger in ledgers}
    edges = sorted({_NIL, *starts, *alone, *(_next(user) for user in alone), _LAST})
    parts: list[_Part] = []
    for low, high in itertools.pairwise(edges):
        if low in alone:
            parts = [*await _parts_of(db, alone[low], full=full, part_lines=part_lines), *parts]
        else:
            parts.append(_part_of_users(low, high, starts.get(low, 0), full=full))
    return accounts, int(lines), ledgers, parts


_TO_DO = """
    SELECT a.user_id, a.seq, coalesce(c.seq, 0) AS begin, greatest(0, a.seq - coalesce(c.seq, 0)) AS lines
    FROM credit_accounts a LEFT JOIN ledger_checkpoints c ON c.user_id = a.user_id AND NOT :full
"""


_COUNT = f"SELECT count(*), coalesce(sum(lines), 0) FROM ({_TO_DO}) x"  # noqa: S608  our own words only
_LONG = f"SELECT user_id, begin, seq FROM ({_TO_DO}) x WHERE lines > :part ORDER BY user_id"  # noqa: S608  as above
# Users in the order of their ids, so many that their lines make a part. UUIDv7 begins with the time, so equal ranges of
# the key would put everybody into one.
_CUTS = f"""
    SELECT DISTINCT ON (part) user_id, sum(lines) OVER (PARTITION BY part) AS lines FROM (
        SELECT user_id, lines, div(sum(lines + :each) OVER (ORDER BY user_id) - lines, :part) AS part
        FROM ({_TO_DO}) x WHERE lines <= :part
    ) y ORDER BY part, user_id
"""  # noqa: S608  our own words only


def _part_of_users(low: uuid.UUID, high: uuid.UUID, lines: int, *, full: bool) -> _Part:
    values: dict[str, object] = {"low": low, "high": high}
    if not full:
        return _Part((_NEW_LINES, _ACCOUNTS, _NEW_CALLS), values, lines, moves_checkpoints=True)
    # Up to the last line of whoever comes before `high`: nobody has a line 0.
    values |= {"after_seq": 0, "to_seq": 0, "from_call": _NIL, "to_call": _NIL}
    return _Part((_LINES, _ACCOUNTS, _CALLS), values, lines, moves_checkpoints=True)


async def _parts_of(db: AsyncSession, ledger: _Ledger, *, full: bool, part_lines: int) -> list[_Part]:
    """The parts of one long ledger: stretches of lines, stretches of calls, the account."""
    user = ledger.user
    seqs = [*range(ledger.begin, ledger.seq, part_lines), _SEQ_MAX]
    parts = [
        _Part((_LINES,), {"low": user, "high": user, "after_seq": low, "to_seq": high}, min(high, ledger.seq) - low)
        for low, high in itertools.pairwise(seqs)
    ]
    whole = {"low": user, "high": _next(user)}
    if not full:
        return [*parts, _Part((_ACCOUNTS, _NEW_CALLS), whole)]
    calls = [_NIL]
    while (call := await _call_after(db, user, calls[-1], part_lines)) is not None:
        calls.append(call)
    for low, high in itertools.pairwise([*calls, None]):
        end = {"high": user, "to_call": high} if high else {"high": _next(user), "to_call": _NIL}
        parts.append(_Part((_CALLS,), {"low": user, "from_call": low, **end}))
    return [*parts, _Part((_ACCOUNTS,), whole)]


async def _call_after(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, count: int) -> uuid.UUID | None:
    query = """
        SELECT call_id FROM credit_holds WHERE user_id = :user AND call_id >= :call
        ORDER BY call_id OFFSET :count LIMIT 1
    """
    found: uuid.UUID | None = (await db.execute(text(query), {"user": user, "call": call, "count": count})).scalar()
    return found


async def _verify_part(database: Database, part: _Part) -> list[Violation]:
    for attempt in range(3):
        try:
            return await _verify_snapshot(database, part)
        except OperationalError as error:
            # Two verifications at once moved the same checkpoint: the later one looks again.
            if getattr(error.orig, "sqlstate", None) != "40001" or attempt == 2:
                raise
    raise AssertionError("unreachable")


async def _verify_snapshot(database: Database, part: _Part) -> list[Violation]:
    async with database.transaction(everyone=_WHY, snapshot=True) as db:
        await db.execute(text("SET LOCAL statement_timeout = 0"))
        violations: list[Violation] = []
        for function in part.functions:
            found = await db.execute(text(f"SELECT * FROM {function}"), part.values)  # noqa: S608  our own words only
            violations += [Violation(row.user_id, row.seq, row.problem) for row in found]
        if part.moves_checkpoints and not violations:
            await db.execute(_move_checkpoints(_NEWEST), part.values)
    return violations


_NEWEST = """
    (user_id, seq) IN (SELECT a.user_id, a.seq FROM credit_accounts a
                       WHERE a.user_id >= :low AND a.user_id < :high AND NOT EXISTS (
                           SELECT FROM ledger_checkpoints c WHERE c.user_id = a.user_id AND c.seq >= a.seq))
"""


def _move_checkpoints(which: str) -> TextClause:
    return text(
        "INSERT INTO ledger_checkpoints (user_id, seq, balance, hash, verified_at)"  # noqa: S608  our own words only
        f" SELECT user_id, seq, balance_after, hash, now() FROM credit_transactions WHERE {which}"
        " ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq, balance = excluded.balance,"
        " hash = excluded.hash, verified_at = excluded.verified_at WHERE ledger_checkpoints.seq < excluded.seq"
    )


def _values(ledger: _Ledger) -> Values:
    return {"user": ledger.user, "seq": ledger.seq}


def _next(user: uuid.UUID) -> uuid.UUID:
    return uuid.UUID(int=min(user.int + 1, _LAST.int))
