"""How things stand, in words and a tone: people, numbers, calls, money, events and jobs, as an operator reads them.

The rule: what this version has no word for is shown as it is, rather than hidden.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import phonenumbers
from babel.numbers import format_percent

from talktime.accounts.models import Role, UserStatus
from talktime.accounts.people import VisitReason
from talktime.alerts.events import State as EventState
from talktime.calls.models import CallStatus
from talktime.credits.models import NotCharged, PriceKind
from talktime.gateways import currencies
from talktime.numbers.drift import Difference
from talktime.numbers.models import CarrierPhase, OrderState, PhoneStatus
from talktime.web import local
from talktime.web.language import _
from talktime.web.operator.desk import Choices
from talktime.web.words import Tone


@dataclass(frozen=True, slots=True)
class Badge:
    """A word or two, and how they look."""

    text: str
    tone: Tone = ""


def plain(name: str) -> str:
    """A name that programs use, as a word: `paid_twice` is `paid twice`."""
    return name.replace("_", " ").lower()


def status_of_user(status: UserStatus) -> Badge:
    """Whether somebody may come in."""
    return {
        UserStatus.ACTIVE: Badge(_("active"), "ok"),
        UserStatus.SUSPENDED: Badge(_("suspended"), "warn"),
        UserStatus.CLOSED: Badge(_("closed")),
    }.get(status) or Badge(plain(status))


def role_name(role: Role) -> str:
    """What somebody is."""
    return _("Operator") if role is Role.ADMIN else _("Customer")


def status_of_number(status: PhoneStatus) -> Badge:
    """Where a number is."""
    return {
        PhoneStatus.AVAILABLE: Badge(_("free"), "ok"),
        PhoneStatus.ASSIGNED: Badge(_("assigned")),
        PhoneStatus.RELEASED: Badge(_("resting"), "warn"),
        PhoneStatus.RETURNED: Badge(_("given up")),
    }.get(status) or Badge(plain(status))


def phase_of_number(phase: CarrierPhase) -> Badge:
    """How far its phone company and we agree."""
    return {
        CarrierPhase.AGREED: Badge(_("agreed"), "ok"),
        CarrierPhase.WANTED: Badge(_("being told"), "warn"),
        CarrierPhase.REFUSED: Badge(_("refused"), "bad"),
        CarrierPhase.GONE: Badge(_("not there any more")),
    }.get(phase) or Badge(plain(phase))


def difference_of_number(difference: Difference) -> Badge:
    """In what a number of the pool and of its phone company differ."""
    return {
        Difference.ONLY_THERE: Badge(_("only there"), "warn"),
        Difference.ONLY_HERE: Badge(_("only here"), "bad"),
        Difference.OTHER_DOORS: Badge(_("rings elsewhere"), "bad"),
        Difference.OTHER_NAME: Badge(_("another name"), "warn"),
        Difference.NOT_GIVEN_BACK: Badge(_("not given back"), "warn"),
        Difference.NOBODYS: Badge(_("nobody’s"), "warn"),
        Difference.ARCHIVED_AGENT: Badge(_("no agent"), "warn"),
        Difference.NOT_TOLD: Badge(_("not told"), "bad"),
    }.get(difference) or Badge(plain(difference))


def state_of_order(state: OrderState) -> Badge:
    """What became of an order."""
    return {
        OrderState.ORDERED: Badge(_("no answer yet"), "warn"),
        OrderState.BOUGHT: Badge(_("bought"), "ok"),
        OrderState.FAILED: Badge(_("failed"), "bad"),
    }.get(state) or Badge(plain(state))


def status_of_call(status: CallStatus) -> Badge:
    """What a call is doing, or how it went."""
    return {
        CallStatus.RINGING: Badge(_("ringing"), "live"),
        CallStatus.IN_PROGRESS: Badge(_("talking"), "live"),
        CallStatus.COMPLETED: Badge(_("completed"), "ok"),
        CallStatus.FAILED: Badge(_("failed"), "bad"),
        CallStatus.NO_ANSWER: Badge(_("no answer")),
    }.get(status) or Badge(plain(status))


def state_of_event(state: EventState) -> Badge:
    """How an event of a provider stands."""
    return {
        EventState.WAITING: Badge(_("waiting"), "warn"),
        EventState.HANDLED: Badge(_("handled"), "ok"),
        EventState.GIVEN_UP: Badge(_("given up"), "bad"),
    }.get(state) or Badge(plain(state))


_MONEY: Mapping[str, Tone] = {
    "PAID": "ok", "SUCCEEDED": "ok", "WON": "ok", "DONE": "ok", "REINSTATED": "ok", "GRANTED": "ok", "APPROVED": "ok",
    "PENDING": "warn", "OPENED": "bad", "FAILED": "bad", "LOST": "bad", "WITHDRAWN": "bad",
}  # fmt: skip


def state_of_money(state: str) -> Badge:
    """How a purchase, a refund, a dispute or a request stands."""
    said = {
        "PAID": _("paid"),
        "PENDING": _("waiting"),
        "FAILED": _("failed"),
        "EXPIRED": _("expired"),
        "CANCELED": _("canceled"),
        "SUCCEEDED": _("given back"),
        "OPENED": _("open"),
        "WON": _("won"),
        "LOST": _("lost"),
        "WITHDRAWN": _("taken from us"),
        "REINSTATED": _("with us again"),
        "WARNING": _("warning"),
        "CLOSED": _("closed"),
        "APPROVED": _("approved"),
        "REFUSED": _("refused"),
    }
    return Badge(said.get(state, plain(state)), _MONEY.get(state, ""))


def kind_of_price(kind: PriceKind) -> str:
    """What a price is for."""
    return _("Calls with an agent") if kind is PriceKind.CALL else _("Calls that are put through")


def reasons_of_visits() -> Choices:
    """Why an operator signs in as somebody, to choose from."""
    said = {
        VisitReason.ASKED_BY_CUSTOMER: _("The customer asked for it"),
        VisitReason.FAULT: _("Something does not work"),
        VisitReason.BILLING: _("A question about a bill"),
        VisitReason.ABUSE: _("Abuse"),
        VisitReason.LEGAL: _("The law asks for it"),
    }
    return [(reason.value, said[reason]) for reason in VisitReason]


def reasons_not_to_charge() -> Choices:
    """Why a call is not charged, to choose from."""
    said = {
        NotCharged.PLATFORM_FAULT: _("The fault was ours"),
        NotCharged.WRONG_NUMBER: _("A wrong number"),
        NotCharged.SPAM: _("Spam"),
        NotCharged.NOT_A_CALL: _("Nobody was there"),
    }
    return [(reason.value, said.get(reason, plain(reason))) for reason in NotCharged]


def length(seconds: int) -> str:
    """`0:09`, `3:44`, `1:02:03`."""
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def waited(age: timedelta) -> str:
    """How long something waits or is ago: `12 s`, `5 min`, `3 h`, `2 days`."""
    seconds = max(0, int(age.total_seconds()))
    for unit, least, said in (
        (86_400, 2 * 86_400, _("{count} days")),
        (3_600, 3_600, _("{count} h")),
        (60, 60, _("{count} min")),
    ):
        if seconds >= least:
            return said.format(count=local.figure(seconds // unit))
    return _("{count} s").format(count=seconds)


def credits_of(count: int) -> str:
    """`1 credit`, `8,412 credits`."""
    said = _("1 credit") if count == 1 else _("{count} credits")
    return said.format(count=local.figure(count))


def signed(count: int) -> str:
    """`+500`, `−15`."""
    return f"+{local.figure(count)}" if count > 0 else local.figure(count)


def share(part: float) -> str:
    """`3%`, in German `3 %`; under one percent with a decimal, so that little is not nothing."""
    return str(format_percent(part, "#,##0.0%" if 0 < part < 0.01 else None, locale=local.language()))


def money_of(minor: Mapping[str, int]) -> str:
    """Sums of several currencies beside each other: `€10.50, $3.00`; a dash for none."""
    return ", ".join(local.amount(amount, currency) for currency, amount in sorted(minor.items())) or "–"


def money_of_micros(micros: Mapping[str, int]) -> str:
    """The same of millionths of the currencies' units."""
    return money_of({currency: minor_of(amount, currency) for currency, amount in micros.items()})


def minor_of(micros: int, currency: str) -> int:
    """Millionths of a currency's unit in its minor units, rounded down."""
    decimals = currencies.decimals(currency) if currencies.is_known(currency) else 2
    per_minor: int = 10 ** (6 - decimals)
    return micros // per_minor


def number(e164: str) -> str:
    """A number with its country, as people write it: `+49 30 23125000`. What is no number is shown as it came."""
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


def list_of(words: Sequence[str]) -> str:
    """`a, b, c`."""
    return ", ".join(words)
