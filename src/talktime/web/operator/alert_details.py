"""The figures of an alert, in words: how much, how often, of which payment, and where to look.

The rules: ids lead to their page where there is one. Anything may stand in there, as the database's functions write
alerts, too: a name that is not known here is shown as it is, and a value that is not what it should be does no harm.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from talktime.alerts.board import Shown
from talktime.gateways import currencies
from talktime.numbers.drift import Difference
from talktime.web import local
from talktime.web.language import _
from talktime.web.operator import words
from talktime.web.words import Clock

_VALUE_LENGTH_MAX = 200
_ID_LENGTH = 36
OTHERS = frozenset({"currency", "expected_minor", "expected_currency"})
"""What stands in the words of a sum."""
_SUMS = ("amount_minor", "given_back_minor", "left_minor")


@dataclass(frozen=True, slots=True)
class Detail:
    """A few words, and where they lead."""

    text: str
    address: str = ""


def details_of(alert: Shown, clock: Clock) -> list[Detail]:
    """What stands in an alert, figures first, in the order of `NAMES`."""
    detail = alert.detail
    known = [_written(name, alert, clock) for name in NAMES if detail.get(name) is not None]
    said_already = OTHERS if any(name in detail for name in _SUMS) else frozenset()
    others = [name for name in detail if name not in NAMES and name not in said_already]
    return [*known, *(Detail(f"{words.plain(name)} {_short(detail[name])}") for name in others)]


def _written(name: str, alert: Shown, clock: Clock) -> Detail:
    value = alert.detail[name]
    try:
        text = NAMES[name](value, alert, clock)
    except (TypeError, ValueError):
        text = f"{words.plain(name)} {_short(value)}"
    return Detail(text, _address(name, alert))


def _address(name: str, alert: Shown) -> str:
    value = str(alert.detail[name])
    if len(value) != _ID_LENGTH:
        return ""
    user = alert.user_id
    return {
        "call_id": f"/operator/users/{user}/calls/{value}" if user else "",
        "purchase_id": f"/operator/purchases?user={user}" if user else "",
        "number_id": f"/operator/numbers/{value}",
        "event_id": f"/operator/events/{value}",
    }.get(name, "")


def _amount(value: Any, alert: Shown, _clock: Clock) -> str:
    paid = _money(value, alert.detail.get("currency"))
    asked = alert.detail.get("expected_minor")
    if asked is None:
        return paid
    expected = _money(asked, alert.detail.get("expected_currency"))
    return paid if paid == expected else _("{paid} instead of {expected}").format(paid=paid, expected=expected)


def _given_back(value: Any, alert: Shown, _clock: Clock) -> str:
    return _("{amount} went back already").format(amount=_money(value, alert.detail.get("currency")))


def _left(value: Any, alert: Shown, _clock: Clock) -> str:
    if value == 0:
        return _("nothing is left to give back")
    return _("{amount} left to give back").format(amount=_money(value, alert.detail.get("currency")))


def _credits(value: Any, alert: Shown, _clock: Clock) -> str:
    said = {
        "call_unbilled": _("{credits} not billed"),
        "reversal_short": _("{credits} not taken back"),
        "closed_below_zero": _("{credits} taken back"),
        "charge_claimed": _("{credits} claimed back"),
    }
    return said.get(alert.kind, "{credits}").format(credits=words.credits_of(_count(value)))


def _seq(value: Any, alert: Shown, _clock: Clock) -> str:
    said = _("entry {number}") if alert.kind == "audit_wrong" else _("line {number}")
    return said.format(number=local.figure(_count(value)))


def _granted(value: Any, _alert: Shown, clock: Clock) -> str:
    return _("granted after all, {when}").format(when=local.moment(datetime.fromisoformat(str(value)), clock))


def _times(one: Callable[[], str], many: Callable[[], str]) -> Callable[[Any, Shown, Clock], str]:
    def say(value: Any, _alert: Shown, _clock: Clock) -> str:
        count = _count(value)
        return one() if count == 1 else many().format(count=local.figure(count))

    return say


def _named(sentence: Callable[[], str]) -> Callable[[Any, Shown, Clock], str]:
    def say(value: Any, _alert: Shown, _clock: Clock) -> str:
        return sentence().format(name=_short(value))

    return say


def _numbers(difference: Difference) -> Callable[[Any, Shown, Clock], str]:
    def say(value: Any, _alert: Shown, _clock: Clock) -> str:
        said = words.difference_of_number(difference).text
        return _("{what}: {count}").format(what=said, count=local.figure(_count(value)))

    return say


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    return value


def _money(value: Any, currency: Any) -> str:
    if not isinstance(currency, str) or not currencies.is_known(currency):
        return local.figure(_count(value))
    return local.amount(_count(value), currency)


def _short(value: Any) -> str:
    said = " ".join(str(value).split())
    return said if len(said) <= _VALUE_LENGTH_MAX else f"{said[: _VALUE_LENGTH_MAX - 1]}…"


NAMES: Mapping[str, Callable[[Any, Shown, Clock], str]] = {
    "amount_minor": _amount,
    "given_back_minor": _given_back,
    "left_minor": _left,
    "credits": _credits,
    "below_zero": _named(lambda: _("{name} credits below zero")),
    "tries": _times(lambda: _("tried once"), lambda: _("tried {count} times")),
    "violations": _times(lambda: _("1 more place"), lambda: _("{count} more places")),
    **{each.value: _numbers(each) for each in Difference},
    "seq": _seq,
    "problem": _named(lambda: "{name}"),
    "granted_at": _granted,
    "reason": _named(lambda: _("the reason: {name}")),
    "error": _named(lambda: _("what was answered: {name}")),
    "gateway": _named(lambda: _("payment company {name}")),
    "provider": _named(lambda: _("from {name}")),
    "carrier": _named(lambda: _("phone company {name}")),
    "kind": _named(lambda: _("event {name}")),
    "task": _named(lambda: _("task {name}")),
    "notice": _named(lambda: _("the mail {name}")),
    "call_id": _named(lambda: _("the call")),
    "purchase_id": _named(lambda: _("the purchase")),
    "number_id": _named(lambda: _("the number")),
    "event_id": _named(lambda: _("the event")),
    "order_id": _named(lambda: _("order {name}")),
    "job_id": _named(lambda: _("job {name}")),
    "notice_id": _named(lambda: _("mail {name}")),
    "payment_id": _named(lambda: _("payment {name}")),
    "checkout_id": _named(lambda: _("checkout {name}")),
    "refund_id": _named(lambda: _("refund {name}")),
    "dispute_id": _named(lambda: _("dispute {name}")),
    "reversal_id": _named(lambda: _("refund or dispute {name}")),
    "payment_method_id": _named(lambda: _("card {name}")),
    "reference": _named(lambda: _("reference {name}")),
}
"""How each name is said; the order is that of reading."""
