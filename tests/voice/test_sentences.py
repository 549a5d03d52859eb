"""Cutting text into sentences, and what words tell about a turn."""

import pytest

from talktime.errors import BadInput
from talktime.speech.contract import Brief
from talktime.voice.sentences import Cutter
from talktime.voice.tools import look_up
from talktime.voice.turns import TurnSettings
from talktime.voice.words import asks_dictation, end_silence_ms, is_nod
from tests.voice.talk.stage import BRIEF

SETTINGS = TurnSettings()


def cut(text: str, language: str = "en", size: int = 3) -> list[str]:
    """The text in small pieces, as models stream it."""
    cutter = Cutter(language)
    pieces = [text[index : index + size] for index in range(0, len(text), size)]
    return [sentence for piece in pieces for sentence in cutter.feed(piece)] + cutter.finish()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["We open at 9.30 on Monday.", "Do you want to come?", "Good!"]),
        ("en", ["Bring papers, e.g. a passport.", "Dr. Smith is in."]),
        ("en", ["We close at 6 p.m. on Friday.", "Call at 8 a.m.", "Then come."]),
        ("en", ["No.", "We are at no. 5."]),
        ("en", ["It costs 1.50 or so.", "That is 3.", "Fine."]),
        ("de", ["Wir haben z. B. Fahrräder.", "Am 3. Mai ist zu."]),
        ("de", ["Wir öffnen um 9.30 Uhr.", "Bis ca. 18 Uhr!"]),
        ("en", ["Wait…", "What?", "Never mind."]),
    ],
)
def test_sentences_are_cut_where_people_pause(language: str, sentences: list[str], size: int) -> None:
    assert cut(" ".join(sentences), language, size) == sentences


def test_the_first_sentence_leaves_before_the_second_is_there() -> None:
    cutter = Cutter("en")
    assert cutter.feed("Yes, we are! ") == ["Yes, we are!"]
    assert cutter.feed("Until six") == []
    assert cutter.finish() == ["Until six"]
    assert cutter.finish() == []


def test_a_long_first_sentence_is_begun_at_a_comma() -> None:
    text = "If you come on a Saturday afternoon in summer, there is usually a queue in front, and then you wait."
    first, rest = cut(text)
    assert first == "If you come on a Saturday afternoon in summer,"
    assert f"{first} {rest}" == text


def test_nothing_is_longer_than_a_breath_and_nothing_is_lost() -> None:
    text = "word " * 200
    sentences = cut(text)
    assert all(len(sentence) <= 240 for sentence in sentences)
    assert " ".join(sentences) == text.strip()


def test_a_sentence_that_ends_twice_is_cut_once() -> None:
    assert cut("What?! Never mind.", size=1) == ["What?", "Never mind."]


def test_mark_up_is_not_spoken() -> None:
    assert cut("**Yes**, we `are`.\n\n# Open\n- ") == ["Yes, we are.", "Open"]
    assert cut("snake_case stays.") == ["snake_case stays."]
    assert cut("*** … !") == []
    assert cut("") == []


def test_nods_are_told_from_words() -> None:
    for nod in ("mm-hm", "Yes.", "ok", "Yeah, sure.", "uh huh", "Ja, genau"):
        assert is_nod(nod), nod
    for words in ("", "yes please book it", "stop", "no", "wait", "ok but not on Monday"):
        assert not is_nod(words), words


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("", 550),
        ("Are you open on Sunday?", 200),
        ("are you open on sunday", 550),
        ("I would like to", 1200),
        ("I would like, um,", 1200),
        ("My number is 0 1 7 1", 1500),
        ("it is five five five", 1500),
        ("anna dot", 1500),
        ("Ich möchte und", 1200),
    ],
)
def test_how_long_to_wait_depends_on_what_was_said(text: str, milliseconds: int) -> None:
    assert end_silence_ms(text, SETTINGS, dictation_expected=False) == milliseconds


def test_who_was_asked_for_a_number_has_time_to_dictate_it() -> None:
    assert asks_dictation("What is your phone number?")
    assert not asks_dictation("Our phone number is easy.")
    assert end_silence_ms("", SETTINGS, dictation_expected=True) == 1200
    assert end_silence_ms("it is B", SETTINGS, dictation_expected=True) == 1500


def test_settings_are_read_from_what_is_stored() -> None:
    assert TurnSettings.from_json({}) == SETTINGS
    assert TurnSettings.from_json({"silence_seconds": 9, "end_silence_ms": 400}).silence_seconds == 9


@pytest.mark.parametrize(
    "values",
    [
        {"no_such": 1},
        {"end_silence_ms": "400"},
        {"end_silence_ms": 400.5},
        {"end_silence_ms": True},
        {"end_silence_ms": -1},
        {"end_silence_ms": None},
        {"silence_seconds": float("nan")},
        {"silence_seconds": float("inf")},
        {"end_silence_ms_min": 900},
        {"end_silence_ms_max": 400},
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(values: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=next(iter(values))):
        TurnSettings.from_json(values)


def test_looking_up_finds_what_shares_telling_words() -> None:
    assert [entry.key for entry in look_up(BRIEF, "Is there any parking near you?")] == ["parking"]
    assert next(entry.key for entry in look_up(BRIEF, "how long do repairs take")) == "repairs"
    assert look_up(BRIEF, "quantum physics") == ()
    assert look_up(Brief("k", "b", "en", "", ""), "parking") == ()
