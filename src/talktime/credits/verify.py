"""Prove the books: every line, every account, every hold against each other.

By ranges of users on several connections. A quick run goes on from each user's checkpoint; it cannot see tampering
before that, so a full one starts from the first line and runs nightly.
"""

import asyncio
import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from talktime.db.session import Database

_WHY = "the books of all users are verified together"
_RANGES = 16


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


async def verify(database: Database, *, full: bool = False, connections: int = 2) -> Verdict:
    """Check all invariants; `full` from the first line, else from where the last clean verification ended."""
    ranges = asyncio.Queue[tuple[uuid.UUID, uuid.UUID]]()
    edges = [uuid.UUID(int=(2**128 - 1) * step // _RANGES) for step in range(_RANGES + 1)]
    # UUIDv7 begins with the time, so equal ranges of the key would put everybody into one: split where the users are.
    edges = await _split(database) or edges
    for low, high in itertools.pairwise(edges):
        ranges.put_nowait((low, high))

    async def work() -> list[tuple[int, int, list[Violation]]]:
        done = []
        while not ranges.empty():
            done.append(await _verify_range(database, *ranges.get_nowait(), full=full))
        return done

    parts = [part for worker in await asyncio.gather(*(work() for _ in range(connections))) for part in worker]
    violations = sorted(
        (violation for _, _, found in parts for violation in found), key=lambda v: (v.user_id, v.seq or 0, v.problem)
    )
    return Verdict(sum(part[0] for part in parts), sum(part[1] for part in parts), tuple(violations))


async def _split(database: Database) -> list[uuid.UUID]:
    async with database.transaction(everyone=_WHY) as db:
        rows = await db.execute(
            text(
                "SELECT min(user_id::text)::uuid FROM"
                " (SELECT user_id, ntile(:ranges) OVER (ORDER BY user_id) AS part FROM credit_accounts) x"
                " GROUP BY part ORDER BY 1"
            ),
            {"ranges": _RANGES},
        )
        starts = list(rows.scalars())
    return [uuid.UUID(int=0), *starts[1:], uuid.UUID(int=2**128 - 1)] if starts else []


async def _verify_range(
    database: Database, low: uuid.UUID, high: uuid.UUID, *, full: bool
) -> tuple[int, int, list[Violation]]:
    """One range of users, in one snapshot, so that a posting in between is seen whole or not at all."""
    for attempt in range(3):
        try:
            return await _verify_snapshot(database, {"low": low, "high": high, "full": full})
        except OperationalError as error:
            # Two verifications at once moved the same checkpoint: the later one looks again.
            if getattr(error.orig, "sqlstate", None) != "40001" or attempt == 2:
                raise
    raise AssertionError("unreachable")


async def _verify_snapshot(database: Database, values: dict[str, object]) -> tuple[int, int, list[Violation]]:
    async with database.transaction(everyone=_WHY, snapshot=True) as db:
        await db.execute(text("SET LOCAL statement_timeout = 0"))
        found = await db.execute(
            text(
                "SELECT * FROM (SELECT * FROM verify_lines_v1(:low, :high, :full)"
                " UNION ALL SELECT * FROM verify_accounts_v1(:low, :high)"
                " UNION ALL SELECT * FROM verify_holds_v1(:low, :high)) v"
            ),
            values,
        )
        violations = [Violation(row.user_id, row.seq, row.problem) for row in found]
        counted = await db.execute(
            text(
                "SELECT count(*) AS accounts,"
                " coalesce(sum(a.seq - CASE WHEN :full THEN 0 ELSE coalesce(c.seq, 0) END), 0) AS lines"
                " FROM credit_accounts a LEFT JOIN ledger_checkpoints c USING (user_id)"
                " WHERE a.user_id >= :low AND a.user_id < :high"
            ),
            values,
        )
        accounts, lines = counted.one()
        if not violations:
            await db.execute(
                text(
                    "INSERT INTO ledger_checkpoints (user_id, seq, balance, hash, verified_at)"
                    " SELECT user_id, seq, balance_after, hash, now() FROM ("
                    "   SELECT DISTINCT ON (user_id) user_id, seq, balance_after, hash FROM credit_transactions"
                    "   WHERE user_id >= :low AND user_id < :high ORDER BY user_id, seq DESC) newest"
                    " ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq, balance = excluded.balance,"
                    " hash = excluded.hash, verified_at = excluded.verified_at"
                    " WHERE ledger_checkpoints.seq < excluded.seq"
                ),
                values,
            )
    return accounts, int(lines), violations
