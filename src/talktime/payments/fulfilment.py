"""What the payment company says of a purchase, and what that does to it.

The rule: credits are granted when money came, in the right sum, the right currency and the right mode, once for each
purchase, whatever event says so and however often; and what of it went back before is taken back with them. A purchase
that is PAID never goes back; money that comes after it was given up is still money.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from talktime import inbox
from talktime.accounts.models import User, UserStatus
from talktime.credits import money
from talktime.gateways.contract import Gateway, Notice, NoticeKind
from talktime.jobs import Jobs
from talktime.notices.tell import tell
from talktime.payments import declines, invoices, matching, refunds, ungranted
from talktime.payments.invoices import Billing
from talktime.payments.matching import WRONG_MODE, Contradiction
from talktime.payments.models import Purchase, PurchaseKind, PurchaseState
from talktime.payments.reversal_states import waits_for
from talktime.payments.ungranted_models import UngrantedReversal

SAVE_CARD_JOB = "payments.save_card"

_NOTHING = frozenset({NoticeKind.HINT, NoticeKind.OTHER, NoticeKind.OPEN})
_MONEY_BACK = frozenset(
    {
        NoticeKind.REFUND,
        NoticeKind.DISPUTE_OPENED,
        NoticeKind.DISPUTE_WITHDRAWN,
        NoticeKind.DISPUTE_REINSTATED,
        NoticeKind.DISPUTE_CLOSED,
    }
)
_PAID = frozenset({NoticeKind.PAID, NoticeKind.CHARGE_PAID})
_UNFINISHED = frozenset({PurchaseState.OPEN, PurchaseState.PENDING})

UNKNOWN = "unknown payment"


async def handle(db: AsyncSession, jobs: Jobs, billing: Billing, gateway: Gateway, notice: Notice) -> str:
    """Do what a notice calls for, in a transaction that is everyone's; gives the verdict.

    May be told anything again, late and in any order. Raises NotYet for money that goes back before it came.
    """
    if notice.kind in _NOTHING:
        return "nothing to do"
    if notice.live != gateway.live:
        kind, verdict = WRONG_MODE[notice.live]
        await matching.alert(db, kind, gateway.name, notice)
        return verdict
    if notice.kind in _MONEY_BACK:
        return await refunds.note(db, billing, gateway.name, notice)
    try:
        purchase = await matching.find(db, gateway.name, notice)
    except Contradiction:
        await ungranted.note(db, "unknown_payment", gateway.name, notice)
        return "contradictory"
    if purchase is None:
        if notice.kind not in _PAID:
            return "unknown purchase"
        await ungranted.note(db, "unknown_payment", gateway.name, notice)
        return UNKNOWN
    if notice.kind in _PAID:
        return await _paid(db, jobs, billing, notice, purchase)
    return await _moved(db, notice, purchase)


async def _paid(db: AsyncSession, jobs: Jobs, billing: Billing, notice: Notice, purchase: Purchase) -> str:
    """The money is there: grant, unless something about it is not as it should be."""
    if purchase.test == notice.live:
        kind, verdict = WRONG_MODE[notice.live]
        await matching.alert(db, kind, purchase.gateway, notice, purchase)
        return verdict
    wrong = _wrong(notice, purchase)
    if wrong is not None:
        kind, verdict = wrong
        await ungranted.note(db, kind, purchase.gateway, notice, purchase)
        return verdict
    known = await matching.known(db, purchase)
    if purchase.state is PurchaseState.PAID:
        if known.payment_id and notice.payment_id and known.payment_id != notice.payment_id:
            # A second checkout of the same purchase was paid, too: somebody has to give that money back.
            await ungranted.note(db, "paid_twice", purchase.gateway, notice, purchase)
            return "paid twice"
        went_back = await _went_back(db, notice, purchase)
        if went_back is None:
            return "wrong currency"
        await matching.remember(db, purchase, payment_id=notice.payment_id)
        await _say_granted(db, notice, purchase)
        await refunds.carry_over(db, billing, purchase, went_back)
        return "granted already"
    went_back = await _went_back(db, notice, purchase)
    if went_back is None:
        return "wrong currency"
    await matching.remember(db, purchase, checkout_id=notice.checkout_id, payment_id=notice.payment_id)
    purchase.state = PurchaseState.PAID
    purchase.paid_at = datetime.now(UTC)
    purchase.failure = None
    await db.flush()
    is_top_up = purchase.kind is PurchaseKind.TOP_UP
    if is_top_up:
        # Before the account is locked: a customer's own page changes the two in this order.
        await declines.forget(db, purchase.user_id)
    await money.purchase(db, purchase.user_id, purchase.id)
    detail: dict[str, str | int] = {"purchase_id": str(purchase.id), "credits": purchase.credits}
    await tell(db, purchase.user_id, "top_up_done" if is_top_up else "purchase_paid", str(purchase.id), detail)
    if purchase.save_card and notice.payment_id is not None:
        await jobs.enqueue(
            db,
            SAVE_CARD_JOB,
            gateway=purchase.gateway,
            user=str(purchase.user_id),
            purchase=str(purchase.id),
            payment=notice.payment_id,
        )
    buyer = await db.get(User, purchase.user_id)
    if buyer is not None and buyer.status is UserStatus.CLOSED:
        # Money is money, so it is credited; but whoever paid cannot come in to use it.
        await matching.alert(db, "paid_after_closing", purchase.gateway, notice, purchase)
    if notice.payment_id is not None:
        await inbox.wake(db, purchase.gateway, waits_for(notice.payment_id))
    await _say_granted(db, notice, purchase)
    # Last, because whoever counts a number makes all others wait. What went back is a document after the invoice's.
    await invoices.issue(db, billing, purchase, notice.payment_id)
    await refunds.carry_over(db, billing, purchase, went_back)
    return "granted"


async def _went_back(db: AsyncSession, notice: Notice, purchase: Purchase) -> Sequence[UngrantedReversal] | None:
    """What went back of this payment while it granted nothing; nobody adds to it before this transaction ends.

    None for money that cannot be held against the purchase, in another currency: then nothing is granted, and the
    operator has an alert.
    """
    if notice.payment_id is None:
        return ()
    found = await ungranted.take(db, purchase.gateway, notice.payment_id)
    if any(each.currency != purchase.currency for each in found):
        await ungranted.note(db, "wrong_currency", purchase.gateway, notice, purchase)
        return None
    return found


async def _say_granted(db: AsyncSession, notice: Notice, purchase: Purchase) -> None:
    """The operator has nothing to do any more about a payment that granted nothing at first."""
    if notice.payment_id is not None and purchase.paid_at is not None:
        await ungranted.granted(db, purchase.gateway, notice.payment_id, purchase.paid_at)


def _wrong(notice: Notice, purchase: Purchase) -> tuple[str, str] | None:
    """What keeps a payment from being this purchase's, as an alert and a verdict."""
    if notice.currency != purchase.currency:
        return "wrong_currency", "wrong currency"
    if notice.amount_minor != purchase.price_minor:
        return "wrong_amount", "wrong amount"
    return None


async def _moved(db: AsyncSession, notice: Notice, purchase: Purchase) -> str:
    """No money came yet, or none will. What was paid is not moved, and what failed does not come back to life."""
    before = purchase.state
    if notice.kind is NoticeKind.CHARGE_FAILED:
        await declines.note(db, purchase, notice.reason, payment_id=notice.payment_id)
        return "failed" if before in _UNFINISHED else "nothing to do"
    if notice.kind is NoticeKind.COMPLETED_UNPAID and before is PurchaseState.OPEN:
        await matching.remember(db, purchase, checkout_id=notice.checkout_id, payment_id=notice.payment_id)
        purchase.state = PurchaseState.PENDING
    elif notice.kind is NoticeKind.PAYMENT_FAILED and before in (*_UNFINISHED, PurchaseState.EXPIRED):
        purchase.state = PurchaseState.FAILED
        purchase.failure = notice.reason or "payment_failed"
    elif notice.kind is NoticeKind.EXPIRED and before is PurchaseState.OPEN:
        purchase.state = PurchaseState.EXPIRED
    return "nothing to do" if purchase.state is before else purchase.state.value.lower()
