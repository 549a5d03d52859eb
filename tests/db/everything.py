"""Somebody with a row in every tenant table, and what the models say of which table is whose.

The rule: which tables are tenants' is read from the models, so that a new one is found here before anybody says so.
"""

import hashlib
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from talktime.accounts import audit
from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.cli.models import metadata
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.payments.models import Purchase
from tests.people import WHY, Person

TABLES = metadata().tables
OPERATORS_TABLES = ("call_costs", "purchase_directory")
"""Rows about a customer that only the operator may read: what calls cost, and how a payment finds its purchase."""
TENANT_TABLES = sorted(
    table.name
    for table in TABLES.values()
    if "user_id" in table.primary_key.columns and table.name not in OPERATORS_TABLES
)
DIRECTORY_TABLES = sorted(set(TABLES) - set(TENANT_TABLES))

_ROWS = (
    (
        "INSERT INTO charge_claims (user_id, call_id, reason, state, automatic, credits)"
        " VALUES (:user, :call, 'spam', 'REQUESTED', false, 5)"
    ),
    "INSERT INTO turn_corrections (user_id, call_id, turn_no, text) VALUES (:user, :call, 1, 'Say it so.')",
    "INSERT INTO use_days VALUES (:user, '2026-01-01', :new, 1, 60, 15)",
    "INSERT INTO use_counts VALUES (:user, 'Europe/Berlin', '2026-01-02', 1)",
    (
        "INSERT INTO credit_reversals (user_id, reference, purchase_id, type, asked, taken)"
        " VALUES (:user, 'refund:x', :purchase, 'REFUND', 5, 0)"
    ),
    "INSERT INTO notices (user_id, id, kind, subject) VALUES (:user, :new, 'low_balance', '1')",
    (
        "INSERT INTO payment_reversals (user_id, id, purchase_id, kind, state, amount_minor, currency)"
        " VALUES (:user, 're_x', :purchase, 'REFUND', 'PENDING', 5, 'EUR')"
    ),
    (
        "INSERT INTO refund_requests (user_id, request_key, purchase_id, amount_minor, actor_id)"
        " VALUES (:user, 'x', :purchase, 5, :user)"
    ),
    "INSERT INTO top_ups (user_id) VALUES (:user)",
    (
        "INSERT INTO agent_drafts (user_id, agent_id, content) SELECT user_id, agent_id, '{}' FROM agent_versions"
        " WHERE user_id = :user ON CONFLICT DO NOTHING"
    ),
    (
        "INSERT INTO mail_choices (user_id, digest, messages, missed_calls, summaries)"
        " VALUES (:user, true, true, true, false)"
    ),
    "INSERT INTO billing_details (user_id) VALUES (:user)",
    (
        "INSERT INTO invoices (user_id, id, number, series, no, kind, purchase_id, paid_at, seller, buyer, description,"
        " payment_reference, currency, vat_basis_points, net_minor, vat_minor, gross_minor)"
        " VALUES (:user, :new, 'TT-1', 'TT', 1, 'INVOICE', :purchase, now(), '{}', '{}', 'x', 'x', 'EUR', 0, 5, 0, 5)"
    ),
    "INSERT INTO invoice_numbers (series, no, user_id, invoice_id) VALUES (CAST(:new AS text), 1, :user, :new)",
    (
        "INSERT INTO webhook_endpoints (user_id, id, url, events, secret)"
        " VALUES (:user, :purchase, 'https://x.example.org', ARRAY['booking.*'], '\\x00')"
    ),
    "INSERT INTO webhook_events (user_id, id, type, data) VALUES (:user, :purchase, 'booking.held', '{}')",
    (
        "INSERT INTO webhook_deliveries (user_id, id, endpoint_id, event_id, sequence, attempts, due_at)"
        " VALUES (:user, :purchase, :purchase, :purchase, 1, 1, now())"
    ),
    "INSERT INTO webhook_attempts (user_id, delivery_id, attempt_no, status) VALUES (:user, :purchase, 1, 500)",
    "INSERT INTO recovery_codes (user_id, code_hash) VALUES (:user, :hash)",
    "INSERT INTO idempotency_keys (user_id, key, digest) VALUES (:user, 'x', :hash)",
    (
        "INSERT INTO ledger_checkpoints (user_id, seq, balance, hash, verified_at)"
        " VALUES (:user, 1, 1000, '\\x00', now())"
    ),
    (
        "INSERT INTO call_costs (user_id, call_id, provider, kind, quantity, estimated)"
        " VALUES (:user, :call, 'openai/x', 'PROMPT_TOKENS', 5, false)"
    ),
)
"""Rows that only functions or handlers write; the owner of the tables stands in for them."""


@dataclass(frozen=True)
class Two:
    """Two customers with a row in every table; Alice owns, and Bob, or nobody at all, looks for what is hers."""

    database: Database
    alice: Person
    bob: Person
    call: uuid.UUID
    """Alice's."""


async def fill(database: Database, person: Person) -> uuid.UUID:
    """Give a customer a row in every tenant table, and one that only the operator may read; gives their call."""
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC", call_id=f"CA{uuid.uuid4().hex}", caller="+4915112345678", dialled=person.number)
        decision = await lifecycle.ring(db, "simulated", rang)
        assert decision.call_id is not None
        call = await lifecycle.answer(db, person.id, decision.call_id, "owner")
        assert call is not None
        await lifecycle.write_turn(db, _turn(person.id, call.call_id))
        await audit.record(db, person.id, person.id, "session.began", after={"session": str(new_id())})
        purchase = new_id()
        db.add(Purchase(user_id=person.id, id=purchase, credits=5, price_minor=5, currency="EUR", gateway="test"))
        await db.flush()
        await become_owner(db)
        for statement in _ROWS:
            values = {"user": person.id, "call": call.call_id, "purchase": purchase, "new": new_id()}
            await db.execute(text(statement), {**values, "hash": hashlib.sha256(purchase.bytes).digest()})
    return call.call_id


async def become_owner(db: AsyncSession) -> None:
    """For the rest of the transaction: who owns the tables, which the application never is."""
    await db.execute(text("RESET ROLE"))
    await db.execute(text("SET LOCAL ROLE talktime_owner"))


async def digests_of(database: Database, *, about: uuid.UUID | None = None) -> dict[str, str | None]:
    """The same, of what is committed."""
    async with database.engine.connect() as connection:
        return await digests(connection, about=about)


async def digests(connection: AsyncConnection, *, about: uuid.UUID | None = None) -> dict[str, str | None]:
    """A digest of each table's rows, or of those about one customer, as this connection's transaction sees them.

    Left out is what every look at a page may write: how often something was tried, and when somebody was last seen.
    """
    await connection.execute(text("RESET ROLE"))
    await connection.execute(text("SET LOCAL ROLE talktime_owner"))
    whose = "WHERE user_id = :about" if about else ""
    names = [name for name, table in TABLES.items() if about is None or "user_id" in table.columns]
    if about is None:
        names.append("procrastinate_jobs")
    parts = [
        f"SELECT '{name}', md5(string_agg({_SEEN.get(name, 't::text')}, '|' ORDER BY {_SEEN.get(name, 't::text')}))"
        f" FROM {name} t {whose}"
        for name in names
        if name != "throttles"
    ]
    rows = await connection.execute(text(" UNION ALL ".join(parts)), {"about": about} if about else {})
    return {row[0]: row[1] for row in rows}


_SEEN = {
    "sessions": "(to_jsonb(t) - 'last_seen_at')::text",
    "api_keys": "(to_jsonb(t) - 'last_used_at')::text",
}


def _turn(user: uuid.UUID, call: uuid.UUID) -> dict[str, object]:
    return {
        "user_id": user,
        "call_id": call,
        "turn_no": 1,
        "speaker": "AGENT",
        "text": "Hello.",
        "began_ms": 0,
        "ended_ms": 900,
        "interrupted": False,
        "latency": None,
        "tools": [],
        "sources": [],
    }
