"""How an agent is doing, in a word or two: whether it answers, whether its draft is published, whether it is open.

The rule: values in, words out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from talktime.agents.models import Agent
from talktime.agents.opening_hours import DAYS, OpeningHours
from talktime.agents.publish import opening_hours
from talktime.web.agents.words import day_name
from talktime.web.language import _


@dataclass(frozen=True, slots=True)
class State:
    """A word or two, and their colour."""

    text: str
    tone: str


def states_of(agent: Agent, *, has_open_draft: bool) -> list[State]:
    """Whether it answers, and whether something that was written is waiting."""
    if agent.archived_at is not None:
        return [State(_("Archived"), "")]
    if agent.published_version is None:
        return [State(_("Not published yet"), "warn")]
    first = State(_("Answers calls"), "ok") if agent.active else State(_("Switched off"), "")
    return [first, *([State(_("Changes not published"), "warn")] if has_open_draft else [])]


def opening_of(agent: Agent, now: datetime) -> str:
    """Whether the business is open at this moment, by what is published, on its own clock: `open until 18:00`."""
    hours = opening_hours(agent.published) if agent.published is not None else None
    return opening(hours, now) if hours is not None else _("no hours are set")


def opening(hours: OpeningHours, now: datetime) -> str:
    """The same of any hours."""
    here = hours.local(now)
    if hours.is_open(now):
        closes = hours.closes_at(now)
        return _("open until {time}").format(time=_when(closes, here)) if closes else _("always open")
    opens = hours.next_opening(now)
    return _("closed, opens {time}").format(time=_when(opens, here)) if opens else _("closed")


def _when(at: datetime, here: datetime) -> str:
    """A time of the next days: `18:00`, `tomorrow 09:00`, `Monday 09:00`."""
    time = f"{at:%H:%M}"
    days = (at.date() - here.date()).days
    if days == 0:
        return time
    if days == 1 and time == "00:00":
        return _("midnight")
    if days == 1:
        return _("tomorrow {time}").format(time=time)
    if at - here < timedelta(days=7):
        return f"{day_name(DAYS[at.weekday()])} {time}"
    return f"{at:%d.%m.%Y} {time}"
