"""Turns: the greeting, answers with their latencies, interruptions, and what is remembered of them."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from talktime.speech.contract import Brief, Heard, Hearing, Message, Say
from tests.voice.talk.loop import now
from tests.voice.talk.stage import Phone, Script, Stage, Tones, until, with_greeting

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "We have bikes for children and for grown-ups, and all of them come with a helmet, a lock and a map of the town."


async def test_the_greeting_is_heard_at_once(stage: Stage) -> None:
    call = stage.call()
    await call.greeted()
    assert call.phone.played[0][0] - call.answered_at < 0.1
    assert call.notes.said == [("AGENT", "Harbour Bikes, hello.")]


async def test_a_greeting_that_was_prepared_needs_no_speaker(stage: Stage) -> None:
    speaker = Tones()
    await stage.engine.greetings.prepare(with_greeting("Good day."), [speaker])
    call = stage.call(brief=with_greeting("Good day."), speakers=[dead := Tones(dead=True)])
    await call.greeted()
    assert call.notes.said == [("AGENT", "Good day.")]
    assert dead.spoken == []


async def test_an_answer_follows_the_callers_words_and_tells_how_long_it_took(stage: Stage) -> None:
    call = stage.call(answers=[[0.05, Say("Yes, we are. ", ("hours",)), Say("Until six.")]])
    await call.greeted()
    said_at = await call.phone.say("are you open")
    heard_at = await call.phone.hears()
    turns = await call.turns(3)
    assert call.notes.said[1:] == [("CALLER", "are you open"), ("AGENT", "Yes, we are. Until six.")]
    assert heard_at - said_at < 0.5
    latency = turns[2].latency
    assert latency is not None
    assert 200 <= latency.turn_decided_ms <= 330
    steps = (latency.turn_decided_ms, latency.first_token_ms, latency.first_sentence_ms, latency.first_audio_ms)
    assert list(steps) == sorted(steps)
    assert 50 <= latency.first_token_ms - latency.turn_decided_ms < 120
    assert latency.first_audio_ms - latency.first_sentence_ms < 30
    assert turns[2].sources == ("hours",)
    assert turns[0].ended_ms - 40 <= turns[1].began_ms < turns[1].ended_ms <= turns[2].began_ms < turns[2].ended_ms


async def test_the_model_is_told_the_whole_conversation(stage: Stage) -> None:
    call = stage.call(answers=[[Say("Yes.")], [Say("Gladly.")]])
    await call.greeted()
    await call.phone.say("are you open")
    await call.turns(3)
    await call.phone.say("book me a bike")
    await call.turns(5)
    assert call.thinker.asked[1] == [
        Message("agent", "Harbour Bikes, hello."),
        Message("caller", "are you open"),
        Message("agent", "Yes."),
        Message("caller", "book me a bike"),
    ]


async def test_an_interrupted_agent_stops_within_300_ms_and_remembers_only_what_was_heard(stage: Stage) -> None:
    phone = Phone(script=Script(guesses=True), lag_seconds=0.06)
    call = stage.call(phone=phone, answers=[[Say(LONG)], [Say("Sorry.")]], speakers=[Tones(40)])
    await call.greeted()
    await phone.say("what bikes do you have")
    await phone.hears()
    await asyncio.sleep(0.5)
    began_at = now()
    phone.start_saying("stop that please", 700)
    await until(lambda: bool(phone.cleared_at))
    assert phone.cleared_at[0] - began_at < 0.3
    assert phone.heard_after(began_at)[-1] - began_at < 0.36
    turns = await call.turns(5)
    assert turns[2].interrupted
    assert LONG.startswith(turns[2].text) and turns[2].text != LONG
    answered_at = call.answered_at + turns[2].began_ms / 1000
    heard_seconds = sum(0.02 for at, _ in phone.played if answered_at < at < began_at + 0.4)
    assert abs(len(turns[2].text) / 40 - heard_seconds) < 0.25
    assert Message("agent", turns[2].text) in call.thinker.asked[1]
    assert call.notes.said[3:] == [("CALLER", "stop that please"), ("AGENT", "Sorry.")]


async def test_without_guesses_the_length_of_speech_decides(stage: Stage) -> None:
    call = stage.call(answers=[[Say(LONG)]], speakers=[Tones(40)])
    await call.greeted()
    await call.phone.say("what bikes do you have")
    await call.phone.hears()
    await call.phone.say("mm-hm", 240)
    await asyncio.sleep(0.5)
    assert call.phone.cleared_at == []
    began_at = now()
    call.phone.start_saying("stop that", 700)
    await until(lambda: bool(call.phone.cleared_at))
    assert 0.3 < call.phone.cleared_at[0] - began_at < 0.5


async def test_a_nod_over_the_agent_does_not_stop_it(stage: Stage) -> None:
    call = stage.call(phone=Phone(script=Script(guesses=True)), answers=[[Say(LONG)]])
    await call.greeted()
    await call.phone.say("what bikes do you have")
    await call.phone.hears()
    await call.phone.say("mm-hm, yes", 500)
    turns = await call.turns(3, 6)
    assert call.phone.cleared_at == []
    assert turns[2].text == LONG and not turns[2].interrupted
    assert len(call.thinker.asked) == 1


async def test_a_short_word_that_is_no_nod_stops_the_agent_once_it_is_understood(stage: Stage) -> None:
    call = stage.call(answers=[[Say(LONG)], [Say("I stopped.")]])
    await call.greeted()
    await call.phone.say("what bikes do you have")
    await call.phone.hears()
    await call.phone.say("stop", 240)
    turns = await call.turns(5)
    assert turns[2].interrupted
    assert call.notes.said[3:] == [("CALLER", "stop"), ("AGENT", "I stopped.")]


async def test_after_a_cough_the_agent_goes_on_where_it_stopped(stage: Stage) -> None:
    call = stage.call(answers=[[Say(LONG)]])
    await call.greeted()
    await call.phone.say("what bikes do you have")
    await call.phone.hears()
    await asyncio.sleep(0.4)
    await call.phone.say("", 500)
    turns = await call.turns(4, 6)
    assert turns[2].interrupted
    assert f"{turns[2].text} {turns[3].text}" == LONG
    assert len(call.thinker.asked) == 1


async def test_a_caller_who_goes_on_before_the_answer_is_heard_says_one_turn(stage: Stage) -> None:
    call = stage.call(answers=[[0.8, Say("Too early.")], [Say("On Sunday, yes.")]])
    await call.greeted()
    await call.phone.say("are you open")
    await until(lambda: len(call.thinker.asked) == 1)
    await call.phone.say("on sunday")
    await call.turns(3)
    assert call.notes.said[1:] == [("CALLER", "are you open on sunday"), ("AGENT", "On Sunday, yes.")]
    assert call.thinker.asked[1][-1] == Message("caller", "are you open on sunday")
    assert call.thinker.closed == 2


async def test_noise_while_thinking_does_not_lose_the_answer(stage: Stage) -> None:
    call = stage.call(answers=[[0.8, Say("Too early.")], [Say("Yes.")]])
    await call.greeted()
    await call.phone.say("are you open")
    await until(lambda: len(call.thinker.asked) == 1)
    await call.phone.say("")
    await call.turns(3)
    assert call.notes.said[1:] == [("CALLER", "are you open"), ("AGENT", "Yes.")]


async def test_a_finished_sentence_is_answered_sooner(stage: Stage) -> None:
    call = stage.call(phone=Phone(script=Script(guesses=True)), answers=[[Say("Yes.")], [Say("Gladly.")]])
    await call.greeted()
    await call.phone.say("Are you open?")
    finished = (await call.turns(3))[2].latency
    await call.phone.say("I would like to")
    unfinished = (await call.turns(5))[4].latency
    assert finished is not None and unfinished is not None
    assert finished.turn_decided_ms < 270
    assert 1150 < unfinished.turn_decided_ms < 1350


async def test_the_ears_own_end_of_turn_wins(stage: Stage) -> None:
    call = stage.call(phone=Phone(script=Script(turn_over=True)), answers=[[Say("Yes.")]])
    await call.greeted()
    await call.phone.say("are you open and")
    latency = (await call.turns(3))[2].latency
    assert latency is not None and latency.turn_decided_ms < 50


async def test_ears_that_want_silence_hear_every_frame_and_others_only_speech(stage: Stage) -> None:
    all_ears, few_ears = Script(wants_silence=True), Script()
    calls = [stage.call(phone=Phone(script=script)) for script in (all_ears, few_ears)]
    for call in calls:
        await call.greeted()
    await asyncio.gather(*(call.phone.say("hello") for call in calls))
    await asyncio.gather(*(call.turns(3) for call in calls))
    spoken = 400 * 16
    assert spoken <= few_ears.heard_bytes < spoken + 600 * 16, "what came just before, and the wait for more"
    seconds = now() - calls[0].answered_at
    assert all_ears.heard_bytes > (seconds - 0.1) * 16000


async def test_keys_are_gathered_and_stop_the_agent(stage: Stage) -> None:
    call = stage.call(answers=[[Say(LONG)], [Say("One two three, thank you.")]])
    await call.greeted()
    await call.phone.say("what bikes do you have")
    await call.phone.hears()
    await asyncio.sleep(0.3)
    for key in "123#":
        call.phone.press(key)
    assert call.phone.cleared_at
    await call.turns(5)
    assert call.notes.said[3:] == [("CALLER", "pressed 1 2 3 #"), ("AGENT", "One two three, thank you.")]


async def test_words_spoken_before_the_ears_are_open_are_not_lost(stage: Stage) -> None:
    class Slow(Script):
        async def open(self, brief: Brief, on_heard: Callable[[Heard], None]) -> Hearing:
            await asyncio.sleep(1.2)
            return await super().open(brief, on_heard)

    call = stage.call(phone=Phone(script=Slow()), answers=[[Say("Yes.")]])
    await call.phone.say("are you open")
    await until(lambda: ("AGENT", "Yes.") in call.notes.said)
    assert call.phone.script.heard_bytes >= 400 * 16


@pytest.fixture
def frozen() -> Iterator[None]:
    """As a server does before it serves: what is there already is not looked through again while calls go on. Of all
    the tests before this one that would take a fifth of a second."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen")
async def test_fifty_calls_are_paced_in_one_loop(stage: Stage) -> None:
    calls = [stage.call(answers=[[Say(LONG)]] * 3, phone=Phone()) for _ in range(50)]
    await asyncio.gather(*(call.greeted() for call in calls))
    await asyncio.gather(*(call.phone.say("what bikes do you have") for call in calls))
    await asyncio.gather(*(call.turns(3, 8) for call in calls))
    for call in calls:
        played = [at for at, _ in call.phone.played]
        began = call.answered_at + call.notes.turns[2].began_ms / 1000
        answer = [at for at in played if at >= began - 0.01]
        gaps = [later - earlier for earlier, later in pairwise(answer)]
        assert max(gaps) < 0.04, "the caller hears no gap"
        assert abs(len(answer) * 0.02 - len(LONG) / 80) < 0.06
