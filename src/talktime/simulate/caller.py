"""The person who calls: follows a script on an open stream.

The one rule: whatever the agent does or does not do, every step ends; who waits in vain hangs up and says why.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from talktime.simulate.orders import HangUp, Interrupt, Pause, Press, Say, Stay, Step, WaitForAgent
from talktime.simulate.stream import Emit, Stream

_LAST_WAIT = WaitForAgent()


@dataclass(frozen=True, slots=True)
class _Line:
    """A step, and its sound."""

    step: Step
    ulaw: bytes = b""


class Caller:
    """Somebody with a script. A script that a closed stream broke off goes on when another opens."""

    def __init__(self, script: Sequence[Step], emit: Emit) -> None:
        """Reads the sounds. Raises BadInput when one cannot be used."""
        self._lines = deque(_Line(step, step.ulaw() if isinstance(step, Say | Interrupt) else b"") for step in script)
        self._emit = emit
        self._expects_answer = True
        """Whether the agent owes an answer: at the beginning its greeting, later to whatever the caller did."""

    async def talk(self, stream: Stream) -> None:
        """Follow the script; returns when the caller wants to hang up."""
        try:
            while self._lines:
                line = self._lines.popleft()
                if isinstance(line.step, HangUp):
                    return
                await self._follow(line, stream)
                if not isinstance(line.step, Pause):
                    self._expects_answer = not isinstance(line.step, WaitForAgent)
            await self._hear_out(_LAST_WAIT, stream)
        except TimeoutError as error:
            self._emit("error", what="caller", message=str(error))

    async def _follow(self, line: _Line, stream: Stream) -> None:
        match line.step:
            case Say():
                await stream.say(line.ulaw, line.step.text)
            case Interrupt():
                await self._interrupt(line, line.step, stream)
            case WaitForAgent():
                await self._hear_out(line.step, stream)
            case Pause():
                await asyncio.sleep(line.step.seconds)
            case Press():
                await stream.press(line.step.digits)
                stream.listen()
            case Stay():
                await asyncio.Event().wait()  # until the stream or the order's time is over

    async def _interrupt(self, line: _Line, step: Interrupt, stream: Stream) -> None:
        try:
            await asyncio.wait_for(stream.agent_talks_for(step.after_seconds), step.seconds_max)
        except TimeoutError as error:
            raise TimeoutError(f"the agent did not talk for {step.after_seconds:g} s on end") from error
        await stream.say(line.ulaw, step.text, interrupts=True)

    async def _hear_out(self, step: WaitForAgent, stream: Stream) -> None:
        wanted = step is not _LAST_WAIT or self._expects_answer
        silence = stream.agent_finished if wanted else stream.agent_silent
        try:
            await asyncio.wait_for(silence(step.silence_seconds), step.seconds_max)
        except TimeoutError as error:
            raise TimeoutError(f"the agent did not answer and finish within {step.seconds_max:g} s") from error
