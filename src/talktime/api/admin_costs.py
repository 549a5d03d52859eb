"""`/v1/admin/cost-rates` and `/v1/admin/margins`: what providers take for calls, and what remains.

The rule: a rate is added, never changed, so that what a call cost can be read for ever.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, whole
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, When, example
from talktime.api.writing import Once, only_once
from talktime.calls import costs, margins
from talktime.calls.margins import By
from talktime.calls.models import CostKind
from talktime.calls.models import CostRate as RateRow
from talktime.db.session import Session
from talktime.errors import BadInput

_MICROS_MAX = 10**12
_SPAN_MAX = timedelta(days=366)

cost_rates = api_router("/admin/cost-rates", "Operator: money")
margin = api_router("/admin/margins", "Operator: money")


class TooLongATime(BadInput):
    """Ask for a year at most, whose end comes after its beginning."""

    field = "until"


class CostRate(Resource):
    """What a provider takes for so many units, from a moment on."""

    model_config = example(
        provider="openai/gpt-4.1-mini",
        kind="PROMPT_TOKENS",
        valid_from="2026-09-01T00:00:00Z",
        units=1000000,
        amount_micros=400000,
        currency="USD",
    )

    provider: str
    kind: CostKind
    valid_from: Moment
    units: int
    amount_micros: int
    """Millionths of the currency's unit."""
    currency: str

    @classmethod
    def of(cls, rate: RateRow) -> "CostRate":
        return cls(**{name: getattr(rate, name) for name in cls.model_fields})


class NewCostRate(Fields):
    """A rate from a moment on."""

    model_config = example(
        provider="openai/gpt-4.1-mini", kind="PROMPT_TOKENS", units=1000000, amount_micros=400000, currency="USD"
    )

    provider: str = Field(pattern=r"^[\x21-\x7e]{1,200}$")
    kind: CostKind
    units: int = Field(ge=1, le=10**9)
    amount_micros: int = Field(ge=0, le=_MICROS_MAX)
    currency: str = Field(pattern="^[A-Z]{3}$")
    valid_from: When | None = None
    """Null: from now on."""


class Margin(Resource):
    """What some calls brought in against what they cost, in millionths of currencies' units."""

    model_config = example(
        key="2026-11-20",
        calls=42,
        seconds=4800,
        credits=1260,
        revenue={"EUR": 41160000},
        cost={"USD": 9120000},
        unknown=[],
        estimated=False,
        margin={"EUR": 41160000, "USD": -9120000},
    )

    key: str
    """The day, or the id of the user, the agent or the call."""
    calls: int
    seconds: int
    credits: int
    revenue: dict[str, int]
    cost: dict[str, int]
    unknown: list[str]
    """What else was used, and nobody has said the price of."""
    estimated: bool
    """Some of the cost is a guess."""
    margin: dict[str, int] | None
    """Null while some of the cost is unknown."""

    @classmethod
    def of(cls, found: margins.Margin) -> "Margin":
        return cls(
            key=found.key,
            calls=found.calls,
            seconds=found.seconds,
            credits=found.credits,
            revenue=dict(found.revenue),
            cost=dict(found.cost),
            unknown=list(found.unknown),
            estimated=found.estimated,
            margin=None if found.margin is None else dict(found.margin),
        )


@cost_rates.get("")
async def admin_cost_rates_list(caller: Annotated[Caller, needs(Scope.ADMIN_READ)]) -> Page[CostRate]:
    """Lists the rates that hold, and those that will, all of them at once."""
    async with caller.everyone(costs.WHY) as db:
        return whole([CostRate.of(rate) for rate in await costs.rates(db)])


@cost_rates.post("", status_code=201, response_model=CostRate)
async def admin_cost_rates_make(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: NewCostRate, once: Annotated[Once, only_once()]
) -> Response:
    """Sets what a provider takes from a moment on. Calls that were counted already keep their amounts."""

    async def make(db: Session) -> CostRate:
        said = body.model_dump(exclude={"valid_from"})
        moment = body.valid_from or datetime.now(UTC)
        return CostRate.of(await costs.set_rate(db, valid_from=moment, actor=caller.user, **said))

    return await once.do(make, everyone=lambda: caller.everyone(costs.WHY))


@margin.get("")
async def admin_margins_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    since: Annotated[When, Query(description="Calls that began then, or later.")],
    until: Annotated[When, Query(description="Calls that began before.")],
    by: Annotated[By, Query(description="What a line is of.")] = By.DAY,
) -> Page[Margin]:
    """Says what calls brought in and what they cost; days are those of the operator's time zone."""
    if not timedelta(0) < until - since <= _SPAN_MAX:
        raise TooLongATime
    async with caller.everyone(costs.WHY, snapshot=True) as db:
        found = await margins.margins(db, since, until, by, zone=caller.zone)
    return whole([Margin.of(each) for each in found])


@margin.get("/{user_id}/{call_id}")
async def admin_margins_read(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)], user_id: uuid.UUID, call_id: uuid.UUID
) -> Margin:
    """Says what one call brought in and what it cost."""
    async with caller.everyone(costs.WHY, snapshot=True) as db:
        return Margin.of(await margins.margin(db, user_id, call_id))
