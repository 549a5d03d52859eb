"""The leg that a `<Dial>` makes: a call of its own to a person, with its own name, reports and entry in the API.

The one rule: it is over when `run` is, however that ends, and its last report is on its way by then. A person who hangs
up gives the caller back to the markup; a caller who hangs up takes the person along.
"""

import asyncio
import math
from datetime import UTC, datetime
from email.utils import format_datetime

from talktime.carriers.contract import LegState
from talktime.simulate import twiml
from talktime.simulate.orders import Faults, Order
from talktime.simulate.post import Post
from talktime.simulate.record import STATES, Record
from talktime.simulate.reports import Reports
from talktime.simulate.stream import Emit

_EVENTS = {LegState.RINGING: "initiated", LegState.IN_PROGRESS: "answered"}


class Dialled:
    """One leg to a person."""

    def __init__(self, verb: twiml.Dial, parent: Record, order: Order, post: Post, emit: Emit) -> None:
        self.record = Record(post.account, order.caller, verb.number, parent=parent.sid)
        self.faults: Faults = order.dial_faults
        self.api_asked = 0
        """How often the API was asked about this leg."""
        self.reports = Reports(verb.status_callback, post, self.faults, emit)
        self._verb = verb
        self._order = order
        self._post = post
        self._hung_up = asyncio.Event()
        self._limit: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Ring, talk, end. Cancelling it is the caller who hangs up."""
        state = LegState.CANCELED
        try:
            self._report("initiated")
            state = await self._live()
        finally:
            self.drop(state)
            if self._limit is not None:
                self._limit.cancel()
            self._report("completed")

    async def _live(self) -> LegState:
        order, verb = self._order, self._verb
        rings = min(order.dial_ring_seconds, verb.ring_seconds_max)
        if await self._is_hung_up(rings):
            return LegState.CANCELED
        if order.dial_ring_seconds > verb.ring_seconds_max:
            return LegState.NO_ANSWER
        if order.dial != "answered":
            return STATES[order.dial]
        self.record.answer()
        self._report("answered")
        await self._is_hung_up(min(order.dial_seconds, verb.seconds_max))
        return LegState.COMPLETED

    async def _is_hung_up(self, seconds: float) -> bool:
        """Wait so long, unless somebody hangs up before."""
        try:
            await asyncio.wait_for(self._hung_up.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def drop(self, state: LegState = LegState.CANCELED) -> None:
        """Be over at once, in this state if nobody has picked up; nothing changes when it already was."""
        self.record.end(state if self.record.state is LegState.RINGING else LegState.COMPLETED)

    # What the API does with a leg.

    def hang_up(self, by: str) -> None:
        """End the leg, and not the caller's call; who did it makes no difference."""
        del by
        self._hung_up.set()

    def redirect(self, document: bytes) -> None:
        """Raises twiml.BadMarkup: a leg that was dialled has no markup of its own here."""
        raise twiml.BadMarkup(f"a dialled leg is not taken elsewhere here, whatever {len(document)} bytes say")

    def set_limit(self, seconds: int) -> None:
        """End the leg `seconds` after it was answered."""
        if self._limit is not None:
            self._limit.cancel()
        left = max(0.0, seconds - self.record.seconds)
        self._limit = asyncio.get_running_loop().call_later(left, self._hung_up.set)

    def action_form(self) -> dict[str, str]:
        """What the verb's `action` is told of the leg."""
        return {
            "DialCallSid": self.record.sid,
            "DialCallStatus": self.record.status,
            "DialCallDuration": str(self.record.seconds),
        }

    def _report(self, event: str) -> None:
        if event not in self._verb.status_events:
            return
        fields = self.record.form(self._post.account_shown(self.faults))
        fields["Timestamp"] = format_datetime(datetime.now(UTC))
        fields["CallbackSource"] = "call-progress-events"
        if event == "completed":
            fields["CallDuration"] = str(self.record.seconds)
            fields["Duration"] = str(math.ceil(self.record.seconds / 60))
        self.reports.add(self.record.status, fields, last=event == "completed")
