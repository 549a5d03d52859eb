"""A page with the panel, as far as the server can tell: it asks for a call, opens the line, and speaks its protocol."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from talktime.accounts import sessions
from talktime.calls import history
from talktime.calls.history import CallRecord
from talktime.security import sign
from talktime.voice.audio import to_ulaw
from tests.house import WHY, House, tone
from tests.people import Person

COOKIE = "talktime_session"
FRAME = 160


@dataclass
class Page:
    """Somebody's browser, signed in."""

    house: House
    person: Person
    token: str

    @property
    def site(self) -> str:
        return self.house.settings.base_url

    async def ask(
        self,
        *,
        agent: uuid.UUID | None = None,
        draft: bool = False,
        accept: str = "application/json",
        **form: str,
    ) -> httpx.Response:
        """Press the button."""
        fields = {"csrf": sign(self.house.settings.secret, "csrf", self.token), **form}
        if draft:
            fields["draft"] = "on"
        async with httpx.AsyncClient(trust_env=False, cookies={COOKIE: self.token}, timeout=20) as client:
            address = f"{self.site}/agents/{agent or self.person.agent}/call"
            return await client.post(address, data=fields, headers={"accept": accept})

    async def begin(self, **how: Any) -> dict[str, Any]:
        """What the button gives when there is a call."""
        answer = await self.ask(**how)
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json())

    def socket(self, begun: dict[str, Any], **headers: str) -> connect:
        """The line's socket, as the browser opens it; with None in `headers` a header is left out."""
        given = {"Origin": self.site, "Cookie": f"{COOKIE}={self.token}", **headers}
        url = f"{self.house.settings.media_url}{begun['line']}"
        kept = {name: value for name, value in given.items() if value}
        return connect(url, additional_headers=kept, proxy=None, ping_interval=None)

    @contextlib.asynccontextmanager
    async def calling(self, **how: Any) -> AsyncIterator["OnTheLine"]:
        """A call, from the button to the end of the block; whoever is still on the line then closes the tab."""
        begun = await self.begin(**how)
        async with self.socket(begun) as socket:
            line = OnTheLine(socket, uuid.UUID(begun["start"]["call"]))
            await line.tell(**begun["start"])
            reading = asyncio.create_task(line.read())
            try:
                yield line
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def record(self, call: uuid.UUID, seconds_max: float = 10) -> CallRecord:
        """The call as the books have it, once it is settled."""
        async with asyncio.timeout(seconds_max):
            while True:
                async with self.house.database.transaction(user=self.person.id) as db:
                    record = await history.one(db, self.person.id, call)
                if not record.is_live:
                    return record
                await asyncio.sleep(0.05)


@dataclass
class OnTheLine:
    """The browser's end of a call."""

    socket: ClientConnection
    call: uuid.UUID
    sound: int = 0
    """Bytes that came to be played."""
    events: list[dict[str, Any]] = field(default_factory=list)
    plays: bool = True
    """Whether marks are answered, as soon as they come."""
    is_closed: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        try:
            async for message in self.socket:
                if isinstance(message, bytes):
                    self.sound += len(message)
                else:
                    said = orjson.loads(message)
                    self.events.append(said)
                    if said["event"] == "mark" and self.plays:
                        await self.tell(event="played", name=said["name"])
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            self.is_closed = True
            self._news.set()

    async def tell(self, **message: Any) -> None:
        await self.socket.send(orjson.dumps(message).decode())

    async def type(self, text: str) -> None:
        await self.tell(event="said", text=text)

    async def speak(self, seconds: float = 0.8, quiet: float = 1.2) -> None:
        """Hum, then be quiet, frame by frame as a microphone does."""
        pcm = tone(seconds, 130) + bytes(int(quiet * 16000))
        ulaw = to_ulaw(pcm)
        for place in range(0, len(ulaw) // FRAME * FRAME, FRAME):
            await self.socket.send(ulaw[place : place + FRAME])
            await asyncio.sleep(0.02)

    def of(self, event: str, **values: Any) -> list[dict[str, Any]]:
        """The events of a kind so far, those with these values."""
        return [
            each
            for each in self.events
            if each["event"] == event and all(each.get(name) == value for name, value in values.items())
        ]

    async def until(self, event: str, count: int = 1, seconds_max: float = 15, **values: Any) -> dict[str, Any]:
        """Wait for so many events of a kind; gives the last of them."""
        async with asyncio.timeout(seconds_max):
            while len(found := self.of(event, **values)) < count:
                assert not self.is_closed, f"closed before {event}: {self.events}"
                self._news.clear()
                await self._news.wait()
        return found[-1]

    async def closed(self, seconds_max: float = 10) -> int | None:
        """Wait until the other side has closed; with which code."""
        async with asyncio.timeout(seconds_max):
            while not self.is_closed:
                self._news.clear()
                await self._news.wait()
        return self.socket.close_code

    async def hang_up(self) -> dict[str, Any]:
        """Hang up, and wait to be told what it came to."""
        await self.tell(event="stop")
        return await self.until("ended")


async def sign_in(house: House, person: Person, *, actor: uuid.UUID | None = None) -> Page:
    """A browser of this person's."""
    async with house.database.transaction(everyone=WHY) as db:
        token = await sessions.begin(db, person.id, address="127.0.0.1", browser="a test", actor=actor)
    return Page(house, person, token)
