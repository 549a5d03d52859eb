"""The way through the calls that one came by: which list it was stands behind the call's address, too.

The one rule: it is read as the list reads it. Where something of it is not understood, or is not theirs any more, the
call is theirs all the same, and beside it stand all the others.
"""

from dataclasses import dataclass

from fastapi import Request

from talktime.accounts.sessions import Identity
from talktime.agents import reading
from talktime.calls import beside
from talktime.calls.history import Place
from talktime.calls.search import NothingToLookFor
from talktime.db.session import Session
from talktime.errors import NotFound
from talktime.http.context import Context, context_of
from talktime.numbers.assigned import numbers_of
from talktime.numbers.models import PhoneNumber
from talktime.web.calls import wanted
from talktime.web.calls.wanted import Wanted
from talktime.web.sheet import clock_of

AGENTS_MAX = 200
_NUMBERS_WHY = "a number's owner is looked up in the pool, which is nobody's own"


@dataclass(frozen=True, slots=True)
class Way:
    """Where one goes on from a call, as addresses; "" where it ends."""

    newer: str
    older: str
    back: str
    """The list that one came from."""
    kept: str
    """What stands behind this call's own addresses: "" or `?outcome=failed`."""


async def numbers_asked(request: Request, identity: Identity) -> list[PhoneNumber]:
    """The numbers among which the address may ask for one; not read where it does not."""
    return await numbers_here(context_of(request), identity) if wanted.query(request)["number"] else []


async def numbers_here(context: Context, identity: Identity) -> list[PhoneNumber]:
    """Their numbers, in a transaction of their own."""
    async with context.database.transaction(everyone=_NUMBERS_WHY) as db:
        return list(await numbers_of(db, identity.user_id))


async def way(request: Request, db: Session, identity: Identity, here: Place, numbers: list[PhoneNumber]) -> Way:
    """The way on from a call, of the list that its address tells of."""
    asked = await _asked(request, db, identity, numbers)
    if asked is not None:
        try:
            newer, older = await beside.beside(db, identity.user_id, here, asked.which, words=asked.words)
        except NothingToLookFor:
            asked = None
    if asked is None:
        newer, older = await beside.beside(db, identity.user_id, here)
    own = asked.address("") if asked is not None else ""
    return Way(
        newer=f"/calls/{newer}{own}" if newer else "",
        older=f"/calls/{older}{own}" if older else "",
        back=f"/calls{own}",
        kept=own,
    )


async def _asked(request: Request, db: Session, identity: Identity, numbers: list[PhoneNumber]) -> Wanted | None:
    values = wanted.query(request)
    if not any(values.values()):
        return None
    agents = await reading.page(db, identity.user_id, limit=AGENTS_MAX, newest_first=False) if values["agent"] else []
    try:
        asked = wanted.read(request, clock_of(identity), agents, numbers)
    except NotFound:
        return None
    return None if asked.errors else asked
