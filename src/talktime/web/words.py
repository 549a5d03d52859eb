"""Saying things in words a shop owner would use: what became of a call, how long, when, how much, which number.

Pure functions: values in, words out. Nothing here is escaped; that is the templates' work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

from talktime.agents.opening_hours import OpeningHours
from talktime.calls.models import Call, CallStatus
from talktime.calls.routing import Route
from talktime.gateways import currencies

Tone = Literal["live", "ok", "warn", "bad", ""]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: a word or two for a list, and a sentence."""

    tag: str
    tone: Tone
    sentence: str
    caller_got: str = ""
    """When the agent did not answer: what the caller got instead."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Now, and where the reader lives."""

    now: datetime
    zone: str

    def local(self, at: datetime) -> datetime:
        return at.astimezone(clock_zone(self.zone))


_OUTCOMES: Mapping[str, Outcome] = {
    "message": Outcome("message taken", "ok", "The agent took a message."),
}
_ENDINGS: Mapping[str, Outcome] = {
    "caller_hung_up": Outcome("answered", "ok", "The caller hung up."),
    "agent_hung_up": Outcome("answered", "ok", "The agent said goodbye."),
    "silence": Outcome("went silent", "", "Nobody spoke any more, so the agent said goodbye."),
    "longest": Outcome("longest call", "warn", "The call had lasted as long as a call may, so the agent said goodbye."),
    "credit_ended": Outcome("credit ran out", "warn", "The credit ran out, so the agent said goodbye."),
    "shutdown": Outcome("ended early", "warn", "The server was being stopped, so the agent said goodbye."),
    "caller_gave_up": Outcome("gave up", "", "The caller hung up before the agent answered."),
    "never_answered": Outcome("not connected", "warn", "The phone company never connected the call to the agent."),
    "lost": Outcome("connection lost", "warn", "The connection to the call was lost."),
    "line_dead": Outcome("line failed", "bad", "The phone company sent no sound any more."),
    "line_blocked": Outcome("line failed", "bad", "The phone company took no sound any more."),
    "transferred": Outcome("put through", "ok", "The agent put the caller through."),
    "leg_ended": Outcome("put through", "ok", "They talked, and one of them hung up."),
    "nobody_answered": Outcome("not reached", "warn", "Nobody answered there."),
    "never_dialled": Outcome("not reached", "warn", "The phone company never rang there."),
    "carrier_refused": Outcome("not reached", "warn", "The phone company refused to ring there."),
    "ai_down": Outcome("failed", "bad", "The agent could not think of answers; that is our fault."),
    "error": Outcome("failed", "bad", "Something failed here; that is our fault."),
}
_FALLBACK = "The caller got your fallback: your own words or number if you gave some, else a friendly sentence."
_ROUTES: Mapping[str, Outcome] = {
    Route.AFTER_HOURS: Outcome("after hours", "", "You were closed.", _FALLBACK),
    Route.SUSPENDED: Outcome("not answered", "warn", "Your account is suspended.", _FALLBACK),
    Route.NO_AGENT: Outcome("no agent", "warn", "No agent is switched on for this number.", _FALLBACK),
    Route.DRAINING: Outcome("not answered", "warn", "The server was being stopped.", _FALLBACK),
    Route.NO_CREDIT: Outcome("no credit", "warn", "There was no credit to begin a call with.", _FALLBACK),
    Route.TOO_MANY_CALLS: Outcome("lines busy", "warn", "As many calls were running as may.", _FALLBACK),
    Route.DEBT: Outcome("no credit", "warn", "The account owes credits.", _FALLBACK),
    Route.BLOCKED: Outcome("not answered", "warn", "The account is blocked.", _FALLBACK),
    Route.NO_PRICE: Outcome("not answered", "warn", "No price is set for calls.", _FALLBACK),
    Route.DAY_LIMIT: Outcome("day's limit", "warn", "What you let be spent in a day was spent.", _FALLBACK),
    Route.CALL_LIMIT: Outcome("call's limit", "warn", "A call costs more than you let one cost.", _FALLBACK),
    Route.CALLER_LIMIT: Outcome(
        "caller's limit", "warn", "What you let one caller cost in a day was spent.", _FALLBACK
    ),
}
_RINGING = Outcome("ringing", "live", "The phone is ringing.")
_TALKING = Outcome("talking", "live", "They are talking right now.")


def outcome_of(call: Call) -> Outcome:
    """What became of a call, or what it is doing."""
    if call.status == CallStatus.RINGING:
        return _RINGING
    if call.status == CallStatus.IN_PROGRESS:
        return _TALKING
    if call.parent_id is not None:
        return _outcome_of_leg(call.end_reason or "")
    if call.route in _ROUTES:
        return _ROUTES[call.route]
    if call.outcome is not None and call.outcome in _OUTCOMES and call.status == CallStatus.COMPLETED:
        return _OUTCOMES[call.outcome]
    reason = call.end_reason or ""
    if reason in _ENDINGS:
        return _ENDINGS[reason]
    # A reason that this version does not know is shown as it is, rather than hidden.
    words = reason.replace("_", " ")
    tone: Tone = "bad" if call.status == CallStatus.FAILED else ""
    return Outcome(call.status.value.lower().replace("_", " "), tone, f"The call ended: {words}." if words else "")


def _outcome_of_leg(reason: str) -> Outcome:
    """What became of putting a caller through to a person."""
    if reason == "credit_ended":
        return Outcome("credit ran out", "warn", "The credit ran out, so the call ended.")
    if reason == "never_answered":
        return _ENDINGS["nobody_answered"]
    if reason in _ENDINGS:
        return _ENDINGS[reason]
    refused = _ROUTES.get(reason)
    if refused is not None:
        return Outcome(refused.tag, refused.tone, f"{refused.sentence} So the agent went on.")
    return Outcome("not reached", "warn", f"The caller was not put through: {reason.replace('_', ' ')}.")


def not_charged(reason: str, *, is_leg: bool = False) -> str:
    """Why a call costs nothing, or a leg to a person."""
    if is_leg and reason in _ROUTES:
        return "Not charged: nobody was rung."
    known = {
        "no_credit": "Not charged: the agent did not answer, because there was no credit.",
        "too_many_calls": "Not charged: the agent did not answer, because too many calls were running.",
        "debt": "Not charged: the agent did not answer, because the account owes credits.",
        "blocked": "Not charged: the agent did not answer, because the account is blocked.",
        "no_price": "Not charged: the agent did not answer, because there is no price.",
        "day_limit": "Not charged: the agent did not answer, because your limit for a day was reached.",
        "call_limit": "Not charged: the agent did not answer, because your limit for a call is too low for one.",
        "caller_limit": "Not charged: the agent did not answer, because your limit for a caller was reached.",
        "never answered": "Not charged: the call was never answered.",
        "not answered yet": "Not charged yet: the phone is still ringing.",
        "platform_fault": "Not charged: the fault was ours.",
        "wrong_number": "Not charged: it was a wrong number.",
        "spam": "Not charged: it was spam.",
        "not_a_call": "Not charged: nobody was there.",
    }
    return known.get(reason, f"Not charged: {reason.replace('_', ' ')}.")


def no_more_time(reason: str) -> str:
    """Why a call got no more time than it had; "" when that needs no saying."""
    known = {
        "no_credit": "There was no credit left to go on with.",
        "debt": "It could not go on, because the account owes credits.",
        "blocked": "It could not go on, because the account is blocked.",
        "day_limit": "It could not go on: your limit for a day was reached.",
        "call_limit": "It could not go on: your limit for a call was reached.",
        "caller_limit": "It could not go on: your limit for a caller was reached.",
    }
    return known.get(reason, "")


def plain_amount(minor: int, currency: str) -> str:
    """An amount as a form's field takes it: `50.00`, in yen `50`."""
    return f"{Decimal(minor).scaleb(-currencies.decimals(currency)):f}"


def clock_zone(name: str) -> ZoneInfo:
    """A zone by its name; UTC for one that the machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def greeting(now: datetime) -> str:
    """What one says at this hour."""
    if 5 <= now.hour < 12:
        return "Good morning"
    return "Good afternoon" if 12 <= now.hour < 18 else "Good evening"


def moment(at: datetime, now: datetime) -> str:
    """When something was, seen from now (both on the reader's clock): `14:02`, `Mon 14:02`, `3 Nov`, `3 Nov 2025`."""
    days = (now.date() - at.date()).days
    if days == 0:
        return f"{at:%H:%M}"
    if 0 < days < 7:
        return f"{at:%a %H:%M}"
    return f"{at.day} {at:%b}" if at.year == now.year else f"{at.day} {at:%b %Y}"


def moment_in_full(at: datetime) -> str:
    """`22 November 2026, 14:02:11`."""
    return f"{at.day} {at:%B %Y, %H:%M:%S}"


def length(seconds: int) -> str:
    """`0:09`, `3:44`, `1:02:03`."""
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def length_in_words(seconds: int) -> str:
    """`9 s`, `2 min 5 s`."""
    minutes, rest = divmod(max(0, seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def figure(credits: int) -> str:
    """`8,412`, `−10`."""
    return f"{credits:,}".replace("-", "−")


def signed(credits: int) -> str:
    """`+500`, `−15`."""
    return f"{credits:+,}".replace("-", "−")


def credits_in_words(credits: int) -> str:
    """`1 credit`, `8,412 credits`."""
    return f"{figure(credits)} credit{'' if credits == 1 else 's'}"


def held_in_words(held: int, calls: int) -> str:
    """What is set aside, and for what: `75 held by 2 live calls`."""
    if not held:
        return "nothing is held"
    if not calls:
        return f"{held:,} held until a call is settled"
    return f"{held:,} held by {calls} live call{'' if calls == 1 else 's'}"


def number(e164: str, *, at_home: str | None = None) -> str:
    """A phone number as people write it: nationally when it is of the same country as `at_home` (or that is not given),
    else internationally. What is no number is shown as it came."""
    parsed = _parsed(e164)
    if parsed is None:
        return e164
    home = _parsed(at_home) if at_home else parsed
    style = phonenumbers.PhoneNumberFormat
    is_home = home is not None and home.country_code == parsed.country_code
    return str(phonenumbers.format_number(parsed, style.NATIONAL if is_home else style.INTERNATIONAL))


def opening(hours: OpeningHours | None, now: datetime) -> str:
    """Whether a business is open now, and until when, on its own clock: `Open until 18:00`."""
    if hours is None:
        return "No opening hours"
    closes = hours.closes_at(now)
    if closes is not None:
        return f"Open until {_when(closes, hours.local(now))}"
    if hours.is_open(now):
        return "Always open"
    opens = hours.next_opening(now)
    return f"Closed, opens {_when(opens, hours.local(now))}" if opens else "Closed until further notice"


def people(count: int) -> str:
    """How many callers are on the line, as a sentence."""
    names = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    if count == 0:
        return "Nobody is on the line."
    who = names[count] if count < len(names) else str(count)
    return f"{who} caller{' is' if count == 1 else 's are'} being answered right now."


def _when(at: datetime, now: datetime) -> str:
    days = (at.date() - now.date()).days
    if days == 0:
        return f"{at:%H:%M}"
    if days == 1 and at - now < timedelta(hours=36):
        return f"tomorrow {at:%H:%M}"
    return f"{at:%A %H:%M}" if days < 7 else f"{at.day} {at:%B, %H:%M}"


def _parsed(text: str) -> phonenumbers.PhoneNumber | None:
    if not text.startswith("+"):
        return None
    try:
        return phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
