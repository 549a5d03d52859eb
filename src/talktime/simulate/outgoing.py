"""A call that the account places itself: somebody is rung, and what its markup says is said to them.

Whoever is rung is a person who picks up and listens, or, where the number is one of the account's own, that number's
own voice address: then it rings there like any call. The one rule: it is over when `run` is, and so is the call that it
made on the other side.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from talktime.carriers.contract import LegState
from talktime.simulate import twiml
from talktime.simulate.numbers import Owned
from talktime.simulate.orders import Faults, HangUp, Order, Pause
from talktime.simulate.record import STATES, Record

Place = Callable[[Order], AsyncGenerator[dict[str, Any], None]]
_LISTENS_SECONDS = 0.2
"""A person listens faster here than it is said."""
_PATIENCE_SECONDS = 30.0


class Outgoing:
    """One call of the account's own."""

    def __init__(
        self, account: str, caller: str, dialled: str, verbs: Sequence[twiml.Verb], *, ring_seconds: int, limit: int
    ) -> None:
        self.record = Record(account, caller, dialled, by_api=True)
        self.faults = Faults()
        self.api_asked = 0
        """How often the API was asked about this call."""
        self._caller = caller
        self._dialled = dialled
        self._verbs = verbs
        self._ring_seconds = ring_seconds
        self._limit = limit
        self._hung_up = asyncio.Event()

    @property
    def sentences(self) -> list[str]:
        """What is said to whoever picks up."""
        return [verb.text for verb in self._verbs if isinstance(verb, twiml.Speak)]

    async def run(self, place: Place, owned: Owned | None, outcome: str, heard: Callable[[list[str]], None]) -> None:
        """The whole call: to `owned`, or to a person who picks up unless `outcome` says otherwise."""
        try:
            if owned is not None and owned.voice_url:
                await self._ring_ourselves(place, owned)
            elif owned is not None or outcome != "answered":
                # A number without a voice address picks up and says nothing; to the caller that is a failure.
                self.record.end(STATES.get(outcome, LegState.FAILED))
            else:
                self.record.answer()
                heard(self.sentences)
                await self._is_hung_up(_LISTENS_SECONDS)
        finally:
            over = LegState.CANCELED if self.record.state is LegState.RINGING else LegState.COMPLETED
            self.record.end(over)

    async def _ring_ourselves(self, place: Place, owned: Owned) -> None:
        """The same call, as the number's own voice address sees it."""
        open_seconds = sum(verb.seconds for verb in self._verbs if isinstance(verb, twiml.Wait)) or 1
        order = Order(
            dialled=self._dialled,
            caller=self._caller,
            voice_url=owned.voice_url,
            status_callback=owned.status_callback,
            script=(Pause(seconds=open_seconds), HangUp()),
            seconds_max=float(min(self._limit, open_seconds + _PATIENCE_SECONDS)),
            gives_up_after_seconds=float(self._ring_seconds),
        )
        ended = LegState.FAILED
        async with aclosing(place(order)) as events:
            async for event in events:
                if event["event"] == "answered":
                    self.record.answer()
                elif event["event"] == "ended":
                    ended = STATES[event["state"]]
                    break
                if self._hung_up.is_set():
                    break
        self.record.end(ended)

    async def _is_hung_up(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._hung_up.wait(), seconds)
        except TimeoutError:
            return False
        return True

    # What the API does with a call.

    def hang_up(self, by: str) -> None:
        """End it; who did it makes no difference."""
        del by
        self._hung_up.set()

    def redirect(self, document: bytes) -> None:
        """Raises twiml.BadMarkup: a call of the account's own goes nowhere else here."""
        raise twiml.BadMarkup(f"a call of one's own is not taken elsewhere here, whatever {len(document)} bytes say")

    def set_limit(self, seconds: int) -> None:
        """End it `seconds` after it was answered."""
        asyncio.get_running_loop().call_later(seconds, self._hung_up.set)
