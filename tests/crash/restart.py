"""What the product does of itself after a restart, and what time does: leases run out, events come again."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import inbox
from talktime.calls import lifecycle, sweep
from talktime.carriers import contract
from talktime.carriers.contract import Carrier
from talktime.db.session import Database, connect
from talktime.inbox import Handle, ProviderEvent
from tests.crash.switchboard import kind_of

WHY = "a test sets the stage"


@dataclass(frozen=True)
class Books:
    """A database and where it is."""

    url: str
    database: Database


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Books]:
    """A database for as long as the block."""
    database = connect(url)
    try:
        yield Books(url, database)
    finally:
        await database.close()


def handlers_of(carrier: Carrier, *sids: str) -> Mapping[str, Handle]:
    """Who handles the reports of these calls: as `app` says it."""

    async def handle(db: AsyncSession, event: ProviderEvent) -> str:
        said = carrier.read_report(contract.Request("POST", "", event.headers, event.body))
        return await lifecycle.report(
            db, event.provider, said.call_id, is_over=said.state.is_over, seconds=said.seconds
        )

    return {kind_of(sid): handle for sid in sids}


async def drained(database: Database, handlers: Mapping[str, Handle]) -> int:
    """Drain until nothing is left that could be handled now."""
    handled = 0
    while count := await inbox.drain(database, handlers):
        handled += count
    return handled


async def sweep_after(database: Database, carriers: Mapping[str, Carrier]) -> None:
    """The leases of whoever died run out, and two passes come by: one that loses, and a later one that finishes."""
    async with database.transaction(everyone=WHY) as db:
        await as_owner(db, "UPDATE credit_holds SET lease_until = now() - interval '1 second' WHERE settled_at IS NULL")
    await sweep.sweep(database, carriers)
    async with database.transaction(everyone=WHY) as db:
        await as_owner(db, "UPDATE credit_holds SET lost_at = lost_at - interval '9 seconds' WHERE settled_at IS NULL")
    await sweep.sweep(database, carriers)


async def move_time(db: AsyncSession, call: uuid.UUID, column: str, seconds: float) -> None:
    """Move a moment of a hold to so many seconds from now, or ago."""
    role = await db.scalar(text("SELECT current_setting('role')"))
    moved = f"UPDATE credit_holds SET {column} = now() + :seconds * interval '1 second' WHERE call_id = :call"
    await as_owner(db, moved, seconds=seconds, call=call)
    await db.execute(text("SELECT set_config('role', 'none', true), set_config('role', :role, true)"), {"role": role})


async def talk_goes_on(db: AsyncSession, call: uuid.UUID, seconds: int) -> None:
    """An answered call began so long ago: no carrier can have counted more than from its ring to its end."""
    moved = "started_at = started_at - {0}, answered_at = answered_at - {0}".format(":seconds * interval '1 second'")
    await as_owner(db, f"UPDATE calls SET {moved} WHERE id = :call", seconds=seconds, call=call)


async def as_owner(db: AsyncSession, statement: str, **values: object) -> None:
    """Do what only the owner of the tables may."""
    await db.execute(text("SELECT set_config('role', 'none', true), set_config('role', 'talktime_owner', true)"))
    await db.execute(text(statement), values)
