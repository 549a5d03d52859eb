"""How one agent takes turns: how long it waits, what stops it, when it asks whether somebody is still there.

The rule: what is stored was read here first, so that no call fails over a number that cannot be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import cast

from talktime.errors import BadInput


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """How one agent takes turns. The defaults are good for a receptionist on a phone."""

    end_silence_ms_min: int = 200
    """The caller has finished: so much silence after what sounds like a whole sentence."""
    end_silence_ms: int = 550
    """…when it is not known what was said, which is so with ears that give no guesses."""
    end_silence_ms_max: int = 1200
    """…in the middle of a sentence."""
    dictation_silence_ms: int = 1500
    """…while a number or an address is being dictated."""
    interrupt_ms: int = 200
    """So much real speech stops the agent, when its words are known not to be a mere "mm-hm"."""
    interrupt_ms_no_words: int = 280
    """…when the ears give guesses, but have none yet."""
    interrupt_ms_no_guesses: int = 350
    """…when the ears never give guesses; shorter ones are taken for "mm-hm" until their words are known."""
    silence_seconds: float = 7.0
    """Nobody speaks: after so long the agent asks whether the caller is still there."""
    still_there_times: int = 2
    """How often it asks before it says goodbye."""
    turn_seconds_max: float = 45.0
    """The caller, or the noise around them, is cut short in the agent's mind after so long."""
    call_seconds_max: float = 3600.0
    """The longest call; then the agent says goodbye."""
    keys_seconds: float = 1.5
    """After the last key pressed, unless it was #."""

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "TurnSettings":
        """Settings as stored with an agent: any of the names above. Raises BadInput, naming what cannot be."""
        unknown = set(values) - set(LIMITS)
        if unknown:
            raise BadInput(f"There is no turn setting named {', '.join(sorted(map(repr, unknown)))}.")
        for name, value in values.items():
            low, high = LIMITS[name]
            whole = is_whole(name)
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise BadInput(f"{name} must be a {'whole ' if whole else ''}number.")
            if not low <= value <= high:  # which no NaN is
                raise BadInput(f"{name} must be between {low} and {high}.")
        settings = cls(**cast(dict[str, int], dict(values)))
        if not settings.end_silence_ms_min <= settings.end_silence_ms <= settings.end_silence_ms_max:
            raise BadInput("end_silence_ms must be between end_silence_ms_min and end_silence_ms_max.")
        return settings


_DEFAULTS = TurnSettings()
LIMITS: Mapping[str, tuple[float, float]] = {
    "end_silence_ms_min": (100, 2000),
    "end_silence_ms": (200, 3000),
    "end_silence_ms_max": (300, 5000),
    "dictation_silence_ms": (300, 5000),
    "interrupt_ms": (100, 2000),
    "interrupt_ms_no_words": (100, 2000),
    "interrupt_ms_no_guesses": (100, 2000),
    "silence_seconds": (1, 60),
    "still_there_times": (0, 5),
    "turn_seconds_max": (5, 300),
    "call_seconds_max": (10, 14400),
    "keys_seconds": (0.5, 10),
}
"""The least and the most of each."""
assert set(LIMITS) == {field.name for field in fields(TurnSettings)}


def is_whole(name: str) -> bool:
    """Whether a setting is a whole number."""
    return isinstance(getattr(_DEFAULTS, name), int)
