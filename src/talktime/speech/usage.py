"""What one call uses of vendors, counted as it happens: a few integers, no task, no input or output.

The rule here: what is paid for is counted, also when it fails afterwards; what a vendor has not told is estimated and
says so. Providers that cost nothing count nothing.
"""

from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from typing import Self, TypeVar

from talktime.speech.contract import BYTES_PER_MS

_BYTES_PER_TOKEN = 4
"""What vendors give as a rule of thumb for English; other languages have more tokens in fewer letters, but longer ones
in UTF-8."""
Provider = TypeVar("Provider")


class Measure(StrEnum):
    """What vendors count."""

    AUDIO_SECONDS = "AUDIO_SECONDS"
    CHARACTERS = "CHARACTERS"
    PROMPT_TOKENS = "PROMPT_TOKENS"
    """Without the cached ones."""
    CACHED_TOKENS = "CACHED_TOKENS"
    COMPLETION_TOKENS = "COMPLETION_TOKENS"


@dataclass(frozen=True, slots=True)
class Used:
    """So much of one vendor."""

    provider: str
    """Vendor and model, as prices go by model: `deepgram/nova-3`."""
    measure: Measure
    quantity: int
    estimated: bool
    """Whether any of it is a guess."""


class Usage:
    """The counters of one call."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Measure], int] = {}
        self._audio_bytes: dict[str, int] = {}
        self._estimated: set[tuple[str, Measure]] = set()

    def audio(self, provider: str, pcm_bytes: int, *, estimated: bool = False) -> None:
        """So many bytes of PCM were sent; seconds are made of them once, at the end."""
        self._audio_bytes[provider] = self._audio_bytes.get(provider, 0) + pcm_bytes
        if estimated:
            self._estimated.add((provider, Measure.AUDIO_SECONDS))

    def characters(self, provider: str, count: int) -> None:
        """A text of so many characters is being spoken."""
        self._add(provider, Measure.CHARACTERS, count)

    def tokens(self, provider: str, *, prompt: int, cached: int, completion: int, estimated: bool = False) -> None:
        """One answer of a model. `prompt` is without the `cached` ones."""
        self._add(provider, Measure.PROMPT_TOKENS, prompt, estimated=estimated)
        self._add(provider, Measure.CACHED_TOKENS, cached, estimated=estimated)
        self._add(provider, Measure.COMPLETION_TOKENS, completion, estimated=estimated)

    def lines(self) -> list[Used]:
        """Everything so far; what was not used is not in it."""
        seconds = {
            (provider, Measure.AUDIO_SECONDS): -(-pcm_bytes // (1000 * BYTES_PER_MS))
            for provider, pcm_bytes in self._audio_bytes.items()
        }
        return [
            Used(provider, measure, quantity, (provider, measure) in self._estimated)
            for (provider, measure), quantity in sorted({**self._counts, **seconds}.items())
            if quantity > 0
        ]

    def _add(self, provider: str, measure: Measure, quantity: int, *, estimated: bool = False) -> None:
        if quantity <= 0:
            return
        key = provider, measure
        self._counts[key] = self._counts.get(key, 0) + quantity
        if estimated:
            self._estimated.add(key)


class Paid:
    """A provider that costs money."""

    def __init__(self) -> None:
        self._usage = Usage()
        """Counts nobody's use, as when a greeting is prepared for all calls to come."""

    def counting(self, usage: Usage) -> Self:
        """The same provider for one call, which counts there what it uses."""
        twin = copy(self)
        twin._usage = usage
        return twin


def counting(provider: Provider, usage: Usage) -> Provider:
    """The provider as one call uses it. One that costs nothing has nothing to count, and is itself."""
    return provider.counting(usage) if isinstance(provider, Paid) else provider


def estimated_tokens(utf8_bytes: int) -> int:
    """How many tokens so much text has, roughly."""
    return -(-utf8_bytes // _BYTES_PER_TOKEN)
