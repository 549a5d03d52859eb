"""Both detectors: speech fires, noise does not, silence costs nothing."""

import asyncio
import shutil
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from talktime.voice.audio import FRAME, padded, to_pcm, to_ulaw
from talktime.voice.detector import Detection, Detector, EnergyDetector, OnVerdict
from talktime.voice.silero import SileroDetector, best_detector, model_path
from tests.voice.talk.stage import voice

Wave = npt.NDArray[np.float64]
Verdicts = list[tuple[float, float]]
needs_silero = pytest.mark.skipif(model_path() is None, reason="the neural detector is an optional extra")


@pytest.fixture(scope="module", params=["energy", pytest.param("silero", marks=needs_silero)])
def detector(request: pytest.FixtureRequest) -> Detector:
    path = model_path()
    return EnergyDetector() if request.param == "energy" or path is None else SileroDetector(path)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Wave:
    """Two seconds of a real voice where there is one to be had, else of something that sounds like one."""
    if shutil.which("flite") is None:
        return np.frombuffer(to_pcm(voice(2000)), "<i2").astype(np.float64)
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    return _flite("Hello, are you open on Saturday?", path)


def _flite(text: str, path: Path) -> Wave:
    subprocess.run(["flite", "-voice", "kal", "-t", text, "-o", str(path)], check=True)  # this voice speaks at 8 kHz
    with wave.open(str(path)) as file:
        assert file.getframerate() == 8000
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)


def noise(seconds: float, amplitude: float) -> Wave:
    return np.random.default_rng(7).normal(0, amplitude, round(seconds * 8000))


async def verdicts(detector: Detector, sound: Wave) -> Verdicts:
    """Feed a sound frame by frame and wait for what the detector makes of it."""
    given: Verdicts = []
    detection = detector.open(lambda until_ms, speech_ms, at: given.append((until_ms, speech_ms)), _raise)
    frames = to_ulaw(sound.clip(-32000, 32000).astype("<i2").tobytes())
    await _feed(detection, frames)
    # All but what does not fill a window is judged in the end, however busy the machine is.
    async with asyncio.timeout(10):
        while given[-1][0] < len(padded(frames)) / 8 - 64:
            await asyncio.sleep(0.005)
    detection.close()
    untils = [until_ms for until_ms, _ in given]
    assert untils == sorted(untils)
    return given


async def _feed(detection: Detection, ulaw: bytes) -> None:
    for index in range(0, len(padded(ulaw)), FRAME):
        detection.hear(padded(ulaw)[index : index + FRAME], index / 8000)
        if index % (20 * FRAME) == 0:
            await asyncio.sleep(0.02)


def spoken_ms(given: Verdicts) -> float:
    return sum(speech_ms for _, speech_ms in given)


@pytest.mark.parametrize("amplitude", [0, 30, 150])
async def test_speech_is_noticed_where_it_is_and_nowhere_else(
    detector: Detector, speech: Wave, amplitude: float
) -> None:
    sound = np.concatenate([np.zeros(8000), speech, np.zeros(8000)])
    given = await verdicts(detector, sound + noise(len(sound) / 8000, amplitude))
    when = [until_ms for until_ms, speech_ms in given if speech_ms]
    length_ms = len(speech) / 8
    assert spoken_ms(given) > length_ms * 0.45
    assert 1000 <= when[0] <= 1450
    assert when[-1] <= 1000 + length_ms + 100


@pytest.mark.parametrize("kind", ["soft", "loud", "rising in steps", "hum", "rumble", "clicks", "digital silence"])
async def test_noise_does_not_fire(detector: Detector, kind: str) -> None:
    seconds = np.arange(4 * 8000) / 8000
    clicks = np.zeros(len(seconds))
    clicks[::4000] = 30000
    sounds: dict[str, Callable[[], Wave]] = {
        "soft": lambda: noise(4, 60),
        "loud": lambda: noise(4, 1500),
        "rising in steps": lambda: np.concatenate([noise(1, amplitude) for amplitude in (20, 800, 50, 2000)]),
        "hum": lambda: 2000 * np.sin(2 * np.pi * 50 * seconds) + noise(4, 40),
        "rumble": lambda: np.convolve(noise(4, 6000), np.ones(16) / 16, "same"),
        "clicks": lambda: clicks,
        "digital silence": lambda: np.zeros(len(seconds)),
    }
    assert spoken_ms(await verdicts(detector, sounds[kind]())) <= 60


async def test_a_detection_that_was_closed_says_nothing_more(detector: Detector, speech: Wave) -> None:
    given: list[float] = []
    detection = detector.open(lambda until_ms, speech_ms, at: given.append(until_ms), _raise)
    ulaw = to_ulaw(speech.astype("<i2").tobytes())
    for index in range(0, 4000 // FRAME * FRAME, FRAME):
        detection.hear(ulaw[index : index + FRAME], 0.0)
    count = len(given)
    detection.close()
    detection.close()
    detection.hear(ulaw[:FRAME], 0.0)
    await asyncio.sleep(0.05)
    assert len(given) == count


@needs_silero
async def test_silence_and_steady_noise_cost_the_network_nothing(speech: Wave) -> None:
    path = model_path()
    assert path is not None
    detector = SileroDetector(path)
    warmed = detector.windows_judged
    await verdicts(detector, np.zeros(5 * 8000))
    assert detector.windows_judged == warmed
    await verdicts(detector, noise(6, 500))
    assert detector.windows_judged - warmed <= 40, "until the floor has risen"
    before = detector.windows_judged
    await verdicts(detector, np.concatenate([speech, np.zeros(5 * 8000)]))
    assert detector.windows_judged - before <= len(speech) / 256 + 10


@needs_silero
async def test_many_calls_are_judged_together_and_each_by_itself(speech: Wave) -> None:
    path = model_path()
    assert path is not None
    detector = SileroDetector(path)
    alone = await verdicts(detector, speech)
    sounds = [speech, noise(len(speech) / 8000, 300), speech, np.zeros(len(speech))] * 5
    together = await asyncio.gather(*(verdicts(detector, sound) for sound in sounds))
    for index, given in enumerate(together):
        if index % 2:
            assert spoken_ms(given) == 0
        else:
            # The last windows, of silence, may still be under way when we stop looking.
            sure = min(len(given), len(alone))
            assert given[:sure] == alone[:sure]
            assert spoken_ms(given) == spoken_ms(alone)


@needs_silero
async def test_a_fault_of_one_call_reaches_only_that_call(speech: Wave) -> None:
    path = model_path()
    assert path is not None
    detector = SileroDetector(path)
    faults: list[Exception] = []

    def bad(until_ms: float, speech_ms: float, at: float) -> None:
        raise KeyError("ours")

    good: list[float] = []
    heard: OnVerdict = lambda until_ms, speech_ms, at: good.append(speech_ms)  # noqa: E731 - its type is the point
    detections = [detector.open(bad, faults.append), detector.open(heard, _raise)]
    ulaw = to_ulaw(speech.astype("<i2").tobytes())
    first_loud = 1600
    await asyncio.gather(*(_feed_quietly(detection, ulaw[first_loud:]) for detection in detections))
    assert len(faults) == 1
    assert sum(good) > 500


async def _feed_quietly(detection: Detection, ulaw: bytes) -> None:
    for index in range(0, len(ulaw) // FRAME * FRAME, FRAME):
        try:
            detection.hear(ulaw[index : index + FRAME], 0.0)
        except KeyError:
            return  # before the first window is full the verdict comes at once, and so does the fault
        if index % (20 * FRAME) == 0:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.05)


@needs_silero
def test_the_network_is_taken_where_it_is_installed() -> None:
    assert best_detector().name == "silero"


def _raise(error: Exception) -> None:
    raise error
