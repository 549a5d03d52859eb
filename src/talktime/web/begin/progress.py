"""How far somebody is with their first hour, told from what exists: an agent, what it knows, a call, a number, credits.

The one rule: an account that has all of it is over and done with after one look, because the overview asks every time.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from talktime.agents import drafts
from talktime.agents.drafts import CurrentDraft
from talktime.agents.models import Agent
from talktime.agents.reading import agents_of
from talktime.calls import history
from talktime.credits.account import Funds
from talktime.db.session import Session
from talktime.numbers.models import PhoneNumber
from talktime.payments import checkout
from talktime.payments.models import PurchaseState
from talktime.web.begin import saying
from talktime.web.language import _

BUSINESS, KNOWLEDGE, CALL, NUMBER, CREDITS = "business", "knowledge", "call", "number", "credits"
DONE = "/begin/done"
_PURCHASES_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the first hour."""

    name: str
    title: str
    is_done: bool

    @property
    def address(self) -> str:
        """Where it is done, and done again."""
        return f"/begin/{self.name}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far somebody is."""

    steps: Sequence[Step]
    agent: Agent | None
    """The one that this is about: the first that answers a number, else the first there is."""
    draft: CurrentDraft | None
    """What stands in its draft; None where that was not looked at, because all is done."""

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.is_done for step in self.steps)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.steps)

    @property
    def is_over(self) -> bool:
        """Whether nothing is open."""
        return self.done == self.total

    @property
    def address(self) -> str:
        """Where the next open step is; the overview when there is none."""
        return next((step.address for step in self.steps if not step.is_done), "/")

    @property
    def next_title(self) -> str:
        """What the next open step is called; "" when there is none."""
        return next((step.title for step in self.steps if not step.is_done), "")

    def is_done(self, name: str) -> bool:
        """Whether a step is done."""
        return any(step.is_done for step in self.steps if step.name == name)


async def progress_of(
    db: Session,
    user: uuid.UUID,
    numbers: Sequence[PhoneNumber],
    funds: Funds,
    *,
    in_full: bool = False,
    agents: Sequence[Agent] | None = None,
) -> Progress:
    """How far a customer is, in their own transaction; `numbers`, `funds`, and `agents` if they were read already, are
    all of theirs.

    Of an account that is complete nothing more is read than its agents, unless the whole is wanted (`in_full`).
    """
    agent = _agent(await agents_of(db, user) if agents is None else agents, numbers)
    if agent is None:
        return Progress(_steps(), None, None)
    answers = agent.published_version is not None and any(number.agent_id == agent.id for number in numbers)
    if answers and funds.free and not in_full:
        return Progress(_steps(BUSINESS, KNOWLEDGE, CALL, NUMBER, CREDITS), agent, None)
    draft = await drafts.read(db, user, agent.id)
    done = {
        BUSINESS: True,
        # Whoever has put their agent on the phone has no need to be asked what it should know, or to try it here.
        KNOWLEDGE: agent.published_version is not None or saying.says_something(draft.content),
        CALL: answers or bool(await history.page(db, user, limit=1)),
        NUMBER: answers,
        CREDITS: bool(funds.free) or await _has_bought(db, user),
    }
    return Progress(_steps(*(name for name, is_done in done.items() if is_done)), agent, draft)


def _agent(agents: Sequence[Agent], numbers: Sequence[PhoneNumber]) -> Agent | None:
    """Of several agents the one that has come furthest."""
    has_number = {number.agent_id for number in numbers}

    def far(agent: Agent) -> tuple[bool, bool]:
        return agent.id in has_number and agent.published_version is not None, agent.id in has_number

    return max(agents, key=far, default=None)


async def _has_bought(db: Session, user: uuid.UUID) -> bool:
    """Whether they know how credits are bought. What runs out later is told by mail and in the frame, not here."""
    bought = await checkout.newest(db, user, limit=_PURCHASES_LOOKED_AT)
    return any(each.state in (PurchaseState.PAID, PurchaseState.PENDING) for each in bought)


def _steps(*done: str) -> tuple[Step, ...]:
    titles = {
        BUSINESS: _("Your business"),
        KNOWLEDGE: _("What it should know"),
        CALL: _("Call it"),
        NUMBER: _("Your number"),
        CREDITS: _("Your credits"),
    }
    return tuple(Step(name, title, name in done) for name, title in titles.items())
