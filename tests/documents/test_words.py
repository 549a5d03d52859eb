"""Every word has its twin in the other language, and text is fitted without losing any of it."""

from dataclasses import fields
from string import Formatter

from hypothesis import given
from hypothesis import strategies as st

from talktime.documents.faces import REPLACEMENT, Weight, face, printable
from talktime.documents.fitting import ELLIPSIS, wrap
from talktime.documents.words import ENGLISH, GERMAN, Words


def test_the_languages_have_the_same_words_with_the_same_gaps() -> None:
    assert ENGLISH.kinds.keys() == GERMAN.kinds.keys()
    assert ENGLISH.reasons.keys() == GERMAN.reasons.keys()
    assert ENGLISH.endings.keys() == GERMAN.endings.keys()
    for field in fields(Words):
        english, german = getattr(ENGLISH, field.name), getattr(GERMAN, field.name)
        if isinstance(english, str):
            assert english.strip(), field.name
            assert gaps(english) == gaps(german), field.name


def test_digits_have_one_width_in_both_weights() -> None:
    for weight in Weight:
        assert len({face(weight).widths[ord(digit)] for digit in "0123456789"}) == 1


def test_the_box_can_be_shown() -> None:
    assert face(Weight.REGULAR).widths[ord(REPLACEMENT)] > 0.3
    assert printable("a\u0007b") == f"a{REPLACEMENT}b"


def test_blanks_become_one_but_a_figure_keeps_its_unit() -> None:
    assert printable("  a \r\n\t\u2003 b ") == "a b"
    assert wrap("19\u00a0%", 1, 10)[0] != "19"


@given(text=st.text(), width=st.floats(5, 300), weight=st.sampled_from(Weight))
def test_wrapped_text_is_whole_and_fits(text: str, width: float, weight: Weight) -> None:
    lines = wrap(text, width, 10, weight=weight)
    assert "".join("".join(lines).split(" ")) == "".join(printable(text).split(" "))
    for line in lines:
        assert len(line) == 1 or face(weight).measure(line, 10) <= width + 1e-6


@given(text=st.text(min_size=50), lines_max=st.integers(1, 4))
def test_text_that_is_cut_ends_with_an_ellipsis_and_fits(text: str, lines_max: int) -> None:
    lines = wrap(text, 60, 10, lines_max=lines_max)
    assert len(lines) <= lines_max
    if len(wrap(text, 60, 10)) > lines_max:
        assert lines[-1].endswith(ELLIPSIS)
    assert all(face(Weight.REGULAR).measure(line, 10) <= 60 for line in lines)


def gaps(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
