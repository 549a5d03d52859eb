"""Shapes of `calls`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class CallStatus(OpenEnum):
    """Where a call stands: RINGING → IN_PROGRESS → COMPLETED | FAILED; RINGING → COMPLETED | NO_ANSWER | FAILED."""

    RINGING = "RINGING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    NO_ANSWER = "NO_ANSWER"


CallStatusName: TypeAlias = Literal["RINGING", "IN_PROGRESS", "COMPLETED", "FAILED", "NO_ANSWER"]


class ClaimState(OpenEnum):
    """What became of a customer's word that a call was not a real one."""

    REQUESTED = "REQUESTED"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"


class Direction(OpenEnum):
    """Who called whom."""

    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class NotCharged(OpenEnum):
    """Why a call that was answered costs nothing. The values are stored, and stand on the receipt in words."""

    PLATFORM_FAULT = "platform_fault"
    WRONG_NUMBER = "wrong_number"
    SPAM = "spam"
    NOT_A_CALL = "not_a_call"


NotChargedName: TypeAlias = Literal["platform_fault", "wrong_number", "spam", "not_a_call"]


class Party(OpenEnum):
    """Whose turn it was."""

    CALLER = "CALLER"
    AGENT = "AGENT"


@dataclass(frozen=True, slots=True)
class Claim:
    """The customer's word that it was not a real call, and what became of it."""

    reason: str
    state: ClaimState
    automatic: bool
    """It was granted at once, because the call was short and it was one of the month's first."""
    credits: int
    """What the call had cost by then."""
    note: str | None
    """What whoever decided it wants to be known."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A line of the ledger that the call made."""

    seq: int
    type: str
    amount: int
    balance_after: int
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """How the charge was arrived at, so that anybody can do the sum again."""

    seconds: int
    carrier_seconds: int | None
    counted_seconds: int
    """What the charge goes by: ours, or the phone company's where the two differ too much."""
    billable_seconds: int
    credits_per_minute: int
    connection_fee: int
    initial_seconds: int
    increment_seconds: int
    free_seconds: int
    charged: int
    """The lines' sum, as a positive number."""
    corrected: int
    unbilled: int
    held: int
    is_final: bool
    """False while the call runs, or is not settled yet."""
    not_charged_reason: str | None
    final_reason: str | None
    """Why it got no more time, where it did not: `no_credit`, or the name of a limit of yours."""
    rule: str
    """The sum, in words."""
    lines: tuple[ReceiptLine, ...]
    claim: Claim | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's stretch of speech: as it was heard, or really spoken."""

    turn_no: int
    speaker: Party
    text: str
    began_ms: int
    """Milliseconds since the call was answered."""
    ended_ms: int
    interrupted: bool
    """The caller spoke over it; what was not heard any more is not in the text."""
    tools: tuple[Mapping[str, Any], ...]
    """What the agent did meanwhile: a name, what it gave, what it got."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call with what was said, and its receipt."""

    id: UUID
    agent_id: UUID | None
    agent_version: int | None
    """Null for a call from the dashboard to the agent as its draft was."""
    agent_name: str | None
    number_id: UUID | None
    carrier: str
    """The phone company that it came through; `browser` for a call that you made from the dashboard, which has
    neither
    `caller` nor `dialled`.
    """
    direction: Direction
    parent_id: UUID | None
    """Of a leg to a person, the call whose caller was put through."""
    caller: str | None
    """E.164; null when it was withheld, is not kept any more, or there is none (`carrier`)."""
    dialled: str | None
    status: CallStatus
    route: str
    """What the caller got: `talk`, or what was said instead, such as `after_hours`."""
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    seconds: int | None
    """Talk by our clock, rounded up; null while it runs."""
    outcome: str | None
    summary: str | None
    credits: int
    """What it cost, corrections included."""
    held: int
    """What is set aside while it runs."""
    carrier_seconds: int | None
    turns: tuple[Turn, ...]
    receipt: Receipt | None
    """Null where nobody asked about credit, because the agent did not answer."""
    legs: tuple[UUID, ...]
    """The calls to persons that the caller was put through on."""


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call, as a row of a list."""

    id: UUID
    agent_id: UUID | None
    agent_version: int | None
    """Null for a call from the dashboard to the agent as its draft was."""
    agent_name: str | None
    number_id: UUID | None
    carrier: str
    """The phone company that it came through; `browser` for a call that you made from the dashboard, which has
    neither
    `caller` nor `dialled`.
    """
    direction: Direction
    parent_id: UUID | None
    """Of a leg to a person, the call whose caller was put through."""
    caller: str | None
    """E.164; null when it was withheld, is not kept any more, or there is none (`carrier`)."""
    dialled: str | None
    status: CallStatus
    route: str
    """What the caller got: `talk`, or what was said instead, such as `after_hours`."""
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    seconds: int | None
    """Talk by our clock, rounded up; null while it runs."""
    outcome: str | None
    summary: str | None
    credits: int
    """What it cost, corrections included."""
    held: int
    """What is set aside while it runs."""
