"""Credits, months and callers in the reader's words, for all pages about credit.

The rule: pure functions; values in, words out.
"""

from datetime import date

from babel.dates import format_date

from talktime.calls.named import NamedCall
from talktime.carriers import browser
from talktime.web import local, words
from talktime.web.language import _


def credits_of(credits: int) -> str:
    """`1 credit`, `8,412 credits`."""
    return _("1 credit") if credits == 1 else _("{credits} credits").format(credits=local.figure(credits))


def signed(credits: int) -> str:
    """`+500`, `−15`."""
    return f"+{local.figure(credits)}" if credits > 0 else local.figure(credits)


def talk_time(seconds: int) -> str:
    """`9 s`, `2 min 5 s`, `4 h 52 min`."""
    if seconds < 3600:
        return words.length_in_words(seconds)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{local.figure(hours)} h {minutes} min"


def month_of(first: date) -> str:
    """`November 2026`."""
    return str(format_date(first, "LLLL y", locale=local.language()))


def caller_of(call: NamedCall) -> str:
    """Who called, or, of a leg, who was rung."""
    if call.is_leg and call.dialled:
        return words.number(call.dialled, at_home=call.caller)
    if call.caller:
        return words.number(call.caller, at_home=call.dialled)
    if call.is_forgotten:
        return _("A caller who was forgotten")
    return _("You, from the browser") if call.carrier == browser.NAME else _("Withheld number")
