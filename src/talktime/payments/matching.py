"""Whose purchase a notice is about, and one thing at a time for each purchase.

The rule: a payment company's word leads to a purchase only if nothing of it contradicts our own directory; and whoever
changes a purchase locks it first, before its account and before its row, so that nobody ever waits in a circle.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.alerts import raise_alert
from talktime.gateways.contract import Notice
from talktime.payments.models import Purchase, PurchaseDirectory

WRONG_MODE = {
    False: ("test_event_on_live", "test event on a live endpoint"),
    True: ("live_event_on_test", "live event on a test endpoint"),
}
"""By whether the event says that real money moved: the alert and the verdict when that is not so here."""


class Contradiction(Exception):
    """The checkout, the payment and the names in a notice lead to different purchases."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the directory knows of a purchase."""

    checkout_id: str | None = None
    payment_id: str | None = None


async def find(db: AsyncSession, gateway: str, notice: Notice) -> Purchase | None:
    """The purchase that a notice is about, locked; None when there is none. Raises Contradiction.

    A process may die between making a checkout and writing down its name: then the names that the company was given
    lead back. They are only believed for a purchase that was begun with this company.
    """
    found: set[tuple[uuid.UUID, uuid.UUID]] = set()
    for column, value in (
        (PurchaseDirectory.checkout_id, notice.checkout_id),
        (PurchaseDirectory.payment_id, notice.payment_id),
    ):
        if value is not None:
            rows = await db.execute(
                select(PurchaseDirectory.user_id, PurchaseDirectory.purchase_id).where(
                    PurchaseDirectory.gateway == gateway, column == value
                )
            )
            found.update((row.user_id, row.purchase_id) for row in rows)
    if notice.user_id is not None and notice.purchase_id is not None:
        named = select(Purchase.user_id, Purchase.id).where(
            Purchase.user_id == notice.user_id, Purchase.id == notice.purchase_id, Purchase.gateway == gateway
        )
        found.update((row.user_id, row.id) for row in await db.execute(named))
    if len(found) > 1:
        raise Contradiction
    for user, purchase in found:
        if notice.user_id not in (None, user) or notice.purchase_id not in (None, purchase):
            raise Contradiction  # its names are of another purchase, or of none
        return await locked(db, user, purchase)
    return None


async def locked(db: AsyncSession, user: uuid.UUID, purchase: uuid.UUID) -> Purchase | None:
    """A purchase that nobody else changes before this transaction ends, as it is now.

    The lock is no row's: rows of purchases are locked by the functions of the books, after the account.
    """
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"purchase {purchase}"})
    row: Purchase | None = await db.scalar(
        select(Purchase)
        .where(Purchase.user_id == user, Purchase.id == purchase)
        .execution_options(populate_existing=True)
    )
    return row


async def known(db: AsyncSession, purchase: Purchase) -> Known:
    """What the company calls this purchase, as far as we know."""
    row = (
        await db.execute(
            select(PurchaseDirectory.checkout_id, PurchaseDirectory.payment_id).where(
                PurchaseDirectory.user_id == purchase.user_id, PurchaseDirectory.purchase_id == purchase.id
            )
        )
    ).first()
    return Known() if row is None else Known(row.checkout_id, row.payment_id)


async def is_granted(db: AsyncSession, purchase: Purchase, payment_id: str) -> bool:
    """Whether this payment is the one that a purchase was credited for."""
    return purchase.credited_at is not None and (await known(db, purchase)).payment_id in (None, payment_id)


async def granted(db: AsyncSession, gateway: str, payment_id: str) -> bool:
    """Whether any purchase was credited for this payment."""
    found = await db.scalar(
        select(Purchase.id)
        .join(
            PurchaseDirectory,
            (PurchaseDirectory.user_id == Purchase.user_id) & (PurchaseDirectory.purchase_id == Purchase.id),
        )
        .where(
            PurchaseDirectory.gateway == gateway,
            PurchaseDirectory.payment_id == payment_id,
            Purchase.credited_at.is_not(None),
        )
    )
    return found is not None


async def remember(
    db: AsyncSession, purchase: Purchase, *, checkout_id: str | None = None, payment_id: str | None = None
) -> None:
    """Write down what the company calls this purchase; None leaves a name as it is."""
    row = insert(PurchaseDirectory).values(
        user_id=purchase.user_id,
        purchase_id=purchase.id,
        gateway=purchase.gateway,
        checkout_id=checkout_id,
        payment_id=payment_id,
    )
    new = {name: value for name, value in (("checkout_id", checkout_id), ("payment_id", payment_id)) if value}
    keys = [PurchaseDirectory.user_id, PurchaseDirectory.purchase_id]
    await db.execute(
        row.on_conflict_do_update(index_elements=keys, set_=new)
        if new
        else row.on_conflict_do_nothing(index_elements=keys)
    )


async def alert(db: AsyncSession, kind: str, gateway: str, notice: Notice, purchase: Purchase | None = None) -> None:
    """Put something that a notice says before the operator, once while it is open."""
    detail = {
        "gateway": gateway,
        "checkout_id": notice.checkout_id,
        "payment_id": notice.payment_id,
        "refund_id": notice.refund_id,
        "dispute_id": notice.dispute_id,
        "amount_minor": notice.amount_minor,
        "currency": notice.currency or None,
        "purchase_id": str(purchase.id) if purchase else None,
        "expected_minor": purchase.price_minor if purchase else None,
        "expected_currency": purchase.currency if purchase else None,
    }
    told = {name: value for name, value in detail.items() if value is not None}
    await raise_alert(db, kind, purchase.user_id if purchase else None, told, once=True)
