"""A ZIP file that is made while it is sent: nothing of it lies on a disk, and little of it in memory.

The rule: packing is work for a thread, because this process may be carrying calls.
"""

import asyncio
import contextlib
import io
import time
import zipfile
from collections.abc import AsyncGenerator

Content = AsyncGenerator[bytes, None]
"""A file, piece by piece."""

_CHUNK_BYTES = 256 * 1024


class Archive:
    """Takes files one after the other, and gives what there is of the archive so far."""

    def __init__(self) -> None:
        self._out = _Pipe()
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED, compresslevel=6)

    async def add(self, name: str, content: Content) -> AsyncGenerator[bytes, None]:
        """Pack a file that comes in pieces."""
        entry = zipfile.ZipInfo(name, date_time=time.gmtime()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        # How long it is, nobody knows yet: room for more than 4 GB.
        file = self._zip.open(entry, "w", force_zip64=True)
        try:
            waiting: list[bytes] = []
            size = 0
            async with contextlib.aclosing(content) as pieces:
                async for piece in pieces:
                    waiting.append(piece)
                    size += len(piece)
                    if size >= _CHUNK_BYTES:
                        await asyncio.to_thread(file.write, b"".join(waiting))
                        waiting, size = [], 0
                        yield self._out.taken()
            await asyncio.to_thread(file.write, b"".join(waiting))
        finally:
            file.close()
        yield self._out.taken()

    def end(self) -> bytes:
        """The list of what is in it, which comes last."""
        self._zip.close()
        return self._out.taken()


class _Pipe(io.RawIOBase):
    """What is written waits here until it is taken. It cannot be gone back in, so sizes follow what they are of."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        written = memoryview(data).cast("B")  # type: ignore[arg-type]  # any buffer, as io declares it
        self._waiting += written
        return len(written)

    def taken(self) -> bytes:
        found = bytes(self._waiting)
        self._waiting.clear()
        return found
