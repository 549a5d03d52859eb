"""`/v1/admin`: what is for sale, and what calls are charged at.

The rule: a price is added, never changed, so that what was charged can be read for ever.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages, whole
from talktime.api.routing import api_router
from talktime.api.shapes import CREDITS_MAX, Fields, Moment, Resource, When, example
from talktime.api.writing import Match, Once, if_match, only_once, shown, tag_of
from talktime.credits import packs, prices
from talktime.credits import reading as ledger
from talktime.credits.models import CreditPack, PriceKind
from talktime.credits.models import Price as PriceRow
from talktime.credits.packs import NAME_LENGTH_MAX, POSITION_MAX, PRICE_MINOR_MAX
from talktime.credits.prices import RATE_MAX, SECONDS_MAX
from talktime.db.session import Session

WHY = "the operator says what is for sale, and at which price"

catalogue = api_router("/admin/packs", "Operator: money")
price_list = api_router("/admin/prices", "Operator: money")


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
        make, headers=lambda made: {"location": f"/v1/admin/packs/{made.id}"}, everyone=lambda: caller.everyone(WHY)
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

    return await once.do(make, everyone=lambda: caller.everyone(WHY))


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

    return await once.do(end, everyone=lambda: caller.everyone(WHY))
