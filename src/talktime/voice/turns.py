"""The values of a conversation: how an agent takes turns, what a turn was, and how a call ended.

The rule here: a turn's text is what was really said and heard, nothing that was only meant to be.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, Protocol, cast

from talktime.errors import BadInput

Side = Literal["CALLER", "AGENT"]


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """How one agent takes turns. The defaults are good for a receptionist on a phone."""

    end_silence_ms_min: int = 200
    """The caller has finished: so much silence after what sounds like a whole sentence."""
    end_silence_ms: int = 550
    """…when it is not known what was said, which is so with ears that give no guesses."""
    end_silence_ms_max: int = 1200
    """…in the middle of a sentence."""
    dictation_silence_ms: int = 1500
    """…while a number or an address is being dictated."""
    interrupt_ms: int = 200
    """So much real speech stops the agent, when its words are known not to be a mere "mm-hm"."""
    interrupt_ms_no_words: int = 280
    """…when the ears give guesses, but have none yet."""
    interrupt_ms_no_guesses: int = 350
    """…when the ears never give guesses; shorter ones are taken for "mm-hm" until their words are known."""
    silence_seconds: float = 7.0
    """Nobody speaks: after so long the agent asks whether the caller is still there."""
    still_there_times: int = 2
    """How often it asks before it says goodbye."""
    turn_seconds_max: float = 45.0
    """The caller, or the noise around them, is cut short in the agent's mind after so long."""
    call_seconds_max: float = 3600.0
    """The longest call; then the agent says goodbye."""
    keys_seconds: float = 1.5
    """After the last key pressed, unless it was #."""

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "TurnSettings":
        """Settings as stored with an agent: any of the names above. Raises BadInput, naming what cannot be."""
        unknown = set(values) - set(_LIMITS)
        if unknown:
            raise BadInput(f"There is no turn setting named {', '.join(sorted(map(repr, unknown)))}.")
        for name, value in values.items():
            low, high = _LIMITS[name]
            whole = isinstance(getattr(_DEFAULTS, name), int)
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise BadInput(f"{name} must be a {'whole ' if whole else ''}number.")
            if not math.isfinite(value) or not low <= value <= high:
                raise BadInput(f"{name} must be between {low} and {high}.")
        settings = cls(**cast(dict[str, int], dict(values)))
        if not settings.end_silence_ms_min <= settings.end_silence_ms <= settings.end_silence_ms_max:
            raise BadInput("end_silence_ms must be between end_silence_ms_min and end_silence_ms_max.")
        return settings


_DEFAULTS = TurnSettings()
_LIMITS: Mapping[str, tuple[float, float]] = {
    "end_silence_ms_min": (100, 2000),
    "end_silence_ms": (200, 3000),
    "end_silence_ms_max": (300, 5000),
    "dictation_silence_ms": (300, 5000),
    "interrupt_ms": (100, 2000),
    "interrupt_ms_no_words": (100, 2000),
    "interrupt_ms_no_guesses": (100, 2000),
    "silence_seconds": (1, 60),
    "still_there_times": (0, 5),
    "turn_seconds_max": (5, 300),
    "call_seconds_max": (10, 14400),
    "keys_seconds": (0.5, 10),
}
assert set(_LIMITS) == {field.name for field in fields(TurnSettings)}


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
