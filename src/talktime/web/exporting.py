"""Sending somebody's export: it is made while it is sent, and may take as long as they have calls.

The rules: one at a time for each customer, and a few for everybody, because each keeps a database and a processor busy
beside calls; and what is refused is refused before the first byte, while there is still a page to say it on.
"""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from fastapi import Response
from fastapi.responses import StreamingResponse

from talktime.accounts.sessions import Identity
from talktime.db.session import Database
from talktime.errors import Conflict, TalktimeError
from talktime.privacy import export

AT_ONCE = 3
"""In one process."""


class ExportRuns(Conflict):
    """Your export is being sent already. Once it is complete, or you broke it off, you can begin another one."""


class ExportsBusy(TalktimeError):
    """Several exports are being made at the moment. Try again in a few minutes."""

    status = 503
    retry_after = 120


_RUNNING: set[uuid.UUID] = set()


async def download(database: Database, identity: Identity) -> Response:
    """The archive of who is signed in, for their browser to keep. Raises ExportRuns, ExportsBusy, and what
    `export.stream_own` does."""
    user = identity.user_id
    if user in _RUNNING:
        raise ExportRuns
    if len(_RUNNING) >= AT_ONCE:
        raise ExportsBusy
    pieces = _running(user, export.stream_own(database, identity))
    # What it refuses, and what it writes into the audit log, comes with the first piece.
    first = await anext(pieces)
    name = export.file_name(user, datetime.now(UTC))
    return StreamingResponse(
        _all(first, pieces),
        media_type="application/zip",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _running(user: uuid.UUID, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces; meanwhile it is known that this customer's export runs, however it ends."""
    _RUNNING.add(user)
    try:
        async for piece in pieces:
            yield piece
    finally:
        _RUNNING.discard(user)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
