"""`/v1/purchases` and `/v1/top-up`: buying credits on the payment company's page, or by a card that is kept.

The rule: no number of a card ever comes here. A purchase is made once for each Idempotency-Key, also where the payment
company did not answer and the program asks again.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Query, Response
from pydantic import Field, field_validator

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import CALLS_OUT, api_router
from talktime.api.shapes import CREDITS_MAX, Fields, Moment, Resource, example
from talktime.api.writing import Match, Once, if_match, only_once, shown, tag_of
from talktime.errors import BadInput, Conflict
from talktime.payments import checkout, reading, saved_card
from talktime.payments.models import Purchase as PurchaseRow
from talktime.payments.models import PurchaseKind, PurchaseState
from talktime.payments.models import TopUp as TopUpRow

router = api_router("/purchases", "Purchases")
top_up = api_router("/top-up", "Purchases")

_URL_LENGTH_MAX = 2000


class NothingForSale(Conflict):
    """Nothing can be bought at the moment: no payment company is set up here."""


class NotAgreed(BadInput):
    """To switch it on say all of it: threshold, pack_id, price_minor as you saw it, and ceiling_minor."""

    field = "enabled"


class Purchase(Resource):
    """Credits that were bought, or were going to be."""

    model_config = example(
        id="0199c910-aaaa-7000-8000-000000000001",
        kind="CHECKOUT",
        state="OPEN",
        pack_id="0199c8f0-0000-7000-8000-00000000000a",
        name="Starter",
        credits=1500,
        price_minor=4900,
        currency="EUR",
        test=False,
        failure=None,
        checkout_url="https://checkout.example.com/c/pay/cs_1",
        expires_at="2026-11-21T09:00:00Z",
        paid_at=None,
        credited_at=None,
        reversed_credits=0,
        created_at="2026-11-20T09:00:00Z",
    )

    id: uuid.UUID
    kind: PurchaseKind
    state: PurchaseState
    """Credits are granted when it is PAID: PENDING means that the money is on its way."""
    pack_id: uuid.UUID | None
    name: str
    credits: int
    price_minor: int
    currency: str
    test: bool
    """No money moves: the payment company is in its test mode."""
    failure: str | None
    checkout_url: str | None
    """Where an open one can be paid."""
    expires_at: Moment | None
    paid_at: Moment | None
    credited_at: Moment | None
    reversed_credits: int
    """How many went back with a refund or a dispute."""
    created_at: Moment

    @classmethod
    def of(cls, found: PurchaseRow) -> "Purchase":
        url = found.checkout_url if found.state is PurchaseState.OPEN else None
        names = set(cls.model_fields) - {"checkout_url"}
        return cls(**{name: getattr(found, name) for name in names}, checkout_url=url)


class NewPurchase(Fields):
    """What is to be bought, and where the buyer comes back to."""

    model_config = example(pack_id="0199c8f0-0000-7000-8000-00000000000a", success_url="https://shop.example/thanks")

    pack_id: uuid.UUID
    success_url: str | None = Field(default=None, max_length=_URL_LENGTH_MAX)
    """Where the buyer goes after paying; null is our own page."""
    cancel_url: str | None = Field(default=None, max_length=_URL_LENGTH_MAX)
    save_card: bool = False
    """Let the payment company keep the card, so that topping up can be switched on."""

    @field_validator("success_url", "cancel_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None and not _is_web_address(url):
            raise ValueError("This must be an address of the web: https://…")
        return url


class Card(Resource):
    """A card that the payment company keeps."""

    brand: str
    last4: str
    expires_month: int | None
    expires_year: int | None


class TopUp(Resource):
    """What may be charged to the saved card when the credit runs low."""

    model_config = example(
        enabled=True,
        threshold=100,
        pack_id="0199c8f0-0000-7000-8000-00000000000a",
        credits=1500,
        price_minor=4900,
        currency="EUR",
        ceiling_minor=20000,
        consented_at="2026-10-02T10:00:00Z",
        card={"brand": "visa", "last4": "4242", "expires_month": 4, "expires_year": 2029},
        declines=0,
        not_before=None,
        stopped_reason=None,
    )

    enabled: bool
    threshold: int | None
    """Below so many free credits the card is charged."""
    pack_id: uuid.UUID | None
    credits: int | None
    price_minor: int | None
    """The pack's price as it was agreed to: at another one nothing is charged."""
    currency: str | None
    ceiling_minor: int | None
    """The most that is charged in a month."""
    consented_at: Moment | None
    card: Card | None
    """Null: buy something once with `save_card` first."""
    declines: int
    not_before: Moment | None
    """After a decline nothing is tried before."""
    stopped_reason: str | None
    """Why it was switched off without the customer: `declined`, `pack_changed`."""

    @classmethod
    def of(cls, found: TopUpRow | None) -> "TopUp":
        if found is None:
            return cls(enabled=False, card=None, declines=0, **dict.fromkeys(_TERMS))
        card = None
        if found.payment_method_id is not None:
            card = Card(**{name: getattr(found, name) for name in Card.model_fields})
        terms = {name: getattr(found, name) for name in _TERMS}
        return cls(enabled=found.enabled, card=card, declines=found.declines, **terms)


_TERMS = (
    "threshold", "pack_id", "credits", "price_minor", "currency", "ceiling_minor", "consented_at", "not_before",
    "stopped_reason",
)  # fmt: skip


class TopUpChange(Fields):
    """Switch it off with `{"enabled": false}`, or on, with all that is agreed to."""

    model_config = example(
        enabled=True,
        threshold=100,
        pack_id="0199c8f0-0000-7000-8000-00000000000a",
        price_minor=4900,
        ceiling_minor=20000,
    )

    enabled: bool
    threshold: int | None = Field(default=None, ge=1, le=CREDITS_MAX)
    pack_id: uuid.UUID | None = None
    price_minor: int | None = Field(default=None, ge=1, le=CREDITS_MAX)
    """The price that was seen: if it has changed since, nothing is switched on."""
    ceiling_minor: int | None = Field(default=None, ge=1, le=CREDITS_MAX)


@router.get("")
async def purchases_list(
    caller: Annotated[Caller, needs(Scope.CREDITS_READ)],
    page: Annotated[Paging, pages()],
    state: Annotated[PurchaseState | None, Query(description="Where it stands.")] = None,
) -> Page[Purchase]:
    """Lists purchases, the newest first."""
    async with caller.transaction() as db:
        rows = await reading.purchases(db, caller.user, state=state, before=page.moment_and_id, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.created_at, row.id), show=Purchase.of)


@router.get("/{purchase_id}")
async def purchases_read(caller: Annotated[Caller, needs(Scope.CREDITS_READ)], purchase_id: uuid.UUID) -> Purchase:
    """Gives one purchase."""
    async with caller.transaction() as db:
        return Purchase.of(await checkout.find(db, caller.user, purchase_id))


@router.post("", status_code=201, response_model=Purchase, openapi_extra=CALLS_OUT)
async def purchases_make(
    caller: Annotated[Caller, needs(Scope.CREDITS_WRITE)], body: NewPurchase, once: Annotated[Once, only_once()]
) -> Response:
    """Begins a purchase: send the buyer to its `checkout_url`. Nothing is charged before they pay there."""
    context = caller.context
    gateway = context.gateway
    if gateway is None:
        raise NothingForSale

    async def buy(name: str) -> Purchase:
        home = f"{context.settings.base_url}/credits"
        await checkout.begin(
            context.database,
            gateway,
            caller.user,
            body.pack_id,
            success_url=body.success_url or f"{home}/bought?key={quote(name, safe='')}",
            cancel_url=body.cancel_url or f"{home}?cancelled=true",
            key=name,
            save_card=body.save_card,
        )
        async with caller.transaction() as db:
            return Purchase.of(await reading.purchase_of_key(db, caller.user, name))

    return await once.do_in_steps(buy, headers=lambda made: {"location": f"/v1/purchases/{made.id}"})


@top_up.get("", response_model=TopUp)
async def top_up_read(caller: Annotated[Caller, needs(Scope.CREDITS_READ)]) -> Response:
    """Gives what may be charged to the saved card when the credit runs low."""
    async with caller.transaction() as db:
        return shown(TopUp.of(await saved_card.of(db, caller.user)))


@top_up.put("", response_model=TopUp)
async def top_up_set(
    caller: Annotated[Caller, needs(Scope.CREDITS_WRITE)], body: TopUpChange, match: Annotated[Match, if_match()]
) -> Response:
    """Switches topping up on, off, or changes what is agreed to."""
    async with caller.transaction() as db:
        match.require(tag_of(TopUp.of(await reading.top_up(db, caller.user))))
        if body.enabled:
            await saved_card.choose(db, caller.user, _choice(body), datetime.now(UTC), actor=caller.user)
        else:
            await saved_card.off(db, caller.user, actor=caller.user)
        changed = TopUp.of(await saved_card.of(db, caller.user))
    return shown(changed)


@top_up.delete("/card", status_code=204, openapi_extra=CALLS_OUT)
async def top_up_card_forget(caller: Annotated[Caller, needs(Scope.CREDITS_WRITE)]) -> None:
    """Takes the saved card away, here and at the payment company. Without one it changes nothing."""
    if caller.context.gateway is not None:
        await saved_card.forget(caller.database, caller.context.gateway, caller.user, actor=caller.user)


def _choice(body: TopUpChange) -> saved_card.Choice:
    if body.threshold is None or body.pack_id is None or body.price_minor is None or body.ceiling_minor is None:
        raise NotAgreed
    return saved_card.Choice(body.threshold, body.pack_id, body.ceiling_minor, body.price_minor)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:
        return False
