"""`talktime ledger alerts`: what a person must see."""

import dataclasses
import json
import sys
import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from talktime.cli.books import find_user

if TYPE_CHECKING:
    from talktime.alerts.board import Shown

app = typer.Typer(help="What a person must see.", no_args_is_help=True)
_WHY = "the operator looks at all alerts"


@app.callback()
def _group() -> None:
    pass


@app.command("list")
def list_alerts(
    every: Annotated[bool, typer.Option("--all", help="Also those that were acknowledged, newest first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="How many at most.")] = 200,
) -> None:
    """Print what nobody has acknowledged yet, with what happened and what to do."""
    from talktime.alerts import board
    from talktime.cli.running import open_database, read_settings, run

    async def work() -> "list[Shown]":
        async with open_database(read_settings()) as database, database.transaction(everyone=_WHY) as db:
            look = board.newest_alerts if every else board.open_alerts
            return list(await look(db, limit=limit))

    alerts = run(work())
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(alert) for alert in alerts], default=str) + "\n")
    elif not alerts:
        sys.stdout.write("There are no alerts.\n" if every else "There are no open alerts.\n")
    else:
        sys.stdout.write("\n".join(_spelled(alert) for alert in alerts))


@app.command()
def acknowledge(
    alert: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The alert's id, as `list` prints it.")],
    by: Annotated[str, typer.Option("--by", metavar="EMAIL", help="Who has seen it: an operator.")],
    note: Annotated[str, typer.Option("--note", help="What is to be remembered about it.")] = "",
) -> None:
    """Put an alert away, by name."""
    from talktime.alerts import board
    from talktime.cli.running import open_database, read_settings, run

    async def work() -> "Shown":
        async with open_database(read_settings()) as database, database.transaction(everyone=_WHY) as db:
            return await board.acknowledge(db, alert, (await find_user(db, by)).id, note)

    done = run(work())
    sys.stdout.write(f"{done.acknowledged_by} acknowledged {done.kind} ({done.id}).\n")


def _spelled(alert: "Shown") -> str:
    lines = [f"{alert.id}  {alert.kind}  {alert.created_at:%Y-%m-%d %H:%M %Z}", f"  {alert.sentence}"]
    if alert.user_id is not None:
        lines.append(f"  user: {alert.user_id}")
    # Whatever a function of the database put into it is for the eye, not for the terminal.
    lines += [f"  {name}: {json.dumps(value)}" for name, value in alert.detail.items()]
    if alert.acknowledged_at is not None:
        lines.append(f"  acknowledged by {alert.acknowledged_by}, {alert.acknowledged_at:%Y-%m-%d %H:%M %Z}")
    if alert.note:
        lines.append(f"  note: {json.dumps(alert.note, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
