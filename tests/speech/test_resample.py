"""Changing the sample rate: what is kept, what must go, and that pieces make no difference."""

import numpy as np
import pytest

from talktime.speech.resample import Resampler, resample


def tone(hertz: int, rate: int) -> bytes:
    samples: bytes = (10_000 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)).astype("<i2").tobytes()
    return samples


def middle(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    return samples[2000:6000]


@pytest.mark.parametrize(("rate_in", "rate_out"), [(22050, 8000), (24000, 8000), (8000, 16000), (16000, 8000)])
@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_speech_is_kept_where_it_was(rate_in: int, rate_out: int, hertz: int) -> None:
    expected, got = middle(tone(hertz, rate_out)), middle(resample(tone(hertz, rate_in), rate_in, rate_out))
    assert np.abs(expected - got).max() < 60


@pytest.mark.parametrize(("rate_in", "hertz"), [(22050, 4600), (22050, 9000), (24000, 6000)])
def test_what_the_new_rate_cannot_carry_is_gone(rate_in: int, hertz: int) -> None:
    assert np.abs(middle(resample(tone(hertz, rate_in), rate_in, 8000))).max() < 30


@pytest.mark.parametrize(("rate_in", "rate_out"), [(22050, 8000), (24000, 8000), (8000, 16000)])
def test_pieces_of_any_length_give_the_same_as_the_whole(rate_in: int, rate_out: int) -> None:
    whole = tone(440, rate_in)
    resampler = Resampler(rate_in, rate_out)
    pieces = [resampler.feed(whole[start : start + 333]) for start in range(0, len(whole), 333)]
    assert b"".join(pieces) + resampler.finish() == resample(whole, rate_in, rate_out)


def test_the_length_stays() -> None:
    assert len(resample(tone(440, 24000), 24000, 8000)) == 16000
    assert resample(b"", 24000, 8000) == b""
