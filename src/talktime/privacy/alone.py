"""What one process of all does at a time: an advisory lock that lives as long as a connection of its own.

The rule: no transaction is open meanwhile, however long it takes; and whoever dies lets go, because the lock dies with
the connection. It is none of the pool's, so that a slow download takes nobody's place there.
"""

import contextlib
from collections.abc import AsyncIterator

import psycopg
from sqlalchemy.exc import DBAPIError

from talktime.db.roles import LOGIN
from talktime.db.session import Database

_TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_CONNECT_SECONDS = 5


@contextlib.asynccontextmanager
async def alone(database: Database, what: str) -> AsyncIterator[bool]:
    """Whether nobody else is at it, in any process; if so, nobody else will be for as long as the block."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            options=f"-c role={LOGIN}",
            connect_timeout=_CONNECT_SECONDS,
            application_name="talktime alone",
        )
    except psycopg.Error as error:
        # As the pool says it, so that doors know the database to be away.
        raise DBAPIError.instance(_TRY, None, error, psycopg.Error, hide_parameters=True) from None
    try:
        row = await (await connection.execute(_TRY, [f"alone {what}"])).fetchone()
        assert row is not None, "a function gives a row"
        yield bool(row[0])
    finally:
        await connection.close()
