"""A customer's saved card, and what they allow to be charged to it while they are away.

The rule: only the customer switches it on, for one pack at the price they saw and with a ceiling for the month; and
which card is charged comes from the payment company, never from a form.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit
from talktime.accounts.models import User, UserStatus
from talktime.alerts import raise_alert
from talktime.credits.functions import whole
from talktime.credits.models import CreditPack
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, ProviderError
from talktime.gateways.contract import Gateway
from talktime.payments.checkout import NotForSale
from talktime.payments.models import Purchase, PurchaseState, TopUp

WHY = "which card is charged is written down from the payment company's word, not the customer's"
LEAVES_WHY = "an account is closed, and its card is forgotten"
_MOST = 10**12
_FORGET_SECONDS = 8.0
_LOGGER = log.get(__name__)


class NoSavedCard(Conflict):
    """There is no saved card yet: buy a pack once, and let the card be kept."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a customer chose."""

    threshold: int
    """Free credits; below it the card is charged."""
    pack: uuid.UUID
    ceiling_minor: int
    """The most in a month of their zone, in the pack's currency."""
    price_minor: int
    """The price that they saw."""


async def of(db: AsyncSession, user: uuid.UUID) -> TopUp | None:
    """The card and the choice, if there ever was one."""
    row: TopUp | None = await db.scalar(
        select(TopUp).where(TopUp.user_id == user).execution_options(populate_existing=True)
    )
    return row


async def choose(
    db: AsyncSession, user: uuid.UUID, choice: Choice, now: datetime, *, actor: uuid.UUID | None = None
) -> None:
    """Switch it on, or change it; `now` is when the customer agreed. Raises NoSavedCard, NotForSale, BadInput.

    `actor` is the operator when the customer does not do it.

    Declines of before are forgotten, but not while one of them is still waited for: saving again is no way to have a
    card asked again at once. Another card is (`save`).
    """
    if not 1 <= whole(choice.threshold, "threshold") <= _MOST:
        raise BadInput("The threshold is one credit at least.")
    if not 1 <= whole(choice.ceiling_minor, "ceiling") <= _MOST:
        raise BadInput("The ceiling for a month is above zero.")
    pack = await db.get(CreditPack, choice.pack)
    if pack is None or not pack.active or pack.price_minor == 0:
        raise NotForSale
    if pack.price_minor != choice.price_minor:
        raise Conflict("The price of this pack has changed: look at it again.")
    if choice.ceiling_minor < pack.price_minor:
        raise BadInput("The ceiling for a month is less than the pack costs, so nothing could ever be bought.")
    before = _terms(await of(db, user))
    changed = await db.execute(
        update(TopUp)
        .where(TopUp.user_id == user, TopUp.payment_method_id.is_not(None))
        .values(
            enabled=True,
            threshold=choice.threshold,
            pack_id=pack.id,
            credits=pack.credits,
            price_minor=pack.price_minor,
            currency=pack.currency,
            ceiling_minor=choice.ceiling_minor,
            consented_at=now,
            declines=case((TopUp.not_before > now, TopUp.declines), else_=0),
            not_before=case((TopUp.not_before > now, TopUp.not_before)),
            stopped_reason=None,
        )
        .returning(TopUp.user_id)
        .execution_options(synchronize_session=False)
    )
    if changed.first() is None:
        raise NoSavedCard
    await audit.record(db, user, actor or user, "top_up.on", before=before, after=_terms(await of(db, user)))


async def off(db: AsyncSession, user: uuid.UUID, *, actor: uuid.UUID | None = None) -> None:
    """Charge nothing any more; a charge that is under way ends as it ends.

    `actor` is the operator when the customer does not do it.
    """
    if await _switch_off(db, user):
        await audit.record(db, user, actor or user, "top_up.off", before={"enabled": True}, after={"enabled": False})


async def _switch_off(db: AsyncSession, user: uuid.UUID) -> bool:
    """False when it was off already."""
    changed = await db.execute(
        update(TopUp)
        .where(TopUp.user_id == user, TopUp.enabled)
        .values(enabled=False)
        .returning(TopUp.user_id)
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None


def _terms(chosen: TopUp | None) -> dict[str, audit.Value]:
    """What a customer allows to be charged: ids and sums."""
    if chosen is None:
        return {"enabled": False}
    terms: dict[str, audit.Value] = {"enabled": chosen.enabled, "threshold": chosen.threshold}
    terms |= {"pack_id": str(chosen.pack_id) if chosen.pack_id else None, "price_minor": chosen.price_minor}
    return {**terms, "currency": chosen.currency, "ceiling_minor": chosen.ceiling_minor}


async def save(database: Database, gateway: Gateway, user: uuid.UUID, purchase: uuid.UUID, payment_id: str) -> bool:
    """Keep the card that a purchase was paid with, if the company kept it; False when it did not.

    A job, which may run again. The card of before is replaced, and forgotten by the company; so is this one, when its
    owner has closed the account in the meantime.
    """
    card = await gateway.saved_card(payment_id)
    if card is None:
        return False
    async with database.transaction(everyone=WHY) as db:
        bought = await db.get(Purchase, (user, purchase))
        if bought is None or bought.state is not PurchaseState.PAID or bought.gateway != gateway.name:
            raise NotFound("There is no such purchase that was paid.")
        # Locked, so that an account that is closed now either sees this card or is seen to be closed.
        status = await db.scalar(select(User.status).where(User.id == user).with_for_update(read=True))
        is_closed = status is UserStatus.CLOSED
        values = {
            "gateway": gateway.name,
            "customer_id": card.customer_id,
            "payment_method_id": card.payment_method_id,
            "brand": card.brand[:40],
            "last4": card.last4[:4],
            "expires_month": card.expires_month,
            "expires_year": card.expires_year,
        }
        before = await db.scalar(select(TopUp).where(TopUp.user_id == user).with_for_update())
        replaced = None
        if before is not None and before.payment_method_id != card.payment_method_id:
            replaced = before.payment_method_id if before.gateway == gateway.name else None
            values |= {"declines": 0, "not_before": None}
        if not is_closed:
            row = insert(TopUp).values(user_id=user, **values)
            await db.execute(row.on_conflict_do_update(index_elements=[TopUp.user_id], set_=values))
    if is_closed:
        await gateway.forget_card(card.payment_method_id)
        return False
    if replaced is not None:
        await gateway.forget_card(replaced)
    return True


async def forget(database: Database, gateway: Gateway, user: uuid.UUID, *, actor: uuid.UUID | None = None) -> None:
    """Charge the card no more, and let the company forget it. Raises ProviderError; then it may be asked again.

    `actor` is the operator when the customer does not do it.
    """
    await _forget(database, gateway, user, actor or user)


async def _forget(database: Database, gateway: Gateway, user: uuid.UUID, actor: uuid.UUID | None) -> None:
    """Nobody forgets it where an account is closed: that has an actor of its own."""
    async with database.transaction(everyone=WHY) as db:
        found = await db.scalar(select(TopUp).where(TopUp.user_id == user).with_for_update())
        if found is None or found.payment_method_id is None or found.gateway != gateway.name:
            return
        found.enabled = False
        method = found.payment_method_id
    await gateway.forget_card(method)
    async with database.transaction(everyone=WHY) as db:
        gone = await db.execute(
            update(TopUp)
            # Another card may have been saved in the meantime: that one stays.
            .where(TopUp.user_id == user, TopUp.payment_method_id == method)
            .values(enabled=False, payment_method_id=None, brand="", last4="", expires_month=None, expires_year=None)
            .returning(TopUp.user_id)
            .execution_options(synchronize_session=False)
        )
        if gone.first() is not None:
            await audit.record(db, user, actor, "card.forgotten")


async def leave(database: Database, gateways: Mapping[str, Gateway], user: uuid.UUID) -> bool:
    """Of an account that is closed: charge nothing any more, and let the company forget the card. Can be run again.

    False when the company did not take it on, in time or at all; then the operator is alerted, once.
    """
    async with database.transaction(everyone=LEAVES_WHY) as db:
        await _switch_off(db, user)
        found = await of(db, user)
        card = None if found is None or found.payment_method_id is None else (found.gateway, found.payment_method_id)
    if card is None:
        return True
    name, method = str(card[0]), card[1]
    try:
        async with asyncio.timeout(_FORGET_SECONDS):
            await _forget(database, gateways[name], user, None)
    except (ProviderError, KeyError, TimeoutError) as error:
        _LOGGER.warning("the card of a closed account was not forgotten", user_id=str(user), error=type(error).__name__)
        async with database.transaction(everyone=LEAVES_WHY) as db:
            await raise_alert(db, "card_not_forgotten", user, {"gateway": name, "payment_method_id": method}, once=True)
        return False
    return True
