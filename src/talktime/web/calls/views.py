"""What the pages show of calls, as plain values: everything is decided and put into words here, so that templates only
arrange.

Nothing here reads the database or the clock.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from talktime.calls.history import CallRecord
from talktime.calls.models import Call, CallStatus, Party
from talktime.calls.receipt import Receipt
from talktime.calls.search import Excerpt
from talktime.carriers.browser import NAME as BROWSER
from talktime.web import local, words
from talktime.web.calls.outcomes import Outcome, outcome_of
from talktime.web.calls.receipts import ReceiptView, receipt_view
from talktime.web.calls.turns import TurnView, turn_view
from talktime.web.language import _
from talktime.web.words import Clock


@dataclass(frozen=True, slots=True)
class RowView:
    """A call as a row of a list."""

    id: uuid.UUID
    when: str
    when_in_full: str
    iso: str
    caller: str
    agent: str
    outcome: Outcome
    summary: str
    length: str
    elapsed_seconds: int | None
    """Set while they talk: the page counts on from here."""
    credits: str
    is_live: bool


@dataclass(frozen=True, slots=True)
class CallView:
    """One call with everything that was said."""

    row: RowView
    turns: Sequence[TurnView]
    nothing: str
    """What stands where no conversation is."""
    reply_time: str
    receipt: ReceiptView
    others: Sequence[tuple[uuid.UUID, str]] = ()
    """The calls that belong to this one, and in what way."""
    excerpt: Excerpt | None = None
    """Where somebody says the words that were looked for."""


def call_view(
    record: CallRecord, clock: Clock, *, corrections: Mapping[int, str] | None = None, excerpt: Excerpt | None = None
) -> CallView:
    """A call as the pages show it; `corrections` are what should have been said, by the number of the turn."""
    call, said = record.call, corrections or {}
    return CallView(
        row=row_view(record, clock),
        turns=[turn_view(call.id, turn, said.get(turn.turn_no, "")) for turn in record.turns],
        nothing=_nothing(record),
        reply_time=reply_time([record]),
        receipt=receipt_view(record, clock),
        others=_others(record),
        excerpt=excerpt,
    )


def reply_time(records: Sequence[CallRecord]) -> str:
    """The median time from a caller's last word to the agent's first sound, over these calls; "" when there is none."""
    times = [
        turn.latency["first_audio"]
        for record in records
        for turn in record.turns
        if turn.latency and "first_audio" in turn.latency
    ]
    return seconds_of(median(times)) if times else ""


def seconds_of(milliseconds: float) -> str:
    """`0.71 s`, in German `0,71 s`."""
    written = f"{milliseconds / 1000:.2f} s"
    return written.replace(".", ",") if local.language() == "de" else written


def row_view(record: CallRecord, clock: Clock) -> RowView:
    """A call as a row of a list."""
    call, receipt = record.call, record.receipt
    started = clock.local(call.started_at)
    elapsed = None
    if call.status == CallStatus.IN_PROGRESS and call.answered_at is not None:
        elapsed = max(0, int((clock.now - call.answered_at).total_seconds()))
    took = elapsed if elapsed is not None else call.seconds or None
    outcome = outcome_of(call)
    return RowView(
        id=call.id,
        when=_("now") if record.is_live else words.moment(started, clock.local(clock.now)),
        when_in_full=words.moment_in_full(started),
        iso=started.isoformat(timespec="seconds"),
        caller=_caller(call),
        agent=call.agent.name if call.agent else "",
        outcome=outcome,
        summary=_summary(record, outcome),
        length=words.length(took) if took is not None else "",
        elapsed_seconds=elapsed,
        credits=_credits(record.is_live, receipt),
        is_live=record.is_live,
    )


def _credits(is_live: bool, receipt: Receipt | None) -> str:
    if is_live and receipt is not None:
        return _("{held} held").format(held=local.figure(receipt.held))
    return local.figure(receipt.charged if receipt is not None else 0)


def _caller(call: Call) -> str:
    """Who called; of a call that was put through, also whom."""
    caller = words.number(call.caller, at_home=call.dialled) if call.caller else _nobody(call)
    if call.parent_id is None:
        return caller
    person = words.number(call.dialled, at_home=call.caller) if call.dialled else _("a person")
    return f"{caller} → {person}"


def _nobody(call: Call) -> str:
    if call.carrier == BROWSER:
        return _("You, from the browser")
    return _("A caller who was forgotten") if call.forgotten_at is not None else _("Withheld number")


def _summary(record: CallRecord, outcome: Outcome) -> str:
    """What a call was about: what was noted, else the caller's first words, or what was said last while they talk, else
    how it ended."""
    if record.call.summary:
        return record.call.summary
    said = _said_last(record) if record.is_live else _said_first(record)
    return _("“{words}”").format(words=said) if said and outcome.tone in ("ok", "", "live") else outcome.sentence


def _said_first(record: CallRecord) -> str:
    return next((turn.text for turn in record.turns if turn.speaker == Party.CALLER and turn.text), "")


def _said_last(record: CallRecord) -> str:
    return next((turn.text for turn in reversed(record.turns) if turn.text), "")


def _nothing(record: CallRecord) -> str:
    if record.call.forgotten_at is not None:
        return _("What was said is gone with the caller, who was forgotten.")
    if record.call.parent_id is not None:
        return _("Nobody of ours listens to a call that was put through.")
    return _("Nothing was said yet.") if record.is_live else _("Nothing was said.")


def _others(record: CallRecord) -> list[tuple[uuid.UUID, str]]:
    if record.call.parent_id is not None:
        return [(record.call.parent_id, _("The call that was put through"))]
    before = record.call.resumes_id
    others = [(before, _("The person who did not answer, from whom the caller came back"))] if before else []
    # Also of a call that only the fallback answered, which has no receipt.
    legs = [leg.id for leg in record.call.legs if leg.carrier_call_id]
    return others + [(leg, _("What came of putting the caller through")) for leg in legs]
