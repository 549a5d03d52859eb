"""What words tell about a turn: whether the caller has finished, and whether they only nodded aloud.

The rule here: when in doubt the caller goes on; an agent that waits half a second too long is better than one that
interrupts.
"""

import re
from typing import Final

from talktime.voice.turns import TurnSettings


def words(*lines: str) -> frozenset[str]:
    """A set of words, written as text."""
    return frozenset(word for line in lines for word in line.split())


_NODS: Final = words(
    "mm mhm mm-hm mmhm mm-hmm mmhmm hm hmm uh-huh uhhuh uh huh aha ah oh yes yeah yep yup ok okay right sure i see",
    "good fine great ja jo jap genau gut okey klar stimmt achso ach so alles",
)
_UNFINISHED: Final = words(
    "and or but so because if when that which who the a an my your our his her their its to of for from in on at with",
    "about is are was um uh er erm like i we it's i'm would could",
    "und oder aber weil wenn dass der die das ein eine einen mein meine ihr ihre zu von für aus im in am an auf mit",
    "über äh ähm ich wir also",
)
_DICTATED: Final = words(
    "zero oh one two three four five six seven eight nine ten double triple dot dash hyphen underscore slash at",
    "null eins zwei zwo drei vier fünf sechs sieben acht neun punkt minus bindestrich unterstrich ät",
)
_ASKS_DICTATION: Final = re.compile(
    r"\b(number|e-?mail|address|spell|post ?code|zip|nummer|adresse|buchstabier\w*|postleitzahl)\b", re.IGNORECASE
)
_NOD_MS_MAX: Final = 1200
"""Nobody says "mm-hm" for longer: whatever the ears make of it, it stops the agent."""
_WORD: Final = re.compile(r"[\w'’@.\-]+")


def is_nod(text: str) -> bool:
    """Whether this is only "mm-hm", "yes", "ok": said over the agent, it means go on."""
    spoken = [word.strip(".").lower() for word in _WORD.findall(text)]
    return 0 < len(spoken) <= 3 and all(word in _NODS for word in spoken)


def stops_agent(speech_ms: float, text: str, settings: TurnSettings, *, gives_guesses: bool) -> bool:
    """Whether so much speech over the agent, with the words known of it, takes its turn away."""
    if text:
        return speech_ms >= (_NOD_MS_MAX if is_nod(text) else settings.interrupt_ms)
    return speech_ms >= (settings.interrupt_ms_no_words if gives_guesses else settings.interrupt_ms_no_guesses)


def asks_dictation(text: str) -> bool:
    """Whether the agent has just asked for something that people dictate with pauses."""
    return text.rstrip().endswith("?") and _ASKS_DICTATION.search(text) is not None


def end_silence_ms(text: str, settings: TurnSettings, *, dictation_expected: bool) -> int:
    """How much silence ends the caller's turn, after these words of it (none known: "")."""
    spoken = _WORD.findall(text)
    if not spoken:
        if dictation_expected:
            return max(settings.end_silence_ms, min(settings.end_silence_ms_max, settings.dictation_silence_ms))
        return settings.end_silence_ms
    last = spoken[-1].strip(".").lower()
    if last in _DICTATED or any(letter.isdigit() for letter in last) or (dictation_expected and len(last) == 1):
        return settings.dictation_silence_ms
    if last in _UNFINISHED or text.rstrip().endswith((",", "-", "…", "...")):
        return settings.end_silence_ms_max
    if text.rstrip().endswith((".", "?", "!")):
        return settings.end_silence_ms_min
    return settings.end_silence_ms
