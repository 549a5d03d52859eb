"""A whole Talktime on loopback for tests: the application on a real port, the phone company on another, a database.

What listens, thinks and speaks is real where the test is about that, and else a stand-in with a voice of tones: then
the audio that travels is audio, and only the words are agreed beforehand.
"""

import asyncio
import contextlib
import math
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI

from talktime.app import create_app
from talktime.calls import history
from talktime.calls.history import CallRecord
from talktime.cli.serving import web_server
from talktime.db.session import Database, connect
from talktime.http.context import Context
from talktime.settings import Settings
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import Faults, HangUp, Order, Say, Step, WaitForAgent
from talktime.speech.choose import Trio
from talktime.speech.contract import Brief, CallTool, Heard, Hearing, Message, Moment, Tool
from talktime.speech.contract import Say as Words
from tests.people import WHY, Person


def tone(seconds: float, hertz: float = 160.0) -> bytes:
    """PCM of something with a pitch that comes and goes, so that a detector takes it for speech."""
    at = np.arange(int(seconds * 8000)) / 8000
    wave = sum(np.sin(2 * math.pi * hertz * n * at) / n for n in range(1, 8))
    pcm: bytes = (
        (np.asarray(wave) * (0.3 + 0.7 * np.abs(np.sin(2 * math.pi * 2.3 * at))) * 5000).astype("<i2").tobytes()
    )
    return pcm


@dataclass(eq=False)
class Scripted:
    """Ears that hear something when somebody speaks: the words that were agreed, one sentence after another."""

    words: list[str] = field(default_factory=list)
    name: str = "scripted"

    async def prepare(self, brief: Brief) -> None:
        pass

    async def open(self, brief: Brief, on_heard: Callable[[Heard], None]) -> Hearing:
        return _Hearing(self)


class _Hearing:
    wants_silence = False

    def __init__(self, ears: Scripted) -> None:
        self._ears = ears
        self._bytes = 0

    def hear(self, pcm: bytes) -> None:
        self._bytes += len(pcm)

    async def flush(self) -> str:
        heard, self._bytes = self._bytes, 0
        return self._ears.words.pop(0) if heard and self._ears.words else ""

    async def close(self) -> None:
        pass


@dataclass(eq=False)
class Parrot:
    """A head that repeats what it hears, and hangs up on a goodbye."""

    name: str = "parrot"

    async def prepare(self, brief: Brief) -> None:
        pass

    async def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Words | CallTool]:
        said = messages[-1].text
        yield Words(f"You said: {said}.")
        if "goodbye" in said:
            yield CallTool("1", "hang_up", "{}")


@dataclass(eq=False)
class Tones:
    """A mouth that hums: 50 ms a character."""

    name: str = "tones"

    async def prepare(self, brief: Brief) -> None:
        pass

    async def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
        yield tone(min(3.0, 0.05 * len(text)))


@dataclass(eq=False)
class House:
    """One running installation."""

    settings: Settings
    app: FastAPI
    carrier: SimulatedCarrier
    database: Database
    ears: Scripted

    @property
    def context(self) -> Context:
        context: Context = self.app.state.context
        return context

    def order(self, person: Person | str, *steps: Step, faults: Faults | None = None, **more: Any) -> Order:
        return Order(
            dialled=person if isinstance(person, str) else person.number,
            voice_url=f"{self.settings.base_url}/hooks/simulated/ring",
            status_callback=f"{self.settings.base_url}/hooks/simulated/report",
            script=steps,
            faults=faults or Faults(),
            **{"seconds_max": 25, **more},
        )

    async def call(
        self, person: Person | str, *steps: Step, faults: Faults | None = None, **more: Any
    ) -> list[dict[str, Any]]:
        """Ring and see it through; the events as the phone company saw them."""
        events = self.carrier.place(self.order(person, *steps, faults=faults, **more))
        return [event async for event in events]

    async def record(self, person: Person, events: list[dict[str, Any]]) -> CallRecord:
        """The call as the books have it, once it is settled."""
        sid = next(event["call_sid"] for event in events if event["event"] == "placed")
        return await self.settled(person, sid)

    async def settled(self, person: Person, sid: str, seconds_max: float = 10) -> CallRecord:
        async with asyncio.timeout(seconds_max):
            while True:
                async with self.database.transaction(user=person.id) as db:
                    for record in await history.newest(db, person.id, limit=100):
                        if record.call.carrier_call_id == sid and not record.is_live:
                            return record
                await asyncio.sleep(0.05)

    async def until(self, claim: Callable[[], bool], seconds_max: float = 5) -> None:
        async with asyncio.timeout(seconds_max):
            while not claim():
                await asyncio.sleep(0.02)


def say(text: str = "", seconds: float = 0.8) -> Say:
    """The caller hums for a while."""
    return Say(text=text, pcm=tone(seconds, 130))


TALK: tuple[Step, ...] = (WaitForAgent(), say("hello"), WaitForAgent(), HangUp())
"""Greeting, a sentence, an answer, the caller hangs up."""


def free_ports(count: int) -> list[int]:
    """Ports that are free at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextlib.asynccontextmanager
async def open_house(
    database_url: str, home: Path, *, trio: Trio | None = None, ears: Scripted | None = None, **settings: Any
) -> AsyncIterator[House]:
    """Serve an application and its phone company for as long as the block."""
    ears = ears or Scripted()
    port, carrier_port = free_ports(2)
    chosen = Settings(home=home, port=port, simulated_carrier_port=carrier_port, **settings)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(200)
    listener.setblocking(False)
    app = create_app(chosen, database_url, demo=True, trio=trio or Trio(ears, Parrot(), Tones()))
    database = connect(database_url)
    try:
        async with (
            SimulatedCarrier.of(chosen) as carrier,
            web_server(app, listener, drain_seconds_max=0.5, impatient=asyncio.Event()),
        ):
            yield House(chosen, app, carrier, database, ears)
    finally:
        await database.close()
        listener.close()


def new_sid() -> str:
    return f"CA{uuid.uuid4().hex}"


__all__ = ["TALK", "WHY", "House", "Scripted", "free_ports", "new_sid", "open_house", "say", "tone"]
