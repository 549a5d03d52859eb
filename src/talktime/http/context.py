"""What every door needs: one object, made once at start, and never a global."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from talktime.carriers.contract import Carrier
from talktime.db.session import Database
from talktime.jobs import Jobs
from talktime.settings import Settings
from talktime.speech.choose import Trio
from talktime.voice.conversation import Engine
from talktime.voice.meter import Meter
from talktime.voice.receptionists import Receptionists


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
    demo: bool = False
    taking_calls: bool = True
    live: set[Live] = field(default_factory=set)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

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
