"""A call that goes on keeps the version it began with; a model is told what was published, and the day it is."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from talktime.agents import prompt, spoken_hours, versions
from talktime.agents.content import Content
from talktime.db.session import Database
from talktime.simulate.orders import WaitForAgent
from talktime.speech.choose import Trio
from talktime.speech.contract import Brief, CallTool, Message, Moment, Say, Tool
from talktime.speech.openai import system_prompt
from tests.agents.writing import publish_draft, write
from tests.house import TALK, Scripted, Tones, open_house, say
from tests.people import Person, new_person

Turn = tuple[Brief, Moment, tuple[str, ...]]


@dataclass(eq=False)
class Noting:
    """A head that notes what it is told, and does what the test wants before its first answer."""

    before_first: Callable[[], Awaitable[object]] | None = None
    told: list[Turn] = field(default_factory=list)
    name: str = "noting"

    async def prepare(self, brief: Brief) -> None:
        pass

    async def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Say | CallTool]:
        self.told.append((brief, moment, tuple(tool.name for tool in tools)))
        if self.before_first is not None:
            before_first, self.before_first = self.before_first, None
            await before_first()
        yield Say("Certainly.")


async def test_a_running_call_keeps_the_version_it_began_with(
    new_database_url: Callable[[], str], tmp_path: Path
) -> None:
    head, ears = Noting(), Scripted(["hello", "hello again", "hello"])
    async with open_house(new_database_url(), tmp_path, trio=Trio(ears, head, Tones()), ears=ears) as house:
        alice = await new_person(house.database, "Alice", credits=1000)

        async def publish_another() -> None:
            await write(
                house.database,
                alice,
                alice.agent,
                greeting="Guten Tag.",
                language="de",
                zone="Asia/Tokyo",
                business="Teehaus",
                tools=[],
            )
            assert await publish_draft(house.database, alice, alice.agent) == 2

        head.before_first = publish_another
        first = await house.call(alice, WaitForAgent(), say("hello"), *TALK)
        assert (await house.record(alice, first)).call.agent_version == 1
        assert [brief.key for brief, _, _ in head.told] == [f"{alice.agent}:1"] * 2
        assert {(brief.language, brief.business) for brief, _, _ in head.told} == {("en", "Alice's shop")}
        assert all("take_message" in tools for _, _, tools in head.told)

        second = await house.call(alice, *TALK)
        assert (await house.record(alice, second)).call.agent_version == 2
        brief, moment, tools = head.told[-1]
        assert (brief.key, brief.greeting) == (f"{alice.agent}:2", "Guten Tag.")
        assert "take_message" not in tools

        # To the letter what its owner is shown, with the day and the hour of now in the agent's zone.
        now = datetime.now(UTC)
        async with house.database.transaction(user=alice.id) as db:
            shown = await versions.preview(db, alice.id, alice.agent, at=now, which=2)
        told = system_prompt(brief, moment)
        assert told.rpartition(", ")[0] == shown.rpartition(", ")[0]
        assert prompt.standing(await _said(house.database, alice, 2)) == brief.prompt
        today = spoken_hours.written_time(now.astimezone(ZoneInfo("Asia/Tokyo")), "de").rpartition(",")[0]
        assert f"# Heute\nEs ist {today}, " in told


async def _said(database: Database, person: Person, number: int) -> Content:
    async with database.transaction(user=person.id) as db:
        return await versions.said_by(db, person.id, person.agent, number)
