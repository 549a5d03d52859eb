"""Reading purchases, invoices and money that went back, a page at a time, for programs.

The rule: each list goes on behind the last row that was shown, by an index that has its order.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User
from talktime.errors import NotFound
from talktime.payments.invoice_models import Invoice
from talktime.payments.invoices import NoSuchInvoice
from talktime.payments.models import PaymentReversal, Purchase, PurchaseState, ReversalKind, TopUp
from talktime.payments.overview import Bought, Reversed, bought_of, reversed_of, with_buyers
from talktime.payments.ungranted_models import UngrantedPayment

_Chosen = TypeVar("_Chosen", bound=Select[*tuple[Any, ...]])
Place = tuple[datetime, uuid.UUID]
"""Where a page ended: the moment and the id of its last row."""


class NoSuchPurchase(NotFound):
    """There is no such purchase."""


async def purchases(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    state: PurchaseState | None = None,
    before: Place | None = None,
    limit: int,
) -> Sequence[Purchase]:
    """What somebody bought, or tried to, newest first."""
    chosen = _purchases(select(Purchase).where(Purchase.user_id == user), state, before)
    return (await db.scalars(chosen.limit(limit))).all()


async def purchase(db: AsyncSession, user: uuid.UUID, purchase_id: uuid.UUID) -> Purchase:
    """One purchase, whoever asks. Raises NoSuchPurchase."""
    found = await db.get(Purchase, (user, purchase_id))
    if found is None:
        raise NoSuchPurchase
    return found


async def purchase_of_key(db: AsyncSession, user: uuid.UUID, key: str) -> Purchase:
    """The purchase that was begun under a key."""
    chosen = select(Purchase).where(Purchase.user_id == user, Purchase.request_key == key)
    return (await db.scalars(chosen.execution_options(populate_existing=True))).one()


async def top_up(db: AsyncSession, user: uuid.UUID) -> TopUp | None:
    """The card and the choice, which stay as they are until the transaction ends."""
    chosen = select(TopUp).where(TopUp.user_id == user).with_for_update()
    row: TopUp | None = await db.scalar(chosen.execution_options(populate_existing=True))
    return row


async def invoice(db: AsyncSession, user: uuid.UUID, invoice_id: uuid.UUID) -> Invoice:
    """One document. Raises NoSuchInvoice."""
    found = await db.scalar(select(Invoice).where(Invoice.user_id == user, Invoice.id == invoice_id))
    if found is None:
        raise NoSuchInvoice
    return found


async def bought(
    db: AsyncSession,
    *,
    user: uuid.UUID | None = None,
    state: PurchaseState | None = None,
    before: Place | None = None,
    limit: int,
) -> Sequence[Bought]:
    """Everybody's purchases, newest first. Needs a transaction that is everyone's."""
    chosen = with_buyers() if user is None else with_buyers().where(Purchase.user_id == user)
    return [bought_of(*row) for row in await db.execute(_purchases(chosen, state, before).limit(limit))]


async def invoices(db: AsyncSession, user: uuid.UUID, *, before: Place | None = None, limit: int) -> Sequence[Invoice]:
    """Somebody's documents, newest first."""
    chosen = select(Invoice).where(Invoice.user_id == user)
    if before is not None:
        chosen = chosen.where(tuple_(Invoice.issued_at, Invoice.id) < before)
    return (await db.scalars(chosen.order_by(Invoice.issued_at.desc(), Invoice.id.desc()).limit(limit))).all()


async def went_back(
    db: AsyncSession,
    *,
    user: uuid.UUID | None = None,
    kind: ReversalKind | None = None,
    before: tuple[datetime, uuid.UUID, str] | None = None,
    limit: int,
) -> Sequence[Reversed]:
    """Refunds and disputes, newest first. Needs a transaction that is everyone's."""
    order = (PaymentReversal.created_at, PaymentReversal.user_id, PaymentReversal.id)
    chosen = select(PaymentReversal, User.email).join(User, User.id == PaymentReversal.user_id)
    if user is not None:
        chosen = chosen.where(PaymentReversal.user_id == user)
    if kind is not None:
        chosen = chosen.where(PaymentReversal.kind == kind)
    if before is not None:
        chosen = chosen.where(tuple_(*order) < before)
    rows = await db.execute(chosen.order_by(*(column.desc() for column in order)).limit(limit))
    return [reversed_of(*row) for row in rows]


async def ungranted(
    db: AsyncSession, *, before: tuple[datetime, str, str] | None = None, limit: int
) -> Sequence[UngrantedPayment]:
    """Payments that granted nothing, newest first. Needs a transaction that is everyone's."""
    order = (UngrantedPayment.created_at, UngrantedPayment.gateway, UngrantedPayment.payment_id)
    chosen = select(UngrantedPayment)
    if before is not None:
        chosen = chosen.where(tuple_(*order) < before)
    return (await db.scalars(chosen.order_by(*(column.desc() for column in order)).limit(limit))).all()


def _purchases(chosen: _Chosen, state: PurchaseState | None, before: Place | None) -> _Chosen:
    if state is not None:
        chosen = chosen.where(Purchase.state == state)
    if before is not None:
        chosen = chosen.where(tuple_(Purchase.created_at, Purchase.id) < before)
    return chosen.order_by(Purchase.created_at.desc(), Purchase.id.desc())
