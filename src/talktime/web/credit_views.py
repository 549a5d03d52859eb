"""What the page about credit shows, as plain values: everything is put into words here, templates only arrange.

Nothing here reads the database or the clock.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from talktime.credits.account import Funds, Guards
from talktime.credits.models import CreditPack
from talktime.gateways.currencies import format_money
from talktime.payments.billing_details import LINES_MAX, Details
from talktime.payments.invoice_models import Invoice, InvoiceKind
from talktime.payments.models import Purchase, PurchaseKind, PurchaseState, TopUp
from talktime.web import words
from talktime.web.forms import Form
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

    when: str
    when_in_full: str
    name: str
    credits: str
    price: str
    tag: str
    tone: words.Tone
    sentence: str
    pay_url: str
    """Where an open one can still be paid."""
    documents: Sequence[tuple[uuid.UUID, str]]
    """Invoices and credit notes: id, and what the link says."""


@dataclass(frozen=True, slots=True)
class TopUpView:
    """What may be charged to a saved card."""

    card: str
    """`visa ending in 4242`; "" when there is none."""
    is_on: bool
    sentence: str
    threshold: str
    choice: str
    """Pack and the price that was agreed to, as the form sends it."""
    ceiling: str


@dataclass(frozen=True, slots=True)
class MonthView:
    """A month with a statement."""

    name: str
    address: str


def pack_view(pack: CreditPack, locale: str) -> PackView:
    """A pack; each time with a new key."""
    return PackView(
        id=pack.id,
        name=pack.name,
        credits=words.credits_in_words(pack.credits),
        price=format_money(pack.price_minor, pack.currency, locale),
        price_minor=pack.price_minor,
        currency=pack.currency,
        key=uuid.uuid4().hex,
    )


def lasts(funds: Funds, days: int | None) -> str:
    """How far the credit goes: `It lasts about 12 days.`"""
    if funds.free <= 0:
        return ""
    if days is None:
        return "Nothing was used of late, so nobody can say how long it lasts."
    if days == 0:
        return "It lasts less than a day."
    if days > 365:
        return "It lasts more than a year."
    return f"It lasts about {days} day{'' if days == 1 else 's'}."


def guard_values(guards: Guards) -> dict[str, str]:
    """The guards as the form's fields hold them."""
    values = {
        "day": guards.day_limit,
        "call": guards.call_limit,
        "caller": guards.caller_limit,
        "threshold": guards.low_balance,
    }
    return {name: "" if value is None else str(value) for name, value in values.items()}


def billing_values(details: Details) -> dict[str, str]:
    """What stands on invoices, as the form's fields hold it."""
    lines = dict(enumerate(details.address.splitlines(), 1))
    return {
        "billing_name": details.name,
        **{f"billing_line_{no}": lines.get(no, "") for no in range(1, LINES_MAX + 1)},
        "billing_country": details.country,
        "billing_vat_id": details.vat_id,
        "billing_email": details.email,
    }


def billing_details_of(form: Form) -> Details:
    """The same, back from the form. A field that is not there is empty."""
    # A line break in a field of one line is none: it would be two lines.
    lines = (form.text(f"billing_line_{no}").replace("\n", "\r") for no in range(1, LINES_MAX + 1))
    return Details(
        name=form.text("billing_name"),
        address="\n".join(lines),
        country=form.text("billing_country"),
        vat_id=form.text("billing_vat_id"),
        email=form.text("billing_email"),
    )


def purchase_view(purchase: Purchase, invoices: Iterable[Invoice], clock: Clock, locale: str) -> PurchaseView:
    """A purchase, with its documents among `invoices`, which are all of the user's."""
    at = clock.local(purchase.paid_at or purchase.created_at)
    tag, tone, sentence = _state(purchase, clock.now)
    own = sorted((each for each in invoices if each.purchase_id == purchase.id), key=lambda each: each.issued_at)
    return PurchaseView(
        when=words.moment(at, clock.local(clock.now)),
        when_in_full=words.moment_in_full(at),
        name=purchase.name or words.credits_in_words(purchase.credits),
        credits=words.figure(purchase.credits),
        price=format_money(purchase.price_minor, purchase.currency, locale),
        tag=tag,
        tone=tone,
        sentence=" ".join(part for part in (sentence, _reversed(purchase), _extra(purchase)) if part),
        pay_url=_pay_url(purchase, clock.now),
        documents=[(each.id, _document_name(each)) for each in own],
    )


def top_up_view(top_up: TopUp | None, locale: str, now: datetime) -> TopUpView:
    """What is set for topping up by itself."""
    if top_up is None or top_up.payment_method_id is None:
        why = "No card is saved. Tick “Keep this card” when you buy a pack, then you can switch this on."
        return TopUpView("", False, why, "", "", "")
    expires = f", valid until {top_up.expires_month:02d}/{top_up.expires_year}" if top_up.expires_month else ""
    ending = f" ending in {top_up.last4}" if top_up.last4 else ""
    return TopUpView(
        card=f"{top_up.brand.capitalize() or 'Card'}{ending}{expires}",
        is_on=top_up.enabled,
        sentence=_top_up_sentence(top_up, locale, now),
        threshold="" if top_up.threshold is None else str(top_up.threshold),
        choice=f"{top_up.pack_id}:{top_up.price_minor}" if top_up.pack_id else "",
        ceiling=_plain_amount(top_up.ceiling_minor, top_up.currency),
    )


def months(opened_at: datetime | None, clock: Clock) -> list[MonthView]:
    """The months that have a statement, newest first."""
    if opened_at is None:
        return []
    first, last = clock.local(opened_at).date().replace(day=1), clock.local(clock.now).date().replace(day=1)
    found: list[MonthView] = []
    at = last
    while at >= first and len(found) < _MONTHS_MAX:
        found.append(MonthView(f"{at:%B %Y}", f"/statements/{at:%Y-%m}"))
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
        return "paid", "ok", "The credits are being added."
    if purchase.state == PurchaseState.PAID:
        gone = purchase.reversed_credits
        tag = "refunded" if gone == purchase.credits else "partly refunded" if gone else "paid"
        return tag, "" if gone else "ok", ""
    if purchase.state == PurchaseState.PENDING:
        return "on its way", "warn", "Your bank has not sent the money yet. The credits come with it."
    if _is_open(purchase, now):
        return "not paid yet", "warn", ""
    if purchase.state == PurchaseState.FAILED:
        return "not paid", "bad", "The payment did not work, so nothing was charged."
    return "not paid", "", "It was not paid in time, so nothing was charged."


def _pay_url(purchase: Purchase, now: datetime) -> str:
    url = purchase.checkout_url or ""
    return url if _is_open(purchase, now) and is_web_address(url) else ""


def _is_open(purchase: Purchase, now: datetime) -> bool:
    is_late = purchase.expires_at is not None and purchase.expires_at <= now
    return purchase.state == PurchaseState.OPEN and not is_late


def _reversed(purchase: Purchase) -> str:
    if not purchase.reversed_credits:
        return ""
    return f"{words.credits_in_words(purchase.reversed_credits)} were taken back with the money."


def _extra(purchase: Purchase) -> str:
    parts = ["By your saved card."] if purchase.kind == PurchaseKind.TOP_UP else []
    return " ".join([*parts, "A test: no money moved."] if purchase.test else parts)


def _document_name(invoice: Invoice) -> str:
    return f"{'Invoice' if invoice.kind == InvoiceKind.INVOICE else 'Credit note'} {invoice.number}"


def _top_up_sentence(top_up: TopUp, locale: str, now: datetime) -> str:
    stops = {
        "declined": "It was switched off because the card was declined several times. Look at the card, then switch it"
        " on again.",
        "pack_changed": "It was switched off because the pack has changed since you agreed. Choose again.",
    }
    if not top_up.enabled:
        return stops.get(top_up.stopped_reason or "", "It is off: nothing is charged while you are away.")
    if top_up.threshold is None or top_up.price_minor is None or top_up.currency is None:
        return "It is on."
    price = format_money(top_up.price_minor, top_up.currency, locale)
    ceiling = format_money(top_up.ceiling_minor or 0, top_up.currency, locale)
    on = f"Below {words.credits_in_words(top_up.threshold)} the card pays {price}, at most {ceiling} a month."
    if top_up.declines and top_up.not_before and top_up.not_before > now:
        return f"{on} The card was declined; it is tried again later."
    return on


def _plain_amount(minor: int | None, currency: str | None) -> str:
    """An amount as a form's field takes it: `50.00`."""
    if minor is None or currency is None:
        return ""
    return words.plain_amount(minor, currency)
