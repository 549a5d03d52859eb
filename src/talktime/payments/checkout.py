"""Buying credits on the payment company's page.

The rule: price and credits are copied when checkout begins, and three steps follow one another: write the purchase
down, ask the company, write down what it said. A process may die between any two of them: the same key goes on where
it stopped, the company makes the same checkout for the same purchase, and its event finds the purchase by its names.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User, UserStatus
from talktime.credits.models import CreditPack
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.documents.figures import Figures, language_of
from talktime.documents.words import words_of
from talktime.errors import BadInput, Conflict, NotFound, ProviderError, Refused
from talktime.gateways.contract import CheckoutOrder, Gateway
from talktime.payments import matching
from talktime.payments.models import Purchase, PurchaseState

WHY = "a checkout is written into the directory that payment companies' events are found by"

KEY_AGE_MAX = timedelta(hours=20)
"""Payment companies remember for a day that they were asked. Later the same question could make a second checkout."""
_KEY_LENGTH_MAX = 200
_URL_LENGTH_MAX = 2000


class NotForSale(Refused):
    """This pack of credits is not on sale any more: choose another one."""


class MayNotBuy(Refused):
    """This account is suspended or closed, so it cannot buy credits: write to us."""


class PurchaseOver(Conflict):
    """This purchase is over already: begin a new one."""


@dataclass(frozen=True, slots=True)
class _Wish:
    gateway: Gateway
    user: uuid.UUID
    pack: uuid.UUID
    success_url: str
    cancel_url: str
    key: str
    save_card: bool


@dataclass(frozen=True, slots=True)
class _Begun:
    purchase: Purchase
    email: str
    locale: str


async def begin(
    database: Database,
    gateway: Gateway,
    user: uuid.UUID,
    pack: uuid.UUID,
    *,
    success_url: str,
    cancel_url: str,
    key: str,
    save_card: bool = False,
) -> str:
    """Where to send the buyer. The same key again is the same purchase: a double click buys once.

    Somebody who is blocked or in debt may buy: they must be able to pay what they owe. Raises MayNotBuy, NotForSale,
    PurchaseOver, Conflict, BadInput, ProviderError.
    """
    if not 1 <= len(key) <= _KEY_LENGTH_MAX or not key.isprintable():
        raise BadInput(f"The key of a purchase is 1 to {_KEY_LENGTH_MAX} characters.")
    if max(len(success_url), len(cancel_url)) > _URL_LENGTH_MAX:
        raise BadInput("An address to come back to is too long.")
    async with database.transaction(everyone=WHY) as db:
        begun = await _begin(db, _Wish(gateway, user, pack, success_url, cancel_url, key, save_card))
    purchase = begun.purchase
    if purchase.checkout_url is not None:
        return purchase.checkout_url
    try:
        checkout = await gateway.create_checkout(_order(begun))
    except (BadInput, ProviderError) as error:
        if isinstance(error, BadInput) or error.permanent:
            async with database.transaction(everyone=WHY) as db:
                await _give_up(db, purchase)
        raise
    async with database.transaction(everyone=WHY) as db:
        now = await matching.locked(db, user, purchase.id)
        assert now is not None, purchase.id
        await matching.remember(db, now, checkout_id=checkout.id, payment_id=checkout.payment_id)
        now.checkout_url = checkout.url
        now.expires_at = checkout.expires_at
    return checkout.url


async def newest(db: AsyncSession, user: uuid.UUID, *, limit: int = 100) -> Sequence[Purchase]:
    """What somebody bought, or tried to, newest first."""
    chosen = select(Purchase).where(Purchase.user_id == user)
    return (await db.scalars(chosen.order_by(Purchase.created_at.desc(), Purchase.id.desc()).limit(limit))).all()


async def find(db: AsyncSession, user: uuid.UUID, purchase: uuid.UUID) -> Purchase:
    """Raises NotFound, also for somebody else's."""
    found = await db.scalar(select(Purchase).where(Purchase.user_id == user, Purchase.id == purchase))
    if found is None:
        raise NotFound("There is no such purchase.")
    return found


async def _begin(db: AsyncSession, wish: _Wish) -> _Begun:
    """The purchase of this key, made if there is none."""
    # Locked, so that an account that is closed now either sees this purchase or is seen to be closed.
    buyer = await db.get(User, wish.user, with_for_update={"read": True})
    if buyer is None:
        raise NotFound("There is no such user.")
    if buyer.status is not UserStatus.ACTIVE:
        raise MayNotBuy
    found = await _of_key(db, wish.user, wish.key)
    if found is None:
        await _insert(db, wish)
        # Somebody with the same key may have been faster: then theirs is the purchase.
        found = await _of_key(db, wish.user, wish.key)
        assert found is not None, wish.key
    if found.pack_id != wish.pack or found.gateway != wish.gateway.name or found.test == wish.gateway.live:
        raise Conflict("This key was used for another purchase: begin a new one.")
    is_late = found.created_at < datetime.now(UTC) - KEY_AGE_MAX
    if found.state is not PurchaseState.OPEN or is_late:
        raise PurchaseOver
    return _Begun(found, buyer.email, buyer.locale)


async def _insert(db: AsyncSession, wish: _Wish) -> None:
    pack = await db.get(CreditPack, wish.pack)
    if pack is None or not pack.active or pack.price_minor == 0:
        raise NotForSale
    values = {
        "user_id": wish.user,
        "id": new_id(),
        "request_key": wish.key,
        "pack_id": pack.id,
        "name": pack.name,
        "credits": pack.credits,
        "price_minor": pack.price_minor,
        "currency": pack.currency,
        "gateway": wish.gateway.name,
        "test": not wish.gateway.live,
        "save_card": wish.save_card,
        "success_url": wish.success_url,
        "cancel_url": wish.cancel_url,
    }
    once = [Purchase.user_id, Purchase.request_key]
    await db.execute(insert(Purchase).values(values).on_conflict_do_nothing(index_elements=once))


async def _of_key(db: AsyncSession, user: uuid.UUID, key: str) -> Purchase | None:
    row: Purchase | None = await db.scalar(
        select(Purchase).where(Purchase.user_id == user, Purchase.request_key == key)
    )
    return row


async def _give_up(db: AsyncSession, purchase: Purchase) -> None:
    """The company will not have it, and asking again cannot help."""
    now = await matching.locked(db, purchase.user_id, purchase.id)
    if now is not None and now.state is PurchaseState.OPEN:
        now.state = PurchaseState.FAILED
        now.failure = "refused_by_gateway"


def _order(begun: _Begun) -> CheckoutOrder:
    """The same for the same purchase, however often it is sent.

    Unless its buyer has another address or language by then: the company refuses that, and the buyer begins anew.
    """
    purchase = begun.purchase
    assert purchase.success_url is not None, purchase.id
    assert purchase.cancel_url is not None, purchase.id
    return CheckoutOrder(
        purchase_id=purchase.id,
        user_id=purchase.user_id,
        name=_item(purchase, begun.locale),
        price_minor=purchase.price_minor,
        currency=purchase.currency,
        success_url=purchase.success_url,
        cancel_url=purchase.cancel_url,
        email=begun.email,
        save_card=purchase.save_card,
    )


def _item(purchase: Purchase, locale: str) -> str:
    """What is bought, in the buyer's language: `Starter, 1,500 credits`."""
    language = language_of(locale)
    how_many = words_of(language).credits_of(purchase.credits, Figures(language).whole(purchase.credits))
    return f"{purchase.name}, {how_many}" if purchase.name else how_many
