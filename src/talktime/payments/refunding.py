"""The operator gives money back.

The rule: what is asked of the payment company is written down before, under the operator's key, so that it is asked
once and never for more than is left; what it says goes the way of its events, which say it again.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.models import Role, User, UserStatus
from talktime.credits import money
from talktime.credits.account import funds_of
from talktime.credits.functions import whole
from talktime.credits.models import CreditTransaction
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, ProviderError, Refused
from talktime.gateways import contract
from talktime.gateways.contract import Gateway, Notice, NoticeKind
from talktime.gateways.currencies import format_money
from talktime.payments import matching, refunds
from talktime.payments.checkout import KEY_AGE_MAX
from talktime.payments.invoices import Billing
from talktime.payments.models import PaymentReversal, Purchase, PurchaseState, RefundRequest, RefundRequestState
from talktime.payments.reversal_states import money_out

WHY = "the operator gives a customer's money back"


class NothingToRefund(Conflict):
    """So much was not paid, or went back already."""


class PaidOut(Conflict):
    """What was left on this account was paid out, and with it what this purchase brought."""


async def refund(
    database: Database,
    billing: Billing,
    gateway: Gateway,
    *,
    user: uuid.UUID,
    purchase: uuid.UUID,
    amount_minor: int | None,
    key: str,
    actor: uuid.UUID,
) -> RefundRequest:
    """Give back so much of a purchase, or with None all that is left. The same key again is the same refund.

    Raises NotFound, Refused, NothingToRefund, Conflict, BadInput, ProviderError.
    """
    if not 1 <= len(key) <= 100 or not key.isprintable():
        raise BadInput("The key of a refund is 1 to 100 characters.")
    async with database.transaction(everyone=WHY) as db:
        request, payment_id, currency = await _ask(db, gateway, user, purchase, amount_minor, key=key, actor=actor)
    if request.state is RefundRequestState.DONE:
        return request
    try:
        made = await gateway.refund(
            payment_id,
            amount_minor=request.amount_minor,
            currency=currency,
            idempotency_key=f"refund:{purchase}:{key}",
        )
    except (BadInput, ProviderError) as error:
        if isinstance(error, BadInput) or error.permanent:
            async with database.transaction(everyone=WHY) as db:
                await _end(db, request, RefundRequestState.REFUSED, None)
        raise
    async with database.transaction(everyone=WHY) as db:
        # First the books, then the wish: the order in which everybody locks.
        await refunds.note(db, billing, gateway.name, _notice(gateway, purchase, user, made))
        return await _end(db, request, RefundRequestState.DONE, made.id)


async def reversals(db: AsyncSession, user: uuid.UUID, purchase: uuid.UUID) -> Sequence[PaymentReversal]:
    """The refunds and disputes of one purchase, oldest first."""
    chosen = select(PaymentReversal).where(PaymentReversal.user_id == user, PaymentReversal.purchase_id == purchase)
    return (await db.scalars(chosen.order_by(PaymentReversal.created_at, PaymentReversal.id))).all()


async def _ask(
    db: AsyncSession,
    gateway: Gateway,
    user: uuid.UUID,
    purchase_id: uuid.UUID,
    amount_minor: int | None,
    *,
    key: str,
    actor: uuid.UUID,
) -> tuple[RefundRequest, str, str]:
    """The wish as it is written down, the payment it is about, and the currency."""
    operator = await db.get(User, actor)
    if operator is None or operator.role is not Role.ADMIN or operator.status is not UserStatus.ACTIVE:
        raise Refused("Only an operator may give money back.")
    purchase = await matching.locked(db, user, purchase_id)
    if purchase is None:
        raise NotFound("There is no such purchase.")
    if purchase.gateway != gateway.name or purchase.test == gateway.live:
        raise Conflict(f"This purchase was made with {purchase.gateway}{' in test mode' if purchase.test else ''}.")
    payment_id = (await matching.known(db, purchase)).payment_id
    if purchase.state is not PurchaseState.PAID or payment_id is None:
        raise NothingToRefund("This purchase was not paid, so there is nothing to give back.")
    request = await db.get(RefundRequest, (user, key))
    if request is None:
        left = purchase.price_minor - await _gone(db, purchase)
        amount = left if amount_minor is None else amount_minor
        if amount_minor is not None and whole(amount_minor, "amount") <= 0:
            raise BadInput("A refund is more than nothing: say how much.")
        if amount > left or left <= 0:
            raise NothingToRefund(_nothing_more(left, purchase.currency))
        await money.one_way_out(db, user)
        await _not_paid_out(db, purchase, amount)
        request = RefundRequest(
            user_id=user, request_key=key, purchase_id=purchase_id, amount_minor=amount, actor_id=actor
        )
        db.add(request)
        await db.flush()
        asked: dict[str, audit.Value] = {"purchase_id": str(purchase_id), "amount_minor": amount}
        await audit.record(db, user, actor, "refund.asked", after={**asked, "currency": purchase.currency})
    elif request.purchase_id != purchase_id or (amount_minor is not None and request.amount_minor != amount_minor):
        raise Conflict("This key was used for another refund: take a new one.")
    elif request.state is RefundRequestState.REFUSED:
        raise Conflict("The payment company refused this refund: look there, then use a new key.")
    elif request.state is RefundRequestState.ASKED and request.created_at < datetime.now(UTC) - KEY_AGE_MAX:
        raise Conflict(
            "This refund was asked for more than a day ago, and nobody knows what became of it: look at the payment"
            " company's pages, then use a new key."
        )
    return request, payment_id, purchase.currency


def _nothing_more(left_minor: int, currency: str) -> str:
    if left_minor <= 0:
        return "All of this purchase went back already, or is on its way."
    return f"Only {format_money(left_minor, currency, 'en')} of this purchase is left: give back that much or less."


async def _not_paid_out(db: AsyncSession, purchase: Purchase, amount_minor: int) -> None:
    """Raise PaidOut where the credits that this money bought left with a payout: so the same money goes back once."""
    payout = select(CreditTransaction.seq).where(
        CreditTransaction.user_id == purchase.user_id, CreditTransaction.reference.startswith("payout:")
    )
    if (await db.scalars(payout.limit(1))).first() is None:
        return
    there = (await funds_of(db, purchase.user_id)).free
    if refunds.credits_out(purchase.credits, purchase.price_minor, amount_minor) > there:
        raise PaidOut(f"This account was paid out, and {there} credits are left on it: so much can be given back.")


async def _gone(db: AsyncSession, purchase: Purchase) -> int:
    """Minor units that went back, or are asked for and not heard of.

    What nobody heard of for so long that it cannot be asked for again under its key counts no more: had the company
    done it, its event or its list would have said so, and it never gives back more than there is.
    """
    gone = [money_out(each) for each in await reversals(db, purchase.user_id, purchase.id)]
    asked = await db.scalars(
        select(RefundRequest.amount_minor).where(
            RefundRequest.user_id == purchase.user_id,
            RefundRequest.purchase_id == purchase.id,
            RefundRequest.state == RefundRequestState.ASKED,
            RefundRequest.created_at >= datetime.now(UTC) - KEY_AGE_MAX,
        )
    )
    return sum(gone) + sum(asked)


async def _end(
    db: AsyncSession, request: RefundRequest, state: RefundRequestState, refund_id: str | None
) -> RefundRequest:
    found = await db.get(RefundRequest, (request.user_id, request.request_key))
    assert found is not None, request.request_key
    before = found.state
    found.state = state
    found.refund_id = refund_id
    if before is not state:
        after: dict[str, audit.Value] = {"state": state.value, "purchase_id": str(request.purchase_id)}
        after |= {"refund_id": refund_id, "amount_minor": request.amount_minor}
        act = f"refund.{state.value.lower()}"
        await audit.record(db, request.user_id, request.actor_id, act, before={"state": before.value}, after=after)
    return found


def _notice(gateway: Gateway, purchase: uuid.UUID, user: uuid.UUID, made: contract.Refund) -> Notice:
    """What the company answered, in the words in which it will say it again."""
    return Notice(
        event_id=f"answer:{made.id}",
        kind=NoticeKind.REFUND,
        type="answer.refund",
        live=gateway.live,
        created_at=datetime.now(UTC),
        payment_id=made.payment_id,
        purchase_id=purchase,
        user_id=user,
        amount_minor=made.amount_minor,
        currency=made.currency,
        refund_id=made.id,
        refund_status=made.status,
    )
