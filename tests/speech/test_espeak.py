"""The offline mouth: speech that is quick, trimmed, in the right language, and given up when nobody listens."""

import asyncio
import dataclasses

import numpy as np
import pytest

from talktime.errors import ProviderError
from talktime.speech.contract import BYTES_PER_MS, Brief
from talktime.speech.offline.espeak import EspeakSpeaker, Trimmer
from talktime.speech.offline.espeak_library import espeak
from talktime.speech.offline.pronunciation import to_phones
from tests.speech.phone import BRIEF

pytest.importorskip("espeakng_loader", reason="needs the extra `offline`")


async def speech(text: str, brief: Brief = BRIEF) -> bytes:
    return b"".join([piece async for piece in EspeakSpeaker().speak(brief, text)])


def loud(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(int)) > 150)


def alike(one: bytes, other: bytes) -> bool:
    """espeak puts a little chance into its noises, so the same sentence is not the same to the bit."""
    return abs(len(one) - len(other)) <= 20 * BYTES_PER_MS


async def test_a_sentence_becomes_speech_of_a_likely_length() -> None:
    pcm = await speech("We are open until half past six this evening.")
    assert len(pcm) % 2 == 0
    assert 1500 < len(pcm) / BYTES_PER_MS < 4500
    assert np.abs(np.frombuffer(pcm, "<i2").astype(int)).max() > 3000


async def test_speech_begins_at_once_and_ends_without_a_gap() -> None:
    pcm = await speech("Hello.")
    heard = loud(pcm)
    assert heard[0] <= 15 * 8
    assert len(pcm) // 2 - heard[-1] <= 100 * 8


async def test_languages_and_voices_sound_different() -> None:
    german = dataclasses.replace(BRIEF, language="de")
    woman = dataclasses.replace(BRIEF, voice="en-us+f2")
    sounds = [await speech("Rose Lane Dental", brief) for brief in (BRIEF, german, woman)]
    assert len({len(sound) for sound in sounds}) == 3
    assert alike(await speech("Rose Lane Dental"), sounds[0])


async def test_a_voice_of_another_vendor_is_replaced_by_the_language_s_own() -> None:
    other = dataclasses.replace(BRIEF, voice="21m00Tcm4TlvDq8ikWAM")
    assert alike(await speech("Hello there.", other), await speech("Hello there."))


@pytest.mark.parametrize("text", ["", "   ", "\x00", "…", "🙂"])
async def test_what_cannot_be_said_is_silence_and_no_failure(text: str) -> None:
    assert len(await speech(text)) < 2000 * BYTES_PER_MS


async def test_a_text_without_end_is_refused() -> None:
    with pytest.raises(ProviderError) as raised:
        await speech("word " * 2000)
    assert raised.value.permanent


async def test_several_sentences_at_once_are_not_mixed_up() -> None:
    texts = ["Hello.", "We are open.", "Goodbye."]
    alone = [await speech(text) for text in texts]
    together = await asyncio.gather(*(speech(text) for text in texts))
    assert all(alike(one, other) for one, other in zip(alone, together, strict=True))


async def test_nobody_listening_any_more_ends_the_synthesis() -> None:
    stream = EspeakSpeaker().speak(BRIEF, "This is a rather long sentence about nothing. " * 100)
    async for piece in stream:
        assert piece
        break
    await stream.aclose()  # type: ignore[attr-defined] # the contract promises an iterator; ours is a generator
    began = asyncio.get_running_loop().time()
    assert await speech("Hello.")
    assert asyncio.get_running_loop().time() - began < 1.0


async def test_preparing_makes_the_first_sound_come_at_once() -> None:
    speaker = EspeakSpeaker()
    await speaker.prepare(BRIEF)
    began = asyncio.get_running_loop().time()
    async for _piece in speaker.speak(BRIEF, "We are open until half past six this evening."):
        break
    assert asyncio.get_running_loop().time() - began < 0.2


def test_silence_is_held_back_until_something_follows() -> None:
    sound, silence = b"\x00\x10" * 800, b"\x00\x00" * 800
    trimmer = Trimmer()
    assert trimmer.feed(silence) == b""
    assert trimmer.feed(sound) == silence[-160:] + sound
    assert trimmer.feed(silence) == b""
    assert trimmer.feed(sound) == silence + sound
    assert trimmer.feed(silence * 2) == b""
    assert trimmer.finish() == silence[: 80 * BYTES_PER_MS]


def test_silence_alone_is_nothing() -> None:
    trimmer = Trimmer()
    assert trimmer.feed(b"\x00\x00" * 8000) == b""
    assert trimmer.finish() == b""


def test_words_are_written_in_the_recogniser_s_phones() -> None:
    assert to_phones("pˈɑːɹkɪŋ") == "P AA R K IH NG"
    assert to_phones("ˈœfnʊŋstsˌaɪtən") == "ER F N UH NG S T S AY T AH N"
    assert to_phones("") == ""
    assert to_phones(espeak().pronounce("Sprechstunde", "de")).startswith("SH P R")
