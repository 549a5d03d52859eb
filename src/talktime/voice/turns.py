"""The values of a conversation: what a turn was, and how a call ended. How an agent takes turns is said with the agent
(`agents/turn_settings.py`).

The rule here: a turn's text is what was really said and heard, nothing that was only meant to be.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from talktime.agents.turn_settings import TurnSettings

__all__ = ["Ended", "Journal", "Latency", "Side", "ToolUse", "Turn", "TurnSettings"]

Side = Literal["CALLER", "AGENT"]


@dataclass(frozen=True, slots=True)
class Latency:
    """How long an answer took, step by step, each counted from the last sound of the caller's speech."""

    turn_decided_ms: int
    first_token_ms: int
    first_sentence_ms: int
    first_audio_ms: int


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that the agent used."""

    name: str
    arguments: str
    """JSON, as the model sent it."""
    result: str
    succeeded: bool
    duration_ms: int
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's stretch of speech."""

    turn_no: int
    """1 for the first of the call; both sides share the numbers."""
    speaker: Side
    text: str
    """"" only for an agent that used tools and then was not heard."""
    began_ms: int
    """Since the call was answered."""
    ended_ms: int
    latency: Latency | None = None
    """Set on agent turns that answer the caller."""
    interrupted: bool = False
    tools: tuple[ToolUse, ...] = ()
    sources: tuple[str, ...] = ()
    """Keys of the knowledge entries that the turn comes from."""


class Journal(Protocol):
    """Where turns go."""

    def turn(self, turn: Turn) -> None:
        """A turn is finished. Called once for each, in order, on the event loop; never blocks."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a conversation ended."""

    reason: str
    """`caller_hung_up`, `agent_hung_up`, `silence`, `longest`, `ai_down`, `line_blocked`, `error`, or what was given to
    `say_goodbye`, `leave` or `end`."""
    by: Literal["CALLER", "AGENT", "SYSTEM"]
    at: float
    """When, by the line's clock: what `run` does afterwards (last words, tools that finish) is nobody's talk time."""
    error: Exception | None = None
    """Our own fault, if that is what ended it: to be reported by the owner."""
