"""Sending somebody's export: it is made while it is sent, and may take as long as they have calls.

The rules: a few at a time in a process, because each keeps a processor busy beside calls; and what is refused is
refused before the first byte, while there is still a page to say it on.
"""

import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from fastapi import Response
from fastapi.responses import StreamingResponse

from talktime.accounts.sessions import Identity
from talktime.db.session import Database
from talktime.errors import TalktimeError
from talktime.privacy import export

AT_ONCE = 3
"""In one process."""


class ExportsBusy(TalktimeError):
    """Several exports are being made at the moment. Try again in a few minutes."""

    status = 503
    retry_after = 120


_RUNNING: list[object] = []
"""One for each that is being sent by this process."""


async def download(database: Database, identity: Identity) -> Response:
    """The archive of who is signed in, for their browser to keep. Raises ExportsBusy, and what `export.stream_own`
    does."""
    if len(_RUNNING) >= AT_ONCE:
        raise ExportsBusy
    pieces = _running(export.stream_own(database, identity))
    # What it refuses, and what it writes into the audit log, comes with the first piece.
    first = await anext(pieces)
    name = export.file_name(identity.user_id, datetime.now(UTC))
    return StreamingResponse(
        _all(first, pieces),
        media_type="application/zip",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _running(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The pieces; meanwhile it is known that one more runs, however it ends."""
    this = object()
    _RUNNING.append(this)
    try:
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece
    finally:
        _RUNNING.remove(this)


async def _all(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(rest):
        yield first
        async for piece in rest:
            yield piece
