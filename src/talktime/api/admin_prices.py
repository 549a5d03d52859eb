"""`/v1/admin`: what is for sale and at which price, what providers take for it, and what remains.

The rule: a price and a rate are added, never changed, so that what was charged can be read for ever.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages, whole
from talktime.api.routing import api_router
from talktime.api.shapes import CREDITS_MAX, Fields, Moment, Resource, When, example
from talktime.api.writing import Match, Once, if_match, only_once, shown, tag_of
from talktime.calls import costs, margins
from talktime.calls.margins import By
from talktime.calls.models import CostKind
from talktime.calls.models import CostRate as RateRow
from talktime.credits import packs, prices
from talktime.credits import reading as ledger
from talktime.credits.models import CreditPack, PriceKind
from talktime.credits.models import Price as PriceRow
from talktime.credits.packs import NAME_LENGTH_MAX, POSITION_MAX, PRICE_MINOR_MAX
from talktime.credits.prices import RATE_MAX, SECONDS_MAX
from talktime.db.session import Session, Transaction
from talktime.errors import BadInput

WHY = "the operator says what is for sale, and at which price"
_MICROS_MAX = 10**12
_SPAN_MAX = timedelta(days=366)

catalogue = api_router("/admin/packs", "Operator: money")
price_list = api_router("/admin/prices", "Operator: money")
cost_rates = api_router("/admin/cost-rates", "Operator: money")
margin = api_router("/admin/margins", "Operator: money")


class TooLongATime(BadInput):
    """Ask for a year at most, whose end comes after its beginning."""

    field = "until"


class AdminPack(Resource):
    """A pack of credits, also one that is not on sale."""

    model_config = example(
        id="0199c8f0-0000-7000-8000-00000000000a",
        name="Starter",
        credits=1500,
        price_minor=4900,
        currency="EUR",
        position=1,
        active=True,
        created_at="2026-09-01T08:00:00Z",
    )

    id: uuid.UUID
    name: str
    credits: int
    price_minor: int
    currency: str
    position: int
    active: bool
    created_at: Moment

    @classmethod
    def of(cls, pack: CreditPack) -> "AdminPack":
        return cls(**{name: getattr(pack, name) for name in cls.model_fields})


class NewPack(Fields):
    """A pack to be sold."""

    model_config = example(name="Starter", credits=1500, price_minor=4900, currency="EUR", position=1)

    name: str = Field(min_length=1, max_length=NAME_LENGTH_MAX)
    credits: int = Field(ge=1, le=CREDITS_MAX)
    price_minor: int = Field(ge=0, le=PRICE_MINOR_MAX)
    currency: str = Field(pattern="^[A-Z]{3}$")
    position: int = Field(default=0, ge=0, le=POSITION_MAX)
    active: bool = True


class PackChange(Fields):
    """What changes; what is left out stays as it is. What was bought stays as it was."""

    model_config = example(active=False)

    name: str = Field(default="", min_length=1, max_length=NAME_LENGTH_MAX)
    credits: int = Field(default=1, ge=1, le=CREDITS_MAX)
    price_minor: int = Field(default=0, ge=0, le=PRICE_MINOR_MAX)
    currency: str = Field(default="", pattern="^[A-Z]{3}$")
    position: int = Field(default=0, ge=0, le=POSITION_MAX)
    active: bool = True


class Price(Resource):
    """A line of the price list."""

    model_config = example(
        id="0199c8f0-0000-7000-8000-00000000000b",
        user_id=None,
        kind="CALL",
        valid_from="2026-09-01T08:00:00Z",
        credits_per_minute=15,
        connection_fee=0,
        initial_seconds=60,
        increment_seconds=60,
        free_seconds=5,
        follows_list=False,
        created_by="0199c8f2-0000-7000-8000-000000000009",
        created_at="2026-09-01T08:00:00Z",
    )

    id: uuid.UUID
    user_id: uuid.UUID | None
    """Null: everybody's."""
    kind: PriceKind
    valid_from: Moment
    credits_per_minute: int
    connection_fee: int
    initial_seconds: int
    increment_seconds: int
    free_seconds: int
    follows_list: bool
    """From then on everybody's price holds for this customer."""
    created_by: uuid.UUID | None
    created_at: Moment

    @classmethod
    def of(cls, price: PriceRow) -> "Price":
        return cls(**{name: getattr(price, name) for name in cls.model_fields})


class NewPrice(Fields):
    """A price that holds from a moment on, until a newer one."""

    model_config = example(kind="CALL", credits_per_minute=15, initial_seconds=60, increment_seconds=60)

    user_id: uuid.UUID | None = None
    """Null: everybody's."""
    kind: PriceKind
    credits_per_minute: int = Field(ge=0, le=RATE_MAX)
    connection_fee: int = Field(default=0, ge=0, le=RATE_MAX)
    initial_seconds: int = Field(default=60, ge=1, le=SECONDS_MAX)
    increment_seconds: int = Field(default=60, ge=1, le=SECONDS_MAX)
    free_seconds: int = Field(default=0, ge=0, le=SECONDS_MAX)
    valid_from: When | None = None
    """Null: from now on."""
    allow_free: bool = False
    """A rate of zero is meant."""


class PriceEnd(Fields):
    """Whose own price ends, and when."""

    model_config = example(user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01", kind="CALL")

    user_id: uuid.UUID
    kind: PriceKind
    valid_from: When | None = None


class FollowedList(Resource):
    """What came of ending a customer's own price."""

    model_config = example(price=None)

    price: Price | None
    """Null: they had none."""


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


@catalogue.get("")
async def admin_packs_list(caller: Annotated[Caller, needs(Scope.ADMIN_READ)]) -> Page[AdminPack]:
    """Lists all packs, also those that are not on sale, all of them at once."""
    async with caller.everyone(WHY) as db:
        return whole([AdminPack.of(pack) for pack in await packs.all_packs(db)])


@catalogue.get("/{pack_id}", response_model=AdminPack)
async def admin_packs_read(caller: Annotated[Caller, needs(Scope.ADMIN_READ)], pack_id: uuid.UUID) -> Response:
    """Gives one pack."""
    async with caller.everyone(WHY) as db:
        return shown(AdminPack.of(await packs.find(db, pack_id)))


@catalogue.post("", status_code=201, response_model=AdminPack)
async def admin_packs_make(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: NewPack, once: Annotated[Once, only_once()]
) -> Response:
    """Makes a pack."""

    async def make(db: Session) -> AdminPack:
        return AdminPack.of(await packs.create(db, **body.model_dump(), actor=caller.user))

    return await once.do(
        make, headers=lambda made: {"location": f"/v1/admin/packs/{made.id}"}, everyone=lambda: _all(caller)
    )


@catalogue.patch("/{pack_id}", response_model=AdminPack)
async def admin_packs_change(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)],
    pack_id: uuid.UUID,
    body: PackChange,
    match: Annotated[Match, if_match()],
) -> Response:
    """Changes a pack. Purchases that were begun keep what they copied; top-ups that agreed to the old price stop."""
    async with caller.everyone(WHY) as db:
        match.require(tag_of(AdminPack.of(await packs.find(db, pack_id, locked=True))))
        changed = AdminPack.of(await packs.change(db, pack_id, actor=caller.user, **body.sent()))
    return shown(changed)


@price_list.get("")
async def admin_prices_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    at: Annotated[When | None, Query(description="What holds at this moment; now by itself.")] = None,
) -> Page[Price]:
    """Lists what holds: everybody's prices, then those that customers have of their own, all of them at once."""
    async with caller.everyone(WHY) as db:
        return whole([Price.of(price) for price in await prices.price_list(db, at or datetime.now(UTC))])


@price_list.get("/history")
async def admin_prices_history(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    user_id: Annotated[uuid.UUID | None, Query(description="Whose own; everybody's by itself.")] = None,
) -> Page[Price]:
    """Lists every price there was, is and will be, the newest first."""
    async with caller.everyone(WHY) as db:
        rows = await ledger.prices(db, user_id, before=page.moment_and_id, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.valid_from, row.id), show=Price.of)


@price_list.post("", status_code=201, response_model=Price)
async def admin_prices_make(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: NewPrice, once: Annotated[Once, only_once()]
) -> Response:
    """Adds a price. Running calls keep the one that they rang at; figures that hold by then anyway change nothing."""

    async def make(db: Session) -> Price:
        said = body.model_dump(exclude={"user_id"})
        return Price.of(await prices.set_price(db, user=body.user_id, actor=caller.user, **said))

    return await once.do(make, everyone=lambda: _all(caller))


@price_list.post("/follow-list", status_code=201, response_model=FollowedList)
async def admin_prices_follow_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: PriceEnd, once: Annotated[Once, only_once()]
) -> Response:
    """Ends a customer's own price: from then on everybody's holds for them."""

    async def end(db: Session) -> FollowedList:
        ended = await prices.follow_list(
            db, user=body.user_id, kind=body.kind, valid_from=body.valid_from, actor=caller.user
        )
        return FollowedList(price=None if ended is None else Price.of(ended))

    return await once.do(end, everyone=lambda: _all(caller))


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

    return await once.do(make, everyone=lambda: _all(caller))


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


def _all(caller: Caller) -> Transaction:
    return caller.everyone(WHY)
