"""What the conversations of a process share, and who serves one of them.

The rule here: everything that takes long to load is loaded before the first call.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from talktime.speech.contract import Speaker, Thinker, Transcriber
from talktime.speech.usage import Usage, counting
from talktime.voice.detector import Detector
from talktime.voice.greetings import GreetingCache
from talktime.voice.pacer import Pacer
from talktime.voice.silero import best_detector


@dataclass(frozen=True, slots=True)
class Engine:
    """What all conversations of a process share."""

    detector: Detector
    pacer: Pacer
    greetings: GreetingCache

    @classmethod
    def warm(cls) -> "Engine":
        """Load what takes long; before the first call, not during it."""
        return cls(best_detector(), Pacer(), GreetingCache())


@dataclass(frozen=True, slots=True)
class Providers:
    """Who listens, thinks and speaks: the first of each, and who takes over when it fails."""

    transcribers: Sequence[Transcriber]
    thinkers: Sequence[Thinker]
    speakers: Sequence[Speaker]

    def counting(self, usage: Usage) -> "Providers":
        """The same for one call, which count there what they use."""
        return Providers(
            [counting(each, usage) for each in self.transcribers],
            [counting(each, usage) for each in self.thinkers],
            [counting(each, usage) for each in self.speakers],
        )
