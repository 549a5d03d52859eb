"""`talktime db`: is the schema right, what changed, bring a database up to date.

Exit codes: 0 all is well, 1 it differs or failed, 2 the command was wrong.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from talktime.cli import models
from talktime.cli.running import read_settings
from talktime.db import deploy as deploying
from talktime.db import embedded, schema
from talktime.errors import Conflict

app = typer.Typer(help="The database's schema: compare, write migrations, deploy.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]


class From(StrEnum):
    """Where a difference begins."""

    EMPTY = "empty"
    HEAD = "head"


class To(StrEnum):
    """Where it ends."""

    MODELS = "models"


@app.command()
def validate(as_json: AsJson = False) -> None:
    """Compare the migrations with the models and SQL files, on a throw-away server."""
    found = schema.validate(_source())
    if as_json:
        things = [{"kind": each.item.kind, "name": each.item.name, "difference": each.words()} for each in found]
        typer.echo(json.dumps({"valid": not found, "differences": things}, indent=2))
    elif found:
        typer.echo("\n".join(each.words() for each in found))
        typer.echo(f"\n{len(found)} differences: `talktime db migrate NAME` writes them down.", err=True)
    else:
        typer.echo("The migrations lead to the models.")
    raise typer.Exit(1 if found else 0)


@app.command()
def diff(
    start: Annotated[From, typer.Option("--from", help="An empty server, or the newest migration.")] = From.HEAD,
    end: Annotated[To, typer.Option("--to", help="The models and SQL files of this code.")] = To.MODELS,
) -> None:
    """Print SQL that leads from one schema to another; `psql -v ON_ERROR_STOP=1` runs it as it is."""
    del end  # there is one end so far; saying it keeps the command readable
    text = schema.diff(_source(), start.value)
    typer.echo(text or "-- Nothing differs.")


@app.command()
def migrate(name: Annotated[str, typer.Argument(help="What it is about, as in add_voicemail.")]) -> None:
    """Write the next migration, from the newest one to the models."""
    written = schema.migrate(_source(), name)
    if written is None:
        typer.echo("Nothing to do: the migrations lead to the models.")
    else:
        typer.echo(f"Written: {written} and {written.with_suffix('.sql').name}. Read the SQL before you commit it.")


@app.command()
def deploy() -> None:
    """Bring the database of DATABASE_URL up to date, or the embedded one: roles, schema, job queue."""
    with _urls() as (database_url, owner_url):
        status = deploying.deploy(database_url, owner_url, say=_say)
    typer.echo(f"The database is at revision {status.current}, its job queue at {status.queue}.")


@app.command()
def fill(
    users: Annotated[int, typer.Option(help="How many customers.")] = 100,
    calls: Annotated[int, typer.Option(help="How many calls they have between them.")] = 10_000,
    add: Annotated[bool, typer.Option("--add", help="Also into a database that has customers.")] = False,
    connections: Annotated[int, typer.Option(min=1, max=32, help="How many write at once.")] = 2,
) -> None:
    """Make customers who never were, with agents, numbers and a year of calls, to see how it goes with millions.

    They cannot be taken out again: only a database that is thrown away afterwards is meant.
    """
    from talktime.cli.fill import fill as write

    with _urls() as (_, owner_url):
        if not deploying.status(owner_url).is_current:
            raise Conflict("The database is not up to date: run `talktime db deploy`.")
        written = write(owner_url, users, calls, add=add, connections=connections, say=_say)
    typer.echo(f"{written.users:,} customers with {written.calls:,} calls in {written.seconds:.0f} s.")


@app.command(name="status")
def show_status(as_json: AsJson = False) -> None:
    """Say how far the database is behind this code; exit code 1 when it is."""
    with _urls() as (_, owner_url):
        status = deploying.status(owner_url)
    if as_json:
        typer.echo(json.dumps({**asdict(status), "is_current": status.is_current}, indent=2))
    else:
        typer.echo(f"revision   {status.current or 'none'} of {status.head or 'none'}")
        typer.echo(f"pending    {', '.join(status.pending) or 'nothing'}")
        typer.echo(f"job queue  {status.queue or 'none'} of {status.queue_head}")
        if not status.is_current:
            typer.echo("`talktime db deploy` brings it up to date.", err=True)
    raise typer.Exit(0 if status.is_current else 1)


def _source() -> schema.Source:
    return schema.Source(models.metadata(), models.sql_files())


@contextlib.contextmanager
def _urls() -> Iterator[tuple[str, str]]:
    """The addresses of the database: as its users and as its owner."""
    settings = read_settings()
    if settings.database_url is None:
        with embedded.acquire(settings.home) as server:
            embedded.ensure_database(server, "talktime")
            yield server.url(), server.url()
        return
    database_url = settings.database_url.get_secret_value()
    owner = settings.database_owner_url
    yield database_url, owner.get_secret_value() if owner else database_url


def _say(words: str) -> None:
    typer.echo(words, err=True)
