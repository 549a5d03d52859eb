"""`talktime mcp`: lets an assistant work with Talktime, over the REST API and with a key of its own."""

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talktime.errors import BadInput, TalktimeError

if TYPE_CHECKING:
    import socket

_KEY_VARIABLE = "TALKTIME_API_KEY"
_KEY_BYTES_MAX = 1000
_EXTRA = ("mcp", "mcp_types", "jsonschema", "referencing")


class NeedsExtra(TalktimeError):
    """`talktime mcp` needs the extra `mcp`, which is not installed: pip install "talktime[mcp]"."""


def mcp(
    url: Annotated[str, typer.Option("--url", help="Where Talktime is: https://phone.example.org")],
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help=f"A file with an API key; else {_KEY_VARIABLE} holds one."),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Offer what reads, and refuse whatever changes something.")
    ] = False,
    admin: Annotated[bool, typer.Option("--admin", help="Offer an operator's tools, too; needs their key.")] = False,
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            metavar="[HOST:]PORT",
            help="Listen on this machine instead of speaking over standard input and output; 0 takes a free port.",
        ),
    ] = None,
) -> None:
    """Serve the Model Context Protocol: an assistant reads calls, writes agents and sees the books, with an API key.

    It is a client of the REST API: what the key may not do, the assistant cannot do. Begin with --read-only.
    """
    import asyncio
    import gc

    from talktime import log

    key = key_from(key_file)
    try:
        from talktime.mcp import loopback
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _EXTRA:
            raise NeedsExtra from None
        raise
    log.configure()
    token_given = os.environ.get(loopback.TOKEN_VARIABLE)
    token = loopback.token_of(token_given)
    listener = loopback.listener_at(http) if http is not None else None
    gc.enable()
    gc.freeze()  # what is here now stays: nobody has to look at it again, least of all at the end
    asyncio.run(_serve(url, key, listener, token, read_only=read_only, admin=admin, tells_token=not token_given))


async def _serve(
    url: str,
    key: str,
    listener: "socket.socket | None",
    token: str,
    *,
    read_only: bool,
    admin: bool,
    tells_token: bool,
) -> None:
    from talktime.mcp import loopback, stdio
    from talktime.mcp.session import begin

    async with begin(url, key, read_only=read_only, admin=admin) as session:
        if listener is None:
            await stdio.serve(session)
        else:
            await loopback.serve(session, listener, token, tells_token=tells_token)


def key_from(file: Path | None) -> str:
    """The key, from the file or the environment. Raises BadInput, which never repeats it."""
    if file is None:
        key = os.environ.get(_KEY_VARIABLE, "")
        if not key:
            raise BadInput(f"An API key is needed: put it into a file and say --key-file, or set {_KEY_VARIABLE}.")
    else:
        try:
            with file.open("rb") as opened:
                if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & stat.S_IROTH:
                    sys.stderr.write(f"talktime: everybody on this machine can read {file}: chmod 600 it.\n")
                key = opened.read(_KEY_BYTES_MAX).decode("ascii", errors="replace")
        except OSError as error:
            raise BadInput(f"--key-file: {file} cannot be read: {error.strerror}.") from None
    return key.strip()
