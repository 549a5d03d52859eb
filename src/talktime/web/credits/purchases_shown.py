"""Packs and purchases as the pages show them: everything is put into words here, templates only arrange.

Nothing here reads the database or the clock.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from talktime.credits.models import CreditPack
from talktime.payments.invoice_models import Invoice, InvoiceKind
from talktime.payments.models import Purchase, PurchaseKind, PurchaseState
from talktime.web import local, words
from talktime.web.credits import said
from talktime.web.language import _
from talktime.web.words import Clock

_MONTHS_MAX = 24


@dataclass(frozen=True, slots=True)
class PackView:
    """Something to buy."""

    id: uuid.UUID
    name: str
    credits: str
    price: str
    price_minor: int
    currency: str
    key: str
    """Makes a double click one purchase."""


@dataclass(frozen=True, slots=True)
class PurchaseView:
    """Something that was bought, or was going to be."""

    id: uuid.UUID
    when: str
    name: str
    credits: str
    price: str
    badge: str
    tone: words.Tone
    sentence: str
    pay_url: str
    """Where an open one can still be paid."""
    documents: Sequence[tuple[uuid.UUID, str]]
    """Invoices and credit notes: id, and what the link says."""


@dataclass(frozen=True, slots=True)
class MonthView:
    """A month with a statement."""

    name: str
    address: str


def pack_view(pack: CreditPack) -> PackView:
    """A pack; each time with a new key."""
    return PackView(
        id=pack.id,
        name=pack.name,
        credits=said.credits_of(pack.credits),
        price=local.amount(pack.price_minor, pack.currency),
        price_minor=pack.price_minor,
        currency=pack.currency,
        key=uuid.uuid4().hex,
    )


def purchase_view(purchase: Purchase, invoices: Iterable[Invoice], clock: Clock) -> PurchaseView:
    """A purchase, with its documents among `invoices`, which are all of the user's."""
    badge, tone, sentence = _state(purchase, clock.now)
    own = sorted((each for each in invoices if each.purchase_id == purchase.id), key=lambda each: each.issued_at)
    return PurchaseView(
        id=purchase.id,
        when=local.moment(purchase.paid_at or purchase.created_at, clock),
        name=purchase.name or said.credits_of(purchase.credits),
        credits=local.figure(purchase.credits),
        price=local.amount(purchase.price_minor, purchase.currency),
        badge=badge,
        tone=tone,
        sentence=" ".join(part for part in (sentence, _reversed(purchase), _extra(purchase)) if part),
        pay_url=_pay_url(purchase, clock.now),
        documents=[(each.id, _document_name(each)) for each in own],
    )


def waits(purchase: Purchase) -> bool:
    """Whether something is still to come of it by itself, in a moment."""
    return purchase.state == PurchaseState.OPEN or (
        purchase.state == PurchaseState.PAID and purchase.credited_at is None
    )


def months(opened_at: datetime | None, clock: Clock) -> list[MonthView]:
    """The months that have a statement, newest first."""
    if opened_at is None:
        return []
    first, last = clock.local(opened_at).date().replace(day=1), clock.local(clock.now).date().replace(day=1)
    found: list[MonthView] = []
    at = last
    while at >= first and len(found) < _MONTHS_MAX:
        found.append(MonthView(said.month_of(at), f"/statements/{at:%Y-%m}"))
        at = before(at)
    return found


def before(month: date) -> date:
    """The first day of the month before."""
    return date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)


def is_web_address(url: str) -> bool:
    """Whether this can stand in a header and in a link: somebody else sent it."""
    return url.startswith(("https://", "http://")) and url.isascii() and url.isprintable() and " " not in url


def _state(purchase: Purchase, now: datetime) -> tuple[str, words.Tone, str]:
    if purchase.state == PurchaseState.PAID and purchase.credited_at is None:
        return _("paid"), "ok", _("The credits are being added.")
    if purchase.state == PurchaseState.PAID:
        gone = purchase.reversed_credits
        badge = _("refunded") if gone == purchase.credits else _("partly refunded") if gone else _("paid")
        return badge, "" if gone else "ok", ""
    if purchase.state == PurchaseState.PENDING:
        return _("on its way"), "warn", _("Your bank has not sent the money yet. The credits come with it.")
    if _is_open(purchase, now):
        return _("not paid yet"), "warn", ""
    if purchase.state == PurchaseState.FAILED:
        return _("not paid"), "bad", _("The payment did not work, so nothing was charged.")
    return _("not paid"), "", _("It was not paid in time, so nothing was charged.")


def _pay_url(purchase: Purchase, now: datetime) -> str:
    url = purchase.checkout_url or ""
    return url if _is_open(purchase, now) and is_web_address(url) else ""


def _is_open(purchase: Purchase, now: datetime) -> bool:
    is_late = purchase.expires_at is not None and purchase.expires_at <= now
    return purchase.state == PurchaseState.OPEN and not is_late


def _reversed(purchase: Purchase) -> str:
    if not purchase.reversed_credits:
        return ""
    if purchase.reversed_credits == 1:
        return _("1 credit was taken back with the money.")
    taken = local.figure(purchase.reversed_credits)
    return _("{credits} credits were taken back with the money.").format(credits=taken)


def _extra(purchase: Purchase) -> str:
    parts = [_("By your saved card.")] if purchase.kind == PurchaseKind.TOP_UP else []
    return " ".join([*parts, _("A test: no money moved.")] if purchase.test else parts)


def _document_name(invoice: Invoice) -> str:
    words_of_it = _("Invoice {number}") if invoice.kind == InvoiceKind.INVOICE else _("Credit note {number}")
    return words_of_it.format(number=invoice.number)
