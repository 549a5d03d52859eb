"""A stream of text, cut into sentences as they come.

The rule here: the first sentence leaves as early as it can, and nothing is cut in two that people say as one: "9.30",
"e.g.", "Dr. Smith", "z. B.".
"""

import re
from dataclasses import dataclass, field
from typing import Final

from talktime.voice.words import words

_FIRST_CLAUSE_MIN: Final = 60
"""A first sentence longer than this is cut at a comma, so that speech can begin."""
_SENTENCE_MAX: Final = 240
"""Nobody says more in one breath."""

_ABBREVIATIONS: Final = words("mr mrs ms dr prof st jr sr e.g i.e vs z.b d.h u.a bzw str hr fr evtl ggf inkl zzgl mind")
_ENDS_ALL_THE_SAME: Final = words("etc a.m p.m usw inc ltd")
"""Abbreviations that often end a sentence: they do when a capital follows."""
_BEFORE_NUMBERS: Final = words("no nr max min approx ca tel")
"""Abbreviations when a number follows; words of their own otherwise."""
_END: Final = re.compile(r"[!?…]+[\"'”’)]*\s*|\.+[\"'”’)]*\s+|\n+")
_CLAUSE: Final = re.compile(r"[,;:]\s|\s[–—-]\s")
_MARKUP: Final = re.compile(r"[*`#]+|(?<!\w)_+|_+(?!\w)")


@dataclass(slots=True, eq=False)
class Sentence:
    """Something to say, and how far it got."""

    text: str
    part: int
    """Which part of the agent's memory it belongs to; below nought for fillers, which are not remembered."""
    sources: tuple[str, ...] = ()
    audio: bytearray = field(default_factory=bytearray, repr=False)
    """µ-law, as far as it was synthesised."""
    is_whole: bool = False
    """No more audio will come."""
    sent: int = 0
    """Bytes of `audio` sent."""
    began: int | None = None
    """Position on the line of its first byte sent."""


class Cutter:
    """Cuts one answer."""

    def __init__(self, language: str) -> None:
        self._has_ordinal_stops = language.lower().startswith("de")
        """German writes "am 3. Mai": a stop after a short number ends nothing."""
        self._rest = ""
        self._is_first = True

    def feed(self, text: str) -> list[str]:
        """Take the next piece; the sentences that it completed."""
        # After a cut, what comes in a later piece of "What?!" ends nothing once more.
        self._rest = self._rest + text if self._rest else text.lstrip("!?…")
        sentences = []
        while (end := self._end()) is not None:
            sentence, self._rest = spoken(self._rest[:end]), self._rest[end:]
            if sentence:
                sentences.append(sentence)
                self._is_first = False
        return sentences

    def finish(self) -> list[str]:
        """There is no more text: what is left, if anything."""
        sentence, self._rest = spoken(self._rest), ""
        return [sentence] if sentence else []

    def _end(self) -> int | None:
        """Where the first sentence in hand ends, if that is certain already."""
        for match in _END.finditer(self._rest):
            if not self._rest[: match.start()].strip():
                continue
            if match.group().startswith(".") and not self._is_end(match):
                continue
            return match.end()
        if self._is_first and len(self._rest) > _FIRST_CLAUSE_MIN:
            clauses = [match.end() for match in _CLAUSE.finditer(self._rest) if match.end() >= _FIRST_CLAUSE_MIN // 2]
            if clauses:
                return clauses[0]
        if len(self._rest) > _SENTENCE_MAX:
            return self._rest.rfind(" ", 0, _SENTENCE_MAX) + 1 or _SENTENCE_MAX
        return None

    def _is_end(self, match: re.Match[str]) -> bool:
        """Whether a full stop with a space after it ends the sentence."""
        before = self._rest[: match.start()].split()
        word = before[-1].lower().lstrip("(\"'“„") if before else ""
        following = self._rest[match.end() :]
        if word in _ENDS_ALL_THE_SAME:
            return following[:1].isupper()
        if word in _BEFORE_NUMBERS:
            return following != "" and not following[0].isdigit()
        if word in _ABBREVIATIONS or word.endswith("str") or (len(word) == 1 and word.isalpha() and word != "i"):
            return False
        return not (self._has_ordinal_stops and word.isdigit() and len(word) <= 2)


def spoken(text: str) -> str:
    """The text without what a voice would stumble over: mark-up, line breaks, double spaces."""
    text = " ".join(_MARKUP.sub("", text).split())
    return text if any(letter.isalnum() for letter in text) else ""


def divided(text: str, share: float) -> tuple[str, str]:
    """The words that fit into this share of a sentence, and the others."""
    words = text.split()
    letters = share * len(text) + 0.5
    count = 0
    for word in words:
        letters -= len(word)
        if letters < 0:
            break
        letters -= 1
        count += 1
    return " ".join(words[:count]), " ".join(words[count:])
