"""What needs looking at, most urgent first: each says what it is, and leads to where it is put right.

The rule: nothing here reads the database. What is all right is not mentioned.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from talktime.credits.account import Funds, Guards
from talktime.web import local, words
from talktime.web.language import _
from talktime.web.overview.agents import AgentView

LASTS_DAYS_MIN = 7
"""Credit for fewer days is something to look at."""


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing to look at."""

    title: str
    detail: str
    address: str
    action: str


def of_credit(funds: Funds, guards: Guards, days_left: int | None) -> list[Matter]:
    """Whether the credit lasts. That there is none, or that it is owed, stands over every page anyway."""
    if funds.is_blocked or funds.debt or not funds.free:
        return []
    action = _("Buy credits")
    if days_left is not None and days_left < LASTS_DAYS_MIN:
        lasts = (
            _("It lasts for less than a day if calls go on like this.")
            if days_left == 0
            else _("It lasts for about a day if calls go on like this.")
            if days_left == 1
            else _("It lasts for about {days} days if calls go on like this.").format(days=days_left)
        )
        return [Matter(_("Your credit is running low"), lasts, "/credits", action)]
    if guards.low_balance is not None and funds.balance < guards.low_balance:
        below = _("It is below the {credits} at which you want to be told.")
        said = below.format(credits=words.credits_in_words(guards.low_balance))
        return [Matter(_("Your credit is running low"), said, "/credits", action)]
    return []


def of_agents(
    agents: Sequence[AgentView], drafts: Collection[uuid.UUID], corrections: Mapping[uuid.UUID, int]
) -> list[Matter]:
    """What keeps an agent from answering, what was written and not published, and answers that were wrong."""
    matters = []
    for agent in agents:
        address = f"/agents/{agent.id}"
        if not agent.is_published:
            title = _("{name} was never published").format(name=agent.name)
            matters.append(Matter(title, _("Until then it answers nobody."), address, _("Look at it")))
        elif not agent.is_active:
            title = _("{name} is switched off").format(name=agent.name)
            matters.append(Matter(title, _("Callers get your fallback."), address, _("Look at it")))
        if not agent.numbers:
            title = _("{name} has no number").format(name=agent.name)
            matters.append(Matter(title, _("Callers cannot reach it."), "/numbers", _("Give it one")))
        if agent.id in drafts and agent.is_published:
            title = _("Changes of {name} are not published").format(name=agent.name)
            matters.append(Matter(title, _("Callers hear the version before."), address, _("Look at it")))
        if wrong := corrections.get(agent.id, 0):
            matters.append(_of_answers(agent, wrong))
    return matters


def _of_answers(agent: AgentView, wrong: int) -> Matter:
    title = (
        _("One answer of {name} was wrong").format(name=agent.name)
        if wrong == 1
        else _("{count} answers of {name} were wrong").format(count=local.figure(wrong), name=agent.name)
    )
    said = _("You said what would have been better: it is not in its text yet.")
    return Matter(title, said, f"/agents/{agent.id}", _("Look at it"))
