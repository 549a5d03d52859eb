"""Money that goes back: refunds and disputes, as the payment company tells of them.

The rule: each refund and dispute is kept as far as it came, and after each word the credits taken back are brought to
what all of them together call for: `floor(credits x money gone / price)`. So any order of the same words, and any
number of times, ends the same; and what was refunded is not taken a second time by a dispute.
"""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.alerts import raise_alert
from talktime.credits import money
from talktime.credits.models import CreditReversal, TransactionType
from talktime.gateways.contract import Notice, NoticeKind, RefundStatus
from talktime.inbox import NotYet
from talktime.notices.tell import tell
from talktime.payments import invoices, matching
from talktime.payments.invoices import Billing
from talktime.payments.models import PaymentReversal, Purchase, ReversalKind, ReversalState

_NEVER_LEFT = frozenset({ReversalState.FAILED, ReversalState.CANCELED})
_RANKS = {
    ReversalState.PENDING: 0,
    ReversalState.OPENED: 0,
    ReversalState.SUCCEEDED: 1,
    ReversalState.WITHDRAWN: 1,
    ReversalState.REINSTATED: 2,
    ReversalState.FAILED: 3,
    ReversalState.CANCELED: 3,
    ReversalState.WON: 3,
    ReversalState.LOST: 3,
}
"""A state gives way to a higher one only: a refund that failed did so after it seemed to succeed."""
_REFUNDS = {
    RefundStatus.PENDING: ReversalState.PENDING,
    RefundStatus.SUCCEEDED: ReversalState.SUCCEEDED,
    RefundStatus.FAILED: ReversalState.FAILED,
    RefundStatus.CANCELED: ReversalState.CANCELED,
}
_DISPUTES = {
    NoticeKind.DISPUTE_OPENED: ReversalState.OPENED,
    NoticeKind.DISPUTE_WITHDRAWN: ReversalState.WITHDRAWN,
    NoticeKind.DISPUTE_REINSTATED: ReversalState.REINSTATED,
}


def waits_for(payment_id: str) -> str:
    """What an event waits for that is about a payment we have not heard of yet."""
    return f"payment {payment_id}"


def money_out(reversal: PaymentReversal) -> int:
    """What one refund or dispute has taken out of a purchase, in minor units."""
    if reversal.kind is ReversalKind.REFUND:
        return 0 if reversal.state in _NEVER_LEFT else reversal.amount_minor
    return max(0, reversal.withdrawn_minor - reversal.reinstated_minor)


def credits_out(credits: int, price_minor: int, out_minor: int) -> int:
    """How many credits so much money bought, rounded down; more than all of them when more money went than came."""
    return credits * out_minor // price_minor if price_minor else 0


async def note(db: AsyncSession, billing: Billing, gateway: str, notice: Notice) -> str:
    """Write down what became of a refund or a dispute, and take back or give back credits; gives the verdict.

    Needs a transaction that is everyone's. Raises NotYet while its purchase is not credited.
    """
    if notice.payment_id is None:
        await matching.alert(db, "unknown_payment", gateway, notice)
        return "names no payment"
    try:
        purchase = await matching.find(db, gateway, notice)
    except matching.Contradiction:
        await matching.alert(db, "unknown_payment", gateway, notice)
        return "contradictory"
    if purchase is None or purchase.credited_at is None:
        raise NotYet(waits_for(notice.payment_id))
    wrong = _wrong(notice, purchase)
    known = await _known(db, purchase, notice)
    if known is not None and (known.purchase_id, known.kind) != (purchase.id, _kind(notice)):
        wrong = ("unknown_payment", "another purchase's")
    if wrong is not None:
        await matching.alert(db, wrong[0], gateway, notice, purchase)
        return wrong[1]
    before = None if known is None else (known.state, money_out(known))
    reversal = known or _new(purchase, notice)
    _advance(reversal, notice)
    if before == (reversal.state, money_out(reversal)):
        return "nothing to do"
    db.add(reversal)
    await db.flush()
    await _converge(db, purchase, reversal)
    if before is None or before[0] is not reversal.state:
        await _alert(db, purchase, reversal, was_known=before is not None)
    is_settled = reversal.kind is ReversalKind.REFUND or reversal.state is ReversalState.LOST
    await invoices.follow(db, billing, purchase, reversal, money_out(reversal) if is_settled else 0)
    return reversal.state.value.lower()


def _wrong(notice: Notice, purchase: Purchase) -> tuple[str, str] | None:
    """What keeps this from being money of the purchase, as an alert and a verdict."""
    if purchase.test == notice.live:
        return matching.WRONG_MODE[notice.live]
    if notice.currency != purchase.currency:
        return "wrong_currency", "wrong currency"
    if not notice.amount_minor:
        return "wrong_amount", "wrong amount"
    return None


def _kind(notice: Notice) -> ReversalKind:
    return ReversalKind.REFUND if notice.kind is NoticeKind.REFUND else ReversalKind.DISPUTE


def _name(notice: Notice) -> str:
    name = notice.refund_id if notice.kind is NoticeKind.REFUND else notice.dispute_id
    assert name is not None, notice.kind
    return name


async def _known(db: AsyncSession, purchase: Purchase, notice: Notice) -> PaymentReversal | None:
    row: PaymentReversal | None = await db.scalar(
        select(PaymentReversal)
        .where(PaymentReversal.user_id == purchase.user_id, PaymentReversal.id == _name(notice))
        .execution_options(populate_existing=True)
    )
    return row


def _new(purchase: Purchase, notice: Notice) -> PaymentReversal:
    """A refund or dispute that was never heard of, before its first word."""
    kind = _kind(notice)
    return PaymentReversal(
        user_id=purchase.user_id,
        id=_name(notice),
        purchase_id=purchase.id,
        kind=kind,
        state=ReversalState.PENDING if kind is ReversalKind.REFUND else ReversalState.OPENED,
        amount_minor=notice.amount_minor,
        currency=purchase.currency,
        withdrawn_minor=0,
        reinstated_minor=0,
        reason="",
        created_at=notice.created_at,
    )


def _advance(reversal: PaymentReversal, notice: Notice) -> None:
    """Let a word change what is known, whether it comes early or late."""
    amount_minor = notice.amount_minor or 0
    if notice.kind is NoticeKind.REFUND:
        assert notice.refund_status is not None
        state = _REFUNDS[notice.refund_status]
    elif notice.kind is NoticeKind.DISPUTE_CLOSED:
        state = ReversalState.WON if notice.dispute_won else ReversalState.LOST
        if state is ReversalState.LOST:
            # Lost is gone, also where nobody told that it was taken.
            reversal.withdrawn_minor = max(reversal.withdrawn_minor, amount_minor)
    else:
        state = _DISPUTES[notice.kind]
        if state is ReversalState.WITHDRAWN:
            reversal.withdrawn_minor = max(reversal.withdrawn_minor, amount_minor)
        elif state is ReversalState.REINSTATED:
            reversal.reinstated_minor = max(reversal.reinstated_minor, amount_minor)
    if reversal.kind is ReversalKind.DISPUTE:
        # Of what comes back a part may be named; the dispute is about the most that anybody named.
        reversal.amount_minor = max(reversal.amount_minor, amount_minor)
    if _RANKS[state] > _RANKS[reversal.state]:
        reversal.state = state
    reversal.reason = reversal.reason or notice.reason


async def _converge(db: AsyncSession, purchase: Purchase, reversal: PaymentReversal) -> None:
    """Post the difference between the credits that should be back and those that are."""
    all_of_it = (
        await db.scalars(
            select(PaymentReversal).where(
                PaymentReversal.user_id == purchase.user_id, PaymentReversal.purchase_id == purchase.id
            )
        )
    ).all()
    wanted = credits_out(purchase.credits, purchase.price_minor, sum(money_out(each) for each in all_of_it))
    delta = min(wanted, purchase.credits) - purchase.reversed_credits
    # More money went than the purchase brought: what no credits are left for is our loss, and the books say so once.
    booked = await db.scalar(
        select(func.coalesce(func.sum(func.greatest(0, CreditReversal.asked - CreditReversal.taken)), 0)).where(
            CreditReversal.user_id == purchase.user_id, CreditReversal.purchase_id == purchase.id
        )
    )
    loss = max(0, wanted - purchase.credits - int(booked or 0))
    asked = delta + loss if delta >= 0 else delta
    if asked == 0:
        return
    is_refund = reversal.kind is ReversalKind.REFUND
    came_back = asked < 0
    posted = await money.reverse(
        db,
        purchase.user_id,
        purchase.id,
        kind=TransactionType.REFUND if is_refund else TransactionType.DISPUTE,
        reference=await _reference(db, purchase, reversal, came_back=came_back),
        credits=asked,
    )
    if is_refund and posted.taken > 0:
        detail: dict[str, str | int] = {"purchase_id": str(purchase.id), "credits": posted.taken}
        await tell(db, purchase.user_id, "refunded", reversal.id, detail)


async def _reference(db: AsyncSession, purchase: Purchase, reversal: PaymentReversal, *, came_back: bool) -> str:
    """What the line is called: after the event that made it necessary, and with a number when it was not the first."""
    begin, end = (
        ("refund", ":failed" if came_back else "")
        if reversal.kind is ReversalKind.REFUND
        else ("dispute", ":reinstated" if came_back else ":withdrawn")
    )
    number = 1
    while True:
        reference = f"{begin}:{reversal.id}{f'.{number}' if number > 1 else ''}{end}"
        used = select(CreditReversal.reference).where(
            CreditReversal.user_id == purchase.user_id, CreditReversal.reference == reference
        )
        if await db.scalar(used) is None:
            return reference
        number += 1


async def _alert(db: AsyncSession, purchase: Purchase, reversal: PaymentReversal, *, was_known: bool) -> None:
    """What the operator must see of it."""
    kinds = {ReversalState.FAILED: "refund_failed", ReversalState.LOST: "dispute_lost"}
    kind = kinds.get(reversal.state)
    detail: dict[str, str | int | bool | None] = {
        "purchase_id": str(purchase.id),
        "reversal_id": reversal.id,
        "amount_minor": reversal.amount_minor,
        "currency": reversal.currency,
        "reason": reversal.reason,
    }
    if reversal.kind is ReversalKind.DISPUTE and not was_known:
        await raise_alert(db, "dispute_opened", purchase.user_id, detail)
    if kind is not None:
        await raise_alert(db, kind, purchase.user_id, detail)
