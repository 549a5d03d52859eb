"""What one look at an installation came to, and the clock that every look has.

The rule: a check never hangs and never breaks the others; what it could not see it says, and calls it neither right nor
wrong.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum

CHECK_SECONDS_MAX = 12.0
"""For each check. They run beside each other, so the whole takes little longer, and never more than 20 seconds."""


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, and a person should know; or it cannot be told from here."""
    FAIL = "fail"
    """It does not work, or is not safe."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    """What was looked at: `database`."""
    state: State
    says: str
    mend: str = ""
    """What to do about it; "" when nothing is to be done."""


def ok(name: str, says: str) -> Finding:
    return Finding(name, State.OK, says)


def warn(name: str, says: str, mend: str = "") -> Finding:
    return Finding(name, State.WARN, says, mend)


def fail(name: str, says: str, mend: str = "") -> Finding:
    return Finding(name, State.FAIL, says, mend)


async def bounded(
    name: str, check: Awaitable[Sequence[Finding]], seconds_max: float = CHECK_SECONDS_MAX
) -> Sequence[Finding]:
    """The findings of one check, or one that says why there are none."""
    try:
        async with asyncio.timeout(seconds_max):
            return await check
    except TimeoutError:
        return [fail(name, f"did not answer within {seconds_max:g} s", "look whether it is overloaded or unreachable.")]
    except Exception as error:  # noqa: BLE001  # a check that is broken says so in its own line, and all others are made
        return [warn(name, f"could not be looked at ({type(error).__name__})", "this is a mistake of ours: tell us.")]
