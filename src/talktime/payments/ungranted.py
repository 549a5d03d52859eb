"""Money that grants nothing, and what becomes of it: the second payment of a purchase, a wrong sum, nobody's purchase.

The rule: it never reaches the books, neither when it comes nor when it goes back. One that is granted in the end takes
with it what went back of it, in the same transaction, and from then on is the purchase's alone. The operator has one
alert for each such payment, and that alert says how much of it went back, or that it was granted: then it goes.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import inbox
from talktime.alerts import amend_alerts, put_away, raise_alert
from talktime.gateways.contract import Notice, NoticeKind
from talktime.inbox import NotYet
from talktime.payments import matching
from talktime.payments.models import Purchase, ReversalKind, ReversalState
from talktime.payments.reversal_states import advance, first_state, kind_of, money_out, name_of, waits_for
from talktime.payments.ungranted_models import UngrantedPayment, UngrantedReversal

_MONEY_CAME = frozenset({NoticeKind.PAID, NoticeKind.CHARGE_PAID})
_ABOUT_THE_PAYMENT = ("unknown_payment", "wrong_amount", "wrong_currency", "paid_twice")
"""Alerts of a payment that granted nothing. There may be several of one: at first nobody knew it, then its sum was
wrong."""
_OF_MONEY_BACK = ("refund_id", "dispute_id", "reversal_id")
"""What alerts of those kinds name that are about a refund or dispute of it, and stay."""
_ABOUT_ITS_RETURN = ("ungranted_disputed", "ungranted_returned")
"""Alerts that ask for something which being granted does not do."""


async def note(db: AsyncSession, why: str, gateway: str, notice: Notice, purchase: Purchase | None = None) -> None:
    """Put a payment that grants nothing before the operator, once, and know it again when it goes back.

    `why` is the kind of its alert. One that was granted, of which a wrong copy came, is not kept.
    """
    payment_id = notice.payment_id
    if notice.kind in _MONEY_CAME and payment_id is not None:
        await _lock(db, gateway, payment_id)
        if not await matching.granted(db, gateway, payment_id):
            known = await _find(db, gateway, payment_id)
            if known is not None and known.why == why:
                return
            if known is None:
                await _keep(db, why, gateway, notice, purchase)
                await inbox.wake(db, gateway, waits_for(payment_id))
    await matching.alert(db, why, gateway, notice, purchase)


async def went_back(db: AsyncSession, gateway: str, notice: Notice) -> str:
    """Write down what became of a refund or dispute of a payment that granted nothing; gives the verdict.

    Raises NotYet for a payment that nobody has told of yet, and for one that was granted meanwhile: tried again, it is
    the purchase's.
    """
    assert notice.payment_id is not None, notice.event_id
    await _lock(db, gateway, notice.payment_id)
    payment = await _find(db, gateway, notice.payment_id)
    if payment is None or await matching.granted(db, gateway, notice.payment_id):
        raise NotYet(waits_for(notice.payment_id))
    known = await reversal(db, gateway, name_of(notice))
    wrong = _wrong(notice, payment, known)
    if wrong is not None:
        await matching.alert(db, wrong[0], gateway, notice)
        return wrong[1]
    before = None if known is None else (known.state, money_out(known), known.reinstated_minor)
    now = known or _new(payment, notice)
    advance(now, notice)
    if before == (now.state, money_out(now), now.reinstated_minor):
        return "nothing to do"
    db.add(now)
    await db.flush()
    await _say_how_it_stands(db, payment)
    await _alert(db, payment, now, before)
    return f"granted nothing: {now.state.value.lower()}"


async def take(db: AsyncSession, gateway: str, payment_id: str) -> Sequence[UngrantedReversal]:
    """What went back of a payment that is about to be granted, oldest first; none where it was never kept here.

    Until the end of the transaction nothing else of it is handled. Asked before the account is locked.
    """
    await _lock(db, gateway, payment_id)
    payment = await _find(db, gateway, payment_id)
    return () if payment is None else await _reversals(db, payment)


async def granted(db: AsyncSession, gateway: str, payment_id: str, at: datetime) -> None:
    """A payment that may have granted nothing at first was granted: every alert about it says when, and those that
    asked for it to be refunded or credited go, because nothing is left to be done. Again, it changes nothing."""
    if await _find(db, gateway, payment_id) is None:
        return
    about = {"gateway": gateway, "payment_id": payment_id}
    for kind in (*_ABOUT_THE_PAYMENT, *_ABOUT_ITS_RETURN):
        await amend_alerts(db, kind, about=about, more={"granted_at": at.isoformat(timespec="seconds")})
    for kind in _ABOUT_THE_PAYMENT:
        note = "The payment was granted later."
        await put_away(db, kind, about=about, without=_OF_MONEY_BACK, decided_by=None, note=note)


async def reversal(db: AsyncSession, gateway: str, name: str) -> UngrantedReversal | None:
    """A refund or dispute of a payment that granted nothing, by the company's name of it."""
    row: UngrantedReversal | None = await db.scalar(
        select(UngrantedReversal)
        .where(UngrantedReversal.gateway == gateway, UngrantedReversal.id == name)
        .execution_options(populate_existing=True)
    )
    return row


async def is_settled(db: AsyncSession, gateway: str, payment_id: str) -> bool:
    """Whether a payment is known to have granted nothing, and all of it went back."""
    payment = await _find(db, gateway, payment_id)
    if payment is None or payment.amount_minor is None:
        return False
    return sum(money_out(each) for each in await _reversals(db, payment)) >= payment.amount_minor


async def _lock(db: AsyncSession, gateway: str, payment_id: str) -> None:
    """One thing at a time for each such payment."""
    key = f"ungranted {gateway} {payment_id}"
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


async def _find(db: AsyncSession, gateway: str, payment_id: str) -> UngrantedPayment | None:
    row: UngrantedPayment | None = await db.scalar(
        select(UngrantedPayment).where(UngrantedPayment.gateway == gateway, UngrantedPayment.payment_id == payment_id)
    )
    return row


async def _keep(db: AsyncSession, why: str, gateway: str, notice: Notice, purchase: Purchase | None) -> None:
    await db.execute(
        insert(UngrantedPayment).values(
            gateway=gateway,
            payment_id=notice.payment_id,
            why=why,
            user_id=purchase.user_id if purchase else None,
            purchase_id=purchase.id if purchase else None,
            amount_minor=notice.amount_minor,
            currency=notice.currency,
        )
    )


def _wrong(notice: Notice, payment: UngrantedPayment, known: UngrantedReversal | None) -> tuple[str, str] | None:
    """What keeps this from being money of the payment, as an alert and a verdict."""
    if known is not None and (known.payment_id, known.kind) != (payment.payment_id, kind_of(notice)):
        return "unknown_payment", "another purchase's"
    if payment.currency and notice.currency != payment.currency:
        return "wrong_currency", "wrong currency"
    if not notice.amount_minor or notice.amount_minor < 0:
        return "wrong_amount", "wrong amount"
    return None


def _new(payment: UngrantedPayment, notice: Notice) -> UngrantedReversal:
    """A refund or dispute that was never heard of, before its first word."""
    kind = kind_of(notice)
    return UngrantedReversal(
        gateway=payment.gateway,
        id=name_of(notice),
        payment_id=payment.payment_id,
        kind=kind,
        state=first_state(kind),
        amount_minor=notice.amount_minor,
        currency=notice.currency,
        withdrawn_minor=0,
        reinstated_minor=0,
        reason="",
        created_at=notice.created_at,
    )


async def _reversals(db: AsyncSession, payment: UngrantedPayment) -> Sequence[UngrantedReversal]:
    chosen = (
        select(UngrantedReversal)
        .where(UngrantedReversal.gateway == payment.gateway, UngrantedReversal.payment_id == payment.payment_id)
        .order_by(UngrantedReversal.created_at, UngrantedReversal.id)
    )
    return (await db.scalars(chosen)).all()


async def _say_how_it_stands(db: AsyncSession, payment: UngrantedPayment) -> None:
    """Let the payment's own alert say what went back, whether or not somebody has seen to it."""
    back = sum(money_out(each) for each in await _reversals(db, payment))
    left = None if payment.amount_minor is None else max(0, payment.amount_minor - back)
    await amend_alerts(
        db,
        payment.why,
        about={"gateway": payment.gateway, "payment_id": payment.payment_id},
        more={"given_back_minor": back, "left_minor": left},
    )


async def _alert(
    db: AsyncSession,
    payment: UngrantedPayment,
    now: UngrantedReversal,
    before: tuple[ReversalState, int, int] | None,
) -> None:
    """What the operator must see besides: that a bank asks, and that money is with us again which is not ours."""
    detail = {
        "gateway": payment.gateway,
        "payment_id": payment.payment_id,
        "purchase_id": str(payment.purchase_id) if payment.purchase_id else None,
        "reversal_id": now.id,
        "amount_minor": now.amount_minor,
        "currency": now.currency,
        "reason": now.reason,
    }
    told = {name: value for name, value in detail.items() if value is not None}
    if now.kind is ReversalKind.DISPUTE and before is None:
        await raise_alert(db, "ungranted_disputed", payment.user_id, told)
    failed = now.state is ReversalState.FAILED and (before is None or before[0] is not ReversalState.FAILED)
    came_back = now.reinstated_minor > 0 and (before is None or before[2] == 0)
    if failed or came_back:
        await raise_alert(db, "ungranted_returned", payment.user_id, told)
