"""What a declined top-up leads to: waiting longer each time, then no more tries.

The rule: a decline is counted once for each purchase, whoever tells of it: the answer, an event, or a list.
"""

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.alerts import raise_alert
from talktime.notices.tell import tell
from talktime.payments import matching
from talktime.payments.models import Purchase, PurchaseKind, PurchaseState, TopUp

WAITS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""After the first, the second and the third decline in a row; after the fourth it is switched off."""


async def note(db: AsyncSession, purchase: Purchase, reason: str, *, payment_id: str | None = None) -> None:
    """A charge of a saved card did not go through. The purchase is locked; one that is over is left alone."""
    if purchase.kind is not PurchaseKind.TOP_UP or purchase.state not in (PurchaseState.OPEN, PurchaseState.PENDING):
        return
    reason = reason or "declined"
    if payment_id:
        await matching.remember(db, purchase, payment_id=payment_id)
    purchase.state = PurchaseState.FAILED
    purchase.failure = reason
    await db.flush()
    top_up = await _locked(db, purchase.user_id)
    if top_up is None:
        return
    top_up.declines += 1
    detail: dict[str, str | int] = {"purchase_id": str(purchase.id), "reason": reason, "tries": top_up.declines}
    await tell(db, purchase.user_id, "top_up_declined", str(purchase.id), detail)
    if top_up.declines <= len(WAITS):
        top_up.not_before = datetime.now(UTC) + WAITS[top_up.declines - 1]
        return
    if top_up.enabled:
        top_up.enabled = False
        top_up.stopped_reason = "declined"
        await tell(db, purchase.user_id, "top_up_stopped", f"declined:{purchase.id}", {"reason": "declined"})
        await raise_alert(db, "top_up_declined", purchase.user_id, detail)


async def put_off(db: AsyncSession, purchase: Purchase, reason: str) -> None:
    """The company would not even be asked: our key is wrong, or it knows the card no more. That is no decline of the
    customer's, who is told nothing; the operator is, and it is tried again in an hour. The purchase is locked.
    """
    if purchase.state is not PurchaseState.OPEN:
        return
    purchase.state = PurchaseState.FAILED
    purchase.failure = reason
    await db.flush()
    top_up = await _locked(db, purchase.user_id)
    if top_up is not None:
        top_up.not_before = datetime.now(UTC) + WAITS[0]
    detail = {"gateway": purchase.gateway, "reason": reason}
    await raise_alert(db, "top_up_refused", purchase.user_id, detail, once=True)


async def forget(db: AsyncSession, user: uuid.UUID) -> None:
    """A charge went through: what was declined before does not count any more."""
    top_up = await _locked(db, user)
    if top_up is not None:
        top_up.declines = 0
        top_up.not_before = None
        await db.flush()


async def _locked(db: AsyncSession, user: uuid.UUID) -> TopUp | None:
    row: TopUp | None = await db.scalar(
        select(TopUp).where(TopUp.user_id == user).with_for_update().execution_options(populate_existing=True)
    )
    return row
