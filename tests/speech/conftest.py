"""Ears that all tests of this folder share, and simulated vendors of each test's own."""

from collections.abc import AsyncIterator

import pytest

from talktime.simulate.deepgram import SimulatedDeepgram
from talktime.simulate.elevenlabs import SimulatedElevenLabs
from talktime.simulate.openai import SimulatedOpenAI
from talktime.speech.offline import sphinx
from talktime.speech.offline.sphinx import SphinxTranscriber
from tests.speech.phone import BRIEF


@pytest.fixture(scope="session")
async def ears() -> AsyncIterator[SphinxTranscriber]:
    """One process that decodes, with the demo agent's words learnt."""
    pytest.importorskip("pocketsphinx", reason="needs the extra `offline`")
    transcriber = SphinxTranscriber()
    with pytest.MonkeyPatch.context() as patch:
        # A call brings audio as it is spoken; tests bring it all at once, and machines that test are busy.
        patch.setattr(sphinx, "_FLUSH_SECONDS_MAX", 30.0)
        await transcriber.prepare(BRIEF)
        yield transcriber
        await transcriber.close()


@pytest.fixture
async def openai_server() -> AsyncIterator[SimulatedOpenAI]:
    vendor = SimulatedOpenAI()
    await vendor.server.start()
    yield vendor
    await vendor.server.close()


@pytest.fixture
async def elevenlabs_server() -> AsyncIterator[SimulatedElevenLabs]:
    vendor = SimulatedElevenLabs()
    await vendor.server.start()
    yield vendor
    await vendor.server.close()


@pytest.fixture
async def deepgram_server() -> AsyncIterator[SimulatedDeepgram]:
    vendor = SimulatedDeepgram()
    await vendor.start()
    yield vendor
    await vendor.close()
