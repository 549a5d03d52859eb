"""The agents on the overview, as plain values: how each is reached, and whether its business is open."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from talktime.agents.models import Agent
from talktime.agents.opening_hours import OpeningHours
from talktime.agents.publish import opening_hours
from talktime.numbers.models import PhoneNumber
from talktime.web import words
from talktime.web.agents.states import opening_of
from talktime.web.language import _
from talktime.web.words import Tone


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent and how to reach it."""

    id: uuid.UUID
    name: str
    business: str
    numbers: Sequence[str]
    opening: str
    tone: Tone
    is_active: bool
    is_published: bool


def agent_view(agent: Agent, numbers: Sequence[PhoneNumber], now: datetime) -> AgentView:
    """An agent as the overview shows it; `numbers` are all of the user's."""
    is_published = agent.published is not None
    hours = opening_hours(agent.published) if agent.published else None
    is_open = hours is None or hours.is_open(now)
    answers = is_published and agent.active
    return AgentView(
        id=agent.id,
        name=agent.name,
        business=agent.business,
        numbers=[words.number(number.number) for number in numbers if number.agent_id == agent.id],
        opening=_opening(agent, hours, now),
        tone="ok" if answers and is_open else "",
        is_active=agent.active,
        is_published=is_published,
    )


def _opening(agent: Agent, hours: OpeningHours | None, now: datetime) -> str:
    if agent.published is None or not agent.active:
        return _("switched off")
    return opening_of(agent, now) if hours is not None else _("answers at any time")
