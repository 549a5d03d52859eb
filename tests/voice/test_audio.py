"""µ-law tables, loudness, and the line's account of what was heard."""

import json

import numpy as np
import pytest

from talktime.voice.audio import FRAME, SILENCE, loudness, padded, to_float, to_pcm, to_ulaw, tone
from talktime.voice.line import Line
from tests.voice.talk.stage import PlainMedia


def test_the_tables_hold_the_values_of_the_standard() -> None:
    # ITU-T G.711, table 2a: the largest, the smallest and the steps between the first segments.
    known = {0x00: -32124, 0x80: 32124, 0xFF: 0, 0x7F: 0, 0xFE: 8, 0x7E: -8, 0xEF: 132, 0xF0: 120, 0x8F: 16764}
    for code, sample in known.items():
        assert int.from_bytes(to_pcm(bytes([code])), "little", signed=True) == sample


def test_every_code_comes_back_as_itself() -> None:
    for code in range(256):
        again = to_ulaw(to_pcm(bytes([code])))
        assert again == bytes([code]) or code == 0x7F  # minus nought becomes plus nought


def test_every_sample_comes_back_within_its_step() -> None:
    samples = np.arange(-32635, 32636, dtype=np.int32)
    again = np.frombuffer(to_pcm(to_ulaw(samples.astype("<i2").tobytes())), "<i2").astype(np.int32)
    assert np.all(np.abs(again - samples) <= np.maximum(np.abs(samples) / 16, 8))


def test_loudness_follows_the_amplitude_and_needs_no_decoding() -> None:
    assert loudness(SILENCE * FRAME) == 0
    quiet, loud = (tone(hertz=300, ms=100, amplitude=amplitude) for amplitude in (0.01, 0.1))
    assert 2.8 < loudness(loud) / loudness(quiet) < 3.5
    assert loudness(b"\x80" + SILENCE * 159) < 2, "a click is not loud"


def test_audio_is_filled_up_to_whole_frames() -> None:
    assert padded(b"") == b""
    assert padded(b"a") == b"a" + SILENCE * 159
    assert padded(b"a" * 160) == b"a" * 160
    assert to_float(SILENCE)[0] == 0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent() -> list[list[str]]:
    return []


@pytest.fixture
def line(clock: Clock, sent: list[list[str]]) -> Line:
    def send(message: str | bytes) -> bool:
        sent.append(json.loads(message))
        return True

    return Line(PlainMedia(), send, lambda: None, clock)


def test_what_was_heard_follows_the_clock(line: Line, clock: Clock) -> None:
    line.play(b"a" * 1600)
    assert line.heard() == 0
    assert line.ahead_ms() == pytest.approx(200)
    clock.now += 0.05
    assert line.heard() == 400
    clock.now += 5
    assert (line.heard(), line.unheard_seconds()) == (1600, 0)
    line.play(b"a" * 160)
    assert line.heard() == 1600, "silence before it does not make it heard earlier"


def test_a_mark_that_comes_back_later_than_expected_tells_how_far_the_carrier_lags(line: Line, clock: Clock) -> None:
    line.play(b"a" * 160)
    line.mark()
    line.play(b"a" * 1440)
    clock.now += 0.12
    line.played("t1")
    assert line.heard() == pytest.approx(160, abs=1)
    assert line.unheard_seconds() == pytest.approx(0.18)


def test_a_mark_out_of_all_proportion_is_believed_up_to_a_second(line: Line, clock: Clock) -> None:
    line.play(b"a" * 160)
    line.mark()
    clock.now += 60
    line.played("t1")
    line.play(b"a" * 160)
    assert line.unheard_seconds() == pytest.approx(1.02)


def test_marks_that_come_back_because_of_a_clear_tell_nothing(line: Line, clock: Clock, sent: list[list[str]]) -> None:
    line.play(b"a" * 1600)
    line.mark()
    line.clear()
    clock.now += 0.5
    for name in ("t1", "t1", "t7"):
        line.played(name)
    line.play(b"a" * 160)
    assert line.unheard_seconds() == pytest.approx(0.02)
    assert [message[0] for message in sent] == ["audio", "mark", "clear", "audio"]


def test_a_blocked_line_is_closed_once_and_says_so() -> None:
    happened = []
    line = Line(PlainMedia(), lambda _: False, lambda: happened.append("closed"), Clock())
    line.on_blocked = lambda: happened.append("blocked")
    line.play(b"a" * 160)
    line.play(b"a" * 160)
    line.mark()
    line.clear()
    line.close()
    assert happened == ["closed", "blocked"]


def test_half_a_frame_is_never_sent(line: Line) -> None:
    with pytest.raises(AssertionError):
        line.play(b"a" * 100)
