"""For how long a call is its owner's: while it rings, from the answer on, and after every sign of life."""

import uuid
from collections.abc import Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits import ledger
from talktime.db.session import Database
from tests.credits import books as stage
from tests.people import WHY, Person, new_call

OWNER = "process-1"
MOMENT_SECONDS = 5
"""So much a lease may be shorter when it is read, on a machine that is busy."""


async def test_a_lease_is_120_seconds_while_it_rings_and_45_after_every_sign_of_life(
    database: Database, alice: Person
) -> None:
    call = await new_call(database, alice)

    async def leased_after(verb: Callable[[AsyncSession], Awaitable[object]], seconds: int) -> None:
        async with database.transaction(everyone=WHY) as db:
            # What stood there before says nothing of what the verb does.
            await stage.lease_ends(db, alice.id, call, 7)
            await verb(db)
        left = await lease_of(database, alice, call)
        assert seconds - MOMENT_SECONDS < left <= seconds

    await leased_after(lambda db: ledger.authorise(db, alice.id, call), 120)
    await leased_after(lambda db: ledger.answer(db, alice.id, call, OWNER), 45)
    await leased_after(lambda db: ledger.extend(db, alice.id, call, OWNER, 1), 45)
    await leased_after(lambda db: ledger.heartbeat(db, OWNER, {(alice.id, call): 20}), 45)
    # The same number again is no sign of life that counts, and another process is none at all.
    await leased_after(lambda db: ledger.extend(db, alice.id, call, OWNER, 1), 7)
    await leased_after(lambda db: ledger.heartbeat(db, "process-2", {(alice.id, call): 30}), 7)


async def lease_of(database: Database, person: Person, call: uuid.UUID) -> float:
    """The seconds that are left of it."""
    async with database.transaction(user=person.id) as db:
        left = await db.scalar(
            text("SELECT extract(epoch FROM lease_until - now())::float8 FROM credit_holds WHERE call_id = :call"),
            {"call": call},
        )
    assert isinstance(left, float)
    return left
