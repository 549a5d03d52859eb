"""Another way for the caller than with us: taken after the agent has said so, not at all when the caller speaks before,
and when it cannot be taken the conversation goes on."""

import asyncio
from typing import Any

import pytest

from talktime.errors import Refused
from talktime.speech.contract import CallTool, Message, Say, Tool
from talktime.voice.tools import Tools
from tests.voice.talk.stage import Call, Phone, Script, Stage, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRANSFER = Tool("transfer", "Put through.", {"type": "object", "properties": {"person": {}}, "required": ["person"]})
SENTENCE = "One moment please, I am putting you through to Emma, who knows all about bicycles and their repair."
REGRET = "I am sorry, that did not work. Shall I take a message?"


class Door:
    """Another way, and the tool that opens it."""

    def __init__(self, *, regret: str | None = None) -> None:
        self.regret = regret
        self.wished = 0
        self.taken = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.call: Call | None = None

    async def use(self, arguments: Any, key: str) -> str:
        assert self.call is not None
        self.wished += 1
        conversation = self.call.conversation
        turn = conversation.agents_turn
        await asyncio.sleep(0)
        if not conversation.leave_by(self.go, reason="transferred", key=key, turn=turn):
            raise Refused("The caller spoke in between.")
        return "say so"

    async def go(self) -> str | None:
        self.taken += 1
        await self.gate.wait()
        return self.regret

    @property
    def tools(self) -> Tools:
        return Tools((TRANSFER,), {"transfer": self.use})


def wish(call_id: str = "a") -> CallTool:
    return CallTool(call_id, "transfer", '{"person": "Emma"}')


async def called(stage: Stage, door: Door, answers: list[list[Any]], *, guesses: bool = False) -> Call:
    call = stage.call(phone=Phone(script=Script(guesses=guesses)), answers=answers, tools=door.tools)
    door.call = call
    await call.greeted()
    await call.phone.say("can I talk to Emma")
    return call


def results(call: Call, asked: int) -> list[str]:
    return [message.text for message in call.thinker.asked[asked] if message.role == "tool"]


async def test_the_way_is_taken_after_the_sentence_was_played(stage: Stage) -> None:
    door = Door()
    call = await called(stage, door, [[wish()], [Say(SENTENCE)]])
    ended = await call.ended()
    assert (ended.reason, ended.by, ended.error, door.taken) == ("transferred", "AGENT", None, 1)
    last = call.notes.turns[-1]
    assert (last.text, last.interrupted) == (SENTENCE, False)
    assert not call.phone.is_closed


@pytest.mark.parametrize("answer", [[], [Say(" ")]], ids=["nothing", "blank"])
async def test_a_model_that_says_nothing_has_it_said(stage: Stage, answer: list[Any]) -> None:
    door = Door()
    call = await called(stage, door, [[wish()], answer])
    assert (await call.ended()).reason == "transferred"
    assert call.notes.turns[-1].text == "One moment, please, I am putting you through."


async def test_a_way_that_cannot_be_taken_is_regretted_and_the_conversation_goes_on(stage: Stage) -> None:
    door = Door(regret=REGRET)
    call = await called(stage, door, [[wish()], [Say(SENTENCE)], [Say("What is your name?")]])
    await until(lambda: ("AGENT", REGRET) in call.notes.said)
    await call.phone.say("yes please")
    await until(lambda: ("AGENT", "What is your name?") in call.notes.said)
    assert results(call, 2)[0].startswith("error: it could not be done")
    assert Message("agent", f"{SENTENCE} {REGRET}") in call.thinker.asked[2]
    assert not call.run.done()


async def test_it_can_be_wished_again_after_it_failed(stage: Stage) -> None:
    door = Door(regret=REGRET)
    call = await called(stage, door, [[wish()], [Say(SENTENCE)], [wish("b")], [Say("Again.")]])
    await until(lambda: ("AGENT", REGRET) in call.notes.said)
    door.regret = None
    await call.phone.say("please try again")
    assert (await call.ended()).reason == "transferred"
    assert (door.wished, door.taken) == (2, 2)


async def test_a_caller_who_speaks_before_that_stays_and_the_model_is_told(stage: Stage) -> None:
    door = Door()
    call = await called(stage, door, [[wish()], [Say(SENTENCE)], [Say("Then I will not.")]], guesses=True)
    await call.phone.hears()
    await call.phone.say("no wait please do not do that", 500)
    await until(lambda: ("AGENT", "Then I will not.") in call.notes.said)
    assert results(call, 2)[0].startswith("error: the caller spoke in between")
    await asyncio.sleep(0.3)
    assert door.taken == 0 and not call.run.done()


async def test_a_cough_changes_nothing(stage: Stage) -> None:
    door = Door()
    call = await called(stage, door, [[wish()], [Say(SENTENCE)]])
    await call.phone.hears()
    await call.phone.say("", 600)
    assert (await call.ended()).reason == "transferred"
    assert door.taken == 1


async def test_who_speaks_while_it_is_tried_is_written_down_and_not_answered(stage: Stage) -> None:
    door = Door()
    door.gate.clear()
    call = await called(stage, door, [[wish()], [Say(SENTENCE)]])
    await until(lambda: door.taken == 1)
    await call.phone.say("hello")
    await asyncio.sleep(0.4)
    assert len(call.thinker.asked) == 2
    door.gate.set()
    assert (await call.ended()).reason == "transferred"
    assert call.notes.said[-1] == ("CALLER", "hello")


async def test_a_caller_who_hangs_up_while_it_is_tried_is_gone(stage: Stage) -> None:
    door = Door(regret=REGRET)
    door.gate.clear()
    call = await called(stage, door, [[wish()], [Say(SENTENCE)]])
    await until(lambda: door.taken == 1)
    call.phone.hang_up()
    assert (await call.ended()).reason == "caller_hung_up"
    assert ("AGENT", REGRET) not in call.notes.said


async def test_a_goodbye_that_came_due_meanwhile_is_said_instead_of_the_regret(stage: Stage) -> None:
    door = Door(regret=REGRET)
    door.gate.clear()
    call = await called(stage, door, [[wish()], [Say(SENTENCE)]])
    await until(lambda: door.taken == 1)
    call.conversation.say_goodbye("credit_ended", seconds_max=4)
    await asyncio.sleep(0.2)
    assert not call.run.done(), "the other way may still be taken"
    door.gate.set()
    assert (await call.ended()).reason == "credit_ended"
    assert call.notes.turns[-1].text == "Thank you for calling. Goodbye."


async def test_the_end_of_the_money_ends_it_whatever_is_tried(stage: Stage) -> None:
    door = Door()
    door.gate.clear()
    call = await called(stage, door, [[wish()], [Say(SENTENCE)]])
    await until(lambda: door.taken == 1)
    call.conversation.end("credit_ended")
    assert (await call.ended()).reason == "credit_ended"


async def test_a_tool_of_a_turn_that_is_over_opens_nothing(stage: Stage) -> None:
    door = Door()
    call = stage.call(answers=[[Say("Go ahead.")]])
    door.call = call
    await call.greeted()
    turn = object()
    assert not call.conversation.leave_by(door.go, reason="transferred", key="1", turn=turn)
    assert not call.conversation.leave_by(door.go, reason="transferred", key="1", turn=None)
    assert door.taken == 0
