"""What is wrong with what somebody wrote for an agent, field by field.

The rule: everything that is wrong is said at once, each with the name of its field and what to do about it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from talktime.errors import BadInput

_NOTHING: Mapping[str, str | int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that cannot be."""

    field: str
    """Where, with dots: `greeting`, `knowledge.3.answer`, `hours.week.monday`."""
    message: str
    """What to do, as a sentence."""
    sentence: str = dataclasses.field(default="", compare=False)
    """The same with places for `values`: by this another language finds its own sentence."""
    values: Mapping[str, str | int] = dataclasses.field(default_factory=lambda: _NOTHING, compare=False)


def problem(place: str, sentence: str, values: Mapping[str, str | int]) -> FieldError:
    """What is wrong with a field, in English."""
    told = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return FieldError(place, sentence.format(**told) if told else sentence, sentence, values)


class UnfitAgent(BadInput):
    """What was written cannot be kept, or not be published."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        assert errors, "nothing is wrong"
        super().__init__(" ".join(f"{error.field}: {error.message}" for error in errors[:_TOLD_MAX]))
        self.errors = tuple(errors)
        self.fields = {error.field: error.message for error in reversed(errors)}
        """The first that is wrong with each field, as doors show it."""


_TOLD_MAX = 5
"""In the one sentence; the errors themselves are all there."""
