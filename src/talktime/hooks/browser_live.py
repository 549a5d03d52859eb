"""One live call from a browser: a live call that also tells the page what is said, what it costs, and what it came to.

The rule: what is told is told on the way, and never waited for; the page may be gone at any moment, and the call ends,
is stored and is settled like every other.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.websockets import WebSocket

from talktime.calls import browser
from talktime.calls.lifecycle import Answered
from talktime.calls.transfers import Transfer
from talktime.carriers import browser as page
from talktime.carriers.browser import Browser, BrowserMedia
from talktime.credits.pricing import Rate
from talktime.hooks.live import LiveCall
from talktime.hooks.putting_through import transfer_tool
from talktime.http.context import Context
from talktime.http.problems import DATABASE_AWAY
from talktime.voice.receptionists import Receptionist
from talktime.voice.tools import Tools
from talktime.voice.turns import Ended, Turn

_METER_SECONDS = 1.0
_FIGURES_SECONDS = 5.0


class BrowserCall(LiveCall):
    """A call from a browser that this process answered."""

    def __init__(
        self,
        context: Context,
        company: Browser,
        websocket: WebSocket,
        translator: BrowserMedia,
        *,
        call: Answered,
        carrier_call_id: str,
        receptionist: Receptionist,
        answered: float,
        rate: Rate,
    ) -> None:
        """`rate` is the call's own price."""
        self._people = receptionist.people
        self._rate = rate
        super().__init__(
            context,
            context.engine,
            company,
            websocket,
            translator,
            call=call,
            carrier_call_id=carrier_call_id,
            # There is no line on which a person could be rung, nor for who stands in when the agent cannot go on.
            receptionist=replace(receptionist, people=(), stand_in=None),
            answered=answered,
        )
        self._conversation.tell_words(
            heard=lambda text: self._tell(page.heard(text)), saying=lambda text: self._tell(page.saying(text))
        )

    async def carry(self) -> None:
        """Talk, then settle, then say what it came to."""
        metering = asyncio.create_task(self._tell_cost())
        try:
            await super().carry()
        finally:
            metering.cancel()
            await asyncio.gather(metering, return_exceptions=True)
            await super()._close_socket()

    def turn(self, turn: Turn) -> None:
        """Take a finished turn; the page shows it as it was heard."""
        super().turn(turn)
        if turn.text:
            self._tell(page.turn(turn.turn_no, turn.speaker, turn.text, interrupted=turn.interrupted))

    def _tell(self, message: str) -> None:
        """Tell the page something. Whether anybody reads it, the sound finds out."""
        self._outbox.put(message)

    async def _tell_cost(self) -> None:
        told = -1
        while True:
            seconds = int(time.monotonic() - self._answered) + 1
            cost = self._rate.cost(seconds)
            if cost != told:
                self._tell(page.meter(seconds, cost))
                told = cost
            await asyncio.sleep(_METER_SECONDS)

    async def _hang_up(self, _transfer: Transfer | None) -> bool:
        """Nobody has to be told: the socket is the whole line."""
        return True

    async def _close_socket(self) -> None:
        """Not yet: what the call came to is said on it first."""

    async def _finish(self, ended: Ended, seconds: float, *, hung_up: bool) -> None:
        await super()._finish(ended, seconds, hung_up=hung_up)
        user, call = self._call.user_id, self._call.call_id
        came_to = None
        with suppress(*DATABASE_AWAY):
            async with asyncio.timeout(_FIGURES_SECONDS), self._context.database.transaction(user=user) as db:
                came_to = await browser.settled(db, user, call)
        if came_to is not None:
            self._tell(page.ended(ended.reason, came_to.seconds, came_to.credits))
        else:
            self._tell(page.ended(ended.reason, None, None))

    def _tools(self) -> Tools:
        tools = super()._tools()
        spec = transfer_tool(self._people)
        return tools.with_(spec, self._say_who_would_be_rung) if spec is not None else tools

    async def _say_who_would_be_rung(self, arguments: Mapping[str, Any], _key: str) -> str:
        """The tool that puts callers through, tried out."""
        person = " ".join(str(arguments["person"]).split())[:100]
        return (
            "This call comes from the browser, to try you out, so nobody is rung. Say in one short sentence that a"
            f" caller on the phone would now be put through to {person}, and that you are still here."
        )
