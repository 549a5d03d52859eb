"""`/v1/numbers` and `/v1/number-proofs`: a customer's numbers, which agent answers each, and proving an own one.

The rule: which numbers somebody has is the operator's to give; a customer points them at agents of theirs, tests them,
and gives them back. Whose a number is, is asked in the transaction that changes it.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import COSTS, api_router
from talktime.api.shapes import Day, Fields, Moment, Resource, example
from talktime.api.writing import Match, Once, if_match, only_once, shown, tag_of
from talktime.numbers import pool, proof, reading, self_test
from talktime.numbers.models import NumberProof as ProofRow
from talktime.numbers.models import PhoneNumber
from talktime.numbers.reading import Filter
from talktime.numbers.rounds import all_numbers
from talktime.numbers.rows import locked, theirs
from talktime.numbers.self_test import Link
from talktime.numbers.shown import national

WHY = "a program's owner's numbers stand in the pool, which is nobody's own"

router = api_router("/numbers", "Numbers")
proofs = api_router("/number-proofs", "Numbers")


class Number(Resource):
    """A phone number that is yours."""

    model_config = example(
        id="0199c8f6-0000-7000-8000-000000000001",
        number="+493023125000",
        national="030 23125000",
        agent_id="0199c8f3-0000-7000-8000-000000000001",
        capabilities=["voice"],
        assigned_at="2026-10-02T08:00:00Z",
        rent_credits=300,
        rent_due_on="2026-12-02",
        rent_unpaid_since=None,
    )

    id: uuid.UUID
    number: str
    """E.164."""
    national: str
    """As it is dialled in its own country."""
    agent_id: uuid.UUID | None
    """Who answers."""
    capabilities: list[str]
    assigned_at: Moment | None
    rent_credits: int
    """What it costs in a month; 0 is nothing."""
    rent_due_on: Day | None
    """The day of the next rent, where you are."""
    rent_unpaid_since: str | None
    """Since when a rent could not be paid: two weeks later the number is released."""

    @classmethod
    def of(cls, found: PhoneNumber) -> "Number":
        return cls(
            id=found.id,
            number=found.number,
            national=national(found.number),
            agent_id=found.agent_id,
            capabilities=[str(each) for each in found.capabilities],
            assigned_at=found.assigned_at,
            rent_credits=found.rent_credits,
            rent_due_on=found.rent_due_on.isoformat() if found.rent_due_on else None,
            rent_unpaid_since=found.rent_unpaid_since.isoformat() if found.rent_unpaid_since else None,
        )


class NumberChange(Fields):
    """Which agent is to answer."""

    model_config = example(agent_id="0199c8f3-0000-7000-8000-000000000002")

    agent_id: uuid.UUID
    """One of yours that is not archived."""


class ReleasedNumber(Resource):
    """A number that was yours."""

    model_config = example(id="0199c8f6-0000-7000-8000-000000000001", number="+493023125000")

    id: uuid.UUID
    number: str


class SelfTest(Resource):
    """How far a call to the number came."""

    model_config = example(
        passed=["carrier"],
        broken="ring",
        detail="The carrier took the call, and no ring came to us. Have the carrier told again where the number rings.",
        call_id=None,
    )

    passed: list[Link]
    """The links of the chain that hold, in order."""
    broken: Link | None
    """The first that does not; null when all do."""
    detail: str
    """What to do."""
    call_id: uuid.UUID | None
    """The call among yours; it costs what any call costs."""


class NumberProof(Resource):
    """Your word that a number is yours, and whether it is proven."""

    model_config = example(
        id="0199c8f7-0000-7000-8000-000000000001",
        number="+493012345678",
        expires_at="2026-11-20T09:10:00Z",
        proven_at=None,
        ended_at=None,
        error=None,
        created_at="2026-11-20T09:00:00Z",
    )

    id: uuid.UUID
    number: str
    expires_at: Moment
    """Until when the code is good."""
    proven_at: Moment | None
    ended_at: Moment | None
    """When it stopped to count: the code was wrong too often, or somebody proved the number later."""
    error: str | None
    """Why we could not call."""
    created_at: Moment

    @classmethod
    def of(cls, found: ProofRow) -> "NumberProof":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class NewNumberProof(Fields):
    """A number of your own. It is called at once, and a voice says a code."""

    model_config = example(number="+49 30 12345678")

    number: str = Field(min_length=3, max_length=40)
    """With its country, however it is written."""


class NumberProofCode(Fields):
    """The code that the call said."""

    model_config = example(code="482913")

    code: str = Field(min_length=6, max_length=20)


@router.get("")
async def numbers_list(
    caller: Annotated[Caller, needs(Scope.NUMBERS_READ)],
    page: Annotated[Paging, pages("number", "-number")],
    agent_id: Annotated[uuid.UUID | None, Query(description="Only those that this agent answers.")] = None,
) -> Page[Number]:
    """Lists your numbers, in the order of their digits."""
    after = page.single(str)
    which = Filter(user=caller.user, agent=agent_id)
    async with caller.everyone(WHY) as db:
        rows = await reading.page(db, which, after=after, limit=page.limit + 1, is_descending=page.is_descending)
    return page.of(rows, key=lambda row: (row.number,), show=Number.of)


@router.get("/{number_id}", response_model=Number)
async def numbers_read(caller: Annotated[Caller, needs(Scope.NUMBERS_READ)], number_id: uuid.UUID) -> Response:
    """Gives one number of yours."""
    async with caller.everyone(WHY) as db:
        number = Number.of(await theirs(db, caller.user, number_id))
    return shown(number)


@router.patch("/{number_id}", response_model=Number)
async def numbers_change(
    caller: Annotated[Caller, needs(Scope.NUMBERS_WRITE)],
    number_id: uuid.UUID,
    body: NumberChange,
    match: Annotated[Match, if_match()],
) -> Response:
    """Lets another agent of yours answer a number. Calls that go on stay with the agent they began with."""
    async with caller.everyone(WHY) as db:
        # Whose it is, before the agent is looked at: of somebody else's number nothing is told.
        await theirs(db, caller.user, number_id)
        await pool.require_user_and_agent(db, caller.user, body.agent_id)
        match.require(tag_of(Number.of(await locked(db, number_id, user=caller.user))))
        number = Number.of(await pool.point(db, caller.user, number_id, agent=body.agent_id))
    return shown(number)


@router.post("/{number_id}/release")
async def numbers_release(
    caller: Annotated[Caller, needs(Scope.NUMBERS_WRITE)], number_id: uuid.UUID
) -> ReleasedNumber:
    """Gives a number back, at once and for good: it rests for 30 days, then somebody else may get it. Its rent ends;
    what was paid for the month is not given back."""
    async with caller.everyone(WHY) as db:
        number = await pool.release(db, number_id, user=caller.user, actor=caller.user)
    return ReleasedNumber(id=number.id, number=number.number)


@router.post("/{number_id}/self-test")
async def numbers_self_test(caller: Annotated[Caller, needs(Scope.NUMBERS_WRITE)], number_id: uuid.UUID) -> SelfTest:
    """Calls a number of yours and says which link of the chain is broken. It takes up to half a minute, and costs
    what any call costs. A few times an hour at most."""
    context = caller.context
    done = await self_test.run(
        caller.database,
        all_numbers(context.carriers),
        number_id,
        secret=context.settings.secret,
        user=caller.user,
    )
    return SelfTest(passed=list(done.passed), broken=done.broken, detail=done.detail, call_id=done.call_id)


@proofs.get("")
async def number_proofs_list(
    caller: Annotated[Caller, needs(Scope.NUMBERS_READ)], page: Annotated[Paging, pages("-created_at")]
) -> Page[NumberProof]:
    """Lists the numbers that you said are yours, the newest first."""
    after = page.single(uuid.UUID)
    async with caller.everyone(WHY) as db:
        rows = await proof.of_user(db, caller.user, after=after, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.id,), show=NumberProof.of)


@proofs.post("", status_code=201, response_model=NumberProof, openapi_extra=COSTS)
async def number_proofs_begin(
    caller: Annotated[Caller, needs(Scope.NUMBERS_WRITE)],
    body: NewNumberProof,
    once: Annotated[Once, only_once()],
) -> Response:
    """Calls a number of your own and says a code of six digits, which you send to `finish` within ten minutes."""
    context = caller.context

    async def begin(_name: str) -> NumberProof:
        numbers = all_numbers(context.carriers)
        begun = await proof.begin(caller.database, caller.user, body.number, numbers, secret=context.settings.secret)
        return NumberProof.of(begun)

    return await once.do_in_steps(begin, headers=lambda made: {"location": f"/v1/number-proofs/{made.id}"})


@proofs.get("/{proof_id}")
async def number_proofs_read(caller: Annotated[Caller, needs(Scope.NUMBERS_READ)], proof_id: uuid.UUID) -> NumberProof:
    """Says whether a number is proven."""
    async with caller.everyone(WHY) as db:
        return NumberProof.of(await proof.one(db, caller.user, proof_id))


@proofs.post("/{proof_id}/finish")
async def number_proofs_finish(
    caller: Annotated[Caller, needs(Scope.NUMBERS_WRITE)], proof_id: uuid.UUID, body: NumberProofCode
) -> NumberProof:
    """Proves that the number is yours, by the code that the call said. After five wrong ones it is over."""
    secret = caller.context.settings.secret
    done = await proof.finish(caller.database, caller.user, proof_id, body.code, secret=secret, now=datetime.now(UTC))
    return NumberProof.of(done)
