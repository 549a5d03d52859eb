"""`/v1/admin/numbers`: the pool of numbers, for operators.

The rule: each deed asks for the operator's permission in its own transaction, and is written down.
"""

import uuid
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field, field_validator

from talktime.accounts.keys import Scope
from talktime.accounts.operators import require_operator
from talktime.api.admin_number_orders import NoSuchCarrier
from talktime.api.caller import Caller, needs
from talktime.api.numbers import Number
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import COSTS, api_router
from talktime.api.shapes import Fields, Moment, example
from talktime.api.writing import Match, Once, if_match, only_once, shown, tag_of
from talktime.db.session import Session
from talktime.numbers import drift, pool, reading, rent
from talktime.numbers.models import CarrierPhase, PhoneNumber, PhoneStatus
from talktime.numbers.reading import Filter
from talktime.numbers.rows import NoSuchNumber, find, locked

WHY = "the operator looks after the pool of numbers"

router = api_router("/admin/numbers", "Operator: numbers")


class PoolNumber(Number):
    """A number of the pool."""

    model_config = example(
        id="0199c8f6-0000-7000-8000-000000000001",
        number="+493023125000",
        national="030 23125000",
        agent_id=None,
        capabilities=["voice"],
        assigned_at=None,
        rent_credits=0,
        rent_due_on=None,
        rent_unpaid_since=None,
        status="AVAILABLE",
        user_id=None,
        owner_id=None,
        carrier="twilio",
        carrier_number_id="PN0123456789abcdef0123456789abcdef",
        carrier_phase="AGREED",
        carrier_error=None,
        quarantine_until=None,
        created_at="2026-10-01T08:00:00Z",
    )

    status: PhoneStatus
    user_id: uuid.UUID | None
    owner_id: uuid.UUID | None
    """The customer who brought it along: nobody else gets it."""
    carrier: str
    carrier_number_id: str | None
    """Null: it was added by hand, and nobody tells the carrier where it rings."""
    carrier_phase: CarrierPhase
    carrier_error: str | None
    quarantine_until: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, found: PhoneNumber) -> "PoolNumber":
        own = set(PoolNumber.model_fields) - set(Number.model_fields)
        return cls(**Number.of(found).model_dump(), **{name: getattr(found, name) for name in own})


class NewPoolNumber(Fields):
    """A number that is put into the pool by hand."""

    model_config = example(number="+49 30 23125000", carrier="twilio")

    number: str = Field(min_length=3, max_length=40)
    carrier: str = Field(min_length=1, max_length=40)
    owner_id: uuid.UUID | None = None
    """The customer whose own it is, proven by them."""


class PoolNumberChange(Fields):
    """What changes; what is left out stays as it is."""

    model_config = example(rent_credits=300)

    rent_credits: int = Field(default=0, ge=0, le=rent.CREDITS_MAX)
    """What it costs its customer from the next month on."""
    agent_id: uuid.UUID | None = None
    """Another agent of its customer."""

    @field_validator("agent_id")
    @classmethod
    def _is_one(cls, agent: uuid.UUID | None) -> uuid.UUID:
        if agent is None:
            raise ValueError("A number is with an agent: name another one, or release it.")
        return agent


class NumberAssignment(Fields):
    """Who gets a number."""

    model_config = example(
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01", agent_id="0199c8f3-0000-7000-8000-000000000001"
    )

    user_id: uuid.UUID
    agent_id: uuid.UUID
    rent_credits: int | None = Field(default=None, ge=0, le=rent.CREDITS_MAX)
    """What it costs them in a month; null is what the installation takes. The first month is charged at once."""


@router.get("")
async def admin_numbers_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    *,
    page: Annotated[Paging, pages("number", "-number")],
    status: Annotated[PhoneStatus | None, Query(description="Only those that are there.")] = None,
    carrier: Annotated[str | None, Query(max_length=40, description="Only this carrier's.")] = None,
    user_id: Annotated[uuid.UUID | None, Query(description="Only this customer's.")] = None,
    carrier_phase: Annotated[CarrierPhase | None, Query(description="Only those that stand so with it.")] = None,
    begins: Annotated[
        str | None, Query(max_length=16, pattern=r"^\+[0-9]*$", description="Only those with these first digits: +49.")
    ] = None,
) -> Page[PoolNumber]:
    """Lists the pool, in the order of the digits."""
    after = page.single(str)
    which = Filter(status=status, carrier=carrier, user=user_id, phase=carrier_phase, begins=begins)
    async with caller.everyone(WHY) as db:
        rows = await reading.page(db, which, after=after, limit=page.limit + 1, is_descending=page.is_descending)
    return page.of(rows, key=lambda row: (row.number,), show=PoolNumber.of)


@router.post("", status_code=201, response_model=PoolNumber)
async def admin_numbers_add(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: NewPoolNumber, once: Annotated[Once, only_once()]
) -> Response:
    """Puts a number into the pool by hand; one that is there is answered as it is."""
    if body.carrier not in caller.context.carriers:
        raise NoSuchCarrier

    async def add(db: Session) -> PoolNumber:
        await require_operator(db, caller.user)
        return PoolNumber.of(
            await pool.add(db, body.number, carrier=body.carrier, owner=body.owner_id, actor=caller.user)
        )

    return await once.do(
        add,
        everyone=lambda: caller.everyone(WHY),
        headers=lambda made: {"location": f"/v1/admin/numbers/{made.id}"},
    )


@router.get("/{number_id}", response_model=PoolNumber)
async def admin_numbers_read(caller: Annotated[Caller, needs(Scope.ADMIN_READ)], number_id: uuid.UUID) -> Response:
    """Gives one number of the pool."""
    async with caller.everyone(WHY) as db:
        found = await find(db, number_id)
    if found is None:
        raise NoSuchNumber
    return shown(PoolNumber.of(found))


@router.patch("/{number_id}", response_model=PoolNumber)
async def admin_numbers_change(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)],
    number_id: uuid.UUID,
    body: PoolNumberChange,
    match: Annotated[Match, if_match()],
) -> Response:
    """Changes what an assigned number costs, or which of its customer's agents answers."""
    async with caller.everyone(WHY) as db:
        await require_operator(db, caller.user)
        before = await find(db, number_id)
        if before is None:
            raise NoSuchNumber
        if body.agent_id is not None and before.user_id is not None:
            await pool.require_user_and_agent(db, before.user_id, body.agent_id)
        row = await locked(db, number_id)
        match.require(tag_of(PoolNumber.of(row)))
        if "rent_credits" in body.sent():
            row = await rent.set_rent(db, number_id, credits=body.rent_credits, actor=caller.user)
        if body.agent_id is not None:
            if row.user_id is None:
                raise pool.NotAssigned
            row = await pool.point(db, row.user_id, number_id, agent=body.agent_id, actor=caller.user)
        number = PoolNumber.of(row)
    return shown(number)


@router.post("/{number_id}/assign", openapi_extra=COSTS)
async def admin_numbers_assign(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], number_id: uuid.UUID, body: NumberAssignment
) -> PoolNumber:
    """Gives a free number to a customer's agent, and charges the first month's rent. The same again changes nothing;
    of two at once the first counts, and the other gets a 409."""
    rent_credits = caller.context.settings.number_rent if body.rent_credits is None else body.rent_credits
    async with caller.everyone(WHY) as db:
        await require_operator(db, caller.user)
        number = await pool.assign(
            db,
            number_id,
            user=body.user_id,
            agent=body.agent_id,
            actor=caller.user,
            rent_credits=rent_credits,
        )
        return PoolNumber.of(number)


@router.post("/{number_id}/release")
async def admin_numbers_release(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], number_id: uuid.UUID
) -> PoolNumber:
    """Takes a number back from its customer: it rests for 30 days, then it is free again."""
    async with caller.everyone(WHY) as db:
        await require_operator(db, caller.user)
        return PoolNumber.of(await pool.release(db, number_id, actor=caller.user))


@router.post("/{number_id}/give-up")
async def admin_numbers_give_up(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], number_id: uuid.UUID
) -> PoolNumber:
    """Gives a number that nobody has back to its carrier, for good. Done again, nothing changes."""
    async with caller.everyone(WHY) as db:
        await require_operator(db, caller.user)
        return PoolNumber.of(await pool.give_up(db, number_id, actor=caller.user))


@router.post("/{number_id}/tell")
async def admin_numbers_tell(caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], number_id: uuid.UUID) -> PoolNumber:
    """Has the carrier told once more what a number needs, whatever it said before."""
    async with caller.everyone(WHY) as db:
        await require_operator(db, caller.user)
        return PoolNumber.of(await drift.tell_again(db, number_id, actor=caller.user))
