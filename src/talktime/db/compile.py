"""The schema as SQL text, straight from the models and SQL files.

The rule: this is compilation and nothing else. It needs neither a server nor a driver, and what it prints runs as it
is printed.
"""

import re
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine.mock import MockConnection

from talktime.db.roles import PREAMBLE

LATE_BODIES = "SET check_function_bodies = off;"
"""So that functions may call each other whatever their order."""


def compile_models(metadata: MetaData, sql_files: Sequence[Traversable], preamble: str = PREAMBLE) -> str:
    """All of the schema as SQL that runs as printed on an empty server."""
    parts = [preamble, compile_tables(metadata), f"-- Functions, triggers, policies, grants.\n{LATE_BODIES}\n"]
    parts += [f"-- {title(file)}\n{file.read_text(encoding='utf-8').strip()}\n" for file in sql_files]
    return "\n".join(part for part in parts if part)


def compile_tables(metadata: MetaData) -> str:
    """Types, tables, indexes, and last the foreign keys that go in circles."""
    # Other ways of writing parameters print a percent sign twice.
    dialect = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    statements: list[str] = []

    def collect(statement: Any, *_: Any, **__: Any) -> None:
        statements.append(re.sub(r"[ \t]+$", "", str(statement.compile(dialect=dialect)).strip(), flags=re.MULTILINE))

    metadata.create_all(MockConnection(dialect, collect), checkfirst=False)
    return "".join(f"{statement};\n\n" for statement in statements)


def title(file: Traversable) -> str:
    """`credits/sql/20_ledger.sql`, wherever the package lies."""
    return "/".join(Path(str(file)).parts[-3:])
