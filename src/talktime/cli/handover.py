"""The door of a server, and how one server hands it over to the next without anybody meeting a closed one.

Two servers of the same user may listen at one address (SO_REUSEPORT): the next one is started first, and what comes is
spread over both. The rule: whoever leaves takes in what already stands at the door before closing it, and closes at
once when somebody else listens there; when nobody does, the door stays open until the last call has ended. Under
systemd the door can be systemd's own (socket activation): then it is never closed at all.
"""

import asyncio
import contextlib
import os
import socket
import struct
from pathlib import Path

from talktime.errors import Conflict
from talktime.settings import Settings
from talktime.simulate.server import Door

_FIRST_INHERITED = 3
_LISTENS = "0A"
"""TCP_LISTEN, as /proc/net/tcp has it."""
_TAKE_IN_SECONDS = 0.2
_QUIET_SECONDS = 3.0


def take_door(settings: Settings) -> socket.socket:
    """The socket to serve on: the one that systemd handed us, else one of our own, at which nobody listens yet. Raises
    Conflict when it is taken."""
    return _inherited() or _bound(settings)


def has_successor(listener: socket.socket) -> bool:
    """Whether another server listens at the same address by now. Only Linux tells; elsewhere nobody does."""
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    port, listening = listener.getsockname()[1], 0
    for path, name in (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6)):
        if name != listener.family:
            continue
        try:
            lines = Path(path).read_text().splitlines()[1:]
        except OSError:
            return False
        for line in lines:
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            listening += state == _LISTENS and int(number, 16) == port and address == _address(listener)
    return listening > 1


async def close_door(door: Door, listener: socket.socket) -> None:
    """Let in who stands there, and close. Closing twice is once."""
    if listener.fileno() >= 0 and _is_ours(listener):
        # Whoever comes from now on is told nothing, and comes again a moment later: to the next server, if there is
        # one.
        listener.listen(0)
        await asyncio.sleep(_TAKE_IN_SECONDS)
    door.close()


async def until_quiet(door: Door) -> None:
    """Let those end who came in last, each with its answer: they have only just sent their request, or are about to.
    Who has nothing to ask is not waited for longer than some seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_QUIET_SECONDS):
            while not door.is_quiet():
                await asyncio.sleep(0.02)


def _inherited() -> socket.socket | None:
    """sd_listen_fds(3): the first socket that was handed to this very process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)  # it is ours now, and no child's
    os.set_inheritable(_FIRST_INHERITED, False)
    listener = socket.socket(fileno=_FIRST_INHERITED)
    listener.setblocking(False)
    return listener


def _bound(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Conflict(
            f"Port {settings.port} of {settings.host} cannot be used ({error.strerror}): set TALKTIME_PORT to another."
        ) from None
    # Bound, so that nobody else gets it; listening begins with serving. Until then all that come are the last one's:
    # here they would stand before a door that nobody opens yet.
    listener.setblocking(False)
    return listener


def _is_ours(listener: socket.socket) -> bool:
    """One that was handed to us is somebody else's, too, who keeps it open."""
    return hasattr(socket, "SO_REUSEPORT") and bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))


def _address(listener: socket.socket) -> str:
    """A socket's address as /proc/net/tcp writes it: words of four bytes, each in the machine's own order."""
    packed = socket.inet_pton(listener.family, listener.getsockname()[0].partition("%")[0])
    return "".join(f"{word:08X}" for word in struct.unpack(f"={len(packed) // 4}I", packed))
