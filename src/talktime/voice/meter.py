"""Keeps the holds of this process's calls alive, asks for more time before it runs out, and ends a call when there is
none.

One loop for all calls. Heartbeats go out together, and so do the requests for time that fall due at the same moment;
one that is alone is one statement. Deadlines are counted on our own clock from the moment the call was answered: if the
database cannot be reached, a call ends when its grant ends, not before and not after.

What somebody else has cut off or settled (an account was closed, a sweep was faster) is not ours any more: the next
heartbeat says so, and the call ends.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from talktime import log
from talktime.credits import batches, ledger
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
_NOT_OURS = ("over", "cut", "not_owner", "no_hold")

_WHY = "one heartbeat carries the calls of many users"
_WHY_JOINT = "requests for time that fall due together are of many users"
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
    asks_alone: bool = False
    """Its last request went with others and got no answer: one account that hangs must not hang the rest again."""

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
        asking: list[Metered] = []
        for call in list(self._calls.values()):
            if call.ended_seconds is not None or call.is_cut:
                continue
            try:
                self._look_at(call, now, asking)
            except Exception as error:  # one call's fault must not stop the meter of the others
                _LOGGER.error("a call could not be metered", call_id=str(call.call_id), exc_info=error)
        self._ask(asking)

    def _look_at(self, call: Metered, now: float, asking: list[Metered]) -> None:
        left = call.cut - now
        if left <= 0:
            call.is_cut = True
            self._start(self._claim_cut(call))
            call.on_cut()
        elif left > EXTEND_BEFORE_CUT_SECONDS or call.said_goodbye:
            return
        elif left <= GOODBYE_BEFORE_CUT_SECONDS and self._has_asked(call, now):
            # We have asked and got too little, or no answer in time. Before asking again: a process that lags by more
            # than that wait would else ask at every look, and cut without a word.
            call.said_goodbye = True
            call.on_goodbye(left)
        elif not call.busy and now - call.asked >= ASK_AGAIN_SECONDS:
            call.busy = True
            call.asked = now
            asking.append(call)

    def _has_asked(self, call: Metered, now: float) -> bool:
        """Whether more time was asked for before this end, and the answer is there or is not waited for any longer."""
        is_asked = call.asked >= call.cut - EXTEND_BEFORE_CUT_SECONDS
        return is_asked and (not call.busy or now - call.asked >= ASK_AGAIN_SECONDS)

    def _ask(self, calls: Sequence[Metered]) -> None:
        """Ask for more time: for several calls at once in one transaction, unless that has failed before."""
        together = [call for call in calls if not call.asks_alone]
        if len(together) > 1:
            self._start(self._extend_many(together))
        for call in calls:
            if call.asks_alone or len(together) == 1:
                self._start(self._extend(call))

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
        missing = [self._calls[key] for key in used.keys() - alive if key in self._calls]
        missing = [call for call in missing if call.ended_seconds is None and not call.is_cut and not call.busy]
        for call in missing:
            call.busy = True
        # We were away from the database for longer than the lease: asking for more takes a call up again. Or it was
        # cut off, and the answer says so.
        self._ask(missing)

    async def _extend(self, call: Metered) -> None:
        """Ask for a slice. A request that got no answer is asked again under its own number."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                grant = await ledger.extend(self._database, call.user_id, call.call_id, self.owner, call.request_no + 1)
        except (ledger.NotTheOwner, NotFound):
            self._give_up(call)
            return
        except (SQLAlchemyError, TimeoutError, OSError) as error:
            _LOGGER.warning("an extension did not reach the database", error=type(error).__name__)
            return
        finally:
            call.busy = False
        self._take(call, grant)

    async def _extend_many(self, calls: Sequence[Metered]) -> None:
        """Ask for a slice for each of several calls; the answers are those that each would get by itself."""
        items = [(call.user_id, call.call_id, call.request_no + 1) for call in calls]
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._database.transaction(everyone=_WHY_JOINT) as db:
                grants = {
                    (each.user_id, each.call_id): each for each in await batches.extend_many(db, self.owner, items)
                }
        except (SQLAlchemyError, TalktimeError, TimeoutError, OSError) as error:
            _LOGGER.warning("extensions did not reach the database", calls=len(calls), error=type(error).__name__)
            for call in calls:
                call.asks_alone = True
            return
        finally:
            for call in calls:
                call.busy = False
        for call in calls:
            self._take(call, grants[call.user_id, call.call_id])

    def _take(self, call: Metered, grant: ledger.Extension | batches.Extended) -> None:
        """Count with what was granted; a call that is settled, cut off or another's is ours no more."""
        if grant.reason in _NOT_OURS or grant.granted_seconds is None or grant.state is None:
            self._give_up(call)
            return
        call.asks_alone = False
        call.request_no += 1
        call.granted_seconds = max(call.granted_seconds, grant.granted_seconds)
        call.state = grant.state

    def _give_up(self, call: Metered) -> None:
        if not call.is_cut and call.ended_seconds is None:
            call.is_cut = True
            try:
                call.on_cut()
            except Exception as error:  # one call's fault must not cost the others their time
                _LOGGER.error("a call could not be told that it is over", call_id=str(call.call_id), exc_info=error)

    async def _claim_cut(self, call: Metered) -> None:
        try:
            await ledger.cut(self._database, call.user_id, call.call_id, self.owner)
        except (SQLAlchemyError, TalktimeError, OSError) as error:
            # The call ends all the same; the claim only tells other processes that somebody saw to it.
            _LOGGER.warning("a cut could not be recorded", error=type(error).__name__)
