"""ElevenLabs: a mouth. Speech streamed over HTTP as µ-law at 8,000 samples a second, which is what a phone plays.

Source of the wire format: https://elevenlabs.io/docs/api-reference/text-to-speech/stream

The one rule: a key is sent to the vendor's address and written nowhere else.
"""

from collections.abc import AsyncIterator
from functools import cache
from urllib.parse import quote

import httpx
import numpy as np
from numpy.typing import NDArray

from talktime.speech.contract import Brief
from talktime.speech.usage import Paid
from talktime.speech.vendor import failed, refused

_VENDOR = "ElevenLabs"


class ElevenLabsSpeaker(Paid):
    """One client for all calls."""

    name = _VENDOR

    def __init__(
        self, key: str, base_url: str, voice: str, *, model: str = "eleven_flash_v2_5", seconds_max: float = 5.0
    ) -> None:
        """`seconds_max` is how long may pass between two pieces."""
        super().__init__()
        self._voice = voice
        self._model = model
        self._client = httpx.AsyncClient(
            base_url=base_url, headers={"xi-api-key": key}, timeout=httpx.Timeout(seconds_max, connect=3.0)
        )

    async def prepare(self, brief: Brief) -> None:
        """Nothing of an agent needs preparing; what is slow (certificates) was done with the client."""

    async def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
        path = f"/v1/text-to-speech/{quote(brief.voice or self._voice, safe='')}/stream"
        request = {"text": text, "model_id": self._model, "language_code": brief.language.partition("-")[0]}
        is_silent = True
        try:
            async with self._client.stream(
                "POST", path, params={"output_format": "ulaw_8000"}, json=request
            ) as response:
                if response.status_code != 200:
                    raise refused(_VENDOR, response.status_code)
                if response.headers.get("content-type", "").startswith(("application/json", "text/")):
                    raise failed(_VENDOR, "the answer is not audio")
                # From here on the whole text is paid for, however much of it anybody hears.
                self._usage.characters(f"elevenlabs/{self._model}", len(text))
                async for ulaw in response.aiter_bytes():
                    if ulaw:
                        is_silent = False
                        yield pcm_of(ulaw)
        except httpx.TimeoutException as error:
            raise failed(_VENDOR, "took too long") from error
        except httpx.HTTPError as error:
            raise failed(_VENDOR, f"the connection failed ({type(error).__name__})") from error
        if is_silent:
            raise failed(_VENDOR, "the answer has no audio")

    async def close(self) -> None:
        await self._client.aclose()


def pcm_of(ulaw: bytes) -> bytes:
    """Decode G.711 µ-law to PCM of 16 bits."""
    return _decoding()[np.frombuffer(ulaw, np.uint8)].tobytes()


@cache
def _decoding() -> NDArray[np.int16]:
    """The 16-bit sample of each µ-law byte (ITU-T G.711)."""
    inverted = ~np.arange(256, dtype=np.uint8)
    exponent = ((inverted >> 4) & 7).astype(np.int32)
    magnitude = ((((inverted & 15).astype(np.int32) << 3) + 132) << exponent) - 132
    samples: NDArray[np.int16] = np.where(inverted & 128, -magnitude, magnitude).astype("<i2")
    return samples
