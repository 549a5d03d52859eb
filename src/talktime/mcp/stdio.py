"""The protocol over standard input and output, as assistants start it.

The rule: standard output carries the protocol and nothing else; whatever anybody prints goes to standard error.
"""

import signal

import anyio
from mcp.server.stdio import stdio_server

from talktime.mcp.server import server_of
from talktime.mcp.session import Session


async def serve(session: Session) -> None:
    """Serve until the other side closes its end, or a signal comes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A thread waits for a line, which nothing can interrupt; and there is nothing to be put in order.
        signal.signal(number, signal.SIG_DFL)
    server = server_of(session)
    try:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())
    except* (BrokenPipeError, anyio.BrokenResourceError):
        # The other side has gone, with nobody left to tell.
        pass
