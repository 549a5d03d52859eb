"""What a caller gets: the agent, or a rung of the fallback ladder. Nobody is left with a dead line, and nobody hears
about money.

The decision is stored on the call, so a repeated ring gets the same answer, byte for byte.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from talktime.agents.opening_hours import OpeningHours
from talktime.carriers.contract import Announce, Answer, TurnAway


class Route(StrEnum):
    """What a ring was answered with. The values are stored."""

    TALK = "talk"
    TRANSFER = "transfer"
    """No ring at all, but a leg to a person: `transfers.py`."""
    AFTER_HOURS = "after_hours"
    SUSPENDED = "suspended"
    NO_AGENT = "no_agent"
    DRAINING = "draining"
    # What the credits said:
    NO_CREDIT = "no_credit"
    TOO_MANY_CALLS = "too_many_calls"
    DEBT = "debt"
    BLOCKED = "blocked"
    NO_PRICE = "no_price"
    # The customer's own guards on what is spent; the credits say these, too:
    DAY_LIMIT = "day_limit"
    CALL_LIMIT = "call_limit"
    CALLER_LIMIT = "caller_limit"
    # Never stored, because there is no call to store it on:
    UNKNOWN_NUMBER = "unknown_number"
    TROUBLE = "trouble"
    OVER = "over"


_TEXTS: Mapping[str, Mapping[Route, str]] = {
    "en": {
        Route.AFTER_HOURS: "Thank you for calling {business}. We are closed at the moment. Please call again during"
        " our opening hours.",
        Route.TOO_MANY_CALLS: "Thank you for calling {business}. All our lines are busy. Please try again in a few"
        " minutes.",
        Route.UNKNOWN_NUMBER: "This number is not in service.",
        Route.TROUBLE: "We are sorry, we cannot take your call right now. Please try again in a few minutes.",
    },
    "de": {
        Route.AFTER_HOURS: "Vielen Dank für Ihren Anruf bei {business}. Im Moment ist geschlossen. Bitte rufen Sie"
        " während unserer Öffnungszeiten wieder an.",
        Route.TOO_MANY_CALLS: "Vielen Dank für Ihren Anruf bei {business}. Im Moment sind alle Leitungen belegt. Bitte"
        " versuchen Sie es in einigen Minuten noch einmal.",
        Route.UNKNOWN_NUMBER: "Diese Nummer ist nicht vergeben.",
        Route.TROUBLE: "Es tut uns leid, wir können Ihren Anruf gerade nicht annehmen. Bitte versuchen Sie es in"
        " einigen Minuten noch einmal.",
    },
}
_BUSY = {
    "en": "Thank you for calling {business}. We cannot take your call right now. Please try again later.",
    "de": "Vielen Dank für Ihren Anruf bei {business}. Wir können Ihren Anruf gerade nicht annehmen. Bitte versuchen"
    " Sie es später noch einmal.",
}

_PUT_THROUGH = {
    "en": "One moment, please, you are being put through.",
    "de": "Einen Moment, bitte, Sie werden verbunden.",
}
_UNREACHED = {
    "en": "We are sorry, nobody can be reached there right now. Please try again later.",
    "de": "Es tut uns leid, dort ist gerade niemand zu erreichen. Bitte versuchen Sie es später noch einmal.",
}


def rung_before_credits(
    *, user_is_active: bool, agent_is_active: bool, hours: OpeningHours | None, answers_after_hours: bool, now: datetime
) -> Route | None:
    """The rung that is decided before anybody asks about credit; None when the agent may talk."""
    if not user_is_active:
        return Route.SUSPENDED
    if not agent_is_active:
        return Route.NO_AGENT
    if not answers_after_hours and hours is not None and not hours.is_open(now):
        return Route.AFTER_HOURS
    return None


def fallback_answer(route: Route, *, business: str, language: str, fallback: Mapping[str, Any]) -> Answer:
    """What the caller hears on a rung: the customer's own words where they gave some, else ours.

    A sentence and no more: what the ladder costs is the operator's. Whom the customer wants rung instead, at their own
    cost, `standing_in.py` knows.
    """
    if route == Route.OVER:
        return TurnAway()
    tongue = _tongue(language)
    own = fallback.get("texts", {}).get(route.value)
    text = own or _TEXTS[tongue].get(route, _BUSY[tongue]).format(business=business)
    return Announce(text=text, language=language)


def unreached(language: str) -> Announce:
    """What a caller hears whom the agent put through, when the person did not answer."""
    return Announce(text=_UNREACHED[_tongue(language)], language=language)


def put_through(language: str) -> str:
    """What a caller hears before a person is rung instead of the agent."""
    return _PUT_THROUGH[_tongue(language)]


def _tongue(language: str) -> str:
    return "de" if language.lower().startswith("de") else "en"
