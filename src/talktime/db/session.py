"""The only place that opens a transaction and the only commit in the code base.

A connection of the pool carries the role `talktime_login`, which sees nothing. `transaction(user=…)` shows one user's
rows and `transaction(everyone="why")` shows all; both are set with SET LOCAL, so nothing of them outlives the
transaction, and row-level security in the database decides what that means.

`statement(user, function, …)` is the short way for a function of the books that is a transaction by itself: one round
trip instead of four. Its connections carry the tenant's role and no tenant; the statement sets that too. Those of
`statement_for(everyone="why", …)` carry the role that sees all.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from talktime.db.roles import EVERYONE, LOGIN, TENANT

_BEGIN = {False: "BEGIN", True: "BEGIN ISOLATION LEVEL REPEATABLE READ"}

# A statement that takes longer than this is broken, and one that waits longer for a lock is better tried again.
_LIMITS = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s"
# Row-level security hides a column's statistics from the planner, which then takes a few rows for a third of the table
# and starts other processes, or a compiler, for what is read in a tenth of a millisecond.
_PLANS = "-c max_parallel_workers_per_gather=0 -c jit=off"
_OPTIONS = f"-c role={LOGIN} {_LIMITS} {_PLANS}"

Statements = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]
Session = AsyncSession
"""What a transaction is worked in, by this name for doors, which know of no SQL."""
Transaction = AbstractAsyncContextManager[Session]
"""What `Database.transaction` gives."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections of one kind."""

    in_use: int
    idle: int
    size_max: int
    waiting: int
    """Who waits for one; where the pool does not say so, 0."""


class Database:
    """A pool of connections to one database, and two for single statements: a user's, and everyone's."""

    def __init__(self, engine: AsyncEngine, statements: Statements, everyones: Statements) -> None:
        self._engine = engine
        self.engine = engine.execution_options(isolation_level="READ COMMITTED")
        """The same pool for whoever needs a bare connection, whose first statement begins a transaction."""
        self._statements = statements
        self._everyones = everyones
        self._opening = asyncio.Lock()

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

    async def statement(
        self, user: uuid.UUID, function: str, arguments: Sequence[tuple[str, object]]
    ) -> dict[str, Any]:
        """The one row of `function(user, *arguments)`, in a transaction of its own; `arguments` are (SQL type, value).

        The function must be one that may be called again: a connection that died in the pool is tried once more.
        """
        casts = "".join(f", %s::{kind}" for kind, _ in arguments)
        # The tenant is set by the argument that names it, so the two cannot differ.
        # Without an alias: that would be the name of the one column of a function that gives a single value.
        query = f"SELECT * FROM {function}(set_config('talktime.user_id', %s, true)::uuid{casts})"  # noqa: S608
        values = [str(user), *(value for _, value in arguments)]
        row = await self._stated(self._statements, query, values)
        assert row is not None, "a function gives a row"
        return row

    async def statement_for(
        self, *, everyone: str, function: str, arguments: Sequence[tuple[str, object]]
    ) -> dict[str, Any] | None:
        """The same for a function that must see everyone, for the reason given; None when it gives no row."""
        assert everyone, "a statement says why it is everyone's"
        query = f"SELECT * FROM {function}({', '.join(f'%s::{kind}' for kind, _ in arguments)})"  # noqa: S608
        return await self._stated(self._everyones, query, [value for _, value in arguments])

    async def _stated(self, pool: Statements, query: str, values: Sequence[object]) -> dict[str, Any] | None:
        if pool.closed:
            async with self._opening:
                if pool.closed:
                    await pool.open()
        try:
            for attempt in (1, 2):
                async with pool.connection() as connection:
                    try:
                        return await (await connection.execute(query.encode(), values)).fetchone()
                    except psycopg.OperationalError:
                        if not connection.broken or attempt == 2:
                            raise
        except psycopg.Error as error:
            raise DBAPIError.instance(query, None, error, psycopg.Error, hide_parameters=True) from error
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _entered(self, user: uuid.UUID | None, snapshot: bool) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction with its role set, rolled back unless the block commits."""
        role, whose = (EVERYONE, "") if user is None else (TENANT, str(uuid.UUID(int=user.int)))
        # In one round trip, and past what SQLAlchemy does for a statement: every transaction begins with it.
        enter = f"{_BEGIN[snapshot]}; SET LOCAL ROLE {role}; SET LOCAL talktime.user_id TO '{whose}'"
        async with self._engine.connect() as connection:
            for attempt in (1, 2):
                driver = (await connection.get_raw_connection()).driver_connection
                assert isinstance(driver, psycopg.AsyncConnection)
                try:
                    await driver.execute(enter.encode(), prepare=False)
                except psycopg.Error as error:
                    # The server was restarted while this connection lay in the pool. Nothing was done on it yet, so a
                    # fresh one is as good; if that fails too, the database really is away.
                    if not driver.closed or attempt == 2:
                        raise DBAPIError.instance(enter, None, error, psycopg.Error, hide_parameters=True) from error
                    # SQLAlchemy must see for itself that it is gone: then it gives up all that are as old.
                    with contextlib.suppress(DBAPIError):
                        await connection.exec_driver_sql("SELECT 1")
                    await connection.rollback()
                else:
                    break
            # From here on SQLAlchemy knows of the transaction too: a session in it leaves its end to us.
            await connection.begin()
            yield connection

    def pools(self) -> Mapping[str, "Pool"]:
        """How its connections stand at the moment."""
        queue = self._engine.pool
        assert isinstance(queue, AsyncAdaptedQueuePool), type(queue)
        found = {"transactions": Pool(queue.checkedout(), queue.checkedin(), queue.size(), 0)}
        for name, pool in (("statements", self._statements), ("everyones", self._everyones)):
            figures = pool.get_stats()
            idle = figures.get("pool_available", 0)
            in_use = max(0, figures.get("pool_size", 0) - idle)
            found[name] = Pool(in_use, idle, pool.max_size, figures.get("requests_waiting", 0))
        return found

    async def close(self) -> None:
        await self._engine.dispose()
        await self._statements.close()
        await self._everyones.close()


def connect(url: str, *, connections_max: int = 16) -> Database:
    """Make a pool for a libpq address (`postgresql://…`). Nothing is opened before the first transaction."""
    address = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_async_engine(
        address,
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=10,
        # `transaction()` says BEGIN itself, together with whose it is.
        isolation_level="AUTOCOMMIT",
        # What was said, and who called, would stand in the text of an error otherwise.
        hide_parameters=True,
        connect_args={"options": _OPTIONS, "connect_timeout": 5, "application_name": "talktime"},
    )
    return Database(engine, _statements(url, TENANT, connections_max), _statements(url, EVERYONE, connections_max))


def _statements(url: str, role: str, connections_max: int) -> Statements:
    return AsyncConnectionPool(
        url,
        min_size=0,
        max_size=connections_max,
        max_idle=300,
        timeout=10,
        # Shorter than a lease: while one attempt to connect waits ever longer for the next, the pool begins no other,
        # so after an outage nobody would get a connection for as long again.
        reconnect_timeout=1.0,
        open=False,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            "options": f"-c role={role} {_LIMITS} {_PLANS}",
            "connect_timeout": 5,
            "application_name": "talktime",
        },
    )
