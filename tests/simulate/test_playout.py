"""The clocks and the sound, without any socket."""

import asyncio
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talktime.simulate.pacer import Pacer
from talktime.simulate.playout import BUFFER_MAX, Began, Ended, Passed, Playout
from talktime.simulate.sound import FRAME, SILENCE, frames_of, is_loud, ulaw_of
from tests.simulate.exchange import tone

LOUD = ulaw_of(tone(0.02))


def test_ulaw_is_that_of_g711() -> None:
    samples = np.array([0, -1, 1, 32767, -32768, 8000, -8000, 100, -100], dtype="<i2")
    assert ulaw_of(samples.tobytes()).hex() == "ff7fff8000a020f272"
    assert ulaw_of(b"\x00\x00\x01") == b"\xff", "half a sample is none"


def test_speech_is_loud_and_a_quiet_line_is_not() -> None:
    noise = np.random.default_rng(7).normal(0, 50, 8000).astype("<i2").tobytes()
    assert not is_loud(SILENCE)
    assert not is_loud(ulaw_of(noise))
    assert not is_loud(b"")
    assert is_loud(LOUD)
    assert frames_of(LOUD + b"\x00") == [LOUD, b"\x00" + b"\xff" * 159]


def test_audio_is_heard_when_it_is_played_not_when_it_comes() -> None:
    playout = Playout(capture=True)
    playout.receive(10.0, LOUD * 50)
    playout.mark("end")
    assert playout.advance(10.0) == []
    assert playout.advance(10.5) == [Began(10.0)]
    assert playout.pending_seconds == pytest.approx(0.5)
    assert playout.advance(11.0 + 1e-6) == [Passed("end", 11.0 + 1e-6)]
    ended = playout.advance(11.4)[0]
    assert isinstance(ended, Ended)
    assert ended.at == pytest.approx(11.0)
    assert ended.ulaw == LOUD * 50
    assert playout.silent_seconds(11.5) == pytest.approx(0.5)


def test_audio_that_comes_late_is_played_when_it_comes() -> None:
    playout = Playout()
    playout.receive(0.0, LOUD)
    playout.advance(5.0)
    playout.receive(5.0, LOUD)
    assert playout.advance(5.01) == []
    assert playout.advance(5.03) == [Began(5.0)]


def test_a_pause_within_a_sentence_ends_nothing() -> None:
    playout = Playout()
    playout.receive(0.0, LOUD * 10 + SILENCE * 10 + LOUD * 10)
    assert playout.advance(0.6) == [Began(0.0)]


def test_clear_forgets_the_audio_and_passes_the_marks_once() -> None:
    playout = Playout()
    playout.receive(0.0, LOUD * 100)
    playout.mark("a")
    playout.mark("b")
    playout.advance(0.1)
    assert playout.clear(0.1) == [Passed("a", 0.1), Passed("b", 0.1)]
    assert playout.clear(0.1) == []
    assert [type(happening) for happening in playout.advance(3)] == [Ended]
    playout.mark("c")
    assert playout.advance(3) == [Passed("c", 3)]


def test_a_buffer_has_an_end() -> None:
    playout = Playout()
    assert playout.receive(0.0, bytes(BUFFER_MAX))
    assert not playout.receive(0.0, b"\x00")


@given(
    st.lists(
        st.tuples(
            st.floats(0, 0.2), st.sampled_from(["audio", "silence", "mark", "clear", "wait"]), st.integers(1, 900)
        ),
        max_size=30,
    )
)
def test_nothing_is_heard_early_and_every_mark_comes_back_in_order(steps: list[tuple[float, str, int]]) -> None:
    playout, now, received, marks, passed = Playout(), 0.0, 0.0, 0, []
    for wait, what, size in steps:
        now += wait
        happenings = list(playout.advance(now))
        if what in ("audio", "silence"):
            playout.receive(now, (b"\x00" if what == "audio" else b"\xff") * size)
            received += size / 8000
        elif what == "mark":
            playout.mark(str(marks))
            marks += 1
        elif what == "clear":
            happenings += playout.clear(now)
        passed += [happening.name for happening in happenings if isinstance(happening, Passed)]
        assert all(happening.at <= now for happening in happenings)
        assert received - playout.pending_seconds <= now + received or what == "clear"
    passed += [happening.name for happening in playout.advance(now + 10) if isinstance(happening, Passed)]
    assert passed == [str(number) for number in range(marks)]
    assert playout.pending_seconds == 0
    assert not playout.talking


async def test_one_beat_that_fails_leaves_the_others_alone() -> None:
    pacer, moments = Pacer(), list[float]()
    enough = asyncio.Event()

    def steady(now: float) -> None:
        moments.append(now)
        if len(moments) == 25:
            enough.set()

    def failing(now: float) -> None:
        raise RuntimeError("a bug")

    good, bad = pacer.start(steady), pacer.start(failing)
    await asyncio.wait_for(enough.wait(), 2)
    with pytest.raises(RuntimeError, match="a bug"):
        bad.failed.result()
    good.stop()
    good.stop()
    await asyncio.sleep(0.05)
    assert len(moments) == 25
    pacer.close()
    assert abs(moments[-1] - moments[0] - 24 * 0.02) < 0.01


async def test_a_loop_that_was_held_up_catches_up_and_does_not_drift() -> None:
    pacer, moments = Pacer(), list[float]()
    beat = pacer.start(moments.append)
    await asyncio.sleep(0.05)
    time.sleep(0.1)  # noqa: ASYNC251 - holding the loop up is what is tested
    await asyncio.sleep(0.1)
    pacer.close()
    assert beat.failed.cancelled()
    assert abs(len(moments) - (moments[-1] - moments[0]) / 0.02 - 1) < 1.1
    assert FRAME == 160
