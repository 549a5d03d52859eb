"""Ears without a network: pocketsphinx with a small language model made from what callers of this very agent say.

The one rule: nothing here decodes. The recogniser would hold up every other call of this process, so it runs in one of
its own (`sphinx_worker.py`), and what is here only passes audio on and waits, never for long.

English is understood well. German is a makeshift: its words are spelt in English phones, and half of the sentences of a
synthetic German voice are taken for others.
"""

import asyncio
import importlib.util
import itertools
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from talktime.errors import ProviderError
from talktime.speech.contract import Brief, Heard, is_german
from talktime.speech.offline import sphinx_worker as worker
from talktime.speech.offline.espeak_library import is_installed as espeak_is_installed

_NO_CALL = bytes(4)
_PREPARE_SECONDS_MAX = 30.0
_OPEN_SECONDS_MAX = 5.0
_FLUSH_SECONDS_MAX = 2.0
_BRIEFS_MAX = 32
"""Language models that are kept, at 10 MB each with the decoder in store; the one unused the longest goes."""
_UNSENT_BYTES_MAX = 4_000_000
"""Two minutes of audio that the worker has not taken: it is stuck, or far behind."""


def is_installed() -> bool:
    """Whether the wheel with the recogniser is there. Looks, and loads nothing."""
    return importlib.util.find_spec("pocketsphinx") is not None


@dataclass(slots=True)
class _Process:
    """One worker that runs, and the requests it has not answered yet."""

    child: asyncio.subprocess.Process
    pending: dict[int, asyncio.Future[bytes]] = field(default_factory=dict)
    prepared: "OrderedDict[str, asyncio.Future[bytes]]" = field(default_factory=OrderedDict)
    """By the key of the brief, the one used last at the end."""
    reader: "asyncio.Task[None] | None" = None
    is_broken: bool = False

    def send(self, kind: bytes, number: int, body: bytes) -> None:
        """Write without waiting. Raises ProviderError when the worker is gone or does not take what it is given."""
        assert self.child.stdin is not None
        unsent = self.child.stdin.transport.get_write_buffer_size()
        if self.is_broken or self.child.stdin.is_closing() or unsent > _UNSENT_BYTES_MAX:
            raise ProviderError("the offline ears have stopped listening")
        self.child.stdin.write(worker.HEADER.pack(kind, number, len(body)) + body)

    async def read(self) -> None:
        """Give each answer to whoever waits for it, until the worker ends."""
        assert self.child.stdout is not None
        try:
            while True:
                kind, number, length = worker.HEADER.unpack(await self.child.stdout.readexactly(worker.HEADER.size))
                body = await self.child.stdout.readexactly(length)
                waiting = self.pending.pop(number, None)
                if waiting is None or waiting.done():
                    continue  # nobody waits any more: it took too long
                if kind == worker.DONE:
                    waiting.set_result(body)
                else:
                    waiting.set_exception(ProviderError(f"the offline ears failed: {body.decode()}"))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it ended; those who wait are told below
        finally:
            self.is_broken = True
            for waiting in self.pending.values():
                if not waiting.done():
                    waiting.set_exception(ProviderError("the process of the offline ears ended"))
            self.pending.clear()


class SphinxTranscriber:
    """Ears for any number of calls, with one process behind them. `close` ends it."""

    name = "offline (pocketsphinx)"

    def __init__(self) -> None:
        if not is_installed():
            raise ProviderError(
                'hearing offline needs pocketsphinx: pip install "talktime[offline]", or set DEEPGRAM_API_KEY',
                permanent=True,
            )
        self._process: _Process | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)

    @property
    def process_id(self) -> int | None:
        """Of the process that decodes; None before the first agent."""
        return self._process.child.pid if self._process is not None else None

    async def prepare(self, brief: Brief) -> None:
        """Build the language model (half a second the first time, nothing after that)."""
        await self._prepared(await self._running(), brief)

    async def open(self, brief: Brief, on_heard: Callable[[Heard], None]) -> "SphinxHearing":
        del on_heard  # words are known only when a sentence is over, and then `flush` gives them
        process = await self._running()
        await self._prepared(process, brief)
        call = next(self._numbers)
        hearing = SphinxHearing(process, call, self._numbers)
        await hearing.ask(worker.OPEN, brief.key.encode(), _OPEN_SECONDS_MAX)
        return hearing

    async def close(self) -> None:
        """End the process. Can be called twice; ears that are still open fail from now on."""
        process, self._process = self._process, None
        if process is None:
            return
        process.is_broken = True
        assert process.child.stdin is not None
        process.child.stdin.close()
        try:
            await asyncio.wait_for(process.child.wait(), 5)
        except TimeoutError:
            process.child.kill()
            await process.child.wait()
        if process.reader is not None:
            await process.reader

    async def _running(self) -> _Process:
        async with self._starting:
            if self._process is not None and self._process.is_broken:
                await self.close()
            if self._process is None:
                child = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    worker.__name__,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
                self._process = _Process(child)
                self._process.reader = asyncio.create_task(self._process.read())
            return self._process

    async def _prepared(self, process: _Process, brief: Brief) -> None:
        if is_german(brief.language) and not espeak_is_installed():
            raise ProviderError(
                'hearing German offline needs espeak-ng too: pip install "talktime[offline]"', permanent=True
            )
        waiting = process.prepared.get(brief.key)
        if waiting is None or (waiting.done() and (waiting.cancelled() or waiting.exception() is not None)):
            waiting = _asked(process, next(self._numbers), worker.PREPARE, worker.write_brief(brief))
            process.prepared[brief.key] = waiting
        process.prepared.move_to_end(brief.key)
        while len(process.prepared) > _BRIEFS_MAX:
            oldest, _built = process.prepared.popitem(last=False)
            _asked(process, next(self._numbers), worker.FORGET, _NO_CALL + oldest.encode())
        try:
            await asyncio.wait_for(asyncio.shield(waiting), _PREPARE_SECONDS_MAX)
        except TimeoutError as error:
            raise ProviderError("the offline ears take too long to learn an agent's words") from error


class SphinxHearing:
    """The ears of one call."""

    wants_silence = False

    def __init__(self, process: _Process, call: int, numbers: "itertools.count[int]") -> None:
        self._process = process
        self._call = call
        self._numbers = numbers
        self._failure: ProviderError | None = None
        self._is_closed = False

    def hear(self, pcm: bytes) -> None:
        if self._is_closed or self._failure is not None:
            return
        try:
            self._process.send(worker.AUDIO, self._call, pcm)
        except ProviderError as failure:
            self._failure = failure  # raised by the next flush: here is no place to

    async def flush(self) -> str:
        if self._is_closed:
            return ""
        if self._failure is not None:
            raise self._failure
        return (await self.ask(worker.FLUSH, b"", _FLUSH_SECONDS_MAX)).decode()

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if not self._process.is_broken:
            _asked(self._process, next(self._numbers), worker.CLOSE, self._call.to_bytes(4, "little"))

    async def ask(self, kind: bytes, body: bytes, seconds_max: float) -> bytes:
        """One request about this call, and its answer. Raises ProviderError, also when it takes too long."""
        number = next(self._numbers)
        try:
            return await asyncio.wait_for(
                _asked(self._process, number, kind, self._call.to_bytes(4, "little") + body), seconds_max
            )
        except TimeoutError as error:
            raise ProviderError(f"the offline ears took longer than {seconds_max:g} s") from error


def _asked(process: _Process, number: int, kind: bytes, body: bytes) -> asyncio.Future[bytes]:
    waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    # A failure that nobody waits for any more (a call that was closed) is not one.
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
    process.send(kind, number, body)
    process.pending[number] = waiting
    return waiting
