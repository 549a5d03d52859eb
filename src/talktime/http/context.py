"""What every door needs: one object, made once at start, and never a global."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from talktime.carriers.contract import Carrier
from talktime.db.session import Database
from talktime.gateways.contract import Gateway
from talktime.http.counters import Counters
from talktime.http.tracing import Traces
from talktime.jobs import Jobs
from talktime.payments.till import Till
from talktime.settings import Settings
from talktime.speech.choose import Trio
from talktime.voice.conversation import Engine
from talktime.voice.meter import Meter
from talktime.voice.receptionists import Receptionists

_SOCKET_COMES_SECONDS = 5.0


class Live(Protocol):
    """A call that this process carries."""

    def leave(self) -> None:
        """End it politely, soon: the process is being stopped and will not wait any longer."""


@dataclass(slots=True)
class Context:
    """Everything that requests share in one process."""

    settings: Settings
    database: Database
    jobs: Jobs
    carriers: Mapping[str, Carrier]
    trio: Trio
    meter: Meter
    engine: Engine
    receptionists: Receptionists
    till: Till
    """What money is taken with; without a payment company there is nothing to buy."""
    demo: bool = False
    leaving: bool = False
    """This process is being stopped: its connections end with their next answers."""
    has_successor: bool = False
    """Another process has the door already: a ring that still comes here, on an old connection, is carried there."""
    live: set[Live] = field(default_factory=set)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _promised: dict[str, float] = field(default_factory=dict)
    """Calls that were told to open a media socket here, and when (monotonic)."""
    counters: Counters = field(default_factory=Counters)
    """What this process counts."""
    traces: Traces = field(default_factory=Traces)
    """Where a trace of each call goes, if anywhere."""
    dead: list[str] = field(default_factory=list)
    """Background work that died of a mistake of ours; a process with any is not ready."""

    @property
    def taking_calls(self) -> bool:
        """Whether a ring that comes here now gets its agent."""
        return not self.leaving or self.has_successor

    @property
    def gateways(self) -> Mapping[str, Gateway]:
        """The payment companies, by name."""
        return self.till.gateways

    @property
    def gateway(self) -> Gateway | None:
        """Where what is bought is paid: the first payment company."""
        return next(iter(self.gateways.values()), None)

    def socket_promised(self, carrier_call_id: str) -> None:
        """The carrier of a ringing call was told to open its media socket."""
        if self.has_successor:
            return  # it opens there
        now = time.monotonic()
        self._promised = {call: at for call, at in self._promised.items() if now - at < _SOCKET_COMES_SECONDS}
        self._promised[carrier_call_id] = now

    def socket_came(self, carrier_call_id: str) -> None:
        """It did, or somebody says so."""
        self._promised.pop(carrier_call_id, None)

    async def sockets_came(self) -> None:
        """Wait until every promised socket has come, or is not to be expected any more."""
        while any(time.monotonic() - at < _SOCKET_COMES_SECONDS for at in self._promised.values()):
            await asyncio.sleep(0.05)

    def call_began(self, call: Live) -> None:
        """This process carries one more call."""
        self.live.add(call)
        self._idle.clear()

    def call_ended(self, call: Live) -> None:
        """Nothing of this call is left here."""
        self.live.discard(call)
        if not self.live:
            self._idle.set()

    async def idle(self, seconds_max: float) -> bool:
        """Wait until no call is live; False when some still are after so long."""
        if not self.live:
            return True
        try:
            async with asyncio.timeout(seconds_max):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def context_of(connection: HTTPConnection) -> Context:
    """The context of the application that this request came to."""
    app = cast(FastAPI, connection.app)
    return cast(Context, app.state.context)
