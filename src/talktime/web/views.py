"""What the pages show, as plain values: everything is decided and put into words here, so that templates only arrange.

Nothing here reads the database or the clock.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from talktime.agents.models import Agent
from talktime.agents.opening_hours import OpeningHours
from talktime.agents.publish import opening_hours
from talktime.calls.history import CallRecord
from talktime.calls.models import CallStatus, Party
from talktime.credits.account import Funds
from talktime.numbers.models import PhoneNumber
from talktime.web import words
from talktime.web.receipts import ReceiptView, receipt_view
from talktime.web.turns import TurnView, turn_view
from talktime.web.words import Clock

_SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class CallView:
    """One call."""

    id: uuid.UUID
    when: str
    when_in_full: str
    iso: str
    caller: str
    agent: str
    outcome: words.Outcome
    summary: str
    length: str
    elapsed_seconds: int | None
    """Set while they talk: the page counts on from here."""
    credits: str
    is_live: bool
    turns: Sequence[TurnView]
    nothing: str
    """What stands where no conversation is."""
    reply_time: str
    receipt: ReceiptView
    others: Sequence[tuple[uuid.UUID, str]] = ()
    """The calls that belong to this one, and in what way."""


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent and how to reach it."""

    name: str
    business: str
    numbers: Sequence[str]
    opening: str
    is_open: bool
    after_hours: str
    """What a caller gets when the business is closed."""
    is_simulated: bool
    """Its numbers live on the simulated carrier."""


def call_view(record: CallRecord, clock: Clock) -> CallView:
    """A call as the pages show it."""
    call = record.call
    started = clock.local(call.started_at)
    elapsed = None
    if call.status == CallStatus.IN_PROGRESS and call.answered_at is not None:
        elapsed = max(0, int((clock.now - call.answered_at).total_seconds()))
    took = elapsed if elapsed is not None else call.seconds or None
    outcome = words.outcome_of(call)
    caller = words.number(call.caller, at_home=call.dialled) if call.caller else _nobody(record)
    if call.parent_id is not None:
        caller = f"{caller} → {words.number(call.dialled, at_home=call.caller) if call.dialled else 'a person'}"
    return CallView(
        id=call.id,
        when="now" if record.is_live else words.moment(started, clock.local(clock.now)),
        when_in_full=words.moment_in_full(started),
        iso=started.isoformat(timespec="seconds"),
        caller=caller,
        agent=call.agent.name if call.agent else "",
        outcome=outcome,
        summary=_summary(record, outcome),
        length=words.length(took) if took is not None else "",
        elapsed_seconds=elapsed,
        credits=_credits(record),
        is_live=record.is_live,
        turns=[turn_view(call.id, turn) for turn in record.turns],
        nothing=_nothing(record),
        reply_time=reply_time([record]),
        receipt=receipt_view(record, clock),
        others=_others(record),
    )


def agent_view(agent: Agent, numbers: Sequence[PhoneNumber], now: datetime) -> AgentView:
    """An agent as the pages show it; `numbers` are all of the user's."""
    own = [number for number in numbers if number.agent_id == agent.id]
    hours = opening_hours(agent.published) if agent.published else None
    switched_on = agent.active and agent.published is not None
    return AgentView(
        name=agent.name,
        business=agent.business,
        numbers=[words.number(number.number) for number in own],
        opening=words.opening(hours, now) if switched_on else "Switched off: callers get your fallback",
        is_open=switched_on and hours is not None and hours.is_open(now),
        after_hours=_after_hours(agent, hours) if switched_on else "switch it on to have calls answered",
        is_simulated=bool(own) and all(number.carrier == _SIMULATED for number in own),
    )


def reply_time(records: Sequence[CallRecord]) -> str:
    """The median time from a caller's last word to the agent's first sound, over these calls; "" when there is none."""
    times = [
        turn.latency["first_audio"]
        for record in records
        for turn in record.turns
        if turn.latency and "first_audio" in turn.latency
    ]
    return f"{median(times) / 1000:.2f} s" if times else ""


def credit_sentence(funds: Funds) -> str:
    """What a customer must know about their credit; "" when all is well."""
    if funds.is_blocked:
        return "The account is blocked: no call is answered by the agent."
    if funds.debt:
        return f"{words.credits_in_words(funds.debt)} are owed: no call is answered by the agent until they are paid."
    if funds.free == 0 and not funds.held:
        return "There is no credit left: callers get your fallback."
    return ""


def _after_hours(agent: Agent, hours: OpeningHours | None) -> str:
    if hours is None:
        return "the agent answers at any time"
    if agent.published is not None and agent.published.answers_after_hours:
        return f"{hours.zone} time; the agent answers at any time"
    return f"{hours.zone} time; after hours callers get your fallback"


def _nobody(record: CallRecord) -> str:
    return "A caller who was forgotten" if record.call.forgotten_at is not None else "Withheld number"


def _nothing(record: CallRecord) -> str:
    if record.call.forgotten_at is not None:
        return "What was said is gone with the caller, who was forgotten."
    if record.call.parent_id is not None:
        return "Nobody of ours listens to a call that was put through."
    return "Nothing was said yet." if record.is_live else "Nothing was said."


def _others(record: CallRecord) -> list[tuple[uuid.UUID, str]]:
    if record.call.parent_id is not None:
        return [(record.call.parent_id, "The call that was put through")]
    before = record.call.resumes_id
    others = [(before, "The person who did not answer, from whom the caller came back")] if before else []
    # Also of a call that only the fallback answered, which has no receipt.
    legs = [leg.id for leg in record.call.legs if leg.carrier_call_id]
    return others + [(leg, "What came of putting the caller through") for leg in legs]


def _summary(record: CallRecord, outcome: words.Outcome) -> str:
    """What a call was about: what was noted, else the caller's first words, else how it ended."""
    if record.call.summary:
        return record.call.summary
    first = next((turn.text for turn in record.turns if turn.speaker == Party.CALLER and turn.text), "")
    return f"“{first}”" if first and outcome.tone in ("ok", "") else outcome.sentence


def _credits(record: CallRecord) -> str:
    receipt = record.receipt
    if record.is_live and receipt is not None:
        return f"{words.figure(receipt.held)} held"
    return words.figure(receipt.charged) if receipt is not None else "0"
