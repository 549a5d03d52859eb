"""From models to SQL to migrations: what is printed runs, what is written was proven, what is wrong is named."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from typer.testing import CliRunner

from talktime.cli import db as cli
from talktime.cli import models
from talktime.db import embedded, schema
from talktime.db.alter import Unwritable
from talktime.db.compile import compile_models, compile_tables
from talktime.db.deploy import deploy
from talktime.db.difference import differences
from talktime.db.schema import SchemaBroken, Source, diff, migrate, validate
from talktime.errors import BadInput
from tests.db.conftest import ask, look, needs_older, run

RULES = """
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '100%% refused: %', later(1); END $$;
CREATE FUNCTION later(p integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN p + 1;
CREATE TRIGGER people_guard BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION guard();
"""


def small(moods: tuple[str, ...] = ("calm",), *, tall: bool = False) -> MetaData:
    """Two tables that point at each other, and a percent sign."""
    metadata = MetaData()
    mood = Enum(*moods, name="mood", metadata=metadata)
    people = Table(
        "people",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("name", Text, CheckConstraint("name NOT LIKE '%x%' AND length(name) BETWEEN 1 AND 9", name="fine")),
        Column("mood", mood, nullable=False, server_default="calm"),
        Column("pet", Integer, ForeignKey("pets.id", name="people_pet", use_alter=True)),
        postgresql_with={"fillfactor": 70},
    )
    Table("pets", metadata, Column("id", Integer, primary_key=True), Column("owner", ForeignKey("people.id")))
    if tall:
        people.append_column(Column("tall", Integer, server_default=text("0"), nullable=False))
        Index("new_moods", people.c.id, postgresql_where=text(f"mood = '{moods[-1]}'"))
    return metadata


@pytest.fixture
def source(tmp_path: Path, servers: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A small schema without a history yet, compared on one server that serves all of these tests."""
    monkeypatch.setattr(embedded, "temporary", lambda: nullcontext(servers))
    (tmp_path / "versions").mkdir()
    (tmp_path / "rules.sql").write_text(RULES)
    return Source(small(), [tmp_path / "rules.sql"], tmp_path / "versions")


@pytest.fixture(scope="module")
def real() -> Source:
    return Source(models.metadata(), models.sql_files())


@pytest.fixture(params=["18", pytest.param("15", marks=needs_older)])
def empty(request: pytest.FixtureRequest) -> Iterator[embedded.Server]:
    """A server on which nothing of ours was ever made."""
    with embedded.temporary(programs=Path("/usr/lib/postgresql/15/bin") if request.param == "15" else None) as server:
        yield server


def psql(server: embedded.Server, text: str) -> subprocess.CompletedProcess[str]:
    command = [str(server.territory.programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", server.url("postgres")]
    return subprocess.run(command, input=text, text=True, capture_output=True, cwd="/")


def test_the_migrations_lead_to_the_models(real: Source) -> None:
    assert [difference.words() for difference in validate(real)] == []


def test_the_whole_schema_runs_as_printed(real: Source, empty: embedded.Server) -> None:
    done = psql(empty, diff(real, "empty"))
    assert (done.returncode, done.stderr) == (0, "")
    assert ask(empty.url("postgres"), "SELECT count(*) FROM credit_accounts") == 0
    owners = "SELECT array_agg(DISTINCT tableowner) FROM pg_tables WHERE schemaname = 'public'"
    assert ask(empty.url("postgres"), owners) == ["talktime_owner"]


def test_deploying_makes_what_the_models_say(real: Source, servers: embedded.Server) -> None:
    for name in ("deployed", "built"):
        embedded.ensure_database(servers, name)
    deploy(servers.url("deployed"))
    schema.build(servers.url("built"), real)
    left = differences(look(servers.url("deployed")), look(servers.url("built")))
    assert [difference.words() for difference in left] == []


def test_the_files_come_in_a_fixed_order_with_those_of_db_last() -> None:
    names = [str(file).rpartition("talktime/")[2] for file in models.sql_files()]
    assert names == sorted(names, key=lambda name: (name.startswith("db/"), name))
    assert names[-1].startswith("db/")
    assert {"users", "credit_transactions", "calls", "provider_events", "alerts"} <= models.metadata().tables.keys()


def test_compiling_needs_no_driver() -> None:
    script = "import sys; sys.modules['psycopg'] = None; from talktime.db.base import Model; "
    script += "from talktime.db.compile import compile_models; print(compile_models(Model.metadata, []))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-- The roles, if missing.")


def test_what_is_compiled_has_single_percent_signs_and_circles_last(source: Source) -> None:
    printed = compile_models(source.metadata, source.sql_files)
    assert "'%x%'" in printed
    assert "%%x" not in printed
    assert "WITH (fillfactor = 70)" in printed
    places = [printed.index(words) for words in ("CREATE TYPE mood", "CREATE TABLE", "people_pet", "FUNCTION guard")]
    assert places == sorted(places)


def test_a_history_grows_revision_by_revision(source: Source, servers: embedded.Server) -> None:
    embedded.ensure_database(servers, "history")
    url = servers.url("history")
    assert validate(source)
    assert migrate(source, "first") == source.revisions / "0001_first.py"
    assert validate(source) == []
    assert diff(source) == ""
    assert migrate(source, "again") is None
    deploy(url, revisions=source.revisions)
    run(url, "INSERT INTO people (id, name) VALUES (1, 'Alice')")

    grown = Source(small(("calm", "cross", "new;"), tall=True), source.sql_files, source.revisions)
    assert "ADD VALUE IF NOT EXISTS 'new;' AFTER 'cross'" in diff(grown)
    assert migrate(grown, "add_moods") == source.revisions / "0002_add_moods.py"
    assert validate(grown) == []
    assert deploy(url, revisions=source.revisions).current == "0002"
    assert ask(url, "SELECT tall FROM people WHERE name = 'Alice'") == 0
    names = sorted(path.name for path in source.revisions.iterdir() if path.is_file())
    assert names == ["0001_first.py", "0001_first.sql", "0002_add_moods.py", "0002_add_moods.sql"]

    shrunk = Source(small(("calm", "cross", "new;")), [], source.revisions)
    assert "-- DESTROYS DATA: what column people.tall holds." in diff(shrunk)
    assert migrate(shrunk, "drop_tall")
    assert validate(shrunk) == []
    assert validate(source)[0].item.key == ("type", "mood")


def test_a_diff_from_the_head_runs_as_printed(source: Source, servers: embedded.Server) -> None:
    migrate(source, "first")
    embedded.ensure_database(servers, "printed")
    url = servers.url("printed")
    deploy(url, revisions=source.revisions)
    grown = Source(small(("calm", "cross"), tall=True), source.sql_files, source.revisions)
    command = [str(servers.territory.programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", url]
    done = subprocess.run(command, input=diff(grown), text=True, capture_output=True, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert ask(url, "SELECT count(*) FROM pg_indexes WHERE indexname = 'new_moods'") == 1


def test_what_a_person_must_write_is_not_written(source: Source) -> None:
    migrate(Source(small(("calm", "cross")), source.sql_files, source.revisions), "first")
    (source.revisions.parent / "view.sql").write_text("CREATE VIEW extra AS SELECT 1 AS one;")
    viewing = Source(
        small(("calm", "cross")), [*source.sql_files, source.revisions.parent / "view.sql"], source.revisions
    )
    with pytest.raises(Unwritable, match="view extra"):
        migrate(viewing, "second")
    with pytest.raises(Unwritable, match="loses or reorders values"):
        migrate(Source(small(("cross", "calm")), source.sql_files, source.revisions), "second")
    assert not list(source.revisions.glob("0002*"))


@pytest.mark.parametrize("name", ["", "Add Things", "../evil", "1st", "a" * 51])
def test_a_bad_name_is_refused(source: Source, name: str) -> None:
    with pytest.raises(BadInput, match="Name the revision"):
        migrate(source, name)


def test_broken_sql_is_named_by_file_and_line(source: Source) -> None:
    broken = source.revisions.parent / "broken.sql"
    broken.write_text("-- fine\nSELECT 1;\nCREATE TABEL x ();\n")
    with pytest.raises(SchemaBroken, match=r"broken\.sql, line 3: syntax error"):
        validate(Source(source.metadata, [broken], source.revisions))


def test_broken_models_are_named() -> None:
    metadata = MetaData()
    Table("people", metadata, Column("id", Integer, CheckConstraint("nothing > 0"), primary_key=True))
    with pytest.raises(SchemaBroken, match=r"the models.*nothing"):
        validate(Source(metadata, []))
    assert "CREATE TABLE people" in compile_tables(metadata)


# The commands.


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    return CliRunner()


def test_validate_asks_no_server_of_the_users(command: CliRunner) -> None:
    done = command.invoke(cli.app, ["validate", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"valid": True, "differences": []}


def test_validate_lists_what_differs(command: CliRunner, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_source", lambda: source)
    done = command.invoke(cli.app, ["validate"])
    assert done.exit_code == 1
    assert "table people: in the models, not in the migrations" in done.stdout
    assert command.invoke(cli.app, ["migrate", "first"]).stdout.startswith("Written: ")
    assert command.invoke(cli.app, ["migrate", "first"]).stdout.startswith("Nothing to do")
    assert command.invoke(cli.app, ["validate"]).exit_code == 0
    assert command.invoke(cli.app, ["diff"]).stdout == "-- Nothing differs.\n"


def test_diff_from_empty_needs_no_server(command: CliRunner) -> None:
    done = command.invoke(cli.app, ["diff", "--from", "empty", "--to", "models"])
    assert done.exit_code == 0
    assert "CREATE TABLE users" in done.stdout


def test_a_wrong_command_is_a_usage_error(command: CliRunner) -> None:
    assert command.invoke(cli.app, ["diff", "--from", "nowhere"]).exit_code == 2
    assert command.invoke(cli.app, ["migrate"]).exit_code == 2


def test_a_dead_database_is_one_line_from_the_command_line(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing", "PATH": "/usr/bin:/bin"}
    script = "from talktime.cli import main; main()"
    for name in ("deploy", "status"):
        done = subprocess.run(
            [sys.executable, "-c", script, "db", name], capture_output=True, text=True, env=environment, cwd=tmp_path
        )
        assert done.returncode == 1
        assert done.stderr.startswith("talktime: No connection to the database")
        assert done.stderr.count("\n") == 1


def test_without_an_address_deploy_goes_to_the_embedded_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("TALKTIME_HOME", str(tmp_path / "home"))
    command = CliRunner()
    before = command.invoke(cli.app, ["status", "--json"])
    assert before.exit_code == 1
    assert json.loads(before.stdout)["current"] is None
    assert command.invoke(cli.app, ["deploy"]).exit_code == 0
    after = command.invoke(cli.app, ["status"])
    assert after.exit_code == 0
    assert "pending    nothing" in after.stdout
    embedded.discard(tmp_path / "home")


def test_an_address_may_carry_a_drivers_name(servers: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded.ensure_database(servers, "driver")
    url = servers.url("driver").replace("postgresql://", "postgresql+psycopg://")
    monkeypatch.setenv("DATABASE_URL", url)
    assert CliRunner().invoke(cli.app, ["deploy"]).exit_code == 0
    assert CliRunner().invoke(cli.app, ["status"]).exit_code == 0
