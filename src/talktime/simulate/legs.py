"""One call through the simulated phone company, from ring to the last report.

A leg rings our server, does what the answer's markup says, and obeys the API. The one rule: its state moves forward
only, and every way out of it (caller, API, limit, markup, fault) goes through `_finish`, once.
"""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import httpx
from websockets.exceptions import InvalidHandshake

from talktime.carriers.contract import LegState
from talktime.simulate import twiml
from talktime.simulate.caller import Caller
from talktime.simulate.dialled import Dialled
from talktime.simulate.orders import Faults, Order
from talktime.simulate.pacer import Pacer
from talktime.simulate.post import Post
from talktime.simulate.record import Record
from talktime.simulate.reports import Reports
from talktime.simulate.stream import Opening, Stream, second_socket

REDIRECTS_MAX = 10
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Over:
    """The call ends."""

    by: str
    """`caller`, `agent` (our markup or a closed socket), `api`, `limit`, `carrier`."""
    state: LegState = LegState.COMPLETED


_Cut = _Over | list[twiml.Verb]
"""What breaks off the verb that is being done: an end, or other verbs."""


class Leg:
    """One call. `run` does it; events go to `events` until the final None."""

    def __init__(
        self, order: Order, post: Post, pacer: Pacer, on_dial: Callable[[Dialled], None] = lambda _leg: None
    ) -> None:
        """`on_dial` is told of each leg that is dialled. Raises BadInput when the script's sounds cannot be used."""
        self.order = order
        self.record = Record(post.account, order.caller, order.dialled)
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.api_asked = 0
        """How often the API was asked about this call."""
        self._post = post
        self._pacer = pacer
        self._caller = Caller(order.script, self._emit)
        self._reports = Reports(order.status_callback, post, order.faults, self._emit)
        self._cut: asyncio.Future[_Cut] = asyncio.get_running_loop().create_future()
        self._timers: list[asyncio.TimerHandle] = []
        self._limit: asyncio.TimerHandle | None = None
        self._streams: list[Stream] = []
        self._dialled: list[Dialled] = []
        self._on_dial = on_dial
        self._redirects = 0

    # What the API and the control door do with a leg.

    @property
    def faults(self) -> Faults:
        return self.order.faults

    def hang_up(self, by: str) -> None:
        """End the call; nothing happens when it is over, or about to be."""
        self._interrupt(_Over(by))

    def redirect(self, document: bytes) -> None:
        """Do other verbs from now on. Raises twiml.BadMarkup."""
        self._interrupt(twiml.read(document))

    def set_limit(self, seconds: int) -> None:
        """End the call `seconds` after it was answered; the last limit counts."""
        if self._limit is not None:
            self._limit.cancel()
        answered = self.record.answered
        since = time.monotonic() - answered if answered is not None else 0.0
        self._limit = self._after(max(0.0, seconds - since), lambda: self.hang_up("limit"))

    async def run(self) -> None:
        """The whole call. Cancelling it drops the call without a report."""
        self._after(self.order.seconds_max, self._run_out_of_time)
        if self.order.gives_up_after_seconds is not None:
            self._after(self.order.gives_up_after_seconds, self._give_up)
        self._emit("placed", call_sid=self.record.sid)
        try:
            over = await self._live()
            await self._finish(over)
            await self._reports.settle()
            for leg in self._dialled:
                await leg.reports.settle()
        except asyncio.CancelledError:
            self._emit("dropped")
            raise
        finally:
            for reports in (self._reports, *(leg.reports for leg in self._dialled)):
                reports.cancel()
            for timer in self._timers:
                timer.cancel()
            for stream in self._streams:
                stream.abort()
            self.events.put_nowait(None)
        assert self.record.state.is_over, self.record.state

    # The course of a call.

    async def _live(self) -> _Over:
        """Ring, then do verbs until something ends the call."""
        doing: Coroutine[Any, Any, _Over] = self._ring_and_do()
        while True:
            work = asyncio.create_task(doing)
            try:
                await _first_of(work, self._cut)
            finally:
                if not work.done():
                    work.cancel()
                    await asyncio.wait({work})
            if not self._cut.done():
                return work.result()
            if not work.cancelled() and (error := work.exception()) is not None:
                raise error
            cut = self._cut.result()
            if isinstance(cut, _Over):
                return cut
            self._cut = asyncio.get_running_loop().create_future()
            doing = self._do(cut)

    async def _ring_and_do(self) -> _Over:
        verbs = await self._ring()
        if verbs is None:
            return _Over("carrier", LegState.FAILED)
        self._report(last=False)  # ringing: our server has taken the call
        return await self._do(verbs)

    async def _ring(self) -> list[twiml.Verb] | None:
        """Post the ring, as often as ordered; the verbs of the last answer, None when there is no good one."""
        faults = self.order.faults
        self._emit("ringing", to=self.order.dialled)
        if faults.rings_parallel:
            answers = await asyncio.gather(*(self._fetch(self.order.voice_url) for _ in range(faults.rings)))
        else:
            answers = [await self._fetch(self.order.voice_url) for _ in range(faults.rings)]
        if answers[-1] is None and self.order.fallback_url:
            answers.append(await self._fetch(self.order.fallback_url, {"ErrorUrl": self.order.voice_url}))
        if answers[-1] is None:
            return None
        if len(answers) > 1:
            self._emit("ring_repeated", times=len(answers), same=len(set(answers)) == 1)
        return self._read(answers[-1])

    async def _fetch(self, url: str, more: dict[str, str] | None = None) -> bytes | None:
        """Post the call to a voice address; the markup it answers, None for a failure, which is told as an event."""
        fields = {**self._form(), **(more or {})}
        try:
            response = await self._post.send(url, fields, self.order.faults)
        except httpx.HTTPError as error:
            self._emit("error", what="ring", code=11200, message=f"{type(error).__name__}: {error}")
            return None
        self._emit("ring_answered", status=response.status_code)
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if response.status_code != 200 or kind not in ("text/xml", "application/xml"):
            message = f"HTTP {response.status_code} with {kind or 'no content type'}"
            self._emit("error", what="ring", code=11200, message=message)
            return None
        return response.content

    def _read(self, document: bytes) -> list[twiml.Verb] | None:
        try:
            return twiml.read(document)
        except twiml.BadMarkup as error:
            self._emit("error", what="markup", code=12100, message=str(error))
            return None

    async def _do(self, verbs: list[twiml.Verb]) -> _Over:
        """One verb after the other; behind the last one the carrier hangs up."""
        for verb in verbs:
            match verb:
                case twiml.Reject():
                    return _Over("agent", LegState.BUSY if verb.busy else LegState.NO_ANSWER)
                case twiml.End():
                    return _Over("agent")
                case twiml.Wait():
                    await asyncio.sleep(verb.seconds)
                case twiml.Redirect():
                    return await self._follow(verb.url)
                case twiml.Speak():
                    self._answer("say")
                    self._emit("announced", text=verb.text, language=verb.language)
                    await asyncio.sleep(len(verb.text.split()) / self.order.words_per_second)
                case twiml.Dial():
                    self._answer("dial")
                    leg = await self._dial(verb)
                    if verb.action:
                        return await self._follow(verb.action, leg.action_form())
                case twiml.Connect():
                    self._answer("stream")
                    if (over := await self._connect(verb)) is not None:
                        return over
        return _Over("agent")

    async def _dial(self, verb: twiml.Dial) -> Dialled:
        """Ring a person and let them talk; gives their leg, which is over."""
        leg = Dialled(verb, self.record, self.order, self._post, self._emit_of_leg)
        self._dialled.append(leg)
        self._on_dial(leg)
        self._emit("forwarded", number=verb.number, seconds_max=verb.seconds_max, call_sid=leg.record.sid)
        await leg.run()
        self._emit("leg_ended", state=leg.record.status, seconds=leg.record.seconds)
        return leg

    async def _follow(self, url: str, more: dict[str, str] | None = None) -> _Over:
        self._redirects += 1
        answer = await self._fetch(url, more) if self._redirects <= REDIRECTS_MAX else None
        verbs = self._read(answer) if answer is not None else None
        return await self._do(verbs) if verbs is not None else _Over("carrier", LegState.FAILED)

    async def _connect(self, verb: twiml.Connect) -> _Over | None:
        """Carry audio until the socket closes (then None: the next verb's turn) or the caller has enough."""
        faults = self.order.faults
        if faults.no_socket:
            await asyncio.Event().wait()  # until the API, a limit or the caller ends it
        opening = Opening(
            url=verb.url,
            signature=self._post.signature(verb.url, {}, faults),
            account=self._post.account_shown(faults),
            call_sid=self.record.sid,
            parameters=verb.parameters,
        )
        try:
            stream = await Stream.open(opening, self._pacer, faults, self._emit, capture=self.order.capture)
        except (OSError, TimeoutError, InvalidHandshake) as error:
            self._emit("error", what="stream", code=31920, message=f"{type(error).__name__}: {error}")
        else:
            self._streams.append(stream)
            over = await self._carry(stream, opening)
            if over is not None:
                return over
        if faults.linger:
            await asyncio.Event().wait()
        return None

    async def _carry(self, stream: Stream, opening: Opening) -> _Over | None:
        """Everything that happens while a stream is open, side by side; whoever is first to end it decides."""
        faults = self.order.faults
        media, caller = asyncio.create_task(stream.run()), asyncio.create_task(self._caller.talk(stream))
        second = asyncio.create_task(second_socket(opening, self._emit)) if faults.second_socket else None
        breaks = asyncio.create_task(self._break(stream))
        try:
            await _first_of(media, caller)
            if caller.done() and not media.done():
                caller.result()
                return _Over("caller")
            media.result()
            return None
        finally:
            await stream.stop()
            await _cancel(media, caller, breaks, *([second] if second is not None else []))

    async def _break(self, stream: Stream) -> None:
        """The faults of an open stream, each at its time."""
        faults = self.order.faults
        plan: list[tuple[float, str]] = sorted(
            (seconds, name)
            for seconds, name in (
                (faults.stops_reading_after_seconds, "stops_reading"),
                (faults.closes_after_seconds, "closes"),
                (faults.dies_after_seconds, "dies"),
            )
            if seconds is not None
        )
        began = time.monotonic()
        for seconds, name in plan:
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
            self._emit("fault", name=name)
            if name == "stops_reading":
                stream.stop_reading()
            elif name == "closes":
                await stream.close()
            else:
                self._reports.mute()
                stream.abort()
                if not faults.linger:
                    self._interrupt(_Over("carrier"))

    # Moving on.

    def _answer(self, verb: str) -> None:
        """The first verb that costs money answers the call."""
        if not self.record.answer():
            return
        if self._limit is not None:
            # A limit that was set while it rang counts from now.
            left = self._limit.when() - asyncio.get_running_loop().time()
            self._limit.cancel()
            self._limit = self._after(max(0.0, left), lambda: self.hang_up("limit"))
        self._emit("answered", verb=verb)
        self._report(last=False)

    def _end(self, over: _Over) -> None:
        """The state's last step, at once, so that whoever asks is told the truth while sockets are still closing."""
        given_up = self.record.state is LegState.RINGING and over.by == "caller"
        self.record.end(LegState.CANCELED if given_up else over.state)
        for leg in self._dialled:
            leg.drop()

    async def _finish(self, over: _Over) -> None:
        """The one way out."""
        self._end(over)
        for stream in self._streams:
            await stream.stop()
        self._emit("hung_up", by=over.by)
        self._emit(
            "ended",
            state=self.record.status,
            seconds=self.record.seconds,
            hung_up_by=over.by,
            answer_ms=[value for stream in self._streams for value in stream.answer_ms],
            frames_sent=sum(stream.frames_sent for stream in self._streams),
            messages_received=sum(stream.messages_received for stream in self._streams),
        )
        self._report(last=True)

    def _interrupt(self, cut: _Cut) -> None:
        if self._cut.done() or self.record.state.is_over:
            return
        self._cut.set_result(cut)
        if isinstance(cut, _Over):
            self._end(cut)

    def _give_up(self) -> None:
        if self.record.state is LegState.RINGING:
            self.hang_up("caller")

    def _run_out_of_time(self) -> None:
        self._emit("error", what="caller", message=f"the order's {self.order.seconds_max:g} s are over")
        self.hang_up("caller")

    def _after(self, seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        timer = asyncio.get_running_loop().call_later(seconds, do)
        self._timers.append(timer)
        return timer

    # What is told.

    def _report(self, *, last: bool) -> None:
        fields = self._form()
        fields["Timestamp"] = format_datetime(datetime.now(UTC))
        fields["CallbackSource"] = "call-progress-events"
        if last:
            seconds = self.record.seconds
            fields["CallDuration"] = str(seconds)
            fields["Duration"] = str(math.ceil(seconds / 60))
        self._reports.add(self.record.status, fields, last=last)

    def _form(self) -> dict[str, str]:
        return self.record.form(self._post.account_shown(self.order.faults))

    def _emit_of_leg(self, event: str, at: float | None = None, **facts: Any) -> None:
        self._emit(f"leg_{event}", at, **facts)

    def _emit(self, event: str, at: float | None = None, **facts: Any) -> None:
        seconds = (time.monotonic() if at is None else at) - self.record.placed
        self.events.put_nowait({"event": event, "at": round(seconds, 4), **facts})


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    """Wait until one of them is done."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel and wait; the first error that is not the cancelling is raised."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
