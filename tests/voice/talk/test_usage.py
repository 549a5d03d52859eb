"""What a conversation uses of vendors is counted for its own call, also when the caller speaks over the agent."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from talktime.speech.contract import Brief, CallTool, Message, Moment, Say, Tool
from talktime.speech.usage import Measure, Paid, Usage
from talktime.voice.conversation import Providers
from tests.voice.talk.stage import BRIEF, Call, Script, Stage, Thoughts, Tones, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "We have bikes for children and for grown-ups, and all of them come with a helmet, a lock and a map of the town."


@dataclass(eq=False)
class PaidThoughts(Thoughts, Paid):
    """A model that is paid for each of its words: what it told of them, when it was cut off, is a guess."""

    def __post_init__(self) -> None:
        Paid.__init__(self)

    async def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Say | CallTool]:
        words, is_whole = 0, False
        try:
            async for piece in super().reply(brief, moment, messages, tools):
                words += len(piece.text.split()) if isinstance(piece, Say) else 1
                yield piece
            is_whole = True
        finally:
            self._usage.tokens("thoughts", prompt=len(messages), cached=0, completion=words, estimated=not is_whole)


@dataclass(eq=False)
class PaidTones(Tones, Paid):
    """A voice that is paid for each character."""

    def __post_init__(self) -> None:
        Paid.__init__(self)

    async def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
        self._usage.characters(self.name, len(text))
        async for piece in super().speak(brief, text):
            yield piece


def counted(stage: Stage, thoughts: PaidThoughts, tones: PaidTones) -> tuple[Call, Usage]:
    """A call whose providers count."""
    usage = Usage()
    script = Script()
    providers = Providers([script], [thoughts], [tones]).counting(usage)
    assert providers.transcribers == [script], "what is not paid is itself"
    call = stage.call(thinkers=providers.thinkers, speakers=providers.speakers)  # type: ignore[arg-type]  # twins of both
    return call, usage


def quantities(usage: Usage) -> dict[Measure, int]:
    return {used.measure: used.quantity for used in usage.lines()}


async def test_each_call_is_counted_by_itself(stage: Stage) -> None:
    thoughts, tones = PaidThoughts(), PaidTones()
    (one, one_usage), (other, other_usage) = (counted(stage, thoughts, tones) for _ in range(2))
    await one.greeted()
    await other.greeted()
    await one.phone.say("are you open")
    await one.turns(3)
    one.phone.hang_up()
    other.phone.hang_up()
    await one.ended()
    await other.ended()
    assert quantities(one_usage)[Measure.COMPLETION_TOKENS] == 3
    assert quantities(one_usage)[Measure.CHARACTERS] >= len("All right then.")
    assert Measure.COMPLETION_TOKENS not in quantities(other_usage)
    assert thoughts._usage.lines() == tones._usage.lines() == []


async def test_a_caller_who_speaks_over_the_agent_is_counted_before_the_call_is_over(stage: Stage) -> None:
    slow: list[list[Say | CallTool | float | Exception]] = [[Say("We have bikes. "), 60.0, Say(LONG)], [Say("Yes.")]]
    call, usage = counted(stage, PaidThoughts(slow), PaidTones())
    await call.greeted()
    await call.phone.say("what do you have")
    await call.phone.hears()
    await call.phone.say("wait, are you open")
    await until(lambda: ("AGENT", "Yes.") in call.notes.said)
    call.phone.hang_up()
    await call.ended()
    lines = {used.measure: used for used in usage.lines()}
    # The first answer was cut off after three words.
    assert (lines[Measure.COMPLETION_TOKENS].quantity, lines[Measure.COMPLETION_TOKENS].estimated) == (3 + 1, True)


async def test_an_answer_under_way_at_the_hang_up_is_counted_too(stage: Stage) -> None:
    call, usage = counted(stage, PaidThoughts([[Say("We have bikes. "), 60.0]]), PaidTones())
    await call.greeted()
    await call.phone.say("what do you have")
    await call.phone.hears()
    call.phone.hang_up()
    await call.ended()
    assert quantities(usage)[Measure.COMPLETION_TOKENS] == 3


async def test_a_sentence_that_was_ready_before_the_call_costs_the_call_nothing(stage: Stage) -> None:
    tones = PaidTones()
    await stage.engine.greetings.prepare(BRIEF, [tones])
    call, usage = counted(stage, PaidThoughts(), tones)
    await call.greeted()
    call.phone.hang_up()
    await call.ended()
    assert usage.lines() == []
