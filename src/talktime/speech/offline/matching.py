"""Which of the things an agent knows a caller asks for.

The one rule: rather nothing than something wrong. A match needs words in common that say what the question is about;
the words that hold every question together count for nothing.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from talktime.speech.contract import Brief, Entry
from talktime.speech.offline.phrasebook import Phrasebook
from talktime.speech.offline.sentences import words

_ENOUGH = 0.45
_ALIKE = 0.84
"""From here on two words count as one misheard: `cleaning` and `leaning`, not `dentist` and `dental`."""


@dataclass(frozen=True, slots=True)
class Match:
    entry: Entry
    score: float
    """From 0 to 1."""


class Matcher:
    """Finds entries of one brief. Made once per brief."""

    def __init__(self, brief: Brief, book: Phrasebook) -> None:
        self._book = book
        self._language = brief.language
        self._entries = [
            (entry, [frozenset(self.stems(words(question, brief.language))) for question in entry.questions])
            for entry in brief.entries
        ]
        # "How do I get to you": where no word says much, all of them together have to.
        self._plain = [
            (entry, frozenset(said))
            for entry in brief.entries
            for said in (words(question, brief.language) for question in entry.questions)
            if said and not self.stems(said)
        ]
        within: Counter[str] = Counter()
        for _entry, questions in self._entries:
            within.update(frozenset[str]().union(*questions))
        # A word that half of all entries are asked with tells little; one that a single entry has tells all.
        count = len(self._entries) or 1
        self._weight = {stem: math.log(1 + count / entries) for stem, entries in within.items()}
        self._unknown_weight = 0.35 * math.log(1 + count)

    def find(self, text: str) -> Match | None:
        """The entry that a sentence asks for, if any."""
        spoken = words(text, self._language)
        asked = frozenset(self.stems(spoken))
        best: Match | None = None
        for entry, question in self._plain:
            if question <= frozenset(spoken) and (best is None or len(question) / len(spoken) > best.score):
                best = Match(entry, len(question) / len(spoken))
        for entry, questions in self._entries:
            score = max((self._score(asked, question) for question in questions), default=0.0)
            if score >= _ENOUGH and (best is None or score > best.score):
                best = Match(entry, score)
        return best

    def stems(self, spoken: Iterable[str]) -> list[str]:
        """The words that carry meaning, without their endings, synonyms brought together."""
        found = []
        for word in spoken:
            known = self._book.synonyms.get(word, word)
            if known not in self._book.empty_words:
                found.append(self._stem(known))
        return found

    def _stem(self, word: str) -> str:
        for ending in self._book.endings:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                return word.removesuffix(ending)
        return word

    def _score(self, asked: frozenset[str], question: frozenset[str]) -> float:
        """How much of what is meant is in both: 1 for the very question, 0 for nothing in common."""
        if not asked or not question:
            return 0.0
        common = 0.0
        for stem in question:
            common += self._weight[stem] * max((_alike(stem, other) for other in asked), default=0.0)
        of_question = common / sum(self._weight[stem] for stem in question)
        of_asked = common / max(common, sum(self._weight.get(stem, self._unknown_weight) for stem in asked))
        return 0.6 * of_question + 0.4 * of_asked if common else 0.0


@lru_cache(maxsize=50_000)
def _alike(one: str, other: str) -> float:
    if one == other:
        return 1.0
    if min(len(one), len(other)) < 5 or abs(len(one) - len(other)) > 3:
        return 0.0
    ratio = SequenceMatcher(None, one, other).ratio()
    return ratio if ratio >= _ALIKE else 0.0
