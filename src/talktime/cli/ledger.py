"""`talktime ledger`: prove the books."""

import dataclasses
import json
import sys
import time
from typing import Annotated

import typer

app = typer.Typer(help="The books: every credit that came and went.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def verify(
    full: Annotated[bool, typer.Option("--full", help="From the first line, not from the last verification.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    connections: Annotated[int, typer.Option(min=1, max=16, help="How many work side by side.")] = 2,
) -> None:
    """Check every line, account and hold against each other. Exit code 1 when something does not add up."""
    from talktime.cli.running import open_database, read_settings, run
    from talktime.credits import verify as books

    async def work() -> books.Verdict:
        async with open_database(read_settings()) as database:
            return await books.verify(database, full=full, connections=connections)

    began = time.monotonic()
    verdict = run(work())
    if as_json:
        violations = [dataclasses.asdict(violation) for violation in verdict.violations]
        document = {"accounts": verdict.accounts, "lines": verdict.lines, "violations": violations}
        sys.stdout.write(json.dumps(document, default=str) + "\n")
    else:
        for violation in verdict.violations:
            line = f" line {violation.seq}" if violation.seq is not None else ""
            sys.stdout.write(f"user {violation.user_id}{line}: {violation.problem}\n")
        word = "The books are right" if verdict.is_clean else f"{len(verdict.violations)} things are wrong"
        span = "" if full else " since the last verification"
        sys.stdout.write(
            f"{word}: {verdict.accounts} accounts, {verdict.lines} lines{span}, {time.monotonic() - began:.1f} s.\n"
        )
    raise typer.Exit(0 if verdict.is_clean else 1)
