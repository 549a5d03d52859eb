"""What callers of one business are likely to say, written out. The language model of the offline ears is counted from
it.

The one rule: everything here is plain words as the dictionary has them, in lower case, without figures or punctuation.
"""

import re
from collections import Counter
from collections.abc import Iterable

from talktime.speech.contract import Brief, is_german
from talktime.speech.offline import sentences_de, sentences_en

_QUESTION_WEIGHT = 12
_REWORDED_WEIGHT = 2
_COMMON_WEIGHT = 6


def sentences(brief: Brief) -> Counter[tuple[str, ...]]:
    """Every sentence expected on a call of this agent, as words, and how often it is to be counted."""
    language = sentences_de if is_german(brief.language) else sentences_en
    questions = {words(question, brief.language) for entry in brief.entries for question in entry.questions}
    questions |= {words(phrase, brief.language) for phrase in brief.phrases}
    hours = {words(sentence, brief.language) for sentence in language.HOURS}
    asked = questions | hours
    asked.discard(())
    counted: Counter[tuple[str, ...]] = Counter()
    _count(counted, asked, _QUESTION_WEIGHT)
    for question in questions:
        _count(counted, _reworded(" ".join(question), language.REWRITES, language.SYNONYMS), _REWORDED_WEIGHT)
    for sentence in asked:
        _count(counted, (tuple(opening.split()) + sentence for opening in language.OPENINGS), 1)
        _count(counted, (sentence + tuple(ending.split()) for ending in language.ENDINGS), 1)
    _count(counted, (tuple(sentence.split()) for sentence in language.COMMON), _COMMON_WEIGHT)
    _count(counted, (tuple(sentence.split()) for sentence in language.DICTATED), 1)
    # The answers and the name of the business: callers repeat words that they have heard.
    heard = [brief.business, *(sentence for entry in brief.entries for sentence in re.split(r"[.!?:]", entry.answer))]
    _count(counted, (words(sentence, brief.language) for sentence in heard), 1)
    del counted[()]
    return counted


def words(text: str, language: str) -> tuple[str, ...]:
    """The words of a text as they are spoken: lower case, figures as words, no punctuation."""
    text = text.lower().replace("’", "'")
    text = re.sub(r"(?<=\d)[.,:](?=\d)", " ", text)
    spoken = (_spoken(piece, language) for piece in re.findall(r"\d+|[^\W\d_]+(?:'[^\W\d_]+)*|[&€£$%]", text))
    return tuple(word for piece in spoken for word in piece.split())


def number_words(number: int, language: str) -> str:
    """A whole number as it is said, up to 9,999; longer ones digit by digit, as people say phone numbers."""
    table = sentences_de if is_german(language) else sentences_en
    if number > 9999:
        return " ".join(table.ONES[int(digit)] for digit in str(number))
    return str(table.number(number))


def _reworded(
    question: str, rewrites: Iterable[tuple[str, tuple[str, ...]]], synonyms: Iterable[tuple[str, ...]]
) -> set[tuple[str, ...]]:
    """The same question in other words: another beginning, a synonym, or both."""
    ways = {question}
    for pattern, replacements in rewrites:
        ways |= {re.sub(pattern, replacement, question) for replacement in replacements}
    for group in synonyms:
        for word in group:
            pattern = rf"\b{word}\b"
            ways |= {re.sub(pattern, other, way) for other in group for way in ways if re.search(pattern, way)}
    return {tuple(way.split()) for way in ways - {question}}


def _spoken(piece: str, language: str) -> str:
    if piece.isdigit():
        return number_words(int(piece), language)
    table = sentences_de if is_german(language) else sentences_en
    return str(table.SIGNS.get(piece, piece))


def _count(counted: Counter[tuple[str, ...]], said: Iterable[tuple[str, ...]], weight: int) -> None:
    for sentence in said:
        counted[sentence] += weight
