"""Money that goes back: refunds and disputes, as the payment company tells of them.

The rule: each refund and dispute is kept as far as it came, and after each word the credits taken back are brought to
what all of them together call for: `floor(credits x money gone / price)`. So any order of the same words, and any
number of times, ends the same; and what was refunded is not taken a second time by a dispute.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User, UserStatus
from talktime.alerts import raise_alert
from talktime.credits import money
from talktime.credits.models import CreditReversal, TransactionType
from talktime.gateways.contract import Notice
from talktime.notices.tell import tell
from talktime.payments import invoices, matching, ungranted
from talktime.payments.invoices import Billing
from talktime.payments.models import PaymentReversal, Purchase, ReversalKind, ReversalState
from talktime.payments.reversal_states import advance, carry, first_state, kind_of, money_out, name_of
from talktime.payments.ungranted_models import UngrantedReversal


def credits_out(credits: int, price_minor: int, out_minor: int) -> int:
    """How many credits so much money bought, rounded down; more than all of them when more money went than came."""
    return credits * out_minor // price_minor if price_minor else 0


async def note(db: AsyncSession, billing: Billing, gateway: str, notice: Notice) -> str:
    """Write down what became of a refund or a dispute, and take back or give back credits; gives the verdict.

    Needs a transaction that is everyone's. Raises NotYet while nobody has told of its payment.
    """
    if notice.payment_id is None:
        await matching.alert(db, "unknown_payment", gateway, notice)
        return "names no payment"
    try:
        purchase = await matching.find(db, gateway, notice)
    except matching.Contradiction:
        await matching.alert(db, "unknown_payment", gateway, notice)
        return "contradictory"
    if purchase is None or not await matching.is_granted(db, purchase, notice.payment_id):
        # Not of the money that the credits were granted for, whoever's name stands on it.
        return await ungranted.went_back(db, gateway, notice)
    wrong = _wrong(notice, purchase)
    known = await _known(db, purchase, name_of(notice))
    if known is not None and (known.purchase_id, known.kind) != (purchase.id, kind_of(notice)):
        wrong = ("unknown_payment", "another purchase's")
    if wrong is not None:
        await matching.alert(db, wrong[0], gateway, notice, purchase)
        return wrong[1]
    before = None if known is None else (known.state, money_out(known))
    reversal = known or _new(purchase, name_of(notice), kind_of(notice), notice.amount_minor, notice.created_at)
    advance(reversal, notice)
    is_news = await _bring_in_line(db, billing, purchase, reversal, before)
    return reversal.state.value.lower() if is_news else "nothing to do"


async def carry_over(
    db: AsyncSession, billing: Billing, purchase: Purchase, went_back: Sequence[UngrantedReversal]
) -> None:
    """Hold against a purchase that was just granted what went back of its payment before. Again, it changes nothing."""
    for kept in went_back:
        known = await _known(db, purchase, kept.id)
        if known is not None and (known.purchase_id, known.kind) != (purchase.id, kept.kind):
            detail = {"gateway": purchase.gateway, "payment_id": kept.payment_id, "reversal_id": kept.id}
            await raise_alert(db, "unknown_payment", purchase.user_id, detail, once=True)
            continue
        before = None if known is None else (known.state, money_out(known))
        reversal = known or _new(purchase, kept.id, kept.kind, kept.amount_minor, kept.created_at)
        carry(kept, reversal)
        await _bring_in_line(db, billing, purchase, reversal, before)
        # The books changed the row: the next one begins with what this one took.
        await db.refresh(purchase, ["reversed_credits"])


async def _bring_in_line(
    db: AsyncSession,
    billing: Billing,
    purchase: Purchase,
    reversal: PaymentReversal,
    before: tuple[ReversalState, int] | None,
) -> bool:
    """Let credits, alerts and documents follow what is known of a reversal; False where that is nothing new."""
    if before == (reversal.state, money_out(reversal)):
        return False
    db.add(reversal)
    await db.flush()
    await _converge(db, purchase, reversal)
    if before is None or before[0] is not reversal.state:
        await _alert(db, purchase, reversal, was_known=before is not None)
    is_settled = reversal.kind is ReversalKind.REFUND or reversal.state is ReversalState.LOST
    await invoices.follow(db, billing, purchase, reversal, money_out(reversal) if is_settled else 0)
    return True


def _wrong(notice: Notice, purchase: Purchase) -> tuple[str, str] | None:
    """What keeps this from being money of the purchase, as an alert and a verdict."""
    if purchase.test == notice.live:
        return matching.WRONG_MODE[notice.live]
    if notice.currency != purchase.currency:
        return "wrong_currency", "wrong currency"
    if not notice.amount_minor:
        return "wrong_amount", "wrong amount"
    return None


async def _known(db: AsyncSession, purchase: Purchase, name: str) -> PaymentReversal | None:
    row: PaymentReversal | None = await db.scalar(
        select(PaymentReversal)
        .where(PaymentReversal.user_id == purchase.user_id, PaymentReversal.id == name)
        .execution_options(populate_existing=True)
    )
    return row


def _new(
    purchase: Purchase, name: str, kind: ReversalKind, amount_minor: int | None, created_at: datetime
) -> PaymentReversal:
    """A refund or dispute that was never heard of, before its first word."""
    return PaymentReversal(
        user_id=purchase.user_id,
        id=name,
        purchase_id=purchase.id,
        kind=kind,
        state=first_state(kind),
        amount_minor=amount_minor,
        currency=purchase.currency,
        withdrawn_minor=0,
        reinstated_minor=0,
        reason="",
        created_at=created_at,
    )


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
    reference = await _reference(db, purchase, reversal, came_back=came_back)
    posted = await money.reverse(
        db,
        purchase.user_id,
        purchase.id,
        kind=TransactionType.REFUND if is_refund else TransactionType.DISPUTE,
        reference=reference,
        credits=asked,
    )
    if posted.taken > 0 and posted.balance < 0:
        await _alert_below_zero(db, purchase, reversal, reference, posted)
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


async def _alert_below_zero(
    db: AsyncSession, purchase: Purchase, reversal: PaymentReversal, reference: str, posted: money.Reversal
) -> None:
    """Nobody will ever pay what is missing on a closed account, least of all where what was left was paid out."""
    # Asked after the account was locked, so an account that is being closed is seen to be closed.
    if await db.scalar(select(User.status).where(User.id == purchase.user_id)) is not UserStatus.CLOSED:
        return
    detail: dict[str, str | int] = {
        "purchase_id": str(purchase.id),
        "reversal_id": reversal.id,
        "reference": reference,
        "credits": posted.taken,
        "below_zero": -posted.balance,
    }
    await raise_alert(db, "closed_below_zero", purchase.user_id, detail)


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
