"""OpenAI's language, against a server that speaks it: streaming, tools, audio, and every way to fail."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI

from talktime.agents import demo
from talktime.errors import ProviderError
from talktime.simulate.openai import SimulatedOpenAI, ToolWish
from talktime.simulate.vendor import Fault
from talktime.speech import openai
from talktime.speech.contract import BYTES_PER_MS, CallTool, Heard, Message, Say
from talktime.speech.openai import OpenAISpeaker, OpenAIThinker, OpenAITranscriber
from tests.speech.phone import BRIEF, MOMENT, TOOLS, called, said, turn

FAILING = [fault for fault in Fault if fault != Fault.NONE]
PERMANENT = {Fault.UNAUTHORISED}


def client(vendor: SimulatedOpenAI, key: str = "sk-simulated") -> AsyncOpenAI:
    return openai.client(key, vendor.url, seconds_max=0.5)


@pytest.fixture
async def thinker(openai_server: SimulatedOpenAI) -> AsyncIterator[OpenAIThinker]:
    thinker = OpenAIThinker(client(openai_server), "gpt-simulated")
    yield thinker
    await thinker.close()


def nobody(heard: Heard) -> None:
    raise AssertionError(heard)


async def test_an_answer_comes_piece_by_piece(openai_server: SimulatedOpenAI, thinker: OpenAIThinker) -> None:
    openai_server.replies.append(("We are open until six.",))
    pieces = await turn(thinker, "are you open")
    assert len(pieces) == 5
    assert said(pieces) == "We are open until six."


async def test_the_model_is_told_what_the_agent_knows_and_what_was_said(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker
) -> None:
    call = {"tool_call_id": "call_1", "tool_name": "take_message", "tool_arguments": '{"name": "Anna"}'}
    before = (
        Message("agent", BRIEF.greeting),
        Message("caller", "take a message"),
        Message("agent", "", **call),
        Message("tool", "noted", **call),
        Message("agent", "I have noted that."),
    )
    await turn(thinker, "thank you", before)
    request = json.loads(openai_server.server.asked[0].body)
    system, *lines = request["messages"]
    assert request["stream"] is True
    assert demo.INSTRUCTIONS in system["content"]
    assert "free car park behind the building" in system["content"]
    assert MOMENT.local_time in system["content"]
    assert [line["role"] for line in lines] == ["assistant", "user", "assistant", "tool", "assistant", "user"]
    assert lines[2]["tool_calls"][0]["function"] == {"name": "take_message", "arguments": '{"name": "Anna"}'}
    assert [tool["function"]["name"] for tool in request["tools"]] == ["hang_up", "take_message"]


async def test_tools_come_whole_though_they_are_sent_in_pieces(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker
) -> None:
    arguments = json.dumps({"name": "Anna", "message": "please call back"})
    openai_server.replies.append(
        ("One moment.", ToolWish("call_1", "take_message", arguments), ToolWish("call_2", "hang_up", ""))
    )
    pieces = await turn(thinker, "take a message")
    assert said(pieces) == "One moment."
    assert called(pieces) == ["take_message", "hang_up"]
    assert pieces[-2] == CallTool("call_1", "take_message", arguments)
    assert pieces[-1] == CallTool("call_2", "hang_up", "{}")


async def test_a_caller_who_speaks_cancels_the_request(openai_server: SimulatedOpenAI, thinker: OpenAIThinker) -> None:
    openai_server.replies.append(("word " * 200_000,))
    stream = thinker.reply(BRIEF, MOMENT, [Message("caller", "tell me all")], TOOLS)
    async for piece in stream:
        assert isinstance(piece, Say)
        break
    await stream.aclose()  # type: ignore[attr-defined] # the contract promises an iterator; ours is a generator
    async with asyncio.timeout(5):
        while not openai_server.server.cancelled:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", FAILING)
async def test_a_model_that_fails_is_never_silence(
    openai_server: SimulatedOpenAI, thinker: OpenAIThinker, fault: Fault
) -> None:
    openai_server.server.fault = fault
    with pytest.raises(ProviderError) as raised:
        async with asyncio.timeout(5):
            await turn(thinker, "hello")
    assert raised.value.permanent is (fault in PERMANENT)
    assert "sk-simulated" not in str(raised.value)


async def test_a_conversation_that_the_vendor_refuses_is_permanent(thinker: OpenAIThinker) -> None:
    with pytest.raises(ProviderError) as raised:
        await turn(thinker, "hello", (Message("tool", "noted", "call_9", "take_message", "{}"),))
    assert raised.value.permanent


async def test_a_wrong_key_and_a_server_that_is_gone_are_told_apart(openai_server: SimulatedOpenAI) -> None:
    wrong = OpenAIThinker(client(openai_server, "sk-wrong"), "gpt-simulated")
    with pytest.raises(ProviderError) as raised:
        await turn(wrong, "hello")
    assert raised.value.permanent
    await openai_server.server.close()
    with pytest.raises(ProviderError) as raised:
        await turn(wrong, "hello")
    assert not raised.value.permanent
    await wrong.close()


async def test_a_turn_is_transcribed_when_it_is_over(openai_server: SimulatedOpenAI) -> None:
    transcriber = OpenAITranscriber(client(openai_server))
    hearing = await transcriber.open(BRIEF, nobody)
    assert await hearing.flush() == ""
    for _frame in range(50):
        hearing.hear(b"\x00\x10" * 160)
    assert await hearing.flush() == "what are your opening hours"
    assert await hearing.flush() == ""
    assert len(openai_server.server.asked) == 1
    await hearing.close()
    await hearing.close()
    hearing.hear(b"\x00\x10" * 16000)
    assert await hearing.flush() == ""
    await transcriber.close()


@pytest.mark.parametrize("fault", FAILING)
async def test_ears_that_fail_say_so(openai_server: SimulatedOpenAI, fault: Fault) -> None:
    openai_server.server.fault = fault
    transcriber = OpenAITranscriber(client(openai_server))
    hearing = await transcriber.open(BRIEF, nobody)
    hearing.hear(b"\x00\x10" * 160 * 50)
    with pytest.raises(ProviderError):
        async with asyncio.timeout(5):
            await hearing.flush()
    await transcriber.close()


async def test_a_caller_who_never_stops_does_not_fill_the_memory(openai_server: SimulatedOpenAI) -> None:
    transcriber = OpenAITranscriber(client(openai_server))
    hearing = await transcriber.open(BRIEF, nobody)
    for _second in range(130):
        hearing.hear(b"\x00\x10" * 8000)
    await hearing.flush()
    assert len(openai_server.server.asked[0].body) < 121_000 * BYTES_PER_MS
    await transcriber.close()


async def test_speech_is_taken_to_the_phone_s_rate(openai_server: SimulatedOpenAI) -> None:
    speaker = OpenAISpeaker(client(openai_server))
    pieces = [piece async for piece in speaker.speak(BRIEF, "Hello.")]
    assert len(pieces) > 1
    assert len(b"".join(pieces)) == len(openai_server.speech) // 3
    assert json.loads(openai_server.server.asked[0].body)["input"] == "Hello."
    await speaker.close()


@pytest.mark.parametrize("fault", FAILING)
async def test_a_mouth_that_fails_says_so(openai_server: SimulatedOpenAI, fault: Fault) -> None:
    openai_server.server.fault = fault
    speaker = OpenAISpeaker(client(openai_server))
    with pytest.raises(ProviderError):
        async with asyncio.timeout(5):
            async for _piece in speaker.speak(BRIEF, "Hello."):
                pass
    await speaker.close()
