"""What goes wrong: silence, providers that fail or are slow, sockets that close, lines that block, our own faults."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from talktime.carriers.contract import Audio, Played
from talktime.errors import ProviderError
from talktime.speech.contract import Brief, CallTool, Heard, Message, Say
from talktime.voice.tools import Tools
from talktime.voice.turns import Turn, TurnSettings
from tests.voice.talk.loop import now
from tests.voice.talk.stage import BRIEF, Call, Notes, Phone, Script, Stage, Thoughts, Tones, until
from tests.voice.talk.test_conversation import LONG
from tests.voice.talk.test_tools import BOOK, Book, wish

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOWN = ProviderError("down")


async def test_silence_is_asked_about_twice_and_then_ends_the_call(stage: Stage) -> None:
    call = stage.call(settings=TurnSettings(silence_seconds=1))
    ended = await call.ended()
    assert (ended.reason, ended.by) == ("silence", "AGENT")
    assert [text for _, text in call.notes.said[1:]] == [
        "Are you still there?",
        "Are you still there?",
        "Thank you for calling. Goodbye.",
    ]


async def test_a_caller_who_comes_back_is_asked_anew_later(stage: Stage) -> None:
    call = stage.call()
    await call.turns(2)
    await call.phone.say("yes I am here")
    await until(lambda: [text for _, text in call.notes.said].count("Are you still there?") == 3, 6)
    assert not call.run.done()


@pytest.mark.parametrize("phone", [Phone(answers_marks=False), Phone(lag_seconds=0.4), Phone(lag_seconds=5)])
async def test_marks_that_never_come_or_come_late_hold_up_nothing(stage: Stage, phone: Phone) -> None:
    call = stage.call(phone=phone, answers=[[Say("Goodbye."), wish("{}", "hang_up")]])
    await call.greeted()
    await phone.say("bye")
    assert (await call.ended(4)).reason == "agent_hung_up"


async def test_marks_of_somebody_else_and_old_marks_mean_nothing(stage: Stage) -> None:
    call = stage.call(phone=Phone(answers_marks=False))
    for name in ("t1", "t1", "t99", "", "somebody"):
        call.conversation.receive(Played(name))
    await call.greeted()
    assert call.notes.turns[0].text == BRIEF.greeting


async def test_what_was_heard_is_exact_even_when_the_carrier_lags(stage: Stage) -> None:
    phone = Phone(lag_seconds=0.3, script=Script(guesses=True))
    call = stage.call(phone=phone, answers=[[Say(LONG)]], speakers=[Tones(40)])
    await call.greeted()
    await phone.say("what bikes do you have")
    await phone.hears()
    await asyncio.sleep(0.6)
    phone.start_saying("stop that now", 600)
    turns = await call.turns(3)
    answered_at = call.answered_at + turns[2].began_ms / 1000
    heard = len(phone.heard_after(answered_at)) * 0.02
    assert abs(len(turns[2].text) / 40 - heard) < 0.2, (turns[2].text, heard)


async def test_the_socket_may_close_in_any_state(stage: Stage) -> None:
    async def greeting(call: Call) -> None:
        await call.phone.hears()

    async def listening(call: Call) -> None:
        await call.greeted()
        call.phone.start_saying("hello", 900)
        await asyncio.sleep(0.3)

    async def thinking(call: Call) -> None:
        await call.greeted()
        await call.phone.say("hello", 300)
        await until(lambda: len(call.thinker.asked) == 1)

    async def speaking(call: Call) -> None:
        await thinking(call)
        await call.phone.hears()

    async def saying_goodbye(call: Call) -> None:
        call.conversation.say_goodbye("credit_ended", seconds_max=4)
        await call.phone.hears()

    async def before_anything(call: Call) -> None:
        pass

    calls = []
    for bring in (before_anything, greeting, listening, thinking, speaking, saying_goodbye):
        call = stage.call(answers=[[0.3, Say(LONG)]], speakers=[Tones(40)])
        await bring(call)
        await asyncio.sleep(0.3 if bring is speaking else 0)
        call.phone.hang_up()
        calls.append((bring, call))
    for bring, call in calls:
        ended = await call.ended(3)
        assert (ended.reason, ended.by, ended.error) == ("caller_hung_up", "CALLER", None), bring
        call.phone.hang_up()
        call.conversation.receive(Audio(b"\xff" * 160))
        call.conversation.say_goodbye("late", seconds_max=1)
    assert ("CALLER", "hello") in calls[3][1].notes.said
    last = calls[4][1].notes.turns[-1]
    assert last.interrupted and LONG.startswith(last.text)


async def test_the_last_words_before_hanging_up_are_written_down(stage: Stage) -> None:
    call = stage.call()
    await call.greeted()
    await call.phone.say("never mind bye")
    call.phone.hang_up()
    await call.ended()
    assert call.notes.said[-1] == ("CALLER", "never mind bye")


async def test_a_tool_that_runs_when_the_caller_hangs_up_finishes_and_is_noted(stage: Stage) -> None:
    book = Book(seconds=0.4)
    call = stage.call(answers=[[wish()]], tools=book.tools)
    await call.greeted()
    await call.phone.say("book a bike")
    await until(lambda: bool(book.calls))
    hung_up_at = now()
    call.phone.hang_up()
    ended = await call.ended()
    assert ended.at == pytest.approx(hung_up_at, abs=0.01), "what comes after is not talk time"
    assert now() - ended.at > 0.2
    assert book.finished == 1
    assert call.notes.turns[-1].tools[0].result == "booked number 1"


async def test_a_caller_who_does_not_read_is_hung_up_on_and_disturbs_nobody(stage: Stage) -> None:
    speaks = Tones(10)
    blocked = stage.call(phone=Phone(reads=False), answers=[[Say(LONG)]], speakers=[speaks])
    other = stage.call(answers=[[Say("Yes.")]])
    await other.greeted()
    await other.phone.say("are you open")
    await other.turns(3)
    blocked.phone.start_saying("more please", 400)
    ended = await blocked.ended(12)
    assert (ended.reason, ended.by) == ("line_blocked", "SYSTEM")
    assert blocked.phone.is_closed


async def test_a_second_model_takes_over_from_one_that_fails_or_is_slow(stage: Stage) -> None:
    broken, slow = Thoughts([[DOWN]]), Thoughts([[3.5, Say("Late.")]])
    for first in (broken, slow):
        second = Thoughts([[Say("I am the second.")], [Say("Still me.")]])
        call = stage.call(thinkers=[first, second])
        await call.greeted()
        said_at = await call.phone.say("hello")
        await call.turns(3, 6)
        assert call.notes.turns[2].text == "I am the second."
        assert first.closed == 1
        if first is slow:
            assert call.phone.heard_after(said_at)[0] - said_at < 3.0, "a filler bridges it"
        await call.phone.say("who are you")
        await call.turns(5)
        assert len(first.asked) == 1, "who served last is asked first"


async def test_a_model_that_breaks_off_is_continued_by_the_next(stage: Stage) -> None:
    first = Thoughts([[Say("We are open. Until"), DOWN]])
    second = Thoughts([[Say("We are open. Until six.")]])
    call = stage.call(thinkers=[first, second])
    await call.greeted()
    await call.phone.say("are you open")
    turns = await call.turns(3)
    assert turns[2].text == "We are open. Until six."


async def test_when_nobody_can_think_the_agent_apologises_once_and_then_ends(stage: Stage) -> None:
    call = stage.call(thinkers=[Thoughts([[DOWN], [], [DOWN]])])
    await call.greeted()
    await call.phone.say("hello")
    await call.turns(3)
    assert "say it again" in call.notes.turns[2].text
    await call.phone.say("hello again")
    ended = await call.ended()
    assert (ended.reason, ended.by, ended.error) == ("ai_down", "SYSTEM", None)
    assert "technical trouble" in call.notes.turns[-1].text


async def test_a_model_slower_than_a_filler_is_still_waited_for(stage: Stage) -> None:
    call = stage.call(answers=[[3.0, Say("Here I am.")]])
    await call.greeted()
    said_at = await call.phone.say("hello")
    await call.turns(3, 6)
    assert call.notes.turns[2].text == "Here I am."
    assert call.phone.heard_after(said_at)[0] - said_at < 2.9


async def test_a_voice_that_fails_in_the_middle_is_replaced_there(stage: Stage) -> None:
    first, second = Tones(40, fails_after=16 * 1200), Tones(40, hertz=300)
    call = stage.call(speakers=[first, second], answers=[[Say(LONG)], [Say("Yes.")]])
    await call.greeted()
    await call.phone.say("what bikes do you have")
    turns = await call.turns(3, 8)
    assert turns[2].text == LONG
    (rest,) = second.spoken
    assert LONG.endswith(rest) and len(rest) < len(LONG)
    played = [at for at, _ in call.phone.played if at > call.answered_at + turns[2].began_ms / 1000]
    assert max(later - earlier for earlier, later in pairwise(played)) < 0.2
    await call.phone.say("good")
    await call.turns(5)
    assert second.spoken[-1] == "Yes."


async def test_a_voice_that_is_slow_is_replaced_and_the_caller_hears_a_filler(stage: Stage) -> None:
    await stage.engine.greetings.prepare(BRIEF, [Tones()])
    first, second = Tones(wait_seconds=9), Tones()
    call = stage.call(speakers=[first, second], answers=[[Say("Yes, we are.")]])
    await call.greeted()
    said_at = await call.phone.say("are you open")
    await call.turns(3, 6)
    assert call.phone.heard_after(said_at)[0] - said_at < 3.2
    assert second.spoken == ["Yes, we are."]


async def test_without_any_voice_the_prepared_goodbye_is_heard(stage: Stage) -> None:
    await stage.engine.greetings.prepare(BRIEF, [Tones()])
    call = stage.call(speakers=[Tones(dead=True)], answers=[[Say("Yes.")]])
    await call.greeted()
    await call.phone.say("are you open")
    ended = await call.ended()
    assert (ended.reason, ended.error) == ("ai_down", None)
    assert "technical trouble" in call.notes.turns[-1].text


async def test_without_any_voice_and_nothing_prepared_it_ends_all_the_same(stage: Stage) -> None:
    call = stage.call(speakers=[Tones(dead=True)])
    assert (await call.ended()).reason == "ai_down"
    assert call.phone.bytes_sent, "a tone at least"


async def test_ears_that_fail_are_replaced_and_the_caller_asked_again(stage: Stage) -> None:
    phone = Phone(script=Script(flush_error=DOWN))
    call = stage.call(phone=phone, answers=[[Say("Yes.")]])
    await call.greeted()
    await phone.say("are you open")
    await call.turns(2)
    assert "say it again" in call.notes.turns[1].text
    assert phone.script.opened == 2
    await phone.say("are you open")
    await until(lambda: ("AGENT", "Yes.") in call.notes.said)


async def test_when_nobody_can_listen_the_call_ends_politely(stage: Stage) -> None:
    call = stage.call(phone=Phone(script=Script(open_error=DOWN)))
    assert (await call.ended()).reason == "ai_down"
    assert "technical trouble" in call.notes.turns[-1].text


async def test_a_second_transcriber_opens_when_the_first_does_not(stage: Stage) -> None:
    phone = Phone()
    call = stage.call(phone=phone, transcribers=[Script(open_error=DOWN), phone.script], answers=[[Say("Yes.")]])
    await call.greeted()
    await phone.say("are you open")
    assert (await call.turns(3))[2].text == "Yes."


@pytest.mark.parametrize("state", ["greeting", "silent", "caller speaks", "thinking", "speaking"])
async def test_a_goodbye_is_over_before_its_deadline_in_any_state(stage: Stage, state: str) -> None:
    call = stage.call(answers=[[0.5, Say(LONG + " " + LONG)]], speakers=[Tones(40)])
    if state != "greeting":
        await call.greeted()
    if state == "caller speaks":
        call.phone.start_saying("and on and on", 3000)
        await asyncio.sleep(0.2)
    if state in ("thinking", "speaking"):
        await call.phone.say("hello", 300)
        await until(lambda: len(call.thinker.asked) == 1)
    if state == "speaking":
        await call.phone.hears()
    asked_at = now()
    call.conversation.say_goodbye("credit_ended", seconds_max=2.0)
    call.conversation.say_goodbye("credit_ended", seconds_max=0.1)
    ended = await call.ended()
    assert (ended.reason, ended.by) == ("credit_ended", "SYSTEM")
    assert now() - asked_at < 2.15
    last = call.notes.turns[-1]
    assert last.text == "Thank you for calling. Goodbye." and not last.interrupted
    assert "credit" not in str(call.notes.said)


async def test_a_goodbye_without_time_ends_in_time(stage: Stage) -> None:
    call = stage.call()
    await call.greeted()
    asked_at = now()
    call.conversation.say_goodbye("credit_ended", seconds_max=0.1)
    await call.ended()
    assert now() - asked_at < 0.3


async def test_the_end_from_outside_is_at_once_and_the_first_reason_counts(stage: Stage) -> None:
    call = stage.call()
    await call.phone.hears()
    call.conversation.end("cut")
    call.conversation.end("other")
    ended = await call.ended(0.3)
    assert (ended.reason, ended.by) == ("cut", "SYSTEM")


async def test_the_longest_call_ends_with_a_goodbye(stage: Stage) -> None:
    settings = TurnSettings(call_seconds_max=0.8)
    call = stage.call(settings=settings)
    assert (await call.ended()).reason == "longest"
    assert call.notes.turns[-1].text == "Thank you for calling. Goodbye."


async def test_endless_noise_does_not_keep_the_line_open_for_ever(stage: Stage) -> None:
    settings = TurnSettings(turn_seconds_max=0.5, silence_seconds=0.2, still_there_times=0)
    call = stage.call(settings=settings)
    await call.greeted()
    call.phone.start_saying("", 1500)
    await call.ended(4)


async def test_frames_that_stop_coming_end_the_callers_turn(stage: Stage) -> None:
    call = stage.call(answers=[[Say("Yes.")]])
    await call.greeted()
    call.phone.start_saying("are you open", 400)
    await asyncio.sleep(0.3)
    stage.phones.remove(call.phone)
    call.phone.script.was_said("are you")
    await until(lambda: len(call.thinker.asked) == 1)
    assert call.thinker.asked[0][-1] == Message("caller", "are you")
    stage.phones.append(call.phone)


async def test_our_own_fault_is_reported_after_a_goodbye(stage: Stage) -> None:
    fault = KeyError("ours")
    await stage.engine.greetings.prepare(BRIEF, [Tones()])
    calls = (
        stage.call(speakers=[Tones(fault=fault)], answers=[[Say("Yes.")]]),
        stage.call(answers=[[fault]]),
        stage.call(phone=Phone(script=Script(flush_error=fault))),
    )
    await asyncio.gather(*(call.greeted() for call in calls))
    await asyncio.gather(*(call.phone.say("are you open") for call in calls))
    for call in calls:
        ended = await call.ended()
        assert (ended.reason, ended.error) == ("error", fault)
        assert "technical trouble" in call.notes.turns[-1].text


async def test_a_journal_that_fails_ends_the_call_and_is_reported(stage: Stage) -> None:
    fault = OSError("disk")

    class Full(Notes):
        def turn(self, turn: Turn) -> None:
            raise fault

    call = stage.call(notes=Full())
    ended = await call.ended()
    assert (ended.reason, ended.error) == ("error", fault)


async def test_words_that_the_detector_missed_are_a_turn_all_the_same(stage: Stage) -> None:
    call = stage.call(answers=[[Say("Yes.")], [Say("Yes, Sunday too.")]])
    await call.greeted()
    tell = call.phone.script.tell
    assert tell is not None
    call.phone.script.was_said("are you open")
    tell(Heard("are you open", final=True))
    await until(lambda: ("CALLER", "are you open") in call.notes.said)
    call.phone.script.was_said("and on sunday")
    tell(Heard("and on sunday", final=False))
    await until(lambda: ("CALLER", "and on sunday") in call.notes.said)


async def test_a_provider_that_will_not_be_cancelled_does_not_keep_the_call(stage: Stage) -> None:
    free = asyncio.Event()

    class Stubborn(Tones):
        async def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
            while not free.is_set():
                try:
                    await free.wait()
                except asyncio.CancelledError:
                    continue
            yield b""

    call = stage.call(speakers=[Stubborn()])
    await asyncio.sleep(0.1)
    call.phone.hang_up()
    ended = await call.ended(5)
    free.set()
    await asyncio.sleep(0.1)
    # The caller had hung up: what fails afterwards is told, and does not change how the call ended.
    assert ended.reason == "caller_hung_up"
    assert isinstance(ended.error, RuntimeError)


async def test_an_owner_that_is_cancelled_leaves_nothing_behind(stage: Stage) -> None:
    call = stage.call(answers=[[Say(LONG)]])
    await call.greeted()
    await call.phone.say("hello")
    await call.phone.hears()
    stage._runs.remove(call.run)
    call.run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.run


async def test_a_tool_may_end_the_call_after_what_is_being_said(stage: Stage) -> None:
    async def transfer(arguments: object, key: str) -> str:
        call.conversation.leave("transferred", "AGENT")
        return "the call is handed over after your sentence"

    tools = Tools((BOOK,), {"book": transfer})
    call = stage.call(answers=[[CallTool("a", "book", '{"day": 1}')], [Say("I am putting you through.")]], tools=tools)
    await call.greeted()
    await call.phone.say("a person please")
    ended = await call.ended()
    assert ended.reason == "transferred"
    assert call.notes.turns[-1].text == "I am putting you through."
    assert Message("caller", "a person please") in call.thinker.asked[1]
