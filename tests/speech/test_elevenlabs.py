"""ElevenLabs' wire format, against a server that speaks it."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator

import pytest

from talktime.errors import ProviderError
from talktime.simulate.elevenlabs import SimulatedElevenLabs
from talktime.simulate.sound import ulaw_of
from talktime.simulate.vendor import Fault
from talktime.speech.elevenlabs import ElevenLabsSpeaker, pcm_of
from tests.speech.phone import BRIEF


@pytest.fixture
async def speaker(elevenlabs_server: SimulatedElevenLabs) -> AsyncIterator[ElevenLabsSpeaker]:
    speaker = ElevenLabsSpeaker("xi-simulated", elevenlabs_server.url, "a voice/odd", seconds_max=0.5)
    yield speaker
    await speaker.close()


async def test_speech_streams_in_pieces(elevenlabs_server: SimulatedElevenLabs, speaker: ElevenLabsSpeaker) -> None:
    await speaker.prepare(BRIEF)
    pieces = [piece async for piece in speaker.speak(BRIEF, "Hello.")]
    assert b"".join(pieces) == pcm_of(elevenlabs_server.ulaw)
    asked = elevenlabs_server.server.asked[0]
    assert asked.path == "/v1/text-to-speech/a%20voice%2Fodd/stream"
    assert asked.query == {"output_format": ["ulaw_8000"]}
    assert json.loads(asked.body) == {"text": "Hello.", "model_id": "eleven_flash_v2_5", "language_code": "en"}


async def test_the_voice_of_the_agent_is_asked_for(
    elevenlabs_server: SimulatedElevenLabs, speaker: ElevenLabsSpeaker
) -> None:
    async for _piece in speaker.speak(dataclasses.replace(BRIEF, voice="rachel"), "Hello."):
        break
    assert elevenlabs_server.server.asked[0].path == "/v1/text-to-speech/rachel/stream"


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault != Fault.NONE])
async def test_a_failure_is_never_silence(
    elevenlabs_server: SimulatedElevenLabs, speaker: ElevenLabsSpeaker, fault: Fault
) -> None:
    elevenlabs_server.server.fault = fault
    with pytest.raises(ProviderError) as raised:
        async with asyncio.timeout(5):
            async for _piece in speaker.speak(BRIEF, "Hello."):
                pass
    assert raised.value.permanent is (fault == Fault.UNAUTHORISED)
    assert "xi-simulated" not in str(raised.value)


async def test_a_server_that_is_gone_is_a_passing_failure(
    elevenlabs_server: SimulatedElevenLabs, speaker: ElevenLabsSpeaker
) -> None:
    await elevenlabs_server.server.close()
    with pytest.raises(ProviderError) as raised:
        async for _piece in speaker.speak(BRIEF, "Hello."):
            pass
    assert not raised.value.permanent


def test_mu_law_is_decoded_as_it_was_encoded() -> None:
    every_byte = bytes(range(256))
    again = ulaw_of(pcm_of(every_byte))
    # 0x7F is minus zero: it comes back as plain zero.
    assert again == every_byte.replace(b"\x7f", b"\xff")
