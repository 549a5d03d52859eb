"""Tools: run once whatever the caller does, limited in time, and never believed more than data is."""

import asyncio
from typing import Any

import pytest

from talktime.errors import ProviderError, Refused
from talktime.speech.contract import CallTool, Message, Say, Tool
from talktime.voice.tasks import Tasks
from talktime.voice.tools import Toolbox, Tools
from tests.voice.talk.stage import Phone, Piece, Script, Stage, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOOK = Tool("book", "Book a bike.", {"type": "object", "properties": {"day": {}}, "required": ["day"]})


class Book:
    """Books, when it is allowed to go on."""

    def __init__(self, *, open_: bool = True, error: Exception | None = None, seconds: float = 0.0) -> None:
        self.calls: list[tuple[dict[str, Any], str]] = []
        self.finished = 0
        self.gate = asyncio.Event()
        self.error = error
        self.seconds = seconds
        if open_:
            self.gate.set()

    async def __call__(self, arguments: Any, idempotency_key: str) -> str:
        self.calls.append((dict(arguments), idempotency_key))
        await self.gate.wait()
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        self.finished += 1
        return f"booked number {self.finished}"

    @property
    def tools(self) -> Tools:
        return Tools((BOOK,), {"book": self})


def wish(arguments: str = '{"day": "monday"}', name: str = "book", call_id: str = "a") -> CallTool:
    return CallTool(call_id, name, arguments)


async def test_a_tools_result_is_told_to_the_model_and_noted_with_the_turn(stage: Stage) -> None:
    book = Book()
    call = stage.call(answers=[[Say("Let me see."), wish()], [Say("It is booked.")]], tools=book.tools)
    await call.greeted()
    await call.phone.say("book a bike")
    turns = await call.turns(3)
    assert book.calls == [({"day": "monday"}, "call:1")]
    assert turns[2].text == "Let me see. It is booked."
    (use,) = turns[2].tools
    assert (use.name, use.result, use.succeeded, use.idempotency_key) == ("book", "booked number 1", True, "call:1")
    assert call.thinker.asked[1][-2:] == [
        Message("agent", "", "a", "book", '{"day": "monday"}'),
        Message("tool", "booked number 1", "a", "book", '{"day": "monday"}'),
    ]
    assert set(call.thinker.offered[0]) == {"book", "hang_up", "look_up"}


async def test_a_caller_who_speaks_while_a_tool_runs_does_not_start_it_again(stage: Stage) -> None:
    book = Book(open_=False)
    call = stage.call(answers=[[wish()], [wish(call_id="b")], [Say("It is booked, once.")]], tools=book.tools)
    await call.greeted()
    await call.phone.say("book a bike")
    await until(lambda: bool(book.calls))
    await call.phone.say("are you there")
    book.gate.set()
    await until(lambda: ("AGENT", "It is booked, once.") in call.notes.said)
    assert len(book.calls) == 1
    assert [message.text for message in call.thinker.asked[2] if message.role == "tool"] == ["booked number 1"] * 2
    assert len(call.notes.turns[-1].tools) == 1


async def test_the_same_wish_after_it_was_told_is_a_new_one(stage: Stage) -> None:
    book = Book()
    call = stage.call(answers=[[wish()], [Say("Booked.")], [wish()], [Say("Booked again.")]], tools=book.tools)
    await call.greeted()
    await call.phone.say("book a bike")
    await call.turns(3)
    await call.phone.say("and another")
    await call.turns(5)
    assert [key for _, key in book.calls] == ["call:1", "call:2"]


async def test_garbage_is_answered_to_the_model_not_run(stage: Stage) -> None:
    book = Book()
    garbage: list[Piece] = [
        wish("{day", call_id="1"),
        wish("[1]", call_id="2"),
        wish("{}", call_id="3"),
        wish("{}", "fly", "4"),
        wish("\ud800", call_id="5"),
    ]
    call = stage.call(answers=[garbage, [Say("I cannot.")]], tools=book.tools)
    await call.greeted()
    await call.phone.say("book a bike")
    turns = await call.turns(3)
    assert turns[2].text == "I cannot."
    assert book.calls == []
    results = [message.text for message in call.thinker.asked[1] if message.role == "tool"]
    assert len(results) == 5 and all(result.startswith("error: ") for result in results)
    assert not any(use.succeeded for use in turns[2].tools)


async def test_what_a_tool_refuses_is_said_and_what_fails_is_not_explained(stage: Stage) -> None:
    for error, told in (
        (Refused("We are closed on Monday."), "error: We are closed on Monday."),
        (ProviderError("secret address 10.0.0.1"), "error: this is not available at the moment"),
    ):
        call = stage.call(answers=[[wish()], [Say("No.")]], tools=Book(error=error).tools)
        await call.greeted()
        await call.phone.say("book a bike")
        await call.turns(3)
        assert call.thinker.asked[1][-1].text == told


async def test_a_fault_in_a_tool_ends_the_call_with_a_goodbye_and_is_reported(stage: Stage) -> None:
    fault = ZeroDivisionError("ours")
    call = stage.call(answers=[[wish()]], tools=Book(error=fault).tools)
    await call.greeted()
    await call.phone.say("book a bike")
    ended = await call.ended()
    assert (ended.reason, ended.error) == ("error", fault)
    assert "technical trouble" in call.notes.turns[-1].text


async def test_a_slow_tool_is_bridged_by_a_filler(stage: Stage) -> None:
    book = Book(seconds=1.6)
    call = stage.call(answers=[[wish()], [Say("Booked.")]], tools=book.tools)
    await call.greeted()
    said_at = await call.phone.say("book a bike")
    heard_at = await call.phone.hears()
    assert 1.0 < heard_at - said_at < 1.7
    turns = await call.turns(3)
    assert turns[2].text == "Booked."


async def test_a_tool_has_five_seconds() -> None:
    tasks = Tasks(_raise)
    box = Toolbox(Book(open_=False).tools, call_key="k", spawn=tasks.spawn, seconds_max=0.05)
    use = box.use(wish())
    assert await box.wait()
    assert use.outcome.result.startswith("error: no answer in 0.05 seconds")
    await tasks.end()


async def test_the_model_hangs_up_after_its_last_sentence_was_heard(stage: Stage) -> None:
    call = stage.call(answers=[[Say("Goodbye then, and have a nice day."), wish("{}", "hang_up")]])
    await call.greeted()
    await call.phone.say("that is all")
    ended = await call.ended()
    assert (ended.reason, ended.by, ended.error) == ("agent_hung_up", "AGENT", None)
    assert call.notes.turns[-1].text == "Goodbye then, and have a nice day."
    assert not call.notes.turns[-1].interrupted
    assert not call.phone.is_closed, "the carrier's API comes first"


async def test_a_model_that_hangs_up_without_a_word_says_goodbye_all_the_same(stage: Stage) -> None:
    call = stage.call(answers=[[wish("{}", "hang_up")], []])
    await call.greeted()
    await call.phone.say("that is all")
    assert (await call.ended()).reason == "agent_hung_up"
    assert call.notes.turns[-1].text == "Thank you for calling. Goodbye."


async def test_a_caller_with_one_more_thing_keeps_the_line(stage: Stage) -> None:
    phone = Phone(script=Script(guesses=True))
    goodbye = "Goodbye then, and have a very nice day, and come again whenever you like to."
    call = stage.call(phone=phone, answers=[[Say(goodbye), wish("{}", "hang_up")], [Say("Of course.")]])
    await call.greeted()
    await phone.say("that is all")
    await phone.hears()
    await phone.say("wait one more thing", 500)
    await until(lambda: ("AGENT", "Of course.") in call.notes.said)
    assert not call.run.done()


async def test_the_model_looks_things_up_and_the_turn_names_its_sources(stage: Stage) -> None:
    call = stage.call(answers=[[wish('{"question": "where do I park"}', "look_up")], [Say("Behind the shop.")]])
    await call.greeted()
    await call.phone.say("where do I park")
    turns = await call.turns(3)
    assert turns[2].sources == ("parking",)
    assert "free parking" in call.thinker.asked[1][-1].text


async def test_a_model_that_only_wants_tools_must_speak_in_the_end(stage: Stage) -> None:
    wishes: list[list[Piece]] = [[wish(f'{{"day": "{day}"}}')] for day in range(4)]
    call = stage.call(answers=[*wishes, [Say("Done.")]], tools=Book().tools)
    await call.greeted()
    await call.phone.say("book a bike")
    await call.turns(3)
    assert call.thinker.offered[4] == ()


def _raise(error: Exception) -> None:
    raise error
