"""What the operator looks at: everybody's purchases, what went back, and events of payment companies that led to
nothing.

The rule: a refund or dispute stands here once, whatever its payment granted, and says so when that was nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User
from talktime.errors import BadInput
from talktime.inbox import ProviderEvent
from talktime.payments.models import PaymentReversal, Purchase, PurchaseDirectory, PurchaseState
from talktime.payments.till import LISTED, TOLD
from talktime.payments.ungranted_models import UngrantedPayment, UngrantedReversal

UNMATCHED = (
    "unknown payment",
    "contradictory",
    "paid twice",
    "wrong amount",
    "wrong currency",
    "test event on a live endpoint",
    "live event on a test endpoint",
    "names no payment",
    "another purchase's",
)
"""Verdicts on events that a person has to look at."""


@dataclass(frozen=True, slots=True)
class Bought:
    """One purchase, with its buyer."""

    id: uuid.UUID
    user_id: uuid.UUID
    email: str
    kind: str
    state: str
    failure: str | None
    name: str
    credits: int
    amount_minor: int
    currency: str
    gateway: str
    test: bool
    reversed_credits: int
    payment_id: str | None
    created_at: datetime
    paid_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reversed:
    """One refund or dispute, with the buyer."""

    id: str
    user_id: uuid.UUID | None
    """None where nobody knows whose money it was."""
    email: str
    """"" for the same."""
    purchase_id: uuid.UUID | None
    """Of a payment that granted nothing: what it was to pay for, as far as anybody knows."""
    kind: str
    state: str
    amount_minor: int
    currency: str
    reason: str
    created_at: datetime
    ungranted: str = ""
    """Why its payment granted nothing, as the kind of its alert: `paid_twice`, `wrong_amount` … "" for one that did."""
    payment_id: str | None = None
    """The payment company's name of a payment that granted nothing."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An event that led to nothing, or was not handled yet."""

    id: uuid.UUID
    provider: str
    event_id: str
    outcome: str
    """Its verdict, or the error that keeps it from being handled."""
    gave_up: bool
    received_at: datetime


async def newest(
    db: AsyncSession, *, user: uuid.UUID | None = None, state: str | None = None, limit: int = 100
) -> Sequence[Bought]:
    """Purchases, newest first. Needs a transaction that is everyone's. Raises BadInput for a state there is not."""
    chosen = with_buyers().order_by(Purchase.created_at.desc(), Purchase.id.desc()).limit(limit)
    if user is not None:
        chosen = chosen.where(Purchase.user_id == user)
    if state is not None:
        if state.upper() not in PurchaseState.__members__:
            raise BadInput(f"A purchase is {', '.join(PurchaseState)}; {state[:20]!r} is none of them.")
        chosen = chosen.where(Purchase.state == PurchaseState(state.upper()))
    return [bought_of(*row) for row in await db.execute(chosen)]


def with_buyers() -> Select[Purchase, str, str | None]:
    """Purchases with the address of who bought and the payment's name, in no order yet."""
    return (
        select(Purchase, User.email, PurchaseDirectory.payment_id)
        .join(User, User.id == Purchase.user_id)
        .outerjoin(
            PurchaseDirectory,
            (PurchaseDirectory.user_id == Purchase.user_id) & (PurchaseDirectory.purchase_id == Purchase.id),
        )
    )


def bought_of(purchase: Purchase, email: str, payment_id: str | None) -> Bought:
    """One row of `with_buyers`."""
    return Bought(
        id=purchase.id,
        user_id=purchase.user_id,
        email=email,
        kind=purchase.kind.value,
        state=purchase.state.value,
        failure=purchase.failure,
        name=purchase.name,
        credits=purchase.credits,
        amount_minor=purchase.price_minor,
        currency=purchase.currency,
        gateway=purchase.gateway,
        test=purchase.test,
        reversed_credits=purchase.reversed_credits,
        payment_id=payment_id,
        created_at=purchase.created_at,
        paid_at=purchase.paid_at,
    )


async def disputes(db: AsyncSession, *, user: uuid.UUID | None = None, limit: int = 100) -> Sequence[Reversed]:
    """Money that went back, or that somebody wants back, newest first; what never granted anything among it. Needs a
    transaction that is everyone's."""
    chosen = (
        select(PaymentReversal, User.email)
        .join(User, User.id == PaymentReversal.user_id)
        .order_by(PaymentReversal.created_at.desc(), PaymentReversal.id)
        .limit(limit)
    )
    if user is not None:
        chosen = chosen.where(PaymentReversal.user_id == user)
    found = [reversed_of(*row) for row in await db.execute(chosen)]
    found += await _of_nothing(db, user=user, limit=limit)
    found.sort(key=lambda row: row.id)
    found.sort(key=lambda row: row.created_at, reverse=True)
    return found[:limit]


async def _of_nothing(db: AsyncSession, *, user: uuid.UUID | None, limit: int) -> list[Reversed]:
    """The newest refunds and disputes of payments that granted nothing. One that was granted in the end is its
    purchase's, with whatever went back of it."""
    granted = (
        select(Purchase.id)
        .join(
            PurchaseDirectory,
            (PurchaseDirectory.user_id == Purchase.user_id) & (PurchaseDirectory.purchase_id == Purchase.id),
        )
        .where(
            PurchaseDirectory.gateway == UngrantedPayment.gateway,
            PurchaseDirectory.payment_id == UngrantedPayment.payment_id,
            Purchase.credited_at.is_not(None),
        )
    )
    chosen = (
        select(UngrantedReversal, UngrantedPayment, User.email)
        .join(
            UngrantedPayment,
            (UngrantedPayment.gateway == UngrantedReversal.gateway)
            & (UngrantedPayment.payment_id == UngrantedReversal.payment_id),
        )
        .outerjoin(User, User.id == UngrantedPayment.user_id)
        .where(~granted.exists())
        .order_by(UngrantedReversal.created_at.desc(), UngrantedReversal.id)
        .limit(limit)
    )
    if user is not None:
        chosen = chosen.where(UngrantedPayment.user_id == user)
    return [
        Reversed(
            id=reversal.id,
            user_id=payment.user_id,
            email=email or "",
            purchase_id=payment.purchase_id,
            kind=reversal.kind.value,
            state=reversal.state.value,
            amount_minor=reversal.amount_minor,
            currency=reversal.currency,
            reason=reversal.reason,
            created_at=reversal.created_at,
            ungranted=payment.why,
            payment_id=payment.payment_id,
        )
        for reversal, payment, email in await db.execute(chosen)
    ]


def reversed_of(reversal: PaymentReversal, email: str) -> Reversed:
    """A refund or dispute, with the address of who bought."""
    return Reversed(
        id=reversal.id,
        user_id=reversal.user_id,
        email=email,
        purchase_id=reversal.purchase_id,
        kind=reversal.kind.value,
        state=reversal.state.value,
        amount_minor=reversal.amount_minor,
        currency=reversal.currency,
        reason=reversal.reason,
        created_at=reversal.created_at,
    )


async def unmatched(db: AsyncSession, *, limit: int = 100) -> Sequence[Unmatched]:
    """Events that led to nothing although they should have, newest first, those that still wait among them."""
    rows = await db.scalars(
        select(ProviderEvent)
        .where(
            ProviderEvent.kind.in_((TOLD, LISTED)),
            or_(
                ProviderEvent.verdict.in_(UNMATCHED),
                ProviderEvent.handled_at.is_(None) & ProviderEvent.error.is_not(None),
            ),
        )
        .order_by(ProviderEvent.received_at.desc())
        .limit(limit)
    )
    return [
        Unmatched(
            id=event.id,
            provider=event.provider,
            event_id=event.event_id,
            outcome=event.verdict or event.error or "",
            gave_up=event.gave_up_at is not None,
            received_at=event.received_at,
        )
        for event in rows
    ]
