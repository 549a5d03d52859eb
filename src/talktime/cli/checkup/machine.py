"""The settings, and the machine they are for."""

import asyncio
import os
import shutil
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from talktime import configuration
from talktime.accounts.passwords import HASHER
from talktime.cli.checkup.finding import Finding, fail, ok, warn
from talktime.configuration import Wrong
from talktime.settings import Settings, SignUp

_DISK_WARN, _DISK_FAIL = 2 * 1024**3, 200 * 1024**2
_MS_MIN, _MS_MAX = 50, 250


async def settings(chosen: Settings, wrong: Sequence[Wrong], *, demo: bool) -> list[Finding]:
    """Everything that keeps a server from starting, and what it would start with and should not."""
    every = configuration.once_each([*wrong, *configuration.unsafe(chosen, demo=demo)])
    found = [fail("settings", f"{each.name} {each.problem}", each.mend) for each in every]
    if not found:
        found.append(ok("settings", "nothing is wrong or missing" + (" for the demo" if demo else "")))
    if chosen.sign_up is SignUp.OPEN and chosen.smtp_url is None and not demo:
        found.append(
            warn(
                "sign-up",
                "is open to everybody, and the mail that confirms an address lies in the outbox here",
                "set TALKTIME_SMTP_URL, or TALKTIME_SIGN_UP=invited.",
            )
        )
    elif not demo:
        who = "open to everybody" if chosen.sign_up is SignUp.OPEN else "for those who are invited"
        found.append(ok("sign-up", f"is {who}"))
    return found


async def home(chosen: Settings) -> list[Finding]:
    """Room on the disk, and that nobody else reads the installation's own secret."""
    place = chosen.home.absolute()
    while not place.exists():
        place = place.parent
    usage = await asyncio.to_thread(shutil.disk_usage, place)
    free = f"{usage.free / 1024**3:.1f} GiB are free where TALKTIME_HOME is"
    mend = "make room: a database without any stops."
    if usage.free < _DISK_FAIL:
        found = [fail("disk", free, mend)]
    elif usage.free < _DISK_WARN:
        found = [warn("disk", free, mend)]
    else:
        found = [ok("disk", free)]
    secret = chosen.home / "secret"
    if chosen.secret_key is None and secret.exists():
        found.append(_secret(secret))
    return found


def _secret(path: Path) -> Finding:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return fail("secret", f"{path} can be read by others", f"chmod 600 {path}")
    if path.stat().st_uid != os.geteuid():
        return warn("secret", f"{path} belongs to another user", "run this as the user who serves.")
    return ok("secret", f"is kept in {path}, for its owner alone")


async def passwords() -> list[Finding]:
    """What checking a password costs here: little enough to serve, and too much to guess."""

    def measure() -> float:
        took = []
        for _ in range(3):
            began = time.perf_counter()
            HASHER.hash("a password that nobody has")
            took.append(time.perf_counter() - began)
        return min(took) * 1000  # what else this machine does meanwhile is not the password's

    ms = await asyncio.to_thread(measure)
    says = f"checking one takes {ms:.0f} ms of this machine"
    if ms > _MS_MAX:
        return [warn("passwords", says, f"{_MS_MAX} are enough: it is busy, or slow, and sign-ins will queue.")]
    if ms < _MS_MIN:
        return [warn("passwords", says, f"{_MS_MIN} should be the least: tell us, the parameters are to be raised.")]
    return [ok("passwords", says)]
