"""The schema as the code wants it, against the schema as the migrations make it.

`compile_models` prints what the code wants; `validate` builds both on a throw-away server and compares; `migrate`
writes the next revision. The rule: what is written was proven, by applying it and finding no difference left.
"""

import argparse
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

import psycopg
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

from talktime.db import embedded
from talktime.db.catalog import Snapshot, snapshot
from talktime.db.compile import LATE_BODIES, compile_models, compile_tables, title
from talktime.db.deploy import REVISIONS, alembic_config, make_roles, upgrade
from talktime.db.difference import Difference, Plan, differences, plan
from talktime.db.migrations import COMMIT_HERE
from talktime.db.roles import OWNER, PREAMBLE
from talktime.errors import BadInput, TalktimeError


class SchemaBroken(TalktimeError):
    """The models or the SQL files do not make a database."""

    status = 409


@dataclass(frozen=True)
class Source:
    """What the code wants: tables by metadata, the rest by SQL files; and the history that leads there."""

    metadata: MetaData
    sql_files: Sequence[Traversable]
    revisions: Path = REVISIONS


def validate(source: Source) -> list[Difference]:
    """Compare what the migrations make with what the code wants. No server of the user's is asked."""
    with _both(source) as both:
        return differences(both.migrated, both.modelled)


def diff(source: Source, start: str = "head") -> str:
    """The SQL from an `empty` server, or from the `head` of the migrations, to the models; "" when there is none."""
    if start == "empty":
        return compile_models(source.metadata, source.sql_files)
    assert start == "head", start
    with _both(source) as both:
        changes = plan(both.migrated, both.modelled)
    return f"SET ROLE {OWNER};\nSET search_path TO public;\n{_printed(changes)}" if changes else ""


def migrate(source: Source, name: str) -> Path | None:
    """Write the next revision, after proving that it leads from the head to the models; None when nothing differs."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", name):
        raise BadInput("Name the revision in lower-case letters, digits and underscores, as in add_voicemail.")
    with _both(source) as both:
        changes = plan(both.migrated, both.modelled)
        if not changes:
            return None
        whole = compile_models(source.metadata, source.sql_files, preamble="")
        text = whole if both.is_first else _printed(changes)
        with tempfile.TemporaryDirectory() as folder:
            draft = shutil.copytree(source.revisions, Path(folder) / "versions")
            written = _write_revision(draft, name, text)
            upgrade(both.migrated_url, revisions=draft)
            left = differences(_snapshot(both.migrated_url), both.modelled)
            if left:
                words = "\n".join(difference.words() for difference in left)
                raise SchemaBroken(f"The revision would not lead to the models, so it is not written:\n{words}")
            for suffix in (".sql", ".py"):
                shutil.copyfile(written.with_suffix(suffix), source.revisions / written.with_suffix(suffix).name)
    return source.revisions / written.name


@dataclass(frozen=True)
class _Both:
    migrated: Snapshot
    modelled: Snapshot
    migrated_url: str
    is_first: bool


@contextmanager
def _both(source: Source) -> Iterator[_Both]:
    """A throw-away server with a database from the migrations and one from the code."""
    with embedded.temporary() as server:
        names = f"migrated_{secrets.token_hex(4)}", f"modelled_{secrets.token_hex(4)}"
        migrated, modelled = (server.url(name) for name in names)
        for name in names:
            embedded.ensure_database(server, name)
            with psycopg.connect(server.url(name), autocommit=True) as connection:
                make_roles(connection)
        upgrade(migrated, revisions=source.revisions)
        build(modelled, source)
        is_first = ScriptDirectory.from_config(alembic_config(source.revisions)).get_current_head() is None
        yield _Both(_snapshot(migrated), _snapshot(modelled), migrated, is_first)


def build(url: str, source: Source) -> None:
    """Make the schema in an empty database straight from the code; what breaks is named by file and line."""
    with psycopg.connect(url, autocommit=True) as connection:
        texts = [("the preamble", PREAMBLE), ("the models", compile_tables(source.metadata)), ("", LATE_BODIES)]
        texts += [(title(file), file.read_text(encoding="utf-8")) for file in source.sql_files]
        for name, text in texts:
            try:
                connection.execute(text.encode())
            except psycopg.Error as error:
                position = error.diag.statement_position
                line = f", line {text[: int(position)].count(chr(10)) + 1}" if position else ""
                raise SchemaBroken(f"{name}{line}: {' '.join(str(error).split())}") from error


def _snapshot(url: str) -> Snapshot:
    with psycopg.connect(url) as connection:
        return snapshot(connection)


def _printed(changes: Plan) -> str:
    first = "\n".join([*changes.first, COMMIT_HERE, ""]) if changes.first else ""
    spaced = (f"\n{line}\n" if "\n" in line else line for line in changes.then)
    return f"{first}{LATE_BODIES}\n\n" + "\n".join(spaced).replace("\n\n\n", "\n\n").strip() + "\n"


def _write_revision(folder: Path, name: str, text: str) -> Path:
    """A numbered script and its frozen SQL."""
    script = ScriptDirectory.from_config(alembic_config(folder))
    head = script.get_current_head()
    number = f"{int(head or 0) + 1:04}"
    (folder / f"{number}_{name}.sql").write_text(text.strip() + "\n", encoding="utf-8")
    title = name.replace("_", " ").capitalize()
    config = alembic_config(folder)
    config.cmd_opts = argparse.Namespace(quiet=True)
    written = command.revision(config, title, rev_id=number, version_path=str(folder))
    assert written is not None
    assert not isinstance(written, list)
    path = Path(written.path)
    return path.rename(path.with_name(f"{number}_{name}.py"))
