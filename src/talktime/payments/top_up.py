"""Topping up by itself: when credit runs low, the saved card is charged for the pack that its owner chose.

The rule: at most one charge of a customer is in flight, over all processes, and what it will be is written down before
the company is asked. Whoever dies in between leaves a purchase that the next round, an event or a list brings to its
end; asked again, the company makes the same charge.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Row, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts.models import User, UserStatus
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput, ProviderError, TalktimeError
from talktime.gateways.contract import Charge, ChargeOrder, ChargeStatus, Gateway, Notice, NoticeKind
from talktime.notices.tell import tell
from talktime.payments import declines, matching
from talktime.payments.checkout import KEY_AGE_MAX
from talktime.payments.models import Purchase, PurchaseKind, PurchaseState, TopUp
from talktime.payments.till import Till

WHY = "the sweep tops up everybody whose credit runs low"

_AGAIN = timedelta(seconds=90)
"""Longer than a charge can take: until then whoever wrote it down is believed to be at it."""
_ROUND_MAX = 100
_LOGGER = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Order:
    user_id: uuid.UUID
    purchase_id: uuid.UUID
    order: ChargeOrder


async def due(database: Database, till: Till, gateway: Gateway) -> int:
    """Charge every card whose time has come; gives how many charges were asked for. A step of the sweep."""
    async with database.transaction(everyone=WHY) as db:
        left_over = await _left_over(db, gateway)
        users = await _low(db, gateway)
    asked = 0
    for user, left in [*((order.user_id, order) for order in left_over), *((user, None) for user in users)]:
        try:
            begun = left
            if begun is None:
                async with database.transaction(everyone=WHY) as db:
                    begun = await _begin(db, gateway, user)
            if begun is not None:
                asked += await _charge(database, till, gateway, begun)
        except (SQLAlchemyError, TalktimeError) as error:
            # One customer's trouble keeps nobody else waiting.
            _LOGGER.error("a customer could not be topped up", user_id=str(user), error=type(error).__name__)
    return asked


async def _low(db: AsyncSession, gateway: Gateway) -> Sequence[uuid.UUID]:
    """Whose credit is below the threshold; looked at without a lock, so each is looked at again."""
    rows = await db.scalars(text(f"SELECT t.user_id {_DUE} LIMIT :most"), {**_names(gateway), "most": _ROUND_MAX})
    return list(rows)


async def _begin(db: AsyncSession, gateway: Gateway, user: uuid.UUID) -> _Order | None:
    """Write down what will be charged, unless something speaks against it."""
    # One process at a time looks at one customer: whoever comes second sees what the first one did.
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"top up {user}"})
    found = (
        await db.execute(text(f"SELECT t.*, {_FACTS} {_DUE} AND t.user_id = :user"), {**_names(gateway), "user": user})
    ).first()
    if found is None:
        return None
    reason = await _against(db, found)
    if reason is not None:
        return None
    purchase = Purchase(
        user_id=user,
        id=new_id(),
        kind=PurchaseKind.TOP_UP,
        pack_id=found.pack_id,
        name=found.pack_name,
        credits=found.credits,
        price_minor=found.price_minor,
        currency=found.currency,
        gateway=gateway.name,
        test=not gateway.live,
        customer_id=found.customer_id,
        payment_method_id=found.payment_method_id,
    )
    purchase.request_key = f"top up {purchase.id}"
    db.add(purchase)
    await db.flush()
    await matching.remember(db, purchase)
    return _order(purchase)


async def _against(db: AsyncSession, found: Row[tuple[object, ...]]) -> str | None:
    """Why a customer whose credit is low is not charged all the same; told once."""
    user: uuid.UUID = found.user_id
    if not found.pack_is_same:
        await db.execute(
            update(TopUp)
            .where(TopUp.user_id == user)
            .values(enabled=False, stopped_reason="pack_changed")
            .execution_options(synchronize_session=False)
        )
        subject = f"pack_changed:{found.consented_at.isoformat()}"
        await tell(db, user, "top_up_stopped", subject, {"reason": "pack_changed"})
        return "pack_changed"
    if found.spent_minor + found.price_minor > found.ceiling_minor:
        # Nothing changes before the month is over, unless the customer raises the ceiling, which clears this.
        await db.execute(
            update(TopUp)
            .where(TopUp.user_id == user)
            .values(not_before=found.month_ends)
            .execution_options(synchronize_session=False)
        )
        await tell(db, user, "top_up_stopped", f"ceiling:{found.month}", {"reason": "ceiling"})
        return "ceiling"
    return None


async def _left_over(db: AsyncSession, gateway: Gateway) -> Sequence[_Order]:
    """Charges that were written down, and nobody wrote down what became of them: asked again, once a round.

    But not of somebody who has switched it off or left in the meantime: perhaps the company was never asked, and now
    it must not be.
    """
    now = datetime.now(UTC)
    still_wanted = (
        select(TopUp.user_id)
        .join(User, User.id == TopUp.user_id)
        .where(
            TopUp.user_id == Purchase.user_id,
            TopUp.enabled,
            User.status == UserStatus.ACTIVE,
        )
        .exists()
    )
    rows = (
        await db.execute(
            select(Purchase, still_wanted)
            .where(
                Purchase.kind == PurchaseKind.TOP_UP,
                Purchase.state == PurchaseState.OPEN,
                Purchase.gateway == gateway.name,
                Purchase.test.is_(not gateway.live),
                Purchase.updated_at < now - _AGAIN,
            )
            .order_by(Purchase.created_at)
            .limit(_ROUND_MAX)
            .with_for_update(of=Purchase, skip_locked=True)
        )
    ).all()
    orders = []
    for purchase, is_wanted in rows:
        is_late = purchase.created_at < now - KEY_AGE_MAX
        if is_late or not is_wanted:
            # The company may have forgotten that it was asked. If it did charge, its event still grants.
            purchase.state = PurchaseState.FAILED
            purchase.failure = "no_answer" if is_late else "not_wanted"
        else:
            purchase.updated_at = now
            orders.append(_order(purchase))
    return orders


async def _charge(database: Database, till: Till, gateway: Gateway, asked: _Order) -> bool:
    """Ask the company, and write down what it says; False when it says nothing."""
    try:
        charge = await gateway.charge_saved_card(asked.order)
    except (ProviderError, BadInput) as error:
        if isinstance(error, ProviderError) and not error.permanent:
            # Perhaps it was charged, perhaps not: the purchase stays open, and is asked for again.
            _LOGGER.warning("a top-up got no answer", purchase_id=str(asked.purchase_id), error=str(error))
            return False
        async with database.transaction(everyone=WHY) as db:
            refused = await matching.locked(db, asked.user_id, asked.purchase_id)
            assert refused is not None, asked.purchase_id
            await declines.put_off(db, refused, "refused_by_gateway")
        return True
    async with database.transaction(everyone=WHY) as db:
        await _record(db, till, gateway, asked, charge)
    return True


async def _record(db: AsyncSession, till: Till, gateway: Gateway, asked: _Order, charge: Charge) -> None:
    if charge.status is ChargeStatus.SUCCEEDED:
        await till.handle(db, gateway, _paid(gateway, asked, charge))
        return
    purchase = await matching.locked(db, asked.user_id, asked.purchase_id)
    assert purchase is not None, asked.purchase_id
    if charge.status is ChargeStatus.PROCESSING:
        if purchase.state is PurchaseState.OPEN:
            await matching.remember(db, purchase, payment_id=charge.payment_id or None)
            purchase.state = PurchaseState.PENDING
        return
    needs_owner = charge.status is ChargeStatus.NEEDS_AUTHENTICATION
    reason = "needs_authentication" if needs_owner else charge.reason
    await declines.note(db, purchase, reason, payment_id=charge.payment_id or None)


def _order(purchase: Purchase) -> _Order:
    """The same for the same purchase, however often it is sent."""
    assert purchase.customer_id is not None, purchase.id
    assert purchase.payment_method_id is not None, purchase.id
    order = ChargeOrder(
        purchase_id=purchase.id,
        user_id=purchase.user_id,
        name=purchase.name,
        price_minor=purchase.price_minor,
        currency=purchase.currency,
        customer_id=purchase.customer_id,
        payment_method_id=purchase.payment_method_id,
    )
    return _Order(purchase.user_id, purchase.id, order)


def _paid(gateway: Gateway, asked: _Order, charge: Charge) -> Notice:
    """What the company answered, in the words in which its event will say it again."""
    return Notice(
        event_id=f"answer:{charge.payment_id}",
        kind=NoticeKind.CHARGE_PAID,
        type="answer.charge",
        live=gateway.live,
        created_at=datetime.now(UTC),
        payment_id=charge.payment_id or None,
        purchase_id=asked.purchase_id,
        user_id=asked.user_id,
        customer_id=asked.order.customer_id,
        amount_minor=asked.order.price_minor,
        currency=asked.order.currency,
    )


def _names(gateway: Gateway) -> dict[str, object]:
    return {"gateway": gateway.name}


# One statement sees one moment: a charge is in flight, or its credits are there.
_DUE = """
    FROM top_ups t
    JOIN users u ON u.id = t.user_id
    LEFT JOIN credit_packs p ON p.id = t.pack_id
    LEFT JOIN credit_accounts a ON a.user_id = t.user_id
    WHERE t.enabled AND t.gateway = :gateway AND t.payment_method_id IS NOT NULL AND u.status = 'ACTIVE'
        AND (t.not_before IS NULL OR t.not_before <= now())
        AND a.blocked_reason IS NULL AND coalesce(a.balance - a.held, 0) < t.threshold
        AND NOT EXISTS (
            SELECT FROM purchases f
            WHERE f.user_id = t.user_id AND f.kind = 'TOP_UP' AND f.state IN ('OPEN', 'PENDING')
        )
"""
_FACTS = """
    p.name AS pack_name,
    (p.active AND p.credits = t.credits AND p.price_minor = t.price_minor AND p.currency = t.currency) IS TRUE
        AS pack_is_same,
    to_char(now() AT TIME ZONE u.zone, 'YYYY-MM') AS month,
    (date_trunc('month', now() AT TIME ZONE u.zone) + interval '1 month') AT TIME ZONE u.zone AS month_ends,
    (
        SELECT coalesce(sum(b.price_minor), 0)::bigint FROM purchases b
        WHERE b.user_id = t.user_id AND b.kind = 'TOP_UP' AND b.currency = t.currency
            AND b.state IN ('OPEN', 'PENDING', 'PAID')
            AND b.created_at >= date_trunc('month', now() AT TIME ZONE u.zone) AT TIME ZONE u.zone
    ) AS spent_minor
"""
