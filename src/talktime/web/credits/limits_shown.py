"""What may be spent, and what is charged to a saved card, as forms and sentences have it.

Nothing here reads the database or the clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from talktime.credits.account import Funds, Guards
from talktime.payments.billing_details import EMAIL_MAX, LINE_MAX, LINES_MAX, NAME_MAX, Details
from talktime.payments.models import TopUp
from talktime.web import local
from talktime.web.credits import said
from talktime.web.forms import Form
from talktime.web.language import _


@dataclass(frozen=True, slots=True)
class TopUpView:
    """What may be charged to a saved card."""

    card: str
    """`Visa ending in 4242`; "" when there is none."""
    is_on: bool
    sentence: str
    values: Mapping[str, str]
    """What the form holds: threshold, choice (pack and the price that was agreed to), ceiling."""


def lasts(funds: Funds, days: int | None) -> str:
    """How far the credit goes: `It lasts about 12 days.`"""
    if funds.free <= 0:
        return ""
    if days is None:
        return _("Nothing was used of late, so nobody can say how long it lasts.")
    if days == 0:
        return _("It lasts less than a day.")
    if days > 365:
        return _("It lasts more than a year.")
    return _("It lasts about 1 day.") if days == 1 else _("It lasts about {days} days.").format(days=local.figure(days))


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


def billing_problems(fields: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with what is to stand on invoices, by the form's fields and in the reader's language."""
    known = _billing_sentences()
    return {f"billing_{name}": known.get(message, message) for name, message in fields.items()}


def _billing_sentences() -> dict[str, str]:
    too_long = _("{characters} characters at most.")
    return {
        **{f"{most} characters at most.": too_long.format(characters=most) for most in (NAME_MAX, LINE_MAX, EMAIL_MAX)},
        f"{LINES_MAX} lines at most.": _("{lines} lines at most.").format(lines=LINES_MAX),
        "There is a character in it that cannot be seen: type it again.": _(
            "There is a character in it that cannot be seen: type it again."
        ),
        "Two letters, such as DE.": _("Two letters, such as DE."),
        "Two letters of the country, then figures or letters, such as DE123456789.": _(
            "Two letters of the country, then figures or letters, such as DE123456789."
        ),
        "An e-mail address, such as books@example.com.": _("An e-mail address, such as books@example.com."),
    }


def top_up_view(top_up: TopUp | None, now: datetime) -> TopUpView:
    """What is set for topping up by itself."""
    if top_up is None or top_up.payment_method_id is None:
        why = _("No card is saved. Tick “Keep this card” when you buy a pack, then you can switch this on.")
        return TopUpView("", False, why, {})
    values = {
        "top_up_threshold": "" if top_up.threshold is None else str(top_up.threshold),
        "choice": f"{top_up.pack_id}:{top_up.price_minor}" if top_up.pack_id else "",
        "ceiling": ""
        if top_up.ceiling_minor is None or top_up.currency is None
        else local.typed_amount(top_up.ceiling_minor, top_up.currency),
    }
    return TopUpView(_card(top_up), top_up.enabled, _top_up_sentence(top_up, now), values)


def _card(top_up: TopUp) -> str:
    brand = top_up.brand.capitalize() or _("Card")
    card = _("{card} ending in {digits}").format(card=brand, digits=top_up.last4) if top_up.last4 else brand
    if not top_up.expires_month:
        return card
    until = f"{top_up.expires_month:02d}/{top_up.expires_year}"
    return _("{card}, valid until {month}").format(card=card, month=until)


def _top_up_sentence(top_up: TopUp, now: datetime) -> str:
    if not top_up.enabled:
        stops = {
            "declined": _(
                "It was switched off because the card was declined several times. Look at the card, then switch it on"
                " again."
            ),
            "pack_changed": _("It was switched off because the pack has changed since you agreed. Choose again."),
        }
        return stops.get(top_up.stopped_reason or "", _("It is off: nothing is charged while you are away."))
    if top_up.threshold is None or top_up.price_minor is None or top_up.currency is None:
        return _("It is on.")
    on = _("Below {credits} the card pays {price}, at most {ceiling} a month.").format(
        credits=said.credits_of(top_up.threshold),
        price=local.amount(top_up.price_minor, top_up.currency),
        ceiling=local.amount(top_up.ceiling_minor or 0, top_up.currency),
    )
    if top_up.declines and top_up.not_before and top_up.not_before > now:
        return f"{on} {_('The card was declined; it is tried again later.')}"
    return on
