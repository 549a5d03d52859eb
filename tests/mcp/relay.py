"""A way to a server that can be held up and cut, byte by byte."""

import asyncio
import contextlib
from typing import Self


class Relay:
    """Passes on what comes, until it is told otherwise."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0
        self.held_up = asyncio.Event()
        """Something waits to be passed on."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hold_up(self) -> None:
        """Pass nothing on to the server any more."""
        self.held_up.clear()
        self._open.clear()

    def let_go(self) -> None:
        """Go on."""
        self._open.set()

    async def cut(self) -> None:
        """The server is gone: nobody listens any more, and the connections break."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def mend(self) -> None:
        """It is back, at the same address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.cut()
        self.let_go()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pass(reader, back, held=True), self._pass(there, writer, held=False))
        finally:
            self._writers -= {writer, back}
            for each in (writer, back):
                each.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, held: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if held and not self._open.is_set():
                    self.held_up.set()
                    await self._open.wait()
                sink.write(data)
                await sink.drain()
        with contextlib.suppress(ConnectionError, RuntimeError):
            sink.close()
