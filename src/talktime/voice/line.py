"""The audio of one call, whatever carries it: play, mark, clear, and how much of what was sent the caller has heard.

The rule here: nothing waits for the carrier. What was heard is worked out from the clock; marks that come back only
make that more exact, so one that never comes, or comes late, holds up nothing. Sending never blocks: a caller who does
not read is hung up on, so that the others keep their voices.
"""

import time
from collections.abc import Callable

from talktime.carriers.contract import Media
from talktime.voice.audio import FRAME, FRAME_MS, ULAW_BYTES_PER_MS

_BYTES_PER_SECOND = ULAW_BYTES_PER_MS * 1000
_LAG_SECONDS_MAX = 1.0
"""No carrier holds audio back longer than this; a mark that says so was itself delayed."""


class Line:
    """One call's audio. Positions are bytes of µ-law sent since the call began."""

    def __init__(
        self,
        media: Media,
        send: Callable[[str | bytes], bool],
        close: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`send` never blocks; False when the outgoing buffer is over its limit. `close` lets go of the socket."""
        self._media = media
        self._send = send
        self._close = close
        self.clock = clock
        self.on_blocked: Callable[[], None] = _nothing
        self.is_open = True
        self.sent = 0
        """Position after the last byte sent."""
        self._ends_at = 0.0
        """When the last byte sent would be played out by a carrier that holds nothing back."""
        self._lag_seconds = 0.0
        self._expected: dict[str, float] = {}
        """Marks under way, with the moment that a carrier without lag would play them."""
        self._marks = 0

    def play(self, ulaw: bytes) -> None:
        """Send audio, whole frames, to be played after what was sent before."""
        assert len(ulaw) % FRAME == 0, len(ulaw)
        if not self.is_open:
            return
        self.sent += len(ulaw)
        self._ends_at = max(self._ends_at, self.clock()) + len(ulaw) / _BYTES_PER_SECOND
        self._put(self._media.audio(ulaw))

    def mark(self) -> None:
        """Ask the carrier to say when it has played everything so far."""
        if not self.is_open:
            return
        self._marks += 1
        name = f"t{self._marks}"
        self._expected[name] = self._ends_at
        self._put(self._media.mark(name))

    def clear(self) -> None:
        """Throw away what was not played yet. The marks under way come back at once now, and mean nothing."""
        if not self.is_open:
            return
        self._expected.clear()
        self._ends_at = self.clock() - self._lag_seconds
        self._put(self._media.clear())

    def played(self, name: str) -> None:
        """A mark came back. One that we did not send, or that was cleared, or that came before, changes nothing."""
        expected = self._expected.pop(name, None)
        if expected is None:
            return
        self._lag_seconds = min(max(self.clock() - expected, 0.0), _LAG_SECONDS_MAX)

    def heard(self) -> int:
        """The position that the caller has heard by now."""
        unheard = round(self.unheard_seconds() * _BYTES_PER_SECOND)
        return max(self.sent - unheard, 0)

    def unheard_seconds(self) -> float:
        """How long it takes until the caller has heard everything sent."""
        return max(self._ends_at + self._lag_seconds - self.clock(), 0.0)

    def ahead_ms(self) -> float:
        """How far sending runs ahead of playing, by our clock alone; below nought when the caller hears nothing."""
        return (self._ends_at - self.clock()) * 1000

    def close(self) -> None:
        """Let go of the socket; twice is fine. The owner asks the carrier to hang up first."""
        if self.is_open:
            self.is_open = False
            self._close()

    def _put(self, message: str | bytes) -> None:
        if self.is_open and not self._send(message):
            self.is_open = False
            self._close()
            self.on_blocked()


def milliseconds(ulaw_bytes: int) -> int:
    """How long so much µ-law plays."""
    return ulaw_bytes * FRAME_MS // FRAME


def _nothing() -> None:
    pass
