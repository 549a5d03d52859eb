"""`talktime db backup | restore | wake`: a copy of everything, a database from it, and which of them is the real one.

The rule: a database that was made from a copy is asleep. It takes no calls, sends no mail and charges nobody by itself,
because the one it was copied from may still do so; only a person says that it is gone, and wakes the other.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli.books import AsJson, show
from talktime.errors import Conflict

if TYPE_CHECKING:
    from talktime.credits.verify import Verdict

MADE = "db.backup"
"""The mark of the last copy that was made."""
_WHY = "a copy is made of everybody's"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; beside it comes FILE.json.")],
    keep: Annotated[
        int | None, typer.Option(min=1, help="Remove older copies in the same folder, all but so many of that ending.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy the whole database into a file, while it goes on working.

    The copy is of one moment. FILE.json says what is in it: the version, the newest migration, the rows of each table
    and a checksum. Both are for their owner's eyes only; keep them on another machine.
    """
    from talktime.cli.running import open_database, read_settings, run
    from talktime.db import dump

    settings = read_settings()
    with _owner_url() as owner_url:
        manifest = dump.backup(owner_url, file, say=_say)

    async def note() -> None:
        from talktime.alerts import marks

        async with open_database(settings) as database, database.transaction(everyone=_WHY) as db:
            await marks.note(db, MADE, {"bytes": manifest.bytes, "rows": manifest.rows})

    run(note())
    removed = _remove_older(file, keep) if keep is not None else []
    lines = [f"{file}: {manifest.bytes:,} bytes, {manifest.rows:,} rows, revision {manifest.revision}."]
    lines += [f"Removed: {path}" for path in removed]
    show({**dataclasses.asdict(manifest), "file": str(file), "removed": [str(path) for path in removed]}, lines,
         as_json=as_json)  # fmt: skip


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; FILE.json must be beside it.")],
    to: Annotated[str, typer.Option("--to", metavar="URL", help="A new and empty database, as its owner.")],
    *,
    asleep: Annotated[
        bool,
        typer.Option(
            "--asleep/--awake", help="Whether it is only a copy, which does nothing by itself until it is woken."
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make a database from a copy, bring it up to date, and prove its books.

    It comes asleep: `talktime serve` takes no calls and does no jobs in it until `talktime db wake`. Exit code 1 when
    not everything came, or the books do not add up.
    """
    from talktime.cli.running import run
    from talktime.db import deploy, dump

    manifest = dump.restore(file, to, say=_say)
    if asleep:
        _put_to_sleep(to)
    _say("Bringing it up to date, and proving its books …")
    status = deploy.deploy(to, say=_say)
    _analyse(to)
    verdict = run(_prove(to))
    document: dict[str, Any] = {
        "rows": manifest.rows,
        "revision": status.current,
        "lines": verdict.lines,
        "violations": len(verdict.violations),
        "asleep": asleep,
    }
    lines = [
        f"{manifest.rows:,} rows of {manifest.made_at} came; the database is at revision {status.current}.",
        f"The books are right: {verdict.lines:,} lines."
        if verdict.is_clean
        else f"The books are WRONG in {len(verdict.violations)} places: `talktime ledger verify --full` names them.",
        "It is asleep: `talktime db wake` wakes it, once the other one is gone for good." if asleep else "It is awake.",
    ]
    show(document, lines, as_json=as_json)
    raise typer.Exit(0 if verdict.is_clean else 1)


def wake(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the other one is gone for good.")] = False,
) -> None:
    """Say that a restored database is the real one from now on.

    What was to be done when it was copied is done then: mails, jobs, webhooks. What was done meanwhile by the one it
    was copied from is not known here: ask the payment company first (`talktime ledger reconcile payments`).
    """
    from talktime.cli.running import open_database, read_settings, run

    if not yes and not typer.confirm("Is the database that it was copied from gone for good?"):
        raise typer.Exit(1)

    async def work() -> bool:
        from talktime.alerts import marks

        async with open_database(read_settings()) as database, database.transaction(everyone=_WHY) as db:
            return await marks.wake(db)

    if not run(work()):
        raise Conflict("It was not asleep.")
    typer.echo("It is awake.")


@contextlib.contextmanager
def _owner_url() -> Iterator[str]:
    """The database's address as its owner, for as long as the block."""
    from talktime.cli.running import database_url, read_settings

    settings = read_settings()
    with database_url(settings) as url:
        owner = settings.database_owner_url
        yield owner.get_secret_value() if owner is not None else url


def _put_to_sleep(url: str) -> None:
    from talktime.alerts.marks import ASLEEP
    from talktime.db.deploy import connected
    from talktime.db.roles import EVERYONE

    with connected(url) as connection:
        connection.execute(f"SET ROLE {EVERYONE}")
        connection.execute(
            "INSERT INTO marks (name, at) VALUES (%s, now()) ON CONFLICT (name) DO UPDATE SET at = now()", [ASLEEP]
        )


def _analyse(url: str) -> None:
    """A database that was just filled knows nothing of itself, and would read whole tables."""
    from talktime.db.deploy import connected
    from talktime.db.roles import OWNER

    with connected(url) as connection:
        connection.execute(f"SET ROLE {OWNER}")
        for (table,) in connection.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"):
            connection.cursor().execute(f"ANALYZE {table}".encode())


async def _prove(url: str) -> "Verdict":
    from talktime.credits.verify import verify
    from talktime.db.session import connect

    database = connect(url, connections_max=4)
    try:
        return await verify(database, full=True)
    finally:
        await database.close()


def _remove_older(file: Path, keep: int) -> list[Path]:
    """All but the newest copies in this folder that have the same ending, with their manifests."""
    from talktime.db.dump import manifest_path

    copies = [path for path in file.absolute().parent.glob(f"*{file.suffix}") if manifest_path(path).is_file()]
    older = sorted(copies, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]
    for path in older:
        path.unlink()
        manifest_path(path).unlink()
    return older


def _say(line: str) -> None:
    typer.echo(line, err=True)
