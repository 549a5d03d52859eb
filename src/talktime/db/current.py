"""Whether a database is up to date already, told in two short queries: a start should not take longer than it must.

It says yes only when it is sure; everything else is for `deploy`.
"""

from pathlib import Path

import psycopg

from talktime.db import job_queue
from talktime.db.roles import EVERYONE
from talktime.errors import TalktimeError

_REVISIONS = Path(__file__).parent / "migrations" / "versions"


class DatabaseAway(TalktimeError):
    """The database cannot be reached."""

    status = 503


def is_current(url: str) -> bool:
    """Blocks: call it in a thread."""
    newest = max(path.stem.split("_")[0] for path in _REVISIONS.glob("[0-9]*.py"))
    try:
        with psycopg.connect(url, connect_timeout=10, autocommit=True) as connection:
            connection.execute(f"SET ROLE {EVERYONE}")
            ours = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            queue = connection.execute("SELECT max(version) FROM procrastinate_version").fetchone()
    except psycopg.OperationalError as error:
        raise DatabaseAway(f"The database cannot be reached: {str(error).strip().splitlines()[0]}") from error
    except psycopg.Error:
        return False
    return ours == (newest,) and queue == (job_queue.VERSION,)
