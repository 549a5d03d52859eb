"""Asking the payment company what we never heard of, and comparing both ways.

The rule: what is found goes through the inbox and the same handlers as an event, under an id that stays the same as
long as the facts do; so reconciling can neither grant anything twice nor in another way.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import inbox
from talktime.db.session import Database
from talktime.errors import BadInput, ProviderError
from talktime.gateways.contract import BadMessage, Gateway, Notice, NoticeKind, RefundStatus
from talktime.payments import matching, ungranted
from talktime.payments.models import (
    PaymentReversal,
    Purchase,
    PurchaseDirectory,
    PurchaseKind,
    PurchaseState,
    ReversalState,
)
from talktime.payments.reversal_states import AnyReversal
from talktime.payments.till import Till, listed
from talktime.payments.ungranted_models import UngrantedReversal

WHY = "everybody's purchases are compared with what the payment company knows"

_MARGIN = timedelta(hours=1)
"""What was made so close to the edges of the time asked for may stand beyond them at the company."""
_STALE = timedelta(minutes=30)
_STALE_MAX = 500
_PAID = (NoticeKind.PAID, NoticeKind.CHARGE_PAID)
_UNDECIDED = (ReversalState.PENDING, ReversalState.OPENED, ReversalState.WITHDRAWN, ReversalState.REINSTATED)
_REFUND_STATES = {
    RefundStatus.PENDING: (ReversalState.PENDING, ReversalState.SUCCEEDED),
    RefundStatus.SUCCEEDED: (ReversalState.SUCCEEDED,),
    RefundStatus.FAILED: (ReversalState.FAILED, ReversalState.CANCELED),
    RefundStatus.CANCELED: (ReversalState.FAILED, ReversalState.CANCELED),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that stands otherwise there than here."""

    what: str
    """`unknown payment`, `not granted`, `unknown refund`, `other state`, `unknown there` …"""
    there: str
    """How it stands with the payment company: a kind of notice, or `nothing`."""
    purchase_id: str = ""
    user_id: str = ""
    checkout_id: str = ""
    payment_id: str = ""
    reversal_id: str = ""
    amount_minor: int | None = None
    currency: str = ""
    mended: bool = False
    """Handled meanwhile: both sides agree now."""
    verdict: str = ""
    """What handling it came to."""


@dataclass(slots=True)
class Reconciliation:
    """What came of comparing."""

    gateway: str
    since: datetime
    until: datetime
    seen: int = 0
    """Notices that the company's lists gave."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether both sides agree now."""
        return all(difference.mended for difference in self.differences)


async def reconcile(
    database: Database, till: Till, gateway: Gateway, since: datetime, until: datetime, *, fix: bool = True
) -> Reconciliation:
    """Compare everything made from `since` to before `until`; with `fix`, handle what we never heard of.

    Raises BadInput, ProviderError. Asks a lot of the company: no transaction is open meanwhile.
    """
    if since >= until:
        raise BadInput("The time to reconcile begins before it ends.")
    found = Reconciliation(gateway.name, since, until)
    seen: set[str] = set()
    try:
        async for notice in gateway.list_payments(since, until):
            found.seen += 1
            names = (notice.checkout_id, notice.payment_id, notice.refund_id, notice.dispute_id)
            seen.update(name for name in names if name)
            await _compare(database, till, gateway, notice, found, fix=fix)
    except BadMessage as error:
        raise ProviderError(f"{gateway.name} lists something that makes no sense: {error}", permanent=True) from error
    async with database.transaction(everyone=WHY) as db:
        stale = await _stale(db, gateway)
    for checkout_id in stale:
        if checkout_id not in seen:
            notice_now = await gateway.fetch_checkout(checkout_id)
            if notice_now is not None:
                await _compare(database, till, gateway, notice_now, found, fix=fix)
    async with database.transaction(everyone=WHY) as db:
        if fix:
            await _close_forgotten(db, gateway)
        missing = await _unknown_there(db, gateway, since + _MARGIN, until - _MARGIN, seen)
    for difference in missing:
        known = difference.checkout_id and await gateway.fetch_checkout(difference.checkout_id)
        if not known:
            found.differences.append(difference)
    return found


async def oldest_undecided(db: AsyncSession, gateway: Gateway) -> datetime | None:
    """When the oldest thing began whose end nobody has told us: a charge on its way, a refund, a dispute."""
    charge = select(func.min(Purchase.created_at)).where(
        *_ours(gateway), Purchase.kind == PurchaseKind.TOP_UP, Purchase.state == PurchaseState.PENDING
    )
    reversal = (
        select(func.min(PaymentReversal.created_at))
        .join(
            Purchase,
            (Purchase.user_id == PaymentReversal.user_id) & (Purchase.id == PaymentReversal.purchase_id),
        )
        .where(*_ours(gateway), _is_undecided(PaymentReversal))
    )
    other = select(func.min(UngrantedReversal.created_at)).where(
        UngrantedReversal.gateway == gateway.name, _is_undecided(UngrantedReversal), ~_was_granted_later()
    )
    found = [await db.scalar(charge), await db.scalar(reversal), await db.scalar(other)]
    return min((at for at in found if at is not None), default=None)


async def _compare(
    database: Database, till: Till, gateway: Gateway, notice: Notice, found: Reconciliation, *, fix: bool
) -> None:
    """Note what one notice says that we do not know, and handle it."""
    async with database.transaction(everyone=WHY) as db:
        what = await difference(db, gateway, notice)
    if what is None:
        return
    mended, verdict = False, ""
    if fix:
        async with database.transaction(everyone=WHY) as db:
            await inbox.store(db, listed(gateway, notice))
        while await inbox.drain(database, till.handlers()):
            pass
        async with database.transaction(everyone=WHY) as db:
            mended = await difference(db, gateway, notice) is None
            verdict = await _verdict(db, gateway, notice)
    found.differences.append(
        Difference(
            what=what,
            there=notice.kind.value,
            purchase_id=str(notice.purchase_id or ""),
            user_id=str(notice.user_id or ""),
            checkout_id=notice.checkout_id or "",
            payment_id=notice.payment_id or "",
            reversal_id=notice.refund_id or notice.dispute_id or "",
            amount_minor=notice.amount_minor,
            currency=notice.currency,
            mended=mended,
            verdict=verdict,
        )
    )


async def difference(db: AsyncSession, gateway: Gateway, notice: Notice) -> str | None:
    """What we do not know of this, or know otherwise; None when we agree. Needs a transaction that is everyone's."""
    if notice.kind in (NoticeKind.OPEN, NoticeKind.OTHER, NoticeKind.HINT):
        return None
    if notice.kind in _PAID:
        what = await _of_payment(db, gateway, notice)
        is_over = what and notice.payment_id and await ungranted.is_settled(db, gateway.name, notice.payment_id)
        return None if is_over else what
    try:
        purchase = await matching.find(db, gateway.name, notice)
    except matching.Contradiction:
        return "contradictory"
    name = notice.refund_id or notice.dispute_id
    if name is not None:
        payment = notice.payment_id
        if purchase is not None and payment is not None and await matching.is_granted(db, purchase, payment):
            return _of_reversal(notice, await db.get(PaymentReversal, (purchase.user_id, name)))
        return _of_reversal(notice, await ungranted.reversal(db, gateway.name, name))
    if purchase is None:
        return None  # nothing was paid, so nothing is missing
    over = {
        NoticeKind.COMPLETED_UNPAID: (PurchaseState.PENDING, PurchaseState.PAID, PurchaseState.FAILED),
        NoticeKind.EXPIRED: (PurchaseState.EXPIRED, PurchaseState.PAID, PurchaseState.FAILED),
        NoticeKind.PAYMENT_FAILED: (PurchaseState.FAILED, PurchaseState.PAID),
        NoticeKind.CHARGE_FAILED: (PurchaseState.FAILED, PurchaseState.PAID),
    }
    return None if purchase.state in over[notice.kind] else "other state"


async def _of_payment(db: AsyncSession, gateway: Gateway, notice: Notice) -> str | None:
    """What is not as it should be of a payment that came."""
    try:
        purchase = await matching.find(db, gateway.name, notice)
    except matching.Contradiction:
        return "contradictory"
    if purchase is None:
        return "unknown payment"
    if purchase.credited_at is None:
        return "not granted"
    known = (await matching.known(db, purchase)).payment_id
    return None if notice.payment_id in (None, known) else "paid twice"


def _of_reversal(notice: Notice, reversal: AnyReversal | None) -> str | None:
    is_refund = notice.kind is NoticeKind.REFUND
    if reversal is None:
        never_left = notice.refund_status in (RefundStatus.FAILED, RefundStatus.CANCELED)
        return None if never_left else "unknown refund" if is_refund else "unknown dispute"
    if is_refund:
        assert notice.refund_status is not None, notice.event_id
        # A refund that we saw fail may be shown as it was for a moment.
        gone = (ReversalState.FAILED, ReversalState.CANCELED)
        return None if reversal.state in (*_REFUND_STATES[notice.refund_status], *gone) else "other state"
    decided = (ReversalState.WON, ReversalState.LOST)
    agrees = {
        NoticeKind.DISPUTE_OPENED: True,
        NoticeKind.DISPUTE_WITHDRAWN: reversal.withdrawn_minor > 0,
        NoticeKind.DISPUTE_REINSTATED: reversal.reinstated_minor > 0,
        NoticeKind.DISPUTE_CLOSED: reversal.state in decided,
    }
    return None if agrees[notice.kind] else "other state"


async def _verdict(db: AsyncSession, gateway: Gateway, notice: Notice) -> str:
    """What handling it came to, or why it was not handled."""
    event = await db.scalar(
        select(inbox.ProviderEvent)
        .where(inbox.ProviderEvent.provider == gateway.name, inbox.ProviderEvent.event_id == notice.event_id)
        .execution_options(populate_existing=True)
    )
    return (event.verdict or event.error or "waits") if event is not None else ""


async def _stale(db: AsyncSession, gateway: Gateway) -> Sequence[str]:
    """Checkouts that nobody has told the end of: the company is asked for each."""
    rows = await db.scalars(
        select(PurchaseDirectory.checkout_id)
        .join(
            Purchase,
            (Purchase.user_id == PurchaseDirectory.user_id) & (Purchase.id == PurchaseDirectory.purchase_id),
        )
        .where(
            *_ours(gateway),
            Purchase.state.in_((PurchaseState.OPEN, PurchaseState.PENDING)),
            Purchase.created_at < datetime.now(UTC) - _STALE,
            PurchaseDirectory.checkout_id.is_not(None),
        )
        .order_by(Purchase.created_at)
        .limit(_STALE_MAX)
    )
    return [name for name in rows if name is not None]


async def _close_forgotten(db: AsyncSession, gateway: Gateway) -> None:
    """Purchases that never got a checkout, or whose checkout is long over: nobody can pay them any more.

    Should money come all the same, it still grants.
    """
    old = await db.execute(
        select(Purchase.user_id, Purchase.id)
        .where(
            *_ours(gateway),
            Purchase.kind == PurchaseKind.CHECKOUT,
            Purchase.state == PurchaseState.OPEN,
            Purchase.created_at < datetime.now(UTC) - timedelta(days=2),
        )
        .limit(_STALE_MAX)
    )
    for user, name in sorted((row.user_id, row.id) for row in old):
        purchase = await matching.locked(db, user, name)
        if purchase is not None and purchase.state is PurchaseState.OPEN:
            purchase.state = PurchaseState.EXPIRED


async def _unknown_there(
    db: AsyncSession, gateway: Gateway, since: datetime, until: datetime, seen: Iterable[str]
) -> Sequence[Difference]:
    """What is paid, refunded or disputed here, and was in none of the company's lists."""
    names = set(seen)
    paid = await db.execute(
        select(Purchase, PurchaseDirectory)
        .join(
            PurchaseDirectory,
            (Purchase.user_id == PurchaseDirectory.user_id) & (Purchase.id == PurchaseDirectory.purchase_id),
        )
        .where(
            *_ours(gateway),
            Purchase.state == PurchaseState.PAID,
            Purchase.created_at >= since,
            Purchase.created_at < until,
        )
    )
    found = [
        Difference(
            what="unknown there",
            there="nothing",
            purchase_id=str(purchase.id),
            user_id=str(purchase.user_id),
            checkout_id=known.checkout_id or "",
            payment_id=known.payment_id or "",
            amount_minor=purchase.price_minor,
            currency=purchase.currency,
        )
        for purchase, known in paid
        if not {known.checkout_id, known.payment_id} & names
    ]
    gone = await db.execute(
        select(PaymentReversal)
        .join(
            Purchase,
            (Purchase.user_id == PaymentReversal.user_id) & (Purchase.id == PaymentReversal.purchase_id),
        )
        .where(*_ours(gateway), PaymentReversal.created_at >= since, PaymentReversal.created_at < until)
    )
    found += [
        Difference(
            what=f"unknown {reversal.kind.value.lower()} there",
            there="nothing",
            purchase_id=str(reversal.purchase_id),
            user_id=str(reversal.user_id),
            reversal_id=reversal.id,
            amount_minor=reversal.amount_minor,
            currency=reversal.currency,
        )
        for reversal in gone.scalars()
        if reversal.id not in names
    ]
    return found


def _is_undecided(reversal: type[PaymentReversal] | type[UngrantedReversal]) -> ColumnElement[bool]:
    """Open, or won with money that has not come back."""
    is_owed = (reversal.state == ReversalState.WON) & (reversal.withdrawn_minor > reversal.reinstated_minor)
    return reversal.state.in_(_UNDECIDED) | is_owed


def _was_granted_later() -> ColumnElement[bool]:
    """Its payment was granted in the end: then the purchase's own reversal says how it stands."""
    return (
        select(Purchase.id)
        .join(
            PurchaseDirectory,
            (PurchaseDirectory.user_id == Purchase.user_id) & (PurchaseDirectory.purchase_id == Purchase.id),
        )
        .where(
            PurchaseDirectory.gateway == UngrantedReversal.gateway,
            PurchaseDirectory.payment_id == UngrantedReversal.payment_id,
            Purchase.credited_at.is_not(None),
        )
        .exists()
    )


def _ours(gateway: Gateway) -> tuple[ColumnElement[bool], ...]:
    """Purchases that were made with this account, in its mode."""
    return (Purchase.gateway == gateway.name, Purchase.test.is_(not gateway.live))
