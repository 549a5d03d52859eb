"""What is said of settings that cannot be used. The rule: no secret, nor an address that may hold one, is repeated."""

from collections.abc import Sequence
from dataclasses import dataclass

from talktime.errors import BadInput

NEW_KEY = "make one with `openssl rand -base64 48`"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One setting that cannot stay as it is."""

    name: str
    """As it stands in the environment: `TALKTIME_PORT`."""
    problem: str
    """What is wrong, in words that go on after the name: `is not set`."""
    mend: str
    """What to do, as a sentence."""

    def __str__(self) -> str:
        return f"{self.name} {self.problem}: {self.mend}"


class WrongSettings(BadInput):
    """The settings cannot be used."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        self.wrong = tuple(wrong)
        beginning = "The settings cannot be used"
        if len(wrong) == 1:
            super().__init__(f"{beginning}: {wrong[0]}")
        else:
            super().__init__(f"{beginning}, {len(wrong)} are wrong:" + "".join(f"\n  - {each}" for each in wrong))
