"""The month in the address of a statement: `2026-11`."""

import re
from datetime import date

from talktime.errors import NotFound

_WRITTEN = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


class NoSuchMonth(NotFound):
    """There is no statement at this address: its month is written like 2026-11."""


def first_of(written: str) -> date:
    """The first day of a month. Raises NoSuchMonth."""
    found = _WRITTEN.fullmatch(written)
    if found is None:
        raise NoSuchMonth
    return date(int(found[1]), int(found[2]), 1)
