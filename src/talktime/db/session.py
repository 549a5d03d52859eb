"""The only place that opens a transaction and the only commit in the code base.

A connection of the pool carries the role `talktime_login`, which sees nothing. `transaction(user=…)` shows one user's
rows and `transaction(everyone="why")` shows all; both are set with SET LOCAL, so nothing of them outlives the
transaction, and row-level security in the database decides what that means.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from talktime.db.roles import EVERYONE, LOGIN, TENANT

_ENTER = text("SELECT set_config('role', :role, true), set_config('talktime.user_id', :user, true)")

# A statement that takes longer than this is broken, and one that waits longer for a lock is better tried again.
_OPTIONS = f"-c role={LOGIN} -c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s"


class Database:
    """A pool of connections to one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def transaction(
        self, *, user: uuid.UUID | None = None, everyone: str | None = None, snapshot: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back when it raises.

        Give either the `user` whose rows it may see, or in `everyone` the reason why it must see all.
        With `snapshot` all its statements see one moment (REPEATABLE READ). Never hold one across the network.
        """
        assert (user is None) != (everyone is None), "a transaction is one user's, or says why it is everyone's"
        async with self._entered(user, snapshot) as connection:
            async with AsyncSession(connection, expire_on_commit=False) as db:
                yield db
                await db.flush()
            await connection.commit()

    @asynccontextmanager
    async def _entered(self, user: uuid.UUID | None, snapshot: bool) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction with its role set, rolled back unless the block commits."""
        values = {"role": EVERYONE if user is None else TENANT, "user": "" if user is None else str(user)}
        async with self.engine.connect() as connection:
            if snapshot:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            try:
                await connection.execute(_ENTER, values)
            except DBAPIError as error:
                # The server was restarted while this connection lay in the pool. Nothing was done on it yet, so a
                # fresh one is as good; if that fails too, the database really is away.
                if not error.connection_invalidated:
                    raise
                await connection.rollback()
                await connection.execute(_ENTER, values)
            yield connection

    async def close(self) -> None:
        await self.engine.dispose()


def connect(url: str, *, connections_max: int = 16) -> Database:
    """Make a pool for a libpq address (`postgresql://…`). Nothing is opened before the first transaction."""
    address = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_async_engine(
        address,
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=10,
        # What was said, and who called, would stand in the text of an error otherwise.
        hide_parameters=True,
        connect_args={"options": _OPTIONS, "connect_timeout": 5, "application_name": "talktime"},
    )
    return Database(engine)
