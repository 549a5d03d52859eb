"""Speech that is ready before it is needed: each agent's greeting, and the few sentences that every agent says.

The rule here: it is synthesised once per agent version, however many calls come at once, and memory stays bounded.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from talktime.errors import ProviderError
from talktime.speech.contract import Brief, Speaker
from talktime.voice.audio import padded, to_ulaw
from talktime.voice.phrases import phrases
from talktime.voice.streams import closing

_BRIEFS_MAX: Final = 256
"""Agents whose speech is kept: about 100 kB each."""
_SECONDS_MAX: Final = 20.0
"""For one sentence."""


@dataclass(slots=True)
class _Ready:
    speech: dict[str, bytes] = field(default_factory=dict)
    preparing: asyncio.Lock = field(default_factory=asyncio.Lock)


class GreetingCache:
    """One per process."""

    def __init__(self, briefs_max: int = _BRIEFS_MAX) -> None:
        self._briefs_max = briefs_max
        self._ready: OrderedDict[str, _Ready] = OrderedDict()
        """By key of the brief; the one used last is last."""

    async def prepare(self, brief: Brief, speakers: Sequence[Speaker]) -> None:
        """Synthesise what this agent will say for certain, unless it is here already. Raises ProviderError."""
        ready = self._of(brief)
        async with ready.preparing:
            for text in fixed_sentences(brief):
                if text not in ready.speech:
                    ready.speech[text] = await _synthesise(brief, speakers, text)

    def get(self, brief: Brief, text: str) -> bytes | None:
        """The speech of a sentence as µ-law in whole frames; None when it is not ready."""
        return self._of(brief).speech.get(text)

    def put(self, brief: Brief, text: str, ulaw: bytes) -> None:
        """Keep the speech of one of the fixed sentences; others are not kept."""
        if text in fixed_sentences(brief):
            self._of(brief).speech[text] = padded(ulaw)

    def _of(self, brief: Brief) -> _Ready:
        ready = self._ready.setdefault(brief.key, _Ready())
        self._ready.move_to_end(brief.key)
        while len(self._ready) > self._briefs_max:
            self._ready.popitem(last=False)
        return ready


def fixed_sentences(brief: Brief) -> tuple[str, ...]:
    """What an agent says whatever it is told."""
    return (brief.greeting, *phrases(brief.language).all)


async def _synthesise(brief: Brief, speakers: Sequence[Speaker], text: str) -> bytes:
    failure: Exception = ProviderError("no speaker is set", permanent=True)
    for speaker in speakers:
        pcm = bytearray()
        try:
            async with asyncio.timeout(_SECONDS_MAX), aclosing(closing(speaker.speak(brief, text))) as pieces:
                async for piece in pieces:
                    pcm += piece
        except (ProviderError, TimeoutError) as error:
            failure = error
            continue
        if pcm:
            return padded(to_ulaw(pcm[: len(pcm) // 2 * 2]))
        failure = ProviderError(f"{speaker.name} gave no audio")
    raise ProviderError(f"no speech for {text[:40]!r}: {failure}") from failure
