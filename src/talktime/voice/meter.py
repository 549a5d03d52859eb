"""Keeps the holds of this process's calls alive, asks for more time before it runs out, and ends a call when there is
none.

One loop for all calls. Heartbeats go out together; each call's extension is a short transaction of its own. Deadlines
are counted on our own clock from the moment the call was answered: if the database cannot be reached, a call ends when
its grant ends, not before and not after.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from talktime import log
from talktime.credits import ledger
from talktime.credits.models import HoldState
from talktime.db.session import Database
from talktime.errors import NotFound, TalktimeError

HEARTBEAT_SECONDS = 15.0
EXTEND_BEFORE_CUT_SECONDS = 20.0
ASK_AGAIN_SECONDS = 2.0
GOODBYE_BEFORE_CUT_SECONDS = 8.0
CUT_BEFORE_GRANT_ENDS_SECONDS = 3.0
_TICK_SECONDS = 0.5
_ANSWER_SECONDS = 5.0

_WHY = "one heartbeat carries the calls of many users"
_LOGGER = log.get(__name__)


@dataclass(slots=True, eq=False)
class Metered:
    """One running call, as the meter sees it. Times are seconds on the monotonic clock."""

    user_id: uuid.UUID
    call_id: uuid.UUID
    answered: float
    granted_seconds: int
    on_goodbye: Callable[[float], None]
    """Called once, with the seconds that are left: end the conversation politely, and do not speak of money."""
    on_cut: Callable[[], None]
    """Called once: the time is up, or the call is not ours any more."""
    state: HoldState = HoldState.ACTIVE
    request_no: int = 0
    asked: float = field(default=float("-inf"))
    said_goodbye: bool = False
    is_cut: bool = False
    ended_seconds: int | None = None
    busy: bool = False

    @property
    def cut(self) -> float:
        return self.answered + self.granted_seconds - CUT_BEFORE_GRANT_ENDS_SECONDS

    def used_seconds(self, now: float) -> int:
        return self.ended_seconds if self.ended_seconds is not None else max(0, int(now - self.answered))


class Meter:
    """The meter of one process, which `owner` names uniquely for as long as it lives."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self.owner = owner
        self._calls: dict[tuple[uuid.UUID, uuid.UUID], Metered] = {}
        self._beaten = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, call: Metered) -> None:
        """Watch a call that was just answered."""
        self._calls[call.user_id, call.call_id] = call

    def talk_ended(self, call: Metered, seconds: int) -> None:
        """The talk is over and only the settling is left: keep the lease, grant no more, count no further."""
        call.ended_seconds = seconds

    def remove(self, call: Metered) -> None:
        """The call is settled."""
        self._calls.pop((call.user_id, call.call_id), None)

    async def run(self) -> None:
        """Meter until cancelled."""
        try:
            while True:
                self._tick(time.monotonic())
                await asyncio.sleep(_TICK_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _tick(self, now: float) -> None:
        if now - self._beaten >= HEARTBEAT_SECONDS:
            self._beaten = now
            if self._calls:
                self._start(self._beat())
        for call in list(self._calls.values()):
            if call.ended_seconds is not None or call.is_cut:
                continue
            try:
                self._look_at(call, now)
            except Exception as error:  # one call's fault must not stop the meter of the others
                _LOGGER.error("a call could not be metered", call_id=str(call.call_id), exc_info=error)

    def _look_at(self, call: Metered, now: float) -> None:
        left = call.cut - now
        if left <= 0:
            call.is_cut = True
            self._start(self._claim_cut(call))
            call.on_cut()
        elif left > EXTEND_BEFORE_CUT_SECONDS or call.said_goodbye:
            return
        elif not call.busy and now - call.asked >= ASK_AGAIN_SECONDS:
            call.busy = True
            call.asked = now
            self._start(self._extend(call))
        elif left <= GOODBYE_BEFORE_CUT_SECONDS and (not call.busy or now - call.asked >= ASK_AGAIN_SECONDS):
            # We have asked and got too little, or no answer in time.
            call.said_goodbye = True
            call.on_goodbye(left)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beat(self) -> None:
        now = time.monotonic()
        used = {key: call.used_seconds(now) for key, call in self._calls.items()}
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._database.transaction(everyone=_WHY) as db:
                alive = await ledger.heartbeat(db, self.owner, used)
        except (SQLAlchemyError, TalktimeError, TimeoutError, OSError) as error:
            _LOGGER.warning("a heartbeat did not reach the database", error=type(error).__name__)
            self._beaten = now - HEARTBEAT_SECONDS + ASK_AGAIN_SECONDS
            return
        for key in used.keys() - alive:
            call = self._calls.get(key)
            if call is not None and call.ended_seconds is None and not call.is_cut and not call.busy:
                # We were away from the database for longer than the lease: asking for more takes the call up again.
                call.busy = True
                await self._extend(call)

    async def _extend(self, call: Metered) -> None:
        """Ask for a slice. A request that got no answer is asked again under its own number."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._database.transaction(user=call.user_id) as db:
                grant = await ledger.extend(db, call.user_id, call.call_id, self.owner, call.request_no + 1)
        except (ledger.NotTheOwner, NotFound):
            self._give_up(call)
            return
        except (SQLAlchemyError, TimeoutError, OSError) as error:
            _LOGGER.warning("an extension did not reach the database", error=type(error).__name__)
            return
        finally:
            call.busy = False
        if grant.reason in ("over", "cut"):
            self._give_up(call)
            return
        call.request_no += 1
        call.granted_seconds = max(call.granted_seconds, grant.granted_seconds)
        call.state = grant.state

    def _give_up(self, call: Metered) -> None:
        if not call.is_cut and call.ended_seconds is None:
            call.is_cut = True
            call.on_cut()

    async def _claim_cut(self, call: Metered) -> None:
        try:
            async with self._database.transaction(user=call.user_id) as db:
                await ledger.cut(db, call.user_id, call.call_id, self.owner)
        except (SQLAlchemyError, TalktimeError, OSError) as error:
            # The call ends all the same; the claim only tells other processes that somebody saw to it.
            _LOGGER.warning("a cut could not be recorded", error=type(error).__name__)
