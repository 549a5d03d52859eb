"""What one orders from the simulated phone company: who calls whom, what the caller does, and what goes wrong.

Plain values that travel as JSON (`POST /simulate/calls`). The one rule: an order without faults is a call as a good
carrier makes it; every departure is asked for by name.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from talktime.simulate.sound import read_wav, ulaw_of

Seconds = Annotated[float, Field(ge=0, le=7200)]


class _Value(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, ser_json_bytes="base64", val_json_bytes="base64"
    )


class _Speech(_Value):
    """Something to say: PCM (16 bits, 8,000 samples a second; base64 in JSON) or the path of such a WAV file."""

    text: str = ""
    """The words, for the events; the phone company itself has no voice."""
    pcm: bytes = b""
    wav: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "_Speech":
        if bool(self.pcm) == (self.wav is not None):
            raise ValueError("give either pcm or wav")
        return self

    def ulaw(self) -> bytes:
        """As it goes over the line. Raises BadInput for a file that cannot be used."""
        return ulaw_of(self.pcm if self.wav is None else read_wav(self.wav))


class Say(_Speech):
    """Speak, whatever the agent does."""

    do: Literal["say"] = "say"


class Interrupt(_Speech):
    """Wait until the agent has been talking for a while, then talk over it."""

    do: Literal["interrupt"] = "interrupt"
    after_seconds: Seconds = 1.0
    seconds_max: Seconds = 15.0


class WaitForAgent(_Value):
    """Wait until the agent has spoken and has then been silent for a while, by what was really played."""

    do: Literal["wait_for_agent"] = "wait_for_agent"
    silence_seconds: Seconds = 0.7
    seconds_max: Seconds = 15.0
    """An agent that says nothing for so long is an error, and the caller hangs up; so is one that never ends."""


class Pause(_Value):
    """Say nothing for a while."""

    do: Literal["pause"] = "pause"
    seconds: Seconds


class Press(_Value):
    """Press keys."""

    do: Literal["press"] = "press"
    digits: Annotated[str, Field(pattern=r"^[0-9*#A-D]{1,64}$")]


class HangUp(_Value):
    """Hang up at once."""

    do: Literal["hang_up"] = "hang_up"


class Stay(_Value):
    """Stay on the line until the agent hangs up, or the order's time is over."""

    do: Literal["stay"] = "stay"


Step = Annotated[Say | Interrupt | WaitForAgent | Pause | Press | HangUp | Stay, Field(discriminator="do")]


class Faults(_Value):
    """What goes wrong. Seconds count from the moment the media socket is open."""

    rings: Annotated[int, Field(ge=1, le=50)] = 1
    """How many times the ring is posted; the last answer counts."""
    rings_parallel: bool = False
    bad_signature: bool = False
    """Everything is signed with a token that is not the account's."""
    wrong_account: bool = False
    """Everything is rightly signed, but names another account."""
    reports_dropped: tuple[str, ...] = ()
    """Statuses that are never reported: `completed`, or `*` for all."""
    report_copies: Annotated[int, Field(ge=1, le=20)] = 1
    reports_reversed: bool = False
    """All reports come at the end of the call, the last one first."""
    reports_delay_seconds: Seconds = 0
    marks_lost: bool = False
    frames_lost: Annotated[float, Field(ge=0, le=1)] = 0
    """The share of the caller's frames that never arrive."""
    garbage: bool = False
    """The socket carries things that are not of the protocol."""
    wrong_parameters: bool = False
    """The stream's parameters, and with them the token, come back changed."""
    second_socket: bool = False
    """A second socket opens with the same start message while the first one lives."""
    no_socket: bool = False
    """The media socket is never opened; the call goes on."""
    closes_after_seconds: Seconds | None = None
    """The socket closes without a stop message."""
    dies_after_seconds: Seconds | None = None
    """The connection breaks, the call is over, and no report is ever sent."""
    stops_reading_after_seconds: Seconds | None = None
    """Nothing more is read from the socket, while the caller's frames still come."""
    linger: bool = False
    """The call goes on when its socket has closed: only the API, a limit or the caller ends it."""
    api_status: Annotated[int, Field(ge=400, le=599)] | None = None
    """What the API answers to whatever is asked of this call; 404 forgets the call."""
    api_refusals: Annotated[int, Field(ge=0)] | None = None
    """How many times `api_status` is answered before the API works again; None for always."""
    api_delay_seconds: Seconds = 0


class Order(_Value):
    """One phone call."""

    dialled: Annotated[str, Field(alias="to", min_length=1)]
    caller: Annotated[str, Field(alias="from")] = "+4915123456789"
    """"" for a withheld number."""
    voice_url: str
    status_callback: str = ""
    """"" sends no reports."""
    fallback_url: str = ""
    """Where the ring goes when `voice_url` fails."""
    script: tuple[Step, ...] = ()
    """After its end the caller lets the agent finish and hangs up."""
    faults: Faults = Faults()
    seconds_max: Annotated[float, Field(gt=0, le=7200)] = 120.0
    """The caller hangs up then, whatever happens."""
    gives_up_after_seconds: Seconds | None = None
    """The caller hangs up if nobody has answered by then."""
    dial_seconds: Seconds = 1.0
    """How long somebody talks to whom the call is forwarded."""
    dial_ring_seconds: Seconds = 0
    """How long it rings there first."""
    dial: Literal["answered", "busy", "no-answer", "failed"] = "answered"
    """What becomes of forwarding the call."""
    dial_faults: Faults = Faults()
    """What goes wrong with the leg to that person: its reports, and what the API answers about it."""
    words_per_second: Annotated[float, Field(gt=0)] = 2.5
    """The speed of the carrier's own voice."""
    capture: bool = False
    """Give the agent's audio (µ-law, base64) with `agent_audio_ends`."""


class NumberFault(_Value):
    """What goes wrong with the next request about numbers."""

    what: Literal["list", "search", "price", "buy", "change", "release", "call"]
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    """What is answered; None answers as ever, after the delay."""
    code: int = 0
    """The code in the answer; 0 for the one that goes with the status."""
    after: bool = False
    """It is done first, and the answer is lost or wrong; else it is not done."""
    delay_seconds: Seconds = 0
    retry_after_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    times: Annotated[int, Field(ge=1, le=1000)] = 1
