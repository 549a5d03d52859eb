"""Agents made ready to talk: their version read, their greeting spoken, their language model built, before a call needs
it.

Versions never change, so what is ready stays ready; memory is bounded.
"""

import asyncio
import uuid
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from talktime import log
from talktime.agents import checking, content, drafts
from talktime.agents.checking import AI_DOWN
from talktime.agents.content import Content, Person
from talktime.agents.opening_hours import OpeningHours
from talktime.agents.prompt import brief_of
from talktime.agents.publish import read_version
from talktime.db.session import Database
from talktime.errors import NotFound, ProviderError
from talktime.speech.choose import Trio
from talktime.speech.contract import Brief
from talktime.voice.conversation import Engine
from talktime.voice.turns import TurnSettings

_KEPT_MAX = 256
_LOGGER = log.get(__name__)
Key = tuple[uuid.UUID, uuid.UUID, int]
"""User, agent, version."""


@dataclass(frozen=True, slots=True)
class Receptionist:
    """One version of an agent, as a conversation needs it."""

    brief: Brief
    zone: str
    hours: OpeningHours | None
    tools: frozenset[str]
    """What it may do, by the names in `agents/content.py`."""
    people: tuple[Person, ...]
    """To whom it may put callers through."""
    stand_in: str | None
    """The number that is rung when it cannot go on."""
    settings: TurnSettings


class Receptionists:
    """Those of one process."""

    def __init__(self, database: Database, trio: Trio, engine: Engine) -> None:
        self._database = database
        self._trio = trio
        self._engine = engine
        self._known: OrderedDict[Key, asyncio.Task[Receptionist]] = OrderedDict()
        self._tasks: set[asyncio.Task[object]] = set()

    def expect(self, key: Key) -> None:
        """A call for this one is about to come: begin to make it ready."""
        self._task(key)

    async def get(self, key: Key) -> Receptionist:
        """The receptionist, read if need be; its greeting and its ears may still be on their way."""
        return await asyncio.shield(self._task(key))

    async def draft(self, user: uuid.UUID, agent_id: uuid.UUID) -> Receptionist:
        """The receptionist that an agent's draft will be, as it stands now; its greeting and its ears may still be on
        their way. It is not kept: the next one who asks may have written something else."""
        async with self._database.transaction(user=user) as db:
            found = await drafts.read(db, user, agent_id)
        receptionist = _receptionist(checking.tidied(found.content), f"{agent_id}:draft:{found.revision}")
        self._prepare_beside(receptionist)
        return receptionist

    async def close(self) -> None:
        """Drop what is under way."""
        tasks = [*self._tasks, *self._known.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ready(self, key: Key) -> None:
        """Wait until everything that can be prepared is."""
        await self._prepare(await self.get(key))

    def _task(self, key: Key) -> asyncio.Task[Receptionist]:
        task = self._known.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._known[key] = asyncio.create_task(self._read(key))
            task.add_done_callback(self._prepare_later)
        self._known.move_to_end(key)
        while len(self._known) > _KEPT_MAX:
            self._known.popitem(last=False)
        return task

    async def _read(self, key: Key) -> Receptionist:
        user, agent_id, version_no = key
        async with self._database.transaction(user=user) as db:
            agent, version = await read_version(db, user, agent_id, version_no)
        return _receptionist(content.of_version(agent, version), f"{agent_id}:{version_no}")

    def _prepare_later(self, read: asyncio.Task[Receptionist]) -> None:
        if read.cancelled():
            return
        error = read.exception()
        if error is not None:
            # Whoever needs it gets the error; nobody may be waiting yet.
            if not isinstance(error, SQLAlchemyError | NotFound | OSError):
                _LOGGER.error("an agent could not be made ready", exc_info=error)
            return
        self._prepare_beside(read.result())

    def _prepare_beside(self, receptionist: Receptionist) -> None:
        task: asyncio.Task[object] = asyncio.create_task(self._prepare(receptionist))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _prepare(self, receptionist: Receptionist) -> None:
        brief = receptionist.brief
        outcomes = await asyncio.gather(
            self._engine.greetings.prepare(brief, [self._trio.speaker]),
            self._trio.transcriber.prepare(brief),
            self._trio.thinker.prepare(brief),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, ProviderError):
                # The call itself tries again, and has its own way of dealing with a provider that fails.
                _LOGGER.warning("a provider could not prepare", error=str(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome


def _receptionist(said: Content, key: str) -> Receptionist:
    return Receptionist(
        brief=brief_of(said, key),
        zone=said.zone,
        hours=said.hours,
        tools=frozenset(said.tools),
        people=said.people,
        stand_in=said.fallback_forwards.get(AI_DOWN),
        settings=TurnSettings.from_json({"call_seconds_max": said.call_seconds_max, **said.turn_settings}),
    )
