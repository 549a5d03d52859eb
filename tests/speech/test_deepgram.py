"""Deepgram's wire format, against a server that speaks it: guesses, finals, ends of turns, and every way to fail."""

import asyncio
from collections.abc import Callable

import pytest

from talktime.errors import ProviderError
from talktime.simulate.deepgram import SimulatedDeepgram
from talktime.simulate.vendor import Fault
from talktime.speech import deepgram
from talktime.speech.contract import Heard
from talktime.speech.deepgram import DeepgramHearing, DeepgramTranscriber
from tests.speech.phone import BRIEF

SOUND = b"\x00\x10\x00\xf0" * 80
SILENCE = b"\x00" * 320


def transcriber(vendor: SimulatedDeepgram, key: str = "dg-simulated") -> DeepgramTranscriber:
    return DeepgramTranscriber(key, vendor.url, finalize_seconds_max=0.3)


class Listener:
    """Keeps what was heard, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._came = asyncio.Event()

    def __call__(self, heard: Heard) -> None:
        self.heard.append(heard)
        self._came.set()

    async def until(self, is_there: Callable[[Heard], bool]) -> Heard:
        async with asyncio.timeout(5):
            while True:
                for heard in self.heard:
                    if is_there(heard):
                        return heard
                self._came.clear()
                await self._came.wait()


async def failed(hearing: DeepgramHearing) -> ProviderError:
    """Feed until the ears notice that something is wrong."""
    async with asyncio.timeout(5):
        while True:
            hearing.hear(SOUND)
            await asyncio.sleep(0.01)
            try:
                await hearing.flush()
            except ProviderError as error:
                return error


async def test_guesses_come_while_the_caller_speaks_and_the_vendor_ends_the_turn(
    deepgram_server: SimulatedDeepgram,
) -> None:
    listener = Listener()
    hearing = await transcriber(deepgram_server).open(BRIEF, listener)
    assert hearing.wants_silence
    for _frame in range(10):
        hearing.hear(SOUND)
    assert (await listener.until(lambda heard: not heard.final)).text == "what"
    for _frame in range(20):
        hearing.hear(SILENCE)
    over = await listener.until(lambda heard: heard.turn_over)
    assert over == Heard("what are your opening hours", final=True, turn_over=True)
    assert await hearing.flush() == "what are your opening hours"
    assert "Finalize" not in deepgram_server.told  # the vendor had said that the turn was over: nothing to wait for
    assert await hearing.flush() == ""
    await hearing.close()


async def test_our_own_end_of_turn_fetches_the_last_words(deepgram_server: SimulatedDeepgram) -> None:
    hearing = await transcriber(deepgram_server).open(BRIEF, Listener())
    for _frame in range(10):
        hearing.hear(SOUND)
    assert await hearing.flush() == "what are your opening hours"
    assert deepgram_server.told == ["Finalize"]
    await hearing.close()


async def test_a_vendor_that_has_nothing_to_add_is_not_waited_for_long(deepgram_server: SimulatedDeepgram) -> None:
    deepgram_server.answers_finalize = False
    hearing = await transcriber(deepgram_server).open(BRIEF, Listener())
    hearing.hear(SILENCE)
    async with asyncio.timeout(1):
        assert await hearing.flush() == ""
    await hearing.close()


async def test_the_request_says_what_is_sent(deepgram_server: SimulatedDeepgram) -> None:
    hearing = await transcriber(deepgram_server).open(BRIEF, Listener())
    await hearing.close()
    query = deepgram_server.queries[0]
    assert query["encoding"] == ["linear16"]
    assert query["sample_rate"] == ["8000"]
    assert query["interim_results"] == ["true"]
    assert query["language"] == ["en"]


async def test_a_line_without_audio_is_kept_alive(
    deepgram_server: SimulatedDeepgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepgram, "_KEEP_ALIVE_SECONDS", 0.05)
    hearing = await transcriber(deepgram_server).open(BRIEF, Listener())
    async with asyncio.timeout(5):
        while "KeepAlive" not in deepgram_server.told:
            await asyncio.sleep(0.01)
    await hearing.close()


async def test_closing_says_goodbye_to_the_vendor_once(deepgram_server: SimulatedDeepgram) -> None:
    hearing = await transcriber(deepgram_server).open(BRIEF, Listener())
    hearing.hear(SOUND)
    await hearing.close()
    await hearing.close()
    hearing.hear(SOUND)
    assert await hearing.flush() == ""
    async with asyncio.timeout(5):
        while "CloseStream" not in deepgram_server.told:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("fault", "permanent"), [(Fault.UNAUTHORISED, True), (Fault.TOO_MANY, False), (Fault.BROKEN, False)]
)
async def test_a_vendor_that_does_not_let_us_in_is_a_failure_to_open(
    deepgram_server: SimulatedDeepgram, fault: Fault, permanent: bool
) -> None:
    deepgram_server.fault = fault
    with pytest.raises(ProviderError) as raised:
        await transcriber(deepgram_server).open(BRIEF, Listener())
    assert raised.value.permanent is permanent


async def test_a_wrong_key_is_permanent_and_not_repeated_in_the_message(deepgram_server: SimulatedDeepgram) -> None:
    with pytest.raises(ProviderError) as raised:
        await transcriber(deepgram_server, "dg-wrong").open(BRIEF, Listener())
    assert raised.value.permanent
    assert "dg-wrong" not in str(raised.value)


async def test_a_vendor_that_does_not_answer_is_given_up(
    deepgram_server: SimulatedDeepgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepgram, "_OPEN_SECONDS_MAX", 0.2)
    deepgram_server.fault = Fault.SLOW
    with pytest.raises(ProviderError):
        await transcriber(deepgram_server).open(BRIEF, Listener())


async def test_nobody_at_the_address_is_a_passing_failure(deepgram_server: SimulatedDeepgram) -> None:
    ears = transcriber(deepgram_server)
    await deepgram_server.close()
    with pytest.raises(ProviderError) as raised:
        await ears.open(BRIEF, Listener())
    assert not raised.value.permanent


@pytest.mark.parametrize("fault", [Fault.CLOSES, Fault.BROKEN_MIDWAY, Fault.GARBAGE])
async def test_a_stream_that_breaks_is_told_by_the_next_flush(deepgram_server: SimulatedDeepgram, fault: Fault) -> None:
    deepgram_server.fault = fault
    hearing = await transcriber(deepgram_server).open(BRIEF, Listener())
    assert not (await failed(hearing)).permanent
    with pytest.raises(ProviderError):
        await hearing.flush()
    await hearing.close()


async def test_a_vendor_that_understands_nothing_gives_no_words(deepgram_server: SimulatedDeepgram) -> None:
    deepgram_server.fault = Fault.EMPTY
    hearing = await transcriber(deepgram_server).open(BRIEF, Listener())
    hearing.hear(SOUND * 10)
    async with asyncio.timeout(2):
        assert await hearing.flush() == ""
    await hearing.close()
