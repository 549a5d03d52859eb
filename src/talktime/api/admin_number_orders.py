"""`/v1/admin/available-numbers`, `number-orders`, `number-imports`, `number-drift`: what operators do with the carrier.

The rule: what costs money is bought at the price that the program was shown, and confirms; and bought once, also where
the carrier did not answer and the program asks again.
"""

import uuid
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import CALLS_OUT, api_router
from talktime.api.shapes import Fields, Moment, Resource, example
from talktime.api.writing import Once, only_once
from talktime.carriers.numbers import NumberKind, NumberPrice, Numbers, Search
from talktime.errors import BadInput
from talktime.numbers import buying, drift, reading
from talktime.numbers.drift import Difference
from talktime.numbers.models import NumberOrder, OrderState
from talktime.numbers.rounds import all_numbers

WHY = "the operator buys numbers, and looks at what was ordered"

available = api_router("/admin/available-numbers", "Operator: numbers")
orders = api_router("/admin/number-orders", "Operator: numbers")
imports = api_router("/admin/number-imports", "Operator: numbers")
differences = api_router("/admin/number-drift", "Operator: numbers")


class NoSuchCarrier(BadInput):
    """There is no such phone company here, or it lets nobody manage its numbers."""

    field = "carrier"


class OfferedNumber(Resource):
    """A number that can be bought."""

    model_config = example(number="+493023125001", kind="LOCAL", place="Berlin", needs_address=True)

    number: str
    kind: NumberKind
    place: str
    needs_address: bool
    """The carrier sells it to whoever has registered an address there."""


class OfferedNumbers(Resource):
    """What can be bought at the moment, and what each of it costs."""

    model_config = example(
        data=[{"number": "+493023125001", "kind": "LOCAL", "place": "Berlin", "needs_address": True}],
        amount_micros=1150000,
        currency="USD",
    )

    data: list[OfferedNumber]
    amount_micros: int | None
    """A month, in millionths of the currency's unit; null where the carrier does not say. Confirm it to order."""
    currency: str | None


class NewNumberOrder(Fields):
    """A number to be bought, at the price that was shown."""

    model_config = example(
        number="+493023125001", kind="LOCAL", carrier="twilio", amount_micros=1150000, currency="USD"
    )

    number: str = Field(min_length=3, max_length=40)
    kind: NumberKind
    carrier: str = Field(min_length=1, max_length=40)
    amount_micros: int = Field(ge=0, le=10**12)
    currency: str = Field(pattern="^[A-Z]{3}$")


class NumberOrderShown(Resource):
    """What became of an order."""

    model_config = example(
        id="0199c8f8-0000-7000-8000-000000000001",
        number="+493023125001",
        carrier="twilio",
        kind="LOCAL",
        amount_micros=1150000,
        currency="USD",
        state="BOUGHT",
        number_id="0199c8f6-0000-7000-8000-000000000002",
        error=None,
        created_at="2026-11-20T09:00:00Z",
        finished_at="2026-11-20T09:00:02Z",
    )

    id: uuid.UUID
    number: str
    carrier: str
    kind: NumberKind
    amount_micros: int
    currency: str
    state: OrderState
    """ORDERED: the carrier gave no answer yet. It is found out whether it was bought; order nothing again."""
    number_id: uuid.UUID | None
    error: str | None
    created_at: Moment
    finished_at: Moment | None

    @classmethod
    def of(cls, found: NumberOrder) -> "NumberOrderShown":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class NewNumberImport(Fields):
    """Which carrier's numbers are taken in."""

    model_config = example(carrier="twilio", dry_run=True)

    carrier: str = Field(min_length=1, max_length=40)
    dry_run: bool = False
    """Only say what would be done."""


class NumberImport(Resource):
    """What was taken in."""

    model_config = example(added=["+493023125000"], renamed=[], known=12, refused={})

    added: list[str]
    renamed: list[str]
    """Known before, and now tied to the carrier's name of them."""
    known: int
    refused: dict[str, str]
    """Numbers that may not be in the pool, and why."""


class NumberDrift(Resource):
    """A number in which pool and carrier differ."""

    model_config = example(
        number="+493023125009",
        carrier="twilio",
        difference="only_there",
        detail="",
        sentence="The carrier bills it, and the pool does not have it: import it, or give it up there.",
    )

    number: str
    carrier: str
    difference: Difference
    detail: str
    sentence: str
    """What it means, and what to do."""


class NumberDrifts(Resource):
    """Everything in which the pool and its carriers differ."""

    model_config = example(data=[])

    data: list[NumberDrift]


@available.get("", openapi_extra=CALLS_OUT)
async def admin_available_numbers_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    *,
    carrier: Annotated[str, Query(max_length=40, description="Whose.")],
    country: Annotated[str, Query(pattern="^[A-Z]{2}$", description="Where: DE.")],
    kind: Annotated[NumberKind, Query(description="Which kind.")] = NumberKind.LOCAL,
    area: Annotated[str, Query(pattern="^[0-9]{0,6}$", description="An area code, such as 030.")] = "",
    contains: Annotated[
        str, Query(pattern="^[0-9*]{0,12}$", description="Digits that it must contain; * is any.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=50, description="How many at most.")] = 20,
) -> OfferedNumbers:
    """Asks the carrier which numbers can be bought, and what each costs in a month."""
    wanted = Search(country, kind, area, contains, limit)
    offers = await buying.search(_company(caller, carrier), wanted)
    data = [
        OfferedNumber(number=each.number, kind=each.kind, place=each.place, needs_address=each.needs_address)
        for each in offers.numbers
    ]
    price = offers.price
    return OfferedNumbers(
        data=data,
        amount_micros=price.amount_micros if price else None,
        currency=price.currency if price else None,
    )


@orders.get("")
async def admin_number_orders_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages("-created_at")],
    state: Annotated[OrderState | None, Query(description="Only those that stand so.")] = None,
) -> Page[NumberOrderShown]:
    """Lists what was ordered, the newest first."""
    after = page.single(uuid.UUID)
    async with caller.everyone(WHY) as db:
        rows = await reading.orders(db, state=state, after=after, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.id,), show=NumberOrderShown.of)


@orders.post("", status_code=201, response_model=NumberOrderShown, openapi_extra=CALLS_OUT)
async def admin_number_orders_make(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: NewNumberOrder, once: Annotated[Once, only_once()]
) -> Response:
    """Buys a number, once, at the price that you confirm. It is in the pool as soon as it is BOUGHT."""
    numbers = _company(caller, body.carrier)

    async def buy(_name: str) -> NumberOrderShown:
        order = await buying.buy(
            caller.database,
            numbers,
            body.carrier,
            body.number,
            kind=body.kind,
            price=NumberPrice(body.amount_micros, body.currency),
            base_url=caller.context.settings.base_url,
            actor=caller.user,
        )
        return NumberOrderShown.of(order)

    return await once.do_in_steps(buy, headers=lambda made: {"location": f"/v1/admin/number-orders/{made.id}"})


@orders.get("/{order_id}")
async def admin_number_orders_read(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)], order_id: uuid.UUID
) -> NumberOrderShown:
    """Says what became of an order."""
    async with caller.everyone(WHY) as db:
        return NumberOrderShown.of(await buying.order_of(db, order_id))


@imports.post("", openapi_extra=CALLS_OUT)
async def admin_number_imports_make(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: NewNumberImport
) -> NumberImport:
    """Takes the numbers in that the carrier has for us and the pool does not know. Done again, it adds nothing."""
    numbers = _company(caller, body.carrier)
    done = await drift.take_in(caller.database, numbers, body.carrier, actor=caller.user, dry_run=body.dry_run)
    return NumberImport(
        added=list(done.added), renamed=list(done.renamed), known=done.known, refused=dict(done.refused)
    )


@differences.get("", openapi_extra=CALLS_OUT)
async def admin_number_drift_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    carrier: Annotated[str | None, Query(max_length=40, description="Only this one is asked.")] = None,
) -> NumberDrifts:
    """Asks the carriers what they have, and says where that differs from the pool."""
    carriers = all_numbers(caller.context.carriers)
    if carrier is not None:
        carriers = {carrier: _company(caller, carrier)}
    found = await drift.compare(caller.database, carriers, caller.context.settings.base_url)
    return NumberDrifts(
        data=[
            NumberDrift(
                number=each.number,
                carrier=each.carrier,
                difference=each.difference,
                detail=each.detail,
                sentence=each.sentence,
            )
            for each in found
            if carrier is None or each.carrier == carrier
        ]
    )


def _company(caller: Caller, name: str) -> Numbers:
    """The numbers of a phone company. Raises NoSuchCarrier."""
    numbers = all_numbers(caller.context.carriers).get(name)
    if numbers is None:
        raise NoSuchCarrier
    return numbers
