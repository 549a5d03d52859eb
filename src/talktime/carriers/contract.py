"""What Talktime asks of a phone company: prove that a request is yours, tell us what happened, carry our answer, and
end a call when we say so. Adapters translate a vendor's words into these values and know nothing else of Talktime.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class BadSignature(Exception):
    """The request was not signed by the carrier: nothing of it may be believed or stored."""


class BadMessage(Exception):
    """The request or message is not of the carrier's form; the text says in what."""


class LegState(StrEnum):
    """Where a call stands, in the carrier's eyes."""

    RINGING = "RINGING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    BUSY = "BUSY"
    NO_ANSWER = "NO_ANSWER"
    CANCELED = "CANCELED"
    FAILED = "FAILED"

    @property
    def is_over(self) -> bool:
        return self not in (LegState.RINGING, LegState.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it came, before anything of it is believed."""

    method: str
    url: str
    """The full public address as the carrier saw it, query included."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Ring:
    """Somebody is calling one of our numbers."""

    account: str
    call_id: str
    """The carrier's name of the call."""
    caller: str
    """E.164, or "" when withheld."""
    dialled: str
    """E.164."""


@dataclass(frozen=True, slots=True)
class Report:
    """The carrier says how a call stands."""

    account: str
    call_id: str
    event_id: str
    """Unique per carrier; made by the adapter where the vendor has none."""
    state: LegState
    sequence: int
    """Orders the reports of one call."""
    seconds: int | None
    """How long it was connected, by the carrier's clock; known at the end only."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The leg to a person is over, and the carrier asks what the caller gets now."""

    account: str
    call_id: str
    """The caller's call, not the leg's."""
    answered: bool
    """Whether the person had picked up."""


@dataclass(frozen=True, slots=True)
class Talk:
    """Connect the caller to our media socket; hang up when it closes."""

    stream_url: str
    parameters: Mapping[str, str]
    """Come back to us in the socket's first message: the one-shot token goes here, never into the URL."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Say something in the carrier's own voice, then hang up."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Forward:
    """Say something, if anything, and ring a person; then hang up, unless `after_url` is asked what comes next."""

    number: str
    text: str = ""
    language: str = "en"
    seconds_max: int = 3600
    ring_seconds_max: int | None = None
    """The carrier's own, when None."""
    reports_url: str = ""
    """Where the carrier says that the leg to the person was answered, and that it is over. "" for nowhere."""
    after_url: str = ""
    """Where the carrier asks, when that leg is over, what the caller gets next (`read_forwarded`)."""


@dataclass(frozen=True, slots=True)
class TurnAway:
    """Do not answer: the caller hears a busy tone, and nobody pays."""


Answer = Talk | Announce | Forward | TurnAway


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over HTTP."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Charge:
    """What a carrier takes for a call, as it says itself."""

    amount_micros: int
    """Millionths of the currency's unit."""
    currency: str
    """ISO 4217, capitals."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A call as the carrier's API shows it."""

    call_id: str
    state: LegState
    seconds: int | None
    charge: Charge | None = None
    """None until the carrier knows it, minutes after the end, or for ever where it does not tell."""


# The media socket, after the vendor's framing.


@dataclass(frozen=True, slots=True)
class Started:
    """The stream opened; `parameters` are those of our `Talk`."""

    account: str
    call_id: str
    stream_id: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audio:
    """A frame of the caller: µ-law, 8 kHz, 160 bytes are 20 ms."""

    ulaw: bytes


@dataclass(frozen=True, slots=True)
class Digit:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class Played:
    """Everything we sent before this mark was played, or thrown away by `clear`."""

    name: str


@dataclass(frozen=True, slots=True)
class Typed:
    """The caller typed a line instead of saying it; no telephone can, a browser can."""

    text: str


@dataclass(frozen=True, slots=True)
class Present:
    """The caller is there, and has no sound to send: a browser without a microphone, or one that is switched off."""

    is_typing: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """The carrier ended the stream."""


MediaEvent = Started | Audio | Digit | Played | Typed | Present | Stopped


class Media(Protocol):
    """The wire format of one media socket: pure translation, one instance per call, no input or output of its own."""

    def read(self, message: str | bytes) -> MediaEvent | None:
        """One message of the carrier; None for one that means nothing to us. Raises BadMessage."""

    def audio(self, ulaw: bytes) -> str | bytes:
        """The message that plays µ-law audio to the caller, after what was sent before."""

    def mark(self, name: str) -> str:
        """The message that asks to be told when everything so far was played."""

    def clear(self) -> str:
        """The message that throws away what was sent and not yet played."""


class Carrier(Protocol):
    """One phone company."""

    name: str

    def verify(self, request: Request) -> None:
        """Raise BadSignature unless the carrier signed this very request."""

    def read_ring(self, request: Request) -> Ring:
        """Raises BadMessage."""

    def read_report(self, request: Request) -> Report:
        """Raises BadMessage."""

    def read_forwarded(self, request: Request) -> Forwarded:
        """What is asked at a `Forward`'s `after_url`. Raises BadMessage."""

    def reply(self, answer: Answer) -> Reply:
        """The answer to a ring in the carrier's own language; the same answer gives the same bytes."""

    def media(self) -> Media:
        """A translator for one media socket."""

    async def hang_up(self, call_id: str) -> None:
        """End a call; one that is already gone is success. Raises ProviderError."""

    async def limit(self, call_id: str, seconds: int) -> None:
        """Let the carrier end the call `seconds` after it began, whatever becomes of us. Raises ProviderError."""

    async def forward(self, call_id: str, forward: Forward, limit_seconds: int) -> None:
        """Take a live call away from its media socket and ring a person for it, once: never repeat it, or the person is
        rung again. `limit_seconds` is the whole call's limit from now on, as in `limit`: the one it had was meant for
        the agent. Raises ProviderError."""

    async def look_up(self, call_id: str) -> Leg | None:
        """How the call stands; None when the carrier does not know it. Raises ProviderError."""

    async def forwarded_to(self, call_id: str) -> Sequence[Leg]:
        """The legs that this call was forwarded on, newest first; none when the carrier knows none. Raises
        ProviderError."""

    async def close(self) -> None:
        """Let go of connections."""


def first_of(form: Mapping[str, Sequence[str]], name: str) -> str:
    """The value of a form field that must be there once."""
    values = form.get(name, ())
    if len(values) != 1 or not values[0]:
        raise BadMessage(f"the request has no {name}, or more than one")
    return values[0]
