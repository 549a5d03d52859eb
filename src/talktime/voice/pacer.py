"""The clock that paces the audio of all live calls.

The rule here: one timer for the whole process, and none while nobody speaks. A call's first frame does not wait for it.
"""

import asyncio
from typing import Final, Protocol

_TICK_SECONDS: Final = 0.02


class Player(Protocol):
    """Something that has audio to send in time."""

    def advance(self) -> bool:
        """Send what is due. False when there is nothing more for now: the player is dropped until it is added again."""

    def fail(self, error: Exception) -> None:
        """`advance` raised this; the player was dropped."""


class Pacer:
    """Calls `advance` of every player that was added, every 20 ms."""

    def __init__(self) -> None:
        self._players: set[Player] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self.ticks = 0

    def add(self, player: Player) -> None:
        """From the next tick on. Twice is fine."""
        self._players.add(player)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._next = loop.time() + _TICK_SECONDS
            self._timer = loop.call_at(self._next, self._tick)

    def remove(self, player: Player) -> None:
        """No more ticks for this one. One that is not there is fine."""
        self._players.discard(player)

    def _tick(self) -> None:
        self.ticks += 1
        for player in tuple(self._players):
            try:
                if not player.advance():
                    self._players.discard(player)
            except Exception as error:  # noqa: BLE001 - one call's fault must not silence the others; its owner is told
                self._players.discard(player)
                player.fail(error)
        self._timer = None
        if self._players:
            loop = asyncio.get_running_loop()
            # By deadline, so that lateness does not add up; after a stall from now on, not tick after tick.
            self._next = max(self._next + _TICK_SECONDS, loop.time())
            self._timer = loop.call_at(self._next, self._tick)
