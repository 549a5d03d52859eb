"""Which calls somebody wants to see: read from the address, said in a sentence, and written back into an address.

The one rule: everything that is chosen stands in the address, so that it can be kept, shared and gone back to.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import Request

from talktime.agents.models import Agent
from talktime.calls.history import CallFilter
from talktime.calls.search import WORDS_LENGTH_MAX, CameTo, filter_of
from talktime.errors import NotFound
from talktime.numbers.models import PhoneNumber
from talktime.web import words
from talktime.web.language import _
from talktime.web.words import Clock, clock_zone

NAMES = ("agent", "number", "outcome", "from", "to", "words")
_Thing = TypeVar("_Thing")
_YEARS = (2000, 2100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    values: Mapping[str, str]
    """As it was typed and chosen."""
    errors: Mapping[str, str]
    which: CallFilter
    words: str
    before: uuid.UUID | None
    """The last call of the page before."""
    parts: Sequence[str] = field(default=())
    """What is asked for, in words."""

    @property
    def is_everything(self) -> bool:
        return not any(self.values.values())

    @property
    def sentence(self) -> str:
        """What is shown, as a sentence; "" when that is everything."""
        return _("Only some calls are shown: {which}.").format(which="; ".join(self.parts)) if self.parts else ""

    def address(self, path: str, before: uuid.UUID | None = None) -> str:
        """The address that asks for this, of the page after `before`."""
        asked = {name: value for name, value in self.values.items() if value}
        if before is not None:
            asked["before"] = str(before)
        return f"{path}?{urlencode(asked)}" if asked else path


def outcomes() -> dict[CameTo, str]:
    """What a call can have come to, as one chooses it."""
    return {
        CameTo.ANSWERED: _("Answered"),
        CameTo.MESSAGE: _("Message taken"),
        CameTo.PUT_THROUGH: _("Put through"),
        CameTo.NOT_REACHED: _("Person not reached"),
        CameTo.GAVE_UP: _("Caller gave up"),
        CameTo.AFTER_HOURS: _("After hours"),
        CameTo.NO_CREDIT: _("No credit"),
        CameTo.TURNED_AWAY: _("Not answered for another reason"),
        CameTo.ENDED_EARLY: _("Ended early"),
        CameTo.FAILED: _("Failed"),
    }


def query(request: Request) -> dict[str, str]:
    """What stands in the address, as it was typed and chosen; "" where nothing does."""
    asked = request.query_params
    return {name: asked.get(name, "").replace("\0", " ").strip() for name in NAMES}


def kept(request: Request) -> str:
    """The same, to be written behind an address again."""
    asked = {name: value for name, value in query(request).items() if value}
    return f"?{urlencode(asked)}" if asked else ""


def read(request: Request, clock: Clock, agents: Sequence[Agent], numbers: Sequence[PhoneNumber]) -> Wanted:
    """What the address asks for, of these agents and numbers. Raises NotFound for one that is not among them."""
    values = query(request)
    errors: dict[str, str] = {}
    agent = _one_of({str(each.id): each for each in agents}, values["agent"])
    number = _one_of({str(each.id): each for each in numbers}, values["number"])
    came_to = _one_of({each.value: each for each in CameTo}, values["outcome"])
    first, last = _day(values, "from", errors), _day(values, "to", errors)
    if first and last and first > last:
        errors["to"] = _("This day is before the first one.")
    if len(values["words"]) > WORDS_LENGTH_MAX:
        errors["words"] = _("At most {count} characters.").format(count=WORDS_LENGTH_MAX)
    which = filter_of(
        agent=agent.id if agent else None,
        number=number.id if number else None,
        came_to=came_to,
        began_from=_midnight(first, clock) if first else None,
        began_before=_midnight(last + timedelta(days=1), clock) if last else None,
    )
    parts = [*_of_things(agent, number, came_to), *_of_days(first, last), *_of_words(values["words"])]
    return Wanted(values, errors, which, values["words"], _call(request.query_params.get("before", "")), parts)


def _of_things(agent: Agent | None, number: PhoneNumber | None, came_to: CameTo | None) -> list[str]:
    parts = []
    if agent:
        parts.append(_("agent {name}").format(name=agent.name))
    if number:
        parts.append(_("number {number}").format(number=words.number(number.number)))
    if came_to:
        parts.append(_("came to “{outcome}”").format(outcome=outcomes()[came_to]))
    return parts


def _of_days(first: date | None, last: date | None) -> list[str]:
    if first and first == last:
        return [_("on {day}").format(day=words.whole_day(first))]
    parts = [_("from {day} on").format(day=words.whole_day(first))] if first else []
    return [*parts, *([_("up to {day}").format(day=words.whole_day(last))] if last else [])]


def _of_words(said: str) -> list[str]:
    return [_("somebody says “{words}”").format(words=said)] if said else []


def _one_of(things: Mapping[str, _Thing], name: str) -> _Thing | None:
    """The thing of this name; None when none was asked for."""
    if not name:
        return None
    if name not in things:
        raise NotFound("There is no page at this address.")
    return things[name]


def _day(values: Mapping[str, str], name: str, errors: dict[str, str]) -> date | None:
    if not values[name]:
        return None
    try:
        day = date.fromisoformat(values[name])
    except ValueError:
        day = None
    if day is None or not _YEARS[0] <= day.year < _YEARS[1]:
        errors[name] = _("A day such as 2026-11-03.")
        return None
    return day


def _midnight(day: date, clock: Clock) -> datetime:
    return datetime.combine(day, time(), clock_zone(clock.zone))


def _call(name: str) -> uuid.UUID | None:
    if not name:
        return None
    try:
        return uuid.UUID(name)
    except ValueError:
        raise NotFound("There is no page at this address.") from None
