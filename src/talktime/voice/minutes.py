"""The minutes of a call: turns, numbered and timed, handed to the journal in order.

The rule here: a caller's words are written down before the answer to them, and each thing once.
"""

from dataclasses import dataclass, replace

from talktime.voice.brain import Progress
from talktime.voice.turns import Journal, Latency, ToolUse, Turn


@dataclass(frozen=True, slots=True)
class Said:
    """Words of the caller. Times are of the clock."""

    text: str
    began_at: float
    ended_at: float
    """Their last sound."""
    decided_at: float
    """When it was clear that it was the last."""

    def joined(self, other: "Said") -> "Said":
        """These words and those that came after them, as one turn."""
        return replace(other, text=f"{self.text} {other.text}", began_at=self.began_at)


class Minutes:
    """Of one call."""

    def __init__(self, journal: Journal, answered_at: float) -> None:
        self._journal = journal
        self._answered_at = answered_at
        self._turns = 0

    def caller(self, said: Said) -> None:
        self._turns += 1
        began_ms, ended_ms = self._span(said.began_at, said.ended_at)
        self._journal.turn(Turn(self._turns, "CALLER", said.text, began_ms, ended_ms))

    def agent(
        self,
        text: str,
        *,
        began_at: float,
        ended_at: float,
        latency: Latency | None = None,
        interrupted: bool = False,
        tools: tuple[ToolUse, ...] = (),
        sources: tuple[str, ...] = (),
    ) -> None:
        self._turns += 1
        began_ms, ended_ms = self._span(began_at, ended_at)
        self._journal.turn(Turn(self._turns, "AGENT", text, began_ms, ended_ms, latency, interrupted, tools, sources))

    def _span(self, began_at: float, ended_at: float) -> tuple[int, int]:
        began_ms = _ms(began_at - self._answered_at)
        return began_ms, max(_ms(ended_at - self._answered_at), began_ms)


def latency(said: Said, progress: Progress, first_audio: float) -> Latency | None:
    """How long an answer took; None when it was none of the model's."""
    if progress.first_token is None or progress.first_sentence is None:
        return None
    return Latency(
        _ms(said.decided_at - said.ended_at),
        _ms(progress.first_token - said.ended_at),
        _ms(progress.first_sentence - said.ended_at),
        _ms(first_audio - said.ended_at),
    )


def _ms(seconds: float) -> int:
    return max(round(seconds * 1000), 0)
