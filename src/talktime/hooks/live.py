"""One live call: what ties the conversation to its socket, its hold and its transcript.

However it ends, the talk is measured by our clock, the line is hung up at the carrier, the turns are stored, and the
hold is settled, in this order. What the database does not take now it is offered again; behind that stands the sweep.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from starlette.websockets import WebSocket, WebSocketState

from talktime import log
from talktime.agents.checking import AI_DOWN
from talktime.agents.content import TAKE_MESSAGE
from talktime.agents.prompt import moment_of
from talktime.calls import costs, lifecycle
from talktime.calls.coming_back import Before
from talktime.calls.lifecycle import Answered
from talktime.calls.transfers import TRANSFERRED, Transfer
from talktime.carriers.contract import Audio, BadMessage, Carrier, Media, Present, Stopped
from talktime.credits.models import NotCharged
from talktime.errors import ProviderError
from talktime.hooks.outbox import GONE, Outbox
from talktime.hooks.putting_through import PuttingThrough, greeted_again, recalled
from talktime.http.context import Context
from talktime.http.problems import DATABASE_AWAY, DATABASE_SAYS_NO
from talktime.speech.contract import Moment, Tool
from talktime.speech.usage import Usage
from talktime.voice.conversation import Conversation, Engine, Providers
from talktime.voice.line import Line
from talktime.voice.meter import Metered
from talktime.voice.receptionists import Receptionist
from talktime.voice.tools import Tools
from talktime.voice.turns import Ended, Turn

LINE_DEAD = "line_dead"
HANG_UP_JOB = "calls.hang_up"
LIMIT_JOB = "calls.limit"

_FRAMES_MISSING_SECONDS = 12.0
"""A carrier sends frames all the time, also of silence: after so long without any the line is dead."""
_LAST_LOOK_SECONDS = 1.0
_OTHERS_MAX = 50
"""Messages without audio: so many, and so long no frame, is no line either."""
_OFFER_AGAIN_SECONDS = 2.0
_OFFER_TIMES = 60
_LEAVE_SECONDS = 6.0
_OUR_FAULT = {"error": NotCharged.PLATFORM_FAULT, "ai_down": NotCharged.PLATFORM_FAULT}
_TAKE_MESSAGE = Tool(
    TAKE_MESSAGE,
    "Take a message for the people of the business, once the caller has said it.",
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Who is calling"},
            "message": {"type": "string", "description": "What they want passed on"},
            "number": {"type": "string", "description": "The number to call back, if another than they call from"},
        },
        "required": ["message"],
    },
)
_LOGGER = log.get(__name__)


class LiveCall:
    """A call that this process answered."""

    def __init__(
        self,
        context: Context,
        engine: Engine,
        company: Carrier,
        websocket: WebSocket,
        translator: Media,
        *,
        call: Answered,
        carrier_call_id: str,
        receptionist: Receptionist,
        answered: float,
        before: Before | None = None,
    ) -> None:
        """`answered` is the moment, on the monotonic clock, from which the talk is counted. `before` is what was before
        a caller came back from a person who did not answer."""
        self._context = context
        self._company = company
        self._websocket = websocket
        self._translator = translator
        self._call = call
        self._carrier_call_id = carrier_call_id
        self._receptionist = receptionist
        self._answered = answered
        self._answered_ns = time.time_ns() - int((time.monotonic() - answered) * 1e9)
        """The same moment by the clock on the wall."""
        self._turns: asyncio.Queue[Turn | None] = asyncio.Queue()
        self._line_is_gone = False
        self._socket_is_gone = False
        self._heard_at = time.monotonic()
        """When the last frame of the caller came."""
        self._usage = Usage()
        self._outbox = Outbox(websocket.send)
        self._log = _LOGGER.bind(call_id=str(call.call_id), user_id=str(call.user_id))
        self._through = PuttingThrough(context, company, call, receptionist, lambda: self._conversation)
        self._conversation = Conversation(
            Line(translator, self._send, lambda: None),
            Providers([context.trio.transcriber], [context.trio.thinker], [context.trio.speaker]).counting(self._usage),
            receptionist.brief if before is None else greeted_again(receptionist, before),
            self._moment,
            call_key=str(call.call_id),
            engine=engine,
            settings=receptionist.settings,
            tools=self._tools(),
            journal=self,
            recalled=recalled(before) if before is not None else (),
            is_relieved=receptionist.stand_in is not None,
        )
        self._metered = Metered(
            user_id=call.user_id,
            call_id=call.call_id,
            answered=answered,
            granted_seconds=call.granted_seconds,
            on_goodbye=lambda left: self._conversation.say_goodbye("credit_ended", seconds_max=left),
            on_cut=lambda: self._conversation.end("credit_ended"),
        )

    async def carry(self) -> None:
        """Talk, then settle. Returns when nothing of the call is left here."""
        self._context.meter.add(self._metered)
        self._context.call_began(self)
        receiving = asyncio.create_task(self._receive())
        writing = asyncio.create_task(self._write_turns())
        try:
            ended = await self._conversation.run()
            # Not now: after the caller has hung up the conversation still waits for its tools.
            ended_at = min(ended.at, self._heard_at) if ended.reason == LINE_DEAD else ended.at
            seconds = max(0.0, ended_at - self._answered)
            self._context.meter.talk_ended(self._metered, int(seconds))
            receiving.cancel()
            transfer = await self._through.settled()
            if ended.reason == AI_DOWN and not (self._line_is_gone or self._socket_is_gone):
                transfer = await self._through.relieve(ended.reason)
            elif transfer is not None and transfer.is_dialled and ended.error is None:
                ended = replace(ended, reason=TRANSFERRED)
            hung_up = False
            try:
                hung_up = await self._hang_up(transfer)
                await self._close_socket()
            finally:
                # Whatever becomes of the line, what was said is kept and what was talked is settled.
                self._turns.put_nowait(None)
                try:
                    await writing
                finally:
                    await self._finish(ended, seconds, hung_up=hung_up)
        finally:
            for task in (receiving, writing):
                task.cancel()
            await asyncio.gather(receiving, writing, return_exceptions=True)
            self._context.meter.remove(self._metered)
            self._context.call_ended(self)

    def turn(self, turn: Turn) -> None:
        """Take a finished turn of the conversation; it is stored as soon as the database takes it."""
        self._turns.put_nowait(turn)
        if turn.latency is not None:
            self._context.counters.answered(turn.latency)
        for use in turn.tools:
            self._context.counters.used_tool(succeeded=use.succeeded)
        if self._context.traces.is_on:
            self._context.traces.turn(self._call.user_id, self._call.call_id, turn, answered_ns=self._answered_ns)

    def leave(self) -> None:
        """The process is being stopped and will not wait: say goodbye."""
        self._conversation.say_goodbye("shutdown", seconds_max=_LEAVE_SECONDS)

    def _send(self, message: str | bytes) -> bool:
        sent = self._outbox.put(message)
        if not sent and self._outbox.is_broken:
            # Nobody reads because nobody is there: not a caller who blocks the line.
            self._conversation.end("caller_hung_up", "CALLER")
        return sent

    async def _receive(self) -> None:
        """Feed the conversation what comes from the socket, until there is nothing more."""
        others = 0
        try:
            while True:
                message = await self._next_message()
                others += 1
                if message["type"] == "websocket.disconnect":
                    break
                try:
                    event = self._translator.read(message.get("text") or message.get("bytes") or "")
                except BadMessage as error:
                    self._log.warning("the carrier sent something that makes no sense", error=str(error))
                    event = None
                if isinstance(event, Audio | Present):
                    self._heard_at = time.monotonic()
                    others = 0
                elif others > _OTHERS_MAX and time.monotonic() - self._heard_at > _FRAMES_MISSING_SECONDS:
                    raise TimeoutError
                elif isinstance(event, Stopped):
                    self._line_is_gone = True
                if event is not None:
                    self._conversation.receive(event)
        except TimeoutError:
            self._conversation.end(LINE_DEAD)
            return
        except GONE:
            pass
        self._socket_is_gone = True
        self._conversation.end("caller_hung_up", "CALLER")

    async def _next_message(self) -> MutableMapping[str, Any]:
        """The socket's next message. Raises TimeoutError when no frame has come for too long.

        What is missing may only lie unread: a process that was paused reads first, and judges then.
        """
        try:
            async with asyncio.timeout_at(max(self._heard_at + _FRAMES_MISSING_SECONDS, time.monotonic())):
                return await self._websocket.receive()
        except TimeoutError:
            async with asyncio.timeout(_LAST_LOOK_SECONDS):
                return await self._websocket.receive()

    async def _hang_up(self, transfer: Transfer | None) -> bool:
        """End the call at the carrier: first its API, then the socket. False when the carrier did not take it."""
        if self._line_is_gone or self._through.has_line(transfer, line_closed=self._socket_is_gone):
            return True
        try:
            await self._company.hang_up(self._carrier_call_id)
        except ProviderError as error:
            self._log.warning("the carrier did not hang up", error=str(error))
            return False
        return True

    async def _close_socket(self) -> None:
        await self._outbox.close()
        if self._websocket.application_state == WebSocketState.CONNECTED:
            try:
                async with asyncio.timeout(2):
                    await self._websocket.close()
            except (*GONE, TimeoutError):
                pass  # the other side was faster

    async def _finish(self, ended: Ended, seconds: float, *, hung_up: bool) -> None:
        if ended.error is not None:
            self._log.error("a conversation failed", exc_info=ended.error)

        database, user, call = self._context.database, self._call.user_id, self._call.call_id
        began_ns = time.time_ns()
        what: dict[str, Any] = {
            "seconds": seconds,
            "reason": ended.reason,
            "failed": ended.reason in ("error", "ai_down", LINE_DEAD, "line_blocked"),
            "not_charged_reason": _OUR_FAULT.get(ended.reason),
        }

        async def settle() -> None:
            if hung_up:
                done = await lifecycle.finish(database, user, call, **what)  # nothing else with it: one statement
            else:
                async with database.transaction(user=user) as db:
                    done = await lifecycle.finish(db, user, call, **what)
                    await self._context.jobs.enqueue(
                        db, HANG_UP_JOB, carrier=self._company.name, carrier_call_id=self._carrier_call_id
                    )
            self._log.info("call finished", reason=ended.reason, seconds=done.seconds, charged=done.charged)
            self._context.traces.finished(
                user,
                call,
                began_ns=began_ns,
                reason=ended.reason,
                seconds=done.seconds,
                charged=done.charged,
                failed=what["failed"],
            )

        if await self._offer(settle):
            await self._note_costs()

    async def _note_costs(self) -> None:
        """Keep what the vendors are paid for. After the settling, and by itself: no mistake in it may cost that."""
        used = self._usage.lines()

        async def note() -> None:
            async with self._context.database.transaction(user=self._call.user_id) as db:
                await costs.note(db, self._call.user_id, self._call.call_id, used)

        if not used:
            return
        try:
            await self._offer(note)
        except DATABASE_SAYS_NO as error:
            self._log.error("what a call cost could not be stored", error=type(error).__name__)

    async def _write_turns(self) -> None:
        while (turn := await self._turns.get()) is not None:
            row = _turn_row(self._call, turn)

            async def store(row: Mapping[str, Any] = row) -> None:
                async with self._context.database.transaction(user=self._call.user_id) as db:
                    await lifecycle.write_turn(db, row)

            try:
                await self._offer(store)
            except DATABASE_SAYS_NO as error:
                # This one cannot be stored, whenever it is tried; those that come after it can.
                self._log.error("a turn could not be stored", turn_no=turn.turn_no, error=type(error).__name__)

    async def _offer(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do something with the database, again and again while it is away. The lease is kept alive meanwhile.

        False when it was away for too long.
        """
        for attempt in range(_OFFER_TIMES):
            try:
                await work()
            except DATABASE_AWAY as error:
                self._log.warning("the database did not take it yet", attempt=attempt, error=type(error).__name__)
                await asyncio.sleep(_OFFER_AGAIN_SECONDS)
            else:
                return True
        self._log.error("the database was away for too long; the sweep will finish this call")
        return False

    def _moment(self) -> Moment:
        receptionist = self._receptionist
        return moment_of(receptionist.hours, receptionist.zone, receptionist.brief.language, datetime.now(UTC))

    def _tools(self) -> Tools:
        tools = Tools()
        if TAKE_MESSAGE in self._receptionist.tools:
            tools = tools.with_(_TAKE_MESSAGE, self._take_message)
        if (put_through := self._through.tool) is not None:
            tools = tools.with_(put_through, self._through.use)
        return tools

    async def _take_message(self, arguments: Mapping[str, Any], _key: str) -> str:
        """Keep a caller's message with the call; asked twice it says the same thing twice."""
        name = str(arguments.get("name") or "").strip()[:200]
        number = str(arguments.get("number") or "").strip()[:50]
        message = str(arguments["message"]).strip()[:2000]
        parts = [f"Message from {name}" if name else "Message", f"call back {number}" if number else "", message]
        summary = storable(": ".join(part for part in parts if part))
        try:
            async with self._context.database.transaction(user=self._call.user_id) as db:
                await lifecycle.note_outcome(db, self._call.user_id, self._call.call_id, "message", summary)
        except DATABASE_AWAY as error:
            # Only what is stored is acknowledged: the agent says that it cannot take the message now.
            raise ProviderError("the message could not be stored") from error
        return "the message was taken"


def storable(text: str) -> str:
    """Text as PostgreSQL takes it: it knows no NUL, and callers, models and tools may send one."""
    return text.replace("\x00", "")


def _storable_value(value: object) -> object:
    return storable(value) if isinstance(value, str) else value


def _turn_row(call: Answered, turn: Turn) -> dict[str, Any]:
    latency = (
        {name.removesuffix("_ms"): value for name, value in asdict(turn.latency).items()} if turn.latency else None
    )
    return {
        "user_id": call.user_id,
        "call_id": call.call_id,
        "turn_no": turn.turn_no,
        "speaker": turn.speaker,
        "text": storable(turn.text),
        "began_ms": turn.began_ms,
        "ended_ms": turn.ended_ms,
        "interrupted": turn.interrupted,
        "latency": latency,
        "tools": [{name: _storable_value(value) for name, value in asdict(use).items()} for use in turn.tools],
        "sources": list(turn.sources),
    }
