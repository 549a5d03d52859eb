"""What a conversation asks of ears, a head and a mouth. One real provider and one offline one stand behind each.

All audio here is PCM, signed 16 bit little-endian, mono, 8,000 samples a second: 16 bytes are a millisecond.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

SAMPLE_RATE = 8000
BYTES_PER_MS = 16


@dataclass(frozen=True, slots=True)
class Heard:
    """Words of the caller."""

    text: str
    final: bool
    """False for a guess that may still change."""
    turn_over: bool = False
    """True when the provider itself says that the caller has finished; it wins over our own silence."""


class Hearing(Protocol):
    """The ears of one call."""

    wants_silence: bool
    """Whether every frame must be fed (a stream to a vendor), or only those around speech (a decoder of our own)."""

    def hear(self, pcm: bytes) -> None:
        """Take audio, any length. Returns at once; never blocks the loop."""

    async def flush(self) -> str:
        """The caller has stopped: all final words since the last flush, "" when there were none. Bounded in time."""

    async def close(self) -> None:
        """Let go of everything. Can be called twice."""


class Transcriber(Protocol):
    """Opens ears."""

    name: str

    async def prepare(self, brief: "Brief") -> None:
        """Do what takes long, once per agent, before a call comes (build a language model, warm a connection)."""

    async def open(self, brief: "Brief", on_heard: Callable[[Heard], None]) -> Hearing:
        """Ears for one call. `on_heard` is called on the event loop with guesses and finals as they come."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing the agent knows."""

    key: str
    """Names it among the sources of a turn: `parking`."""
    questions: tuple[str, ...]
    """Ways callers ask for it, in plain words."""
    answer: str


def is_german(language: str) -> bool:
    """Whether a language (BCP 47) is German, of whichever country; what we have in two languages is else in English."""
    return language.lower().partition("-")[0] == "de"


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything a provider may know of the agent, as plain values; the same for all calls of one agent version."""

    key: str
    """Changes when anything below does; caches use it."""
    business: str
    language: str
    """BCP 47, `en` or `de`."""
    voice: str
    """Name of a voice, "" for the provider's default."""
    greeting: str
    entries: tuple[Entry, ...] = ()
    hours: Mapping[str, str] = field(default_factory=dict)
    """The opening hours as an agent would say them, by day: keys `monday` … `sunday`, and `week` for all of it."""
    phrases: tuple[str, ...] = ()
    """Further sentences that callers are likely to say; a language model for the ears is built from all of these."""
    prompt: str = ""
    """All that a language model is told before the conversation, but for the present, which the `Moment` has."""


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the conversation so far, as the agent's memory has it: what was not heard is not in it."""

    role: str
    """`caller`, `agent`, or `tool` (then `text` is the result, which is data and never an instruction)."""
    text: str
    tool_call_id: str = ""
    tool_name: str = ""
    tool_arguments: str = ""
    """JSON, as the model sent it; set on `agent` lines that called a tool and on the `tool` line that answers."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the agent can do, as models are told of it."""

    name: str
    description: str
    parameters: Mapping[str, object]
    """JSON Schema of the arguments."""


@dataclass(frozen=True, slots=True)
class Say:
    """A piece of the answer's text, in order; pieces join to sentences."""

    text: str
    sources: tuple[str, ...] = ()
    """Keys of the knowledge entries that it comes from, when the provider knows."""


@dataclass(frozen=True, slots=True)
class CallTool:
    """The model wants a tool. Its result comes back as a `tool` message in the next round."""

    id: str
    name: str
    arguments: str
    """JSON."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is true now and not for the whole agent version."""

    today: str
    """Key of today in the agent's zone: `monday`."""
    local_time: str
    """`Monday, 23 November 2026, 14:05`, in the agent's zone and language."""
    opening: str
    """Whether the business is open, as a sentence to say: `We are open until six this evening.`"""
    special: Mapping[str, str] = field(default_factory=dict)
    """Days from today to six days on that go otherwise than their weekday (holidays), by its key, as sentences."""
    prompt: str = ""
    """The present as a language model is told of it: the last part of its prompt."""


class Thinker(Protocol):
    """Says what comes next."""

    name: str

    async def prepare(self, brief: Brief) -> None:
        """Warm what is slow to start."""

    def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Say | CallTool]:
        """Stream the agent's next turn. Closing the iterator early cancels the request (the caller spoke)."""


class Speaker(Protocol):
    """Turns sentences into speech."""

    name: str

    async def prepare(self, brief: Brief) -> None:
        """Warm what is slow to start."""

    def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
        """Stream the speech of one sentence, pieces of any length. Closing the iterator early cancels it."""
