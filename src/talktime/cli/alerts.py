"""`talktime ledger alerts`: what a person must see."""

import dataclasses
import json
import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli.books import AsJson, By, Most, emails, find_user, in_the_books, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

app = typer.Typer(help="What a person must see.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("list")
def list_alerts(
    every: Annotated[bool, typer.Option("--all", help="Also those that were acknowledged, newest first.")] = False,
    as_json: AsJson = False,
    limit: Most = 200,
) -> None:
    """Print what nobody has acknowledged yet, with what happened and what to do."""
    from talktime.alerts import board

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        found = await (board.newest_alerts if every else board.open_alerts)(db, limit=limit)
        named = await emails(db, (alert.user_id for alert in found))
        return [{**dataclasses.asdict(alert), "email": named.get(alert.user_id)} for alert in found]

    rows = in_the_books(work)
    none = "There are no alerts." if every else "There are no open alerts."
    show(rows, ["\n\n".join(_spelled(row) for row in rows) or none], as_json=as_json)


@app.command()
def acknowledge(
    alert: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The alert's id, as `list` prints it.")],
    by: By,
    note: Annotated[str, typer.Option("--note", help="What is to be remembered about it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Put an alert away, by name."""
    from talktime.alerts import board

    async def work(db: "AsyncSession") -> dict[str, Any]:
        done = await board.acknowledge(db, alert, (await find_user(db, by)).id, note)
        named = await emails(db, [done.user_id])
        return {**dataclasses.asdict(done), "email": named.get(done.user_id)}

    row = in_the_books(work)
    who = row["acknowledged_by"]
    told = f"{who} acknowledged {row['kind']}" if who else f"{row['kind']} was put away before, by itself"
    show(row, [f"{told} ({row['id']})."], as_json=as_json)


def _spelled(row: dict[str, Any]) -> str:
    lines = [f"{row['id']}  {row['kind']}  {row['created_at']:%Y-%m-%d %H:%M %Z}", f"  {row['sentence']}"]
    if row["user_id"] is not None:
        lines.append(f"  user: {row['email'] or row['user_id']}")
    # Whatever a function of the database put into it is for the eye, not for the terminal.
    lines += [f"  {name}: {json.dumps(value)}" for name, value in row["detail"].items()]
    if row["acknowledged_at"] is not None:
        how = f"acknowledged by {row['acknowledged_by']}" if row["acknowledged_by"] else "put away by itself"
        lines.append(f"  {how}, {row['acknowledged_at']:%Y-%m-%d %H:%M %Z}")
    if row["note"]:
        lines.append(f"  note: {json.dumps(row['note'], ensure_ascii=False)}")
    return "\n".join(lines)
