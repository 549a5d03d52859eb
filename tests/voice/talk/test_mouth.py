"""Speaking: paced, never far ahead, prepared in time and not before, and each greeting synthesised once."""

import asyncio
from dataclasses import replace

import pytest

from talktime.errors import ProviderError
from talktime.speech.contract import Say
from talktime.voice.greetings import GreetingCache, fixed_sentences
from talktime.voice.pacer import Pacer
from tests.voice.talk.loop import now
from tests.voice.talk.stage import BRIEF, Stage, Tones, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOUR = ["This is the first one.", "And here is the second.", "Then comes the third.", "The fourth is the last."]


async def test_a_sentence_is_synthesised_while_the_one_before_it_plays_and_no_sooner(stage: Stage) -> None:
    call = stage.call(answers=[[Say(" ".join(FOUR))]], speakers=[speaker := Tones(40)])
    await call.greeted()
    await call.phone.say("count")
    await call.phone.hears()
    assert speaker.spoken[1:] == FOUR[:2]
    began_at = now()
    turns = await call.turns(3)
    assert speaker.spoken[1:] == FOUR
    assert now() - began_at < len(" ".join(FOUR)) / 40 + 0.25, "no pause between sentences but whole frames"
    assert turns[2].text == " ".join(FOUR)


async def test_sending_never_runs_200_ms_ahead_and_never_falls_behind(stage: Stage) -> None:
    call = stage.call(answers=[[Say(" ".join(FOUR))]], speakers=[Tones(20)])
    await call.greeted()
    await call.phone.say("count")
    before = call.phone.bytes_sent
    began_at = await call.phone.hears()
    for _ in range(60):
        await asyncio.sleep(0.05)
        ahead = (call.phone.bytes_sent - before) / 8000 - (now() - began_at)
        assert 0.05 < ahead <= 0.2


async def test_nobody_ticks_while_nobody_speaks(stage: Stage) -> None:
    call = stage.call()
    await call.greeted()
    await asyncio.sleep(0.1)
    ticks = stage.engine.pacer.ticks
    await asyncio.sleep(0.5)
    assert stage.engine.pacer.ticks == ticks
    assert not call.run.done()


async def test_a_player_that_fails_is_told_and_disturbs_nobody() -> None:
    class Player:
        def __init__(self, *, bad: bool) -> None:
            self.bad, self.advanced, self.failed = bad, 0, [Exception()][:0]

        def advance(self) -> bool:
            self.advanced += 1
            if self.bad:
                raise KeyError("ours")
            return self.advanced < 5

        def fail(self, error: Exception) -> None:
            self.failed.append(error)

    pacer = Pacer()
    good, bad = Player(bad=False), Player(bad=True)
    for player in (bad, good, good):
        pacer.add(player)
    await asyncio.sleep(0.3)
    assert (good.advanced, len(good.failed)) == (5, 0)
    assert (bad.advanced, len(bad.failed)) == (1, 1)


async def test_what_is_certain_to_be_said_is_synthesised_once_for_all_calls() -> None:
    cache, speaker = GreetingCache(), Tones(wait_seconds=0.01)
    await asyncio.gather(*(cache.prepare(BRIEF, [speaker]) for _ in range(5)))
    assert sorted(speaker.spoken) == sorted(fixed_sentences(BRIEF))
    greeting = cache.get(BRIEF, BRIEF.greeting)
    assert greeting is not None and len(greeting) % 160 == 0
    assert cache.get(BRIEF, "anything else") is None
    cache.put(BRIEF, "anything else", greeting)
    assert cache.get(BRIEF, "anything else") is None


async def test_somebody_elses_greeting_is_another_and_the_oldest_is_forgotten() -> None:
    cache = GreetingCache(briefs_max=2)
    briefs = [replace(BRIEF, key=key) for key in "abc"]
    for brief in briefs:
        await cache.prepare(brief, [Tones()])
    assert cache.get(briefs[2], BRIEF.greeting) is not None
    assert cache.get(briefs[0], BRIEF.greeting) is None


async def test_preparing_tries_the_second_voice_and_says_when_there_is_none() -> None:
    cache = GreetingCache()
    with pytest.raises(ProviderError):
        await cache.prepare(BRIEF, [Tones(dead=True)])
    with pytest.raises(ProviderError):
        await cache.prepare(BRIEF, [])
    await cache.prepare(BRIEF, [Tones(dead=True), Tones()])
    assert cache.get(BRIEF, BRIEF.greeting) is not None


async def test_a_greeting_that_was_not_prepared_is_kept_after_the_first_call(stage: Stage) -> None:
    first = stage.call()
    await first.greeted()
    second = stage.call(speakers=[speaker := Tones()])
    await until(lambda: len(second.notes.turns) == 1)
    assert speaker.spoken == []
