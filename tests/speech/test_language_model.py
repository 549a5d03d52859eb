"""The small language model: a proper distribution over sentences that callers say."""

import re
from collections import Counter

import pytest

from talktime.speech.contract import Brief, Entry
from talktime.speech.offline import language_model
from talktime.speech.offline.pronunciation import written
from talktime.speech.offline.sentences import number_words, sentences, words
from tests.speech.phone import BRIEF


def sections(arpa: str) -> dict[int, dict[tuple[str, ...], tuple[float, float]]]:
    """The n-grams by order: logarithm of the probability, and of the back-off weight."""
    found: dict[int, dict[tuple[str, ...], tuple[float, float]]] = {1: {}, 2: {}, 3: {}}
    order = 0
    for line in arpa.splitlines():
        if match := re.fullmatch(r"\\(\d)-grams:", line):
            order = int(match[1])
        elif order and line and not line.startswith("\\"):
            share, *rest = line.split(" ")
            gram, left = rest[:order], rest[order:]
            found[order][tuple(gram)] = (float(share), float(left[0]) if left else 0.0)
    return found


def probability(
    grams: dict[int, dict[tuple[str, ...], tuple[float, float]]], history: tuple[str, ...], word: str
) -> float:
    """As a recogniser computes it: the longest n-gram there is, or the next shorter one times the back-off weight."""
    found = grams[len(history) + 1].get((*history, word))
    if found is not None:
        return float(10 ** found[0])
    left = grams[len(history)].get(history, (0.0, 0.0))[1] if history else 0.0
    return float(10**left) * probability(grams, history[1:], word)


SAID: Counter[tuple[str, ...]] = Counter(
    {("are", "you", "open"): 3, ("are", "you", "there"): 1, ("where", "are", "you"): 2}
)


def test_the_shares_after_any_history_add_up_to_one() -> None:
    grams = sections(language_model.arpa(SAID))
    vocabulary = [gram[0] for gram in grams[1] if gram != ("<s>",)]
    for history in [(), ("are",), ("are", "you"), ("<s>", "where"), ("you", "open")]:
        total = sum(probability(grams, history, word) for word in vocabulary)
        assert total == pytest.approx(1, abs=0.01), history


def test_what_was_said_more_often_is_more_likely_and_nothing_is_impossible() -> None:
    grams = sections(language_model.arpa(SAID, loose_words=["pizza"]))
    assert probability(grams, ("are", "you"), "open") > probability(grams, ("are", "you"), "there")
    assert probability(grams, ("are", "you"), "pizza") > 0


def test_the_header_counts_what_follows() -> None:
    arpa = language_model.arpa(SAID)
    grams = sections(arpa)
    assert [f"ngram {order}={len(grams[order])}" for order in (1, 2, 3)] == arpa.splitlines()[1:4]


def test_the_sentences_hold_what_the_agent_knows_and_how_people_ask() -> None:
    said = sentences(BRIEF)
    assert ("where", "can", "i", "park") in said
    assert ("could", "you", "tell", "me", "where", "can", "i", "park") in said
    assert ("what", "are", "your", "opening", "hours") in said
    assert said["where", "can", "i", "park"] > said["could", "you", "tell", "me", "where", "can", "i", "park"]
    assert () not in said
    assert all(word == word.lower() and word.isprintable() and " " not in word for line in said for word in line)


def test_an_agent_with_strange_words_still_has_sentences() -> None:
    entry = Entry("x", ("", "???", "Köln & Umgebung – 24/7?"), "")
    said = sentences(Brief("x", "", "en", "", "", entries=(entry,)))
    assert ("köln", "and", "umgebung", "twenty", "four", "seven") in said


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        ("What's the price? £45!", "en", "what's the price pounds forty five"),
        ("It’s 9:30.", "en", "it's nine thirty"),
        ("Um 19:05 Uhr", "de", "um neunzehn fünf uhr"),
        ("Grüße aus Köln", "de", "grüße aus köln"),
        ("...", "en", ""),
    ],
)
def test_text_becomes_words_as_they_are_spoken(text: str, language: str, spoken: str) -> None:
    assert " ".join(words(text, language)) == spoken


@pytest.mark.parametrize(
    ("number", "english", "german"),
    [
        (0, "zero", "null"),
        (21, "twenty one", "einundzwanzig"),
        (100, "one hundred", "einhundert"),
        (345, "three hundred and forty five", "dreihundertfünfundvierzig"),
        (2026, "two thousand and twenty six", "zweitausendsechsundzwanzig"),
        (12345, "one two three four five", "eins zwei drei vier fünf"),
    ],
)
def test_numbers_are_said_in_words(number: int, english: str, german: str) -> None:
    assert number_words(number, "en") == english
    assert number_words(number, "de") == german


def test_a_word_said_in_two_ways_has_two_lines() -> None:
    assert written({"the": ["DH AH", "DH IY"], "a": ["AH"]}) == "a AH\nthe DH AH\nthe(2) DH IY\n"
