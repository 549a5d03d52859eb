"""Make the recordings of the demo caller anew, with flite. Each sentence in a woman's and a man's voice (`-rms`)."""

import asyncio
import sys
import wave

from talktime.agents import demo
from talktime.simulate import voice, wavs
from talktime.speech.contract import SAMPLE_RATE


async def main() -> None:
    if not voice.has_flite():
        sys.exit("The recordings are made with flite, which is not installed.")
    for line in demo.CONVERSATION:
        for name, speaker in ((line.wav, "slt"), (f"{line.wav}-rms", "rms")):
            pcm = await voice.speak(line.text, speaker)
            with wave.open(str(wavs.path(name)), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(SAMPLE_RATE)
                file.writeframes(pcm)
            print(f"{wavs.path(name).name}: {len(pcm) / 2 / SAMPLE_RATE:.1f} s, {line.text}")


if __name__ == "__main__":
    asyncio.run(main())
