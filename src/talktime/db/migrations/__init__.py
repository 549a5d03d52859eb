"""The history of the schema: one line of revisions, each with its SQL frozen beside it.

A revision that was ever deployed is never changed; the current text of functions and policies stands in the domains'
`sql/` folders, and `talktime db migrate` makes the next revision of the difference.
"""

from pathlib import Path
from typing import Any

from alembic import op

COMMIT_HERE = "-- Committed here: a new value of an enum may be used only after that."
"""What comes before this line in a frozen file is committed by itself."""


def run_frozen(revision: str) -> None:
    """Run the SQL file beside a revision; called by the revision with its own `__file__`.

    It goes to the driver as it is: `%` means nothing in it, and it may hold many statements.
    """
    text = Path(revision).with_suffix(".sql").read_text(encoding="utf-8")
    first, marker, then = text.partition(COMMIT_HERE)
    if marker:
        with op.get_context().autocommit_block():
            for statement in first.splitlines():
                if statement.strip() and not statement.startswith("--"):
                    _execute(statement)
    _execute(then if marker else first)


def _execute(text: str) -> None:
    connection: Any = op.get_bind().connection.driver_connection
    connection.execute(text)
