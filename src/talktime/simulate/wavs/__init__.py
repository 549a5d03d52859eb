"""Recordings of the demo caller: mono, 16 bits, 8,000 samples a second. `scripts/demo_wavs.py` makes them anew."""

from pathlib import Path


def path(name: str) -> Path:
    """Where the recording of that name is: `opening-hours`."""
    return Path(__file__).with_name(f"{name}.wav")


def names() -> tuple[str, ...]:
    """All recordings, in order."""
    return tuple(sorted(file.stem for file in Path(__file__).parent.glob("*.wav")))
