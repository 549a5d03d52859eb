"""The operator at the inbox: what providers told us, without the people in it, and once more what went wrong."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from talktime import inbox
from talktime.accounts.models import AuditEntry
from talktime.accounts.operators import NotAnOperator
from talktime.alerts.events import (
    Filter,
    HandledAlready,
    Shown,
    State,
    listed,
    masked,
    opened,
    replay,
    replay_many,
)
from talktime.db.session import Database
from talktime.errors import BadInput, NotFound
from talktime.inbox import Incoming, ProviderEvent
from tests.people import WHY, Person, new_person

FORM = b"CallSid=CA1&CallStatus=completed&From=%2B493012345678&CallerName=Karl+Meier&CallDuration=12"
JSON = (
    b'{"id": "evt_1", "type": "charge.refunded", "data": {"object": {"amount": 1050, "currency": "eur", "live": true,'
    b' "billing_details": {"email": "karl@example.org", "name": "Karl", "phone": 493012345678}, "receipt_url": "https://x"}}}'
)


@pytest.fixture
async def operator(empty_database: Database) -> Person:
    """The operator of a database that is nobody else's."""
    return await new_person(empty_database, "Ada", credits=0, admin=True)


async def stored(database: Database, *, kind: str = "test.kind", provider: str = "simulated") -> uuid.UUID:
    """An event that nobody handled yet."""
    name = uuid.uuid4().hex
    async with database.transaction(everyone=WHY) as db:
        assert await inbox.store(db, Incoming(provider, "AC", name, kind, FORM, {"user-agent": "x", "cookie": "y"}))
        found: uuid.UUID | None = await db.scalar(select(ProviderEvent.id).where(ProviderEvent.event_id == name))
    assert found is not None
    return found


async def put(database: Database, event: uuid.UUID, **values: object) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(ProviderEvent).where(ProviderEvent.id == event).values(**values))


async def seen(database: Database, which: Filter, **more: int | uuid.UUID) -> list[Shown]:
    async with database.transaction(everyone=WHY) as db:
        return list(await listed(db, which, **more))  # type: ignore[arg-type]  # limit and before


async def state_of(database: Database, event: uuid.UUID) -> Shown:
    async with database.transaction(everyone=WHY) as db:
        return (await opened(db, event)).event


async def test_events_are_listed_newest_first_by_what_they_are(empty_database: Database, operator: Person) -> None:
    now = datetime.now(UTC)
    waiting, handled, given_up, other = [
        await stored(empty_database, provider=provider)
        for provider in ("simulated", "simulated", "simulated", "stripe")
    ]
    await put(empty_database, handled, handled_at=now, verdict="handled")
    await put(empty_database, given_up, gave_up_at=now, error="ValueError: x", tries=10)
    assert [each.id for each in await seen(empty_database, Filter())] == [other, given_up, handled, waiting]
    by_state = {state: [each.id for each in await seen(empty_database, Filter(state=state))] for state in State}
    assert by_state == {State.WAITING: [other, waiting], State.HANDLED: [handled], State.GIVEN_UP: [given_up]}
    assert [each.id for each in await seen(empty_database, Filter(provider="stripe"))] == [other]
    assert await seen(empty_database, Filter(kind="another")) == []
    assert await seen(empty_database, Filter(until=now - timedelta(hours=1))) == []
    assert len(await seen(empty_database, Filter(since=now - timedelta(hours=1)))) == 4
    first = await seen(empty_database, Filter(), limit=2)
    assert [each.id for each in await seen(empty_database, Filter(), limit=2, before=first[-1].id)] == [
        handled,
        waiting,
    ]


async def test_people_are_shown_to_an_operator_by_name_and_that_is_written_down(
    empty_database: Database, operator: Person
) -> None:
    event = await stored(empty_database)
    bob = await new_person(empty_database, "Bob", credits=0)
    async with empty_database.transaction(everyone=WHY) as db:
        hidden = await opened(db, event)
        shown = await opened(db, event, reveal_to=operator.id)
        entries = list(await db.scalars(select(AuditEntry).where(AuditEntry.act == "event.revealed")))
    assert "Karl" not in hidden.body
    assert "493012345678" not in hidden.body
    assert "CallSid = CA1" in hidden.body
    assert not hidden.is_revealed
    assert shown.body == FORM.decode()
    assert hidden.headers == {"user-agent": "x"}
    assert [(entry.actor_id, entry.after) for entry in entries] == [(operator.id, {"event_id": str(event)})]
    with pytest.raises(NotAnOperator):
        async with empty_database.transaction(everyone=WHY) as db:
            await opened(db, event, reveal_to=bob.id)
    with pytest.raises(NotFound):
        async with empty_database.transaction(everyone=WHY) as db:
            await opened(db, uuid.uuid4())


def test_of_a_document_ids_states_and_sums_are_left() -> None:
    said = masked(JSON)
    for kept in ("evt_1", "charge.refunded", "1050", "eur", "true", "billing_details", "email"):
        assert kept in said
    for gone in ("karl", "Karl", "493012345678", "https://x"):
        assert gone not in said
    assert masked(b"") == ""
    assert masked(b"\xff\xfe just words of somebody") == "(25 bytes)"
    assert "Karl" not in masked(b'["Karl", {"a": ["Karl", 5]}]')
    assert "Karl" not in masked(b'"Karl"')


async def test_what_was_given_up_is_handled_once_more_from_the_beginning(
    empty_database: Database, operator: Person
) -> None:
    event = await stored(empty_database)
    await put(empty_database, event, gave_up_at=datetime.now(UTC), tries=10, error="ValueError: x")
    async with empty_database.transaction(everyone=WHY) as db:
        again = await replay(db, event, by=operator.id)
    assert (again.state, again.tries) == (State.WAITING, 0)
    handled: list[uuid.UUID] = []

    async def handle(_db: object, one: ProviderEvent) -> str:
        handled.append(one.id)
        return "handled"

    await inbox.drain(empty_database, {"test.kind": handle})
    await inbox.drain(empty_database, {"test.kind": handle})
    assert handled == [event]
    found = await state_of(empty_database, event)
    assert (found.state, found.verdict, found.error) == (State.HANDLED, "handled", None)


async def test_what_was_handled_is_handled_again_only_when_that_is_said(
    empty_database: Database, operator: Person
) -> None:
    event = await stored(empty_database)
    await put(empty_database, event, handled_at=datetime.now(UTC), verdict="handled")
    with pytest.raises(HandledAlready):
        async with empty_database.transaction(everyone=WHY) as db:
            await replay(db, event, by=operator.id)
    assert (await state_of(empty_database, event)).state is State.HANDLED
    async with empty_database.transaction(everyone=WHY) as db:
        assert (await replay(db, event, by=operator.id, again=True)).state is State.WAITING
        acts = await db.scalars(select(AuditEntry.act).order_by(AuditEntry.seq.desc()).limit(1))
    assert acts.all() == ["event.handled_again"]


async def test_only_an_operator_has_anything_handled_again(empty_database: Database) -> None:
    event, bob = await stored(empty_database), await new_person(empty_database, "Bob", credits=0)
    await put(empty_database, event, gave_up_at=datetime.now(UTC))
    for deed in (replay, replay_many):
        which = event if deed is replay else Filter()
        with pytest.raises(NotAnOperator):
            async with empty_database.transaction(everyone=WHY) as db:
                await deed(db, which, by=bob.id)  # type: ignore[arg-type]  # each its own
    assert (await state_of(empty_database, event)).state is State.GIVEN_UP


async def test_a_range_is_what_was_given_up_and_handled_ones_only_when_that_is_said(
    empty_database: Database, operator: Person
) -> None:
    now = datetime.now(UTC)
    events = [await stored(empty_database) for _ in range(4)]
    await put(empty_database, events[0], gave_up_at=now)
    await put(empty_database, events[1], gave_up_at=now, received_at=now - timedelta(days=9))
    await put(empty_database, events[2], handled_at=now)

    async def many(which: Filter, *, again: bool = False) -> int:
        async with empty_database.transaction(everyone=WHY) as db:
            return await replay_many(db, which, by=operator.id, again=again)

    recent = Filter(since=now - timedelta(days=1))
    assert await many(recent) == 1
    assert await many(recent) == 0
    assert await many(Filter(since=now - timedelta(days=1), until=now - timedelta(hours=1)), again=True) == 0
    assert await many(recent, again=True) == 1
    assert [each.state for each in await seen(empty_database, Filter())] == [
        State.WAITING, State.WAITING, State.GIVEN_UP, State.WAITING,
    ]  # fmt: skip
    for wrong, again in ((Filter(), True), (Filter(state=State.WAITING), False), (Filter(state=State.HANDLED), False)):
        with pytest.raises(BadInput):
            await many(wrong, again=again)


async def test_an_event_that_somebody_is_handling_is_waited_for(empty_database: Database, operator: Person) -> None:
    event = await stored(empty_database)
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(text("SELECT FROM provider_events WHERE id = :id FOR UPDATE"), {"id": event})
        with pytest.raises(Exception, match="lock timeout"):
            async with empty_database.transaction(everyone=WHY) as other:
                await other.execute(text("SET LOCAL lock_timeout = '200ms'"))
                await replay(other, event, by=operator.id, again=True)
