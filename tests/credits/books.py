"""The books as the database has them, in plain values, and what must hold of them; and the stage hands of these tests:
what only the owner of the tables may do, such as letting time pass.

The invariants are asked in SQL of our own and the hashes are computed here: a mistake in `verify` hides nothing.
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.db.base import new_id

Row = dict[str, Any]


@dataclass(frozen=True)
class State:
    """Everything the books say about some users."""

    accounts: dict[uuid.UUID, Row]
    holds: dict[tuple[uuid.UUID, uuid.UUID], Row]
    lines: dict[uuid.UUID, list[Row]]
    purchases: dict[tuple[uuid.UUID, uuid.UUID], Row]
    claims: dict[tuple[uuid.UUID, uuid.UUID], Row]
    alerts: dict[uuid.UUID, Counter[tuple[str, int]]]
    notices: dict[uuid.UUID, set[tuple[str, str]]]


_TABLES = {
    "accounts": "SELECT * FROM credit_accounts a WHERE a.user_id = ANY (%(users)s)",
    "holds": "SELECT * FROM credit_holds h WHERE h.user_id = ANY (%(users)s)",
    "lines": "SELECT * FROM credit_transactions t WHERE t.user_id = ANY (%(users)s) ORDER BY t.user_id, t.seq",
    "purchases": "SELECT * FROM purchases p WHERE p.user_id = ANY (%(users)s)",
    "claims": "SELECT * FROM charge_claims c WHERE c.user_id = ANY (%(users)s)",
    "alerts": "SELECT * FROM alerts a WHERE a.user_id = ANY (%(users)s)",
    "notices": "SELECT * FROM notices n WHERE n.user_id = ANY (%(users)s)",
}


# Each finds what must not be. The numbers are those of the promises.
_INVARIANTS = {
    "1: the balance is the sum of the lines": """
        SELECT a.user_id::text FROM credit_accounts a WHERE a.user_id = ANY (%(users)s)
        AND a.balance <> (SELECT coalesce(sum(t.amount), 0) FROM credit_transactions t WHERE t.user_id = a.user_id)""",
    "2: never overspent": """
        SELECT a.user_id::text FROM credit_accounts a WHERE a.user_id = ANY (%(users)s)
        AND (a.balance - a.held < -a.grace_limit - a.clawback_debt OR a.held < 0 OR a.clawback_debt < 0)""",
    "3: what is held and what is open are what the holds say": """
        SELECT a.user_id::text FROM credit_accounts a WHERE a.user_id = ANY (%(users)s)
        AND (a.held, a.open_calls) <> (
            SELECT coalesce(sum(h.held) FILTER (WHERE h.settled_at IS NULL), 0)::bigint,
                (count(*) FILTER (WHERE h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL')))::integer
            FROM credit_holds h WHERE h.user_id = a.user_id)""",
    "3: what is settled holds nothing": """
        SELECT h.call_id::text FROM credit_holds h
        WHERE h.user_id = ANY (%(users)s) AND h.settled_at IS NOT NULL AND h.held > 0""",
    "4: a call's lines are what it cost, and within what was held": """
        SELECT h.call_id::text FROM credit_holds h WHERE h.user_id = ANY (%(users)s) AND (
            h.charged + h.corrected NOT BETWEEN 0 AND h.held_peak OR -(h.charged + h.corrected) <> (
            SELECT coalesce(sum(t.amount), 0) FROM credit_transactions t
            WHERE t.user_id = h.user_id AND t.call_id = h.call_id))""",
    "4: at most one line of each kind of usage": """
        SELECT t.call_id::text FROM credit_transactions t WHERE t.user_id = ANY (%(users)s)
        AND t.type IN ('CALL_USAGE', 'GRACE_USAGE') GROUP BY t.user_id, t.call_id, t.type HAVING count(*) > 1""",
    "5: a payment is credited once, and reversed at most whole": """
        SELECT p.id::text FROM purchases p CROSS JOIN LATERAL (
            SELECT coalesce(sum(t.amount) FILTER (WHERE t.type = 'PURCHASE'), 0) AS credited,
                -coalesce(sum(t.amount) FILTER (WHERE t.type IN ('REFUND', 'DISPUTE')), 0) AS reversed
            FROM credit_transactions t WHERE t.user_id = p.user_id AND t.purchase_id = p.id
        ) t WHERE p.user_id = ANY (%(users)s) AND (
            t.credited <> CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END
            OR t.reversed <> p.reversed_credits OR t.reversed NOT BETWEEN 0 AND t.credited)""",
    "7: a call is over exactly when its hold is closed": """
        SELECT c.id::text FROM calls c JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
        WHERE c.user_id = ANY (%(users)s) AND (c.ended_at IS NULL) <> (h.settled_at IS NULL)""",
}
_ALL = " UNION ALL ".join(
    f"SELECT '{name.replace(chr(39), chr(39) * 2)}' AS promise, x.* FROM ({query}) x (culprit)"
    for name, query in _INVARIANTS.items()
)


class Eyes:
    """Somebody who sees everything and changes nothing, on a connection of their own."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, row_factory=dict_row, prepare_threshold=1)

    def close(self) -> None:
        self._connection.close()

    def state(self, *users: uuid.UUID) -> State:
        """The books of these users, after a look at what must hold of them. Nobody may be writing at the moment."""
        broken = self._rows(_ALL, users)
        assert not broken, broken
        state = self._read(users)
        for user, lines in state.lines.items():
            account = state.accounts.get(user) or {"balance": 0, "seq": 0, "head": b""}
            assert_chain(lines, account["balance"], account["seq"])
            assert account["head"] == (lines[-1]["hash"] if lines else b""), user
        return state

    def _rows(self, query: str, users: Sequence[uuid.UUID]) -> list[Row]:
        return self._connection.execute(query.encode(), {"users": list(users)}).fetchall()

    def _read(self, users: Sequence[uuid.UUID]) -> State:
        rows = {name: self._rows(query, users) for name, query in _TABLES.items()}
        lines: dict[uuid.UUID, list[Row]] = {user: [] for user in users}
        alerts: dict[uuid.UUID, Counter[tuple[str, int]]] = {user: Counter() for user in users}
        notices: dict[uuid.UUID, set[tuple[str, str]]] = {user: set() for user in users}
        for line in rows["lines"]:
            lines[line["user_id"]].append(line)
        for alert in rows["alerts"]:
            alerts[alert["user_id"]][alert["kind"], alert["detail"]["credits"]] += 1
        for notice in rows["notices"]:
            notices[notice["user_id"]].add((notice["kind"], notice["subject"]))
        return State(
            accounts={row["user_id"]: row for row in rows["accounts"]},
            holds={(row["user_id"], row["call_id"]): row for row in rows["holds"]},
            lines=lines,
            purchases={(row["user_id"], row["id"]): row for row in rows["purchases"]},
            claims={(row["user_id"], row["call_id"]): row for row in rows["claims"]},
            alerts=alerts,
            notices=notices,
        )


def likeness(eyes: Eyes, user: uuid.UUID, names: Mapping[uuid.UUID, str]) -> Any:
    """Somebody's books without that in which equal ones differ: ids, hashes and moments. `names` stand for ids."""
    state = eyes.state(user)
    names = {**names, user: "me"}

    def plain(row: Row) -> Row:
        kept = {name: names.get(value, value) for name, value in row.items() if name not in _MOMENTS}
        kept["reference"] = str(row.get("reference", "")).partition(":")[0]
        happened = ("lost_at", "cut_claimed_at", "settled_at")
        return kept | {name: row[name] is not None for name in happened if name in row}

    return (
        plain(state.accounts[user]),
        {names[call]: plain(row) for (_, call), row in state.holds.items()},
        [plain(line) for line in state.lines[user]],
        {
            names[purchase]: (row["credits"], row["credited_at"] is not None, row["reversed_credits"])
            for (_, purchase), row in state.purchases.items()
        },
        state.alerts[user],
        Counter(kind for kind, _ in state.notices[user]),
    )


_MOMENTS = {
    *("created_at", "hash", "head", "user_id", "price_id", "lease_until", "cut_at"),
    *("lost_at", "cut_claimed_at", "settled_at"),
}


def assert_chain(lines: Sequence[Row], balance: int, seq: int) -> None:
    """Numbers without a gap, balances and hashes that follow from each other, up to what the account says."""
    total, previous = 0, b""
    for number, line in enumerate(lines, 1):
        total += line["amount"]
        assert (line["seq"], line["balance_after"]) == (number, total), line
        previous = line_hash(previous, line)
        assert line["hash"] == previous, line
    assert (total, len(lines)) == (balance, seq)


def line_hash(previous: bytes, line: Row) -> bytes:
    """The hash of a line, as PostgreSQL sends a row: how many columns; of each the number of its type, its length (-1
    for none) and its bytes."""
    micros = (line["created_at"] - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    columns: list[tuple[int, bytes | None]] = [
        (_INT4, (2).to_bytes(4, "big")),
        (_UUID, line["user_id"].bytes),
        (_INT8, line["seq"].to_bytes(8, "big", signed=True)),
        (_TEXT, str(line["type"]).encode()),
        (_INT8, line["amount"].to_bytes(8, "big", signed=True)),
        (_INT8, line["balance_after"].to_bytes(8, "big", signed=True)),
        (_UUID, line["call_id"] and line["call_id"].bytes),
        (_UUID, line["purchase_id"] and line["purchase_id"].bytes),
        (_BYTEA, line["reference"] and line["reference"].encode()),
        (_BYTEA, line["reason"] and line["reason"].encode()),
        (_UUID, line["actor_id"] and line["actor_id"].bytes),
        (_TIMESTAMPTZ, micros.to_bytes(8, "big", signed=True)),
        (_BYTEA, previous),
    ]
    parts = [len(columns).to_bytes(4, "big")]
    for type_number, column in columns:
        parts.append(type_number.to_bytes(4, "big"))
        parts.append((-1 if column is None else len(column)).to_bytes(4, "big", signed=True))
        parts.append(column or b"")
    return hashlib.sha256(b"".join(parts)).digest()


_BYTEA, _INT8, _INT4, _TEXT, _TIMESTAMPTZ, _UUID = 17, 20, 23, 25, 1184, 2950
"""PostgreSQL's numbers of these types; they have been the same in every version."""


# Stage hands.


@asynccontextmanager
async def as_owner(db: AsyncSession) -> AsyncIterator[None]:
    """For a few statements, the rights of the tables' owner."""
    role = await db.scalar(text("SELECT current_setting('role')"))
    await db.execute(text("SELECT set_config('role', 'none', true), set_config('role', 'talktime_owner', true)"))
    yield
    await db.execute(text("SELECT set_config('role', 'none', true), set_config('role', :role, true)"), {"role": role})


async def rings(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, caller: str | None = None) -> None:
    """A call begins to ring; nobody was asked about its credit yet."""
    async with as_owner(db):
        await db.execute(
            text(
                "INSERT INTO calls"
                " (user_id, id, direction, carrier, carrier_call_id, caller, status, route, started_at)"
                " VALUES (:user, :call, 'INBOUND', 'simulated', :name, :caller, 'RINGING', 'talk', now())"
            ),
            {"user": user, "call": call, "name": f"CA{call.hex}", "caller": caller},
        )


async def calls_follow(db: AsyncSession, users: Sequence[uuid.UUID]) -> None:
    """What `calls` does in the transaction that changes a hold: a call is answered with it, and over with it."""
    async with as_owner(db):
        await db.execute(
            text(
                "UPDATE calls c SET status = 'IN_PROGRESS', answered_at = clock_timestamp() FROM credit_holds h"
                " WHERE c.user_id = ANY (:users) AND c.status = 'RINGING'"
                " AND h.user_id = c.user_id AND h.call_id = c.id AND h.lease_owner IS NOT NULL"
            ),
            {"users": list(users)},
        )
        await db.execute(
            text(
                "UPDATE calls c SET ended_at = clock_timestamp(), seconds = coalesce(h.settled_seconds, 0),"
                " status = CASE WHEN c.answered_at IS NULL THEN 'NO_ANSWER' ELSE 'COMPLETED' END::call_status"
                " FROM credit_holds h WHERE c.user_id = ANY (:users) AND c.ended_at IS NULL"
                " AND h.user_id = c.user_id AND h.call_id = c.id AND h.settled_at IS NOT NULL"
            ),
            {"users": list(users)},
        )


async def bought(db: AsyncSession, user: uuid.UUID, credits: int, *, paid: bool = True) -> uuid.UUID:
    """A purchase, paid or not, that is not credited yet."""
    purchase = new_id()
    await db.execute(
        text(
            "INSERT INTO purchases (user_id, id, credits, price_minor, currency, gateway, state)"
            " VALUES (:user, :id, :credits, 900, 'EUR', 'test', CAST(:state AS purchase_state))"
        ),
        {"user": user, "id": purchase, "credits": credits, "state": "PAID" if paid else "OPEN"},
    )
    return purchase


async def lease_ends(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, seconds: float) -> None:
    """Move a hold's lease to so many seconds from now, or ago."""
    await _move(db, "lease_until", user, call, seconds)


async def cut_comes(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, seconds: float) -> None:
    """Move the moment a call is to be cut off to so many seconds from now, or ago."""
    await _move(db, "cut_at", user, call, seconds)


async def _move(db: AsyncSession, column: str, user: uuid.UUID, call: uuid.UUID, seconds: float) -> None:
    async with as_owner(db):
        await db.execute(
            text(
                f"UPDATE credit_holds SET {column} = clock_timestamp() + :seconds * interval '1 second'"
                f" WHERE user_id = :user AND call_id = :call AND {column} IS NOT NULL"
            ),
            {"user": user, "call": call, "seconds": seconds},
        )
