"""What may happen in a random history: the deeds, how often each comes, and the values that their words may have."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

WHO = range(3)
WHICH = (0, 0, 0, 0, 1, 1, 2, 3, 5)
"""Which of somebody's calls or purchases: mostly the one that fits best."""
ITS_OWN = (True, True, True, False)
"""Whether it is the call's own process that asks."""
RUNNING = ("AUTHORISED", "ACTIVE", "FINAL", "RECONCILE")
ANSWERED = ("ACTIVE", "FINAL", "RECONCILE")


class Some:
    """A few items, each made of one value of every column."""

    def __init__(self, sizes: range, *columns: Sequence[Any]) -> None:
        self._sizes = sizes
        self._columns = columns

    def throw(self, dice: Random) -> list[tuple[Any, ...]]:
        return [tuple(dice.choice(column) for column in self._columns) for _ in range(dice.choice(self._sizes))]


Words = dict[str, Sequence[Any] | Some]
Method = TypeVar("Method", bound=Callable[..., None])
DEEDS: dict[str, tuple[int, Words]] = {}


def deed(weight: int, **words: Sequence[Any] | Some) -> Callable[[Method], Method]:
    """One of the things that happen, so often, with such words."""

    def note(method: Method) -> Method:
        DEEDS[method.__name__] = (weight, words)
        return method

    return note
