"""What is wrong with what somebody wrote for an agent, field by field.

The rule: everything that is wrong is said at once, each with the name of its field and what to do about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from talktime.errors import BadInput


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that cannot be."""

    field: str
    """Where, with dots: `greeting`, `knowledge.3.answer`, `hours.week.monday`."""
    message: str
    """What to do, as a sentence."""


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
