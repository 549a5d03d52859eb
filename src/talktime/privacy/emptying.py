"""Taking people out of what the database keeps of them, page by page, each page in a short transaction of its own.

The rule: every step here can be run again, and begins where there is still something to do. What only the database's
functions may change (`calls/sql/40_privacy.sql`), they change.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls.models import Call
from talktime.credits.functions import typed_errors
from talktime.db.session import Database
from talktime.inbox import ProviderEvent
from talktime.payments.models import Purchase, PurchaseDirectory, TopUp
from talktime.privacy import bodies
from talktime.privacy.spellings import WORD, Spelling

WHY = "the inbox, the alerts and the jobs are everybody's, and somebody goes out of them"
_BEGIN = uuid.UUID(int=0)
_CALLS_AT_ONCE = 100
_CALLS_SEARCHED = 500
_EVENTS_AT_ONCE = 1000
_NAMES_AT_ONCE = 100

Progress = Callable[[int], None]


async def empty_calls(database: Database, user: uuid.UUID, progress: Progress) -> int:
    """Empty every call of somebody; gives how many were not empty."""
    done, last = 0, _BEGIN
    while True:
        # No index knows what is forgotten: so in the order of the ids, and every one is looked at once.
        page = (
            select(Call.id)
            .where(Call.user_id == user, Call.id > last, Call.forgotten_at.is_(None))
            .order_by(Call.id)
            .limit(_CALLS_AT_ONCE)
        )
        async with database.transaction(user=user) as db:
            calls = (await db.scalars(page)).all()
            done += await _forget(db, user, calls)
        if not calls:
            return done
        last = calls[-1]
        progress(done)


async def empty_calls_of(database: Database, user: uuid.UUID, who: Spelling) -> int:
    """Empty the calls of one caller with somebody, and the legs to them; gives how many that were."""
    done = 0
    for theirs in (Call.caller == who.number, Call.parent_id.is_not(None) & (Call.dialled == who.number)):
        while True:
            async with database.transaction(user=user) as db:
                found = await db.scalars(select(Call.id).where(Call.user_id == user, theirs).limit(_CALLS_AT_ONCE))
                calls = found.all()
                done += await _forget(db, user, calls, who.number)
            if not calls:
                break
    return done


async def redact_calls(database: Database, user: uuid.UUID, who: Spelling) -> int:
    """Take a number out of what is kept of all calls of somebody, and of what they are told; gives out of how much."""
    changed, last = 0, _BEGIN
    values = {"user": user, "pattern": who.pattern, "word": WORD}
    while True:
        async with database.transaction(user=user) as db, typed_errors():
            page = (
                await db.execute(
                    text("SELECT * FROM redact_calls_v1(:user, :after, :most, :pattern, :word)"),
                    {**values, "after": last, "most": _CALLS_SEARCHED},
                )
            ).one()
        changed += int(page.changed)
        if page.last is None:
            break
        last = page.last
    async with database.transaction(user=user) as db, typed_errors():
        told = await db.scalar(text("SELECT redact_notices_v1(:user, :pattern, :word)"), values)
    return changed + int(told or 0)


async def redact_webhooks(database: Database, user: uuid.UUID, who: Spelling) -> int:
    """Take a number out of what somebody's programs were told, and of what these answered; gives out of how much."""
    changed, last = 0, _BEGIN
    while True:
        async with database.transaction(user=user) as db, typed_errors():
            page = (
                await db.execute(
                    text("SELECT * FROM redact_webhooks_v1(:user, :after, :most, :pattern, :word)"),
                    {"user": user, "pattern": who.pattern, "word": WORD, "after": last, "most": _EVENTS_AT_ONCE},
                )
            ).one()
        changed += int(page.changed)
        if page.last is None:
            return changed
        last = page.last


async def empty_reports(database: Database, user: uuid.UUID | None) -> int:
    """Empty the carriers' reports about forgotten calls of somebody, or of everybody; gives how many."""
    emptied, last = 0, _BEGIN
    while True:
        async with database.transaction(everyone=WHY) as db:
            page = (
                await db.execute(
                    text("SELECT * FROM forget_reports_v1(CAST(:user AS uuid), :after, :most)"),
                    {"user": user, "after": last, "most": _EVENTS_AT_ONCE},
                )
            ).one()
        emptied += int(page.emptied)
        if page.last is None:
            return emptied
        last = page.last


async def redact_events(database: Database, who: Spelling, user: uuid.UUID | None) -> int:
    """Take a number out of every other event: of everybody's, or of those about calls of somebody."""
    changed = 0
    async for events in _events(database, who.pattern, user):
        for event in events:
            body = bodies.redacted_body(event.body, who.redact)
            headers = bodies.redacted_value(event.headers, who.redact)
            error = None if event.error is None else who.redact(event.error)
            changed += await _rewrite(database, event, body=body, headers=headers, error=error)
    return changed


async def empty_payers(database: Database, user: uuid.UUID, address: str) -> int:
    """Take who paid out of the payment companies' words: wherever this address stands in them, and wherever something
    is told of what this customer bought, because they may have had another address then, or typed one there."""
    changed = 0
    async for events in _events(database, f"(?i){re.escape(address)}", None):
        for event in events:
            changed += await _rewrite(database, event, body=bodies.without_payer(event.body, address))
    names = await _names_of_payments(database, user)
    for begin in range(0, len(names), _NAMES_AT_ONCE):
        pattern = "|".join(re.escape(name) for name in names[begin : begin + _NAMES_AT_ONCE])
        async for events in _events(database, f"(?:{pattern})(?![A-Za-z0-9])", None):
            for event in events:
                changed += await _rewrite(database, event, body=bodies.without_payer(event.body))
    return changed


async def _names_of_payments(database: Database, user: uuid.UUID) -> list[str]:
    """What a payment company calls somebody's checkouts, their payments, and them."""
    async with database.transaction(everyone=WHY) as db:
        found = await db.scalars(
            select(PurchaseDirectory.checkout_id)
            .where(PurchaseDirectory.user_id == user)
            .union(
                select(PurchaseDirectory.payment_id).where(PurchaseDirectory.user_id == user),
                select(Purchase.customer_id).where(Purchase.user_id == user),
                select(TopUp.customer_id).where(TopUp.user_id == user),
            )
        )
        return sorted(name for name in found if name)


async def empty_mails(home: Path, address: str) -> int:
    """Remove the mails to this address that lie where no mail server is set."""
    return await asyncio.to_thread(bodies.empty_outbox, home, address)


async def redact_mails(home: Path, who: Spelling, to: str | None) -> int:
    """Take a number out of such mails."""
    return await asyncio.to_thread(bodies.redact_outbox, home, who.redact, to=to)


async def redact_rest(database: Database, who: Spelling, user: uuid.UUID | None) -> int:
    """Take a number out of alerts, approvals, jobs and names of requests: of everybody's, or of those about somebody.
    There should never have been one in them."""
    values = {"user": user, "pattern": who.pattern, "word": WORD}
    changed = 0
    for statement in _REST:
        async with database.transaction(everyone=WHY) as db:
            changed += len((await db.execute(text(statement), values)).all())
    return changed


async def empty_webhooks(db: AsyncSession, user: uuid.UUID) -> None:
    """Take out what somebody's programs were told, and what these answered. Needs a transaction that is everyone's."""
    await db.execute(text("SELECT empty_webhooks_v1(:user)"), {"user": user})


async def empty_agents(db: AsyncSession, user: uuid.UUID) -> None:
    """Take what somebody wrote for their agents out of them. Needs a transaction that is everyone's."""
    await db.execute(text("SELECT empty_agents_v1(:user)"), {"user": user})


async def _forget(db: AsyncSession, user: uuid.UUID, calls: Sequence[uuid.UUID], number: str | None = None) -> int:
    if not calls:
        return 0
    async with typed_errors():
        fresh = await db.scalar(
            text("SELECT forget_calls_v1(:user, CAST(:calls AS uuid[]), CAST(:number AS text))"),
            {"user": user, "calls": list(calls), "number": number},
        )
    return int(fresh or 0)


async def _events(database: Database, pattern: str, user: uuid.UUID | None) -> AsyncIterator[list[ProviderEvent]]:
    """The events in which something stands, page by page."""
    last = _BEGIN
    while True:
        async with database.transaction(everyone=WHY) as db:
            page = (select(ProviderEvent.id).where(ProviderEvent.id > last).order_by(ProviderEvent.id)).limit(
                _EVENTS_AT_ONCE
            )
            ids = (await db.scalars(page)).all()
            if not ids:
                return
            found = select(ProviderEvent).where(
                ProviderEvent.id > last,
                ProviderEvent.id <= ids[-1],
                text(_STANDS).bindparams(pattern=pattern),
            )
            if user is not None:
                found = found.where(text(_ABOUT).bindparams(user=user))
            events = list((await db.scalars(found)).all())
        last = ids[-1]
        if events:
            yield events


async def _rewrite(database: Database, event: ProviderEvent, **values: object) -> int:
    """Store an event without somebody, unless that is how it is stored."""
    if all(getattr(event, name) == value for name, value in values.items()):
        return 0
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            update(ProviderEvent)
            .where(ProviderEvent.id == event.id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
    return 1


_STANDS = """
    (encode(provider_events.body, 'escape') ~ :pattern OR provider_events.headers::text ~ :pattern
        OR provider_events.error ~ :pattern)
"""
_ABOUT = """
    EXISTS (
        SELECT FROM call_directory d WHERE d.user_id = :user AND d.carrier = provider_events.provider
            AND d.carrier_call_id = split_part(provider_events.event_id, ':', 1)
    )
"""
# What is about nobody in particular is the operator's, and no customer's to change.
_REST = (
    """
    UPDATE alerts SET detail = redacted(detail, :pattern, :word), note = regexp_replace(note, :pattern, :word, 'g')
    WHERE (CAST(:user AS uuid) IS NULL OR user_id = CAST(:user AS uuid))
        AND (detail::text ~ :pattern OR note ~ :pattern) RETURNING 1
    """,
    """
    UPDATE approvals SET reason = regexp_replace(reason, :pattern, :word, 'g')
    WHERE (CAST(:user AS uuid) IS NULL OR user_id = CAST(:user AS uuid)) AND reason ~ :pattern RETURNING 1
    """,
    """
    UPDATE procrastinate_jobs SET args = redacted(args, :pattern, :word)
    WHERE (CAST(:user AS uuid) IS NULL OR args->>'user' = CAST(:user AS text)) AND args::text ~ :pattern RETURNING 1
    """,
    # A program may name its request by whom it is about. What it was answered lies sealed, and for a day.
    """
    DELETE FROM idempotency_keys
    WHERE (CAST(:user AS uuid) IS NULL OR user_id = CAST(:user AS uuid)) AND key ~ :pattern RETURNING 1
    """,
)
