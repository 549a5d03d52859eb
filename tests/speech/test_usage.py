"""What vendors are paid for is counted, against servers that speak their wire formats: as told, or estimated."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from talktime.errors import ProviderError
from talktime.simulate.deepgram import SimulatedDeepgram
from talktime.simulate.elevenlabs import SimulatedElevenLabs
from talktime.simulate.openai import SimulatedOpenAI, ToolWish
from talktime.simulate.vendor import Fault
from talktime.speech import openai
from talktime.speech.contract import BYTES_PER_MS, Heard, Message, Say
from talktime.speech.deepgram import DeepgramTranscriber
from talktime.speech.elevenlabs import ElevenLabsSpeaker
from talktime.speech.offline.rulebook import RuleBook
from talktime.speech.openai import OpenAISpeaker, OpenAIThinker, OpenAITranscriber
from talktime.speech.usage import Measure, Usage, Used, counting
from tests.speech.phone import BRIEF, MOMENT, TOOLS, turn

TONE_MS = b"\x00\x10" * (BYTES_PER_MS // 2)
GPT = "openai/gpt-simulated"
REFUSED = [Fault.UNAUTHORISED, Fault.TOO_MANY, Fault.BROKEN]
BROKEN_OFF = [Fault.BROKEN_MIDWAY, Fault.CLOSES, Fault.GARBAGE, Fault.EMPTY]


def nobody(heard: Heard) -> None:
    raise AssertionError(heard)


def quantities(usage: Usage) -> dict[Measure, int]:
    return {used.measure: used.quantity for used in usage.lines()}


@pytest.fixture
def usage() -> Usage:
    return Usage()


@pytest.fixture
async def shared(openai_server: SimulatedOpenAI) -> AsyncIterator[OpenAIThinker]:
    """What all calls of a process share."""
    thinker = OpenAIThinker(openai.client("sk-simulated", openai_server.url, seconds_max=0.5), "gpt-simulated")
    yield thinker
    await thinker.close()


@pytest.fixture
def thinker(shared: OpenAIThinker, usage: Usage) -> OpenAIThinker:
    """The same for one call."""
    return shared.counting(usage)


def words_asked(server: SimulatedOpenAI) -> int:
    request = json.loads(server.server.asked[-1].body)
    return sum(len((line.get("content") or "").split()) for line in request["messages"])


# The language vendor.


async def test_the_last_chunk_tells_the_tokens(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker, usage: Usage
) -> None:
    openai_server.cached_tokens = 20
    openai_server.replies.append(("We are open until six.",))
    await turn(thinker, "are you open")
    assert json.loads(openai_server.server.asked[0].body)["stream_options"] == {"include_usage": True}
    assert usage.lines() == [
        Used(GPT, Measure.CACHED_TOKENS, 20, estimated=False),
        Used(GPT, Measure.COMPLETION_TOKENS, 5, estimated=False),
        Used(GPT, Measure.PROMPT_TOKENS, words_asked(openai_server) - 20, estimated=False),
    ]


async def test_answers_add_up_and_tools_are_counted(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker, usage: Usage
) -> None:
    openai_server.replies.append(("One moment.", ToolWish("call_1", "take_message", '{"message": "call back"}')))
    await turn(thinker, "take a message")
    first = words_asked(openai_server)
    openai_server.replies.append(("Done.",))
    await turn(thinker, "are you there")
    assert quantities(usage) == {
        Measure.COMPLETION_TOKENS: 2 + 3 + 1,
        Measure.PROMPT_TOKENS: first + words_asked(openai_server),
    }


async def test_a_caller_who_speaks_leaves_an_estimate(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker, usage: Usage
) -> None:
    openai_server.replies.append(("word " * 200_000,))
    stream = thinker.reply(BRIEF, MOMENT, [Message("caller", "tell me all")], TOOLS)
    said = 0
    async for piece in stream:
        assert isinstance(piece, Say)
        said += len(piece.text)
        if said >= 40:
            break
    await stream.aclose()  # type: ignore[attr-defined] # the contract promises an iterator; ours is a generator
    lines = {used.measure: used for used in usage.lines()}
    assert lines[Measure.COMPLETION_TOKENS] == Used(GPT, Measure.COMPLETION_TOKENS, 10, estimated=True)
    assert lines[Measure.PROMPT_TOKENS].estimated
    # A word has more than one token and less than four, also with what the tools' descriptions take.
    assert words_asked(openai_server) < lines[Measure.PROMPT_TOKENS].quantity < 4 * words_asked(openai_server)


async def test_a_caller_who_speaks_before_the_first_word_leaves_an_estimate(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker, usage: Usage
) -> None:
    openai_server.server.fault = Fault.SLOW
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await turn(thinker, "hello")
    assert [(used.measure, used.estimated) for used in usage.lines()] == [(Measure.PROMPT_TOKENS, True)]


@pytest.mark.parametrize("fault", REFUSED)
async def test_what_was_refused_costs_nothing(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker, usage: Usage, fault: Fault
) -> None:
    openai_server.server.fault = fault
    with pytest.raises(ProviderError):
        await turn(thinker, "hello")
    assert usage.lines() == []


async def test_a_server_that_is_gone_costs_nothing(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker, usage: Usage
) -> None:
    await openai_server.server.close()
    with pytest.raises(ProviderError):
        await turn(thinker, "hello")
    assert usage.lines() == []


@pytest.mark.parametrize("fault", BROKEN_OFF)
async def test_an_answer_that_broke_off_is_estimated(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker, usage: Usage, fault: Fault
) -> None:
    openai_server.server.fault = fault
    with pytest.raises(ProviderError):
        await turn(thinker, "hello")
    assert all(used.estimated for used in usage.lines())
    assert quantities(usage)[Measure.PROMPT_TOKENS] > 0


async def test_one_estimate_marks_the_sum(openai_server: SimulatedOpenAI, thinker: OpenAIThinker, usage: Usage) -> None:
    openai_server.server.fault = Fault.CLOSES
    with pytest.raises(ProviderError):
        await turn(thinker, "hello")
    openai_server.server.fault = Fault.NONE
    await turn(thinker, "hello")
    assert all(used.estimated for used in usage.lines())


async def test_an_endpoint_that_refuses_the_question_is_asked_without_it_and_remembered(
    openai_server: SimulatedOpenAI, shared: OpenAIThinker, usage: Usage
) -> None:
    openai_server.knows_stream_options = False
    pieces = await asyncio.gather(*(turn(shared.counting(usage), "hello") for _ in range(3)))
    assert all(pieces)
    assert all(used.estimated for used in usage.lines())
    before = len(openai_server.server.asked)
    await turn(shared.counting(Usage()), "hello")
    assert len(openai_server.server.asked) == before + 1


@pytest.mark.parametrize(
    "told",
    [
        {"prompt_tokens": -5, "completion_tokens": 2},
        {"prompt_tokens": "many", "completion_tokens": 2},
        {"prompt_tokens": 1.5, "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2},
        {"prompt_tokens": 10**30, "completion_tokens": 2},
        {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 6}},
        {"prompt_tokens": 5},
        [],
        "7",
    ],
)
async def test_tokens_that_make_no_sense_are_not_believed(
    openai_server: SimulatedOpenAI,
    thinker: OpenAIThinker,
    usage: Usage,
    monkeypatch: pytest.MonkeyPatch,
    told: object,
) -> None:
    monkeypatch.setattr("talktime.simulate.openai._usage", lambda *_: told)
    assert await turn(thinker, "hello")
    assert usage.lines()
    assert all(used.estimated and used.quantity < 10_000 for used in usage.lines())


async def test_calls_at_once_are_counted_apart(openai_server: SimulatedOpenAI, shared: OpenAIThinker) -> None:
    usages = [Usage() for _ in range(5)]
    openai_server.replies.extend((("word " * (number + 1)).strip(),) for number in range(5))
    for usage in usages:
        await turn(shared.counting(usage), "hello")
    assert [quantities(usage)[Measure.COMPLETION_TOKENS] for usage in usages] == [1, 2, 3, 4, 5]


# The ears.


async def test_the_seconds_that_were_streamed_are_counted(deepgram_server: SimulatedDeepgram, usage: Usage) -> None:
    transcriber = DeepgramTranscriber("dg-simulated", deepgram_server.url, finalize_seconds_max=0.3)
    hearing = await transcriber.counting(usage).open(BRIEF, lambda _heard: None)
    for _frame in range(60):
        hearing.hear(TONE_MS * 20)
    await hearing.flush()
    await hearing.close()
    # 1,200 ms: a second that has begun is one.
    assert usage.lines() == [Used("deepgram/nova-3", Measure.AUDIO_SECONDS, 2, estimated=False)]


async def test_ears_that_were_refused_cost_nothing(deepgram_server: SimulatedDeepgram, usage: Usage) -> None:
    transcriber = DeepgramTranscriber("wrong", deepgram_server.url).counting(usage)
    with pytest.raises(ProviderError):
        await transcriber.open(BRIEF, nobody)
    assert usage.lines() == []


async def test_audio_that_did_not_go_out_is_not_counted(deepgram_server: SimulatedDeepgram, usage: Usage) -> None:
    deepgram_server.fault = Fault.CLOSES
    transcriber = DeepgramTranscriber("dg-simulated", deepgram_server.url, finalize_seconds_max=0.3).counting(usage)
    hearing = await transcriber.open(BRIEF, nobody)
    with pytest.raises(ProviderError):
        async with asyncio.timeout(5):
            while True:
                hearing.hear(TONE_MS * 20)
                await asyncio.sleep(0.01)
                await hearing.flush()
    counted = usage.lines()
    hearing.hear(TONE_MS * 100_000)
    await hearing.close()
    assert usage.lines() == counted


async def test_a_turn_that_is_transcribed_is_counted_in_seconds(openai_server: SimulatedOpenAI, usage: Usage) -> None:
    transcriber = OpenAITranscriber(openai.client("sk-simulated", openai_server.url, seconds_max=0.5))
    hearing = await transcriber.counting(usage).open(BRIEF, nobody)
    hearing.hear(TONE_MS * 100)  # a click, which is not sent
    await hearing.flush()
    assert usage.lines() == []
    for _turn in range(2):
        hearing.hear(TONE_MS * 1500)
        await hearing.flush()
    openai_server.server.fault = Fault.BROKEN
    hearing.hear(TONE_MS * 1500)
    with pytest.raises(ProviderError):
        await hearing.flush()
    assert usage.lines() == [Used("openai/gpt-4o-mini-transcribe", Measure.AUDIO_SECONDS, 3, estimated=False)]
    openai_server.server.fault = Fault.SLOW
    hearing.hear(TONE_MS * 1500)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await hearing.flush()
    assert usage.lines() == [Used("openai/gpt-4o-mini-transcribe", Measure.AUDIO_SECONDS, 5, estimated=True)]
    await transcriber.close()


# The mouths.


async def test_the_characters_of_a_sentence_are_counted_however_much_of_it_is_heard(
    elevenlabs_server: SimulatedElevenLabs, usage: Usage
) -> None:
    speaker = ElevenLabsSpeaker("xi-simulated", elevenlabs_server.url, "rachel", seconds_max=0.5)
    counted = counting(speaker, usage)
    assert [piece async for piece in counted.speak(BRIEF, "Grüße!")]
    stream = counted.speak(BRIEF, "A long sentence.")
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined] # the contract promises an iterator; ours is a generator
    elevenlabs_server.server.fault = Fault.CLOSES
    with pytest.raises(ProviderError):
        assert [piece async for piece in counted.speak(BRIEF, "Again.")]
    assert usage.lines() == [Used("elevenlabs/eleven_flash_v2_5", Measure.CHARACTERS, 6 + 16 + 6, estimated=False)]
    await speaker.close()


@pytest.mark.parametrize("fault", [*REFUSED, Fault.SLOW])
async def test_a_mouth_that_refuses_costs_nothing(
    elevenlabs_server: SimulatedElevenLabs, usage: Usage, fault: Fault
) -> None:
    elevenlabs_server.server.fault = fault
    speaker = ElevenLabsSpeaker("xi-simulated", elevenlabs_server.url, "rachel", seconds_max=0.2)
    with pytest.raises(ProviderError):
        assert [piece async for piece in speaker.counting(usage).speak(BRIEF, "Hello.")]
    assert usage.lines() == []
    await speaker.close()


async def test_the_other_mouth_counts_too(openai_server: SimulatedOpenAI, usage: Usage) -> None:
    speaker = OpenAISpeaker(openai.client("sk-simulated", openai_server.url, seconds_max=0.5))
    assert [piece async for piece in speaker.counting(usage).speak(BRIEF, "Hello.")]
    assert usage.lines() == [Used("openai/gpt-4o-mini-tts", Measure.CHARACTERS, 6, estimated=False)]
    await speaker.close()


async def test_what_is_prepared_for_all_calls_is_no_call_s_cost(
    elevenlabs_server: SimulatedElevenLabs, usage: Usage
) -> None:
    speaker = ElevenLabsSpeaker("xi-simulated", elevenlabs_server.url, "rachel", seconds_max=0.5)
    speaker.counting(usage)
    assert [piece async for piece in speaker.speak(BRIEF, BRIEF.greeting)]
    assert usage.lines() == []
    await speaker.close()


def test_what_costs_nothing_counts_nothing(usage: Usage) -> None:
    offline = RuleBook()
    assert counting(offline, usage) is offline


def test_only_whole_numbers_are_counted(usage: Usage) -> None:
    usage.audio("ears", 1)
    usage.audio("ears", 16_000)
    usage.audio("other ears", 16_000)
    usage.characters("mouth", 0)
    assert [(used.provider, used.quantity) for used in usage.lines()] == [("ears", 2), ("other ears", 1)]
    assert all(type(used.quantity) is int for used in usage.lines())
