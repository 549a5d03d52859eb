"""`talktime numbers`: the pool of phone numbers."""

import json
import sys
from typing import Annotated, Any

import typer

app = typer.Typer(help="The pool of phone numbers.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("list")
def list_numbers(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Print every number, where it is and which agent answers it."""
    from sqlalchemy import select

    from talktime.agents.models import Agent
    from talktime.cli.running import open_database, read_settings, run
    from talktime.numbers.models import PhoneNumber

    async def work() -> list[dict[str, Any]]:
        async with (
            open_database(read_settings()) as database,
            database.transaction(everyone="the operator looks at the whole pool") as db,
        ):
            rows = await db.execute(
                select(PhoneNumber, Agent.business, Agent.name)
                .outerjoin(Agent, (Agent.user_id == PhoneNumber.user_id) & (Agent.id == PhoneNumber.agent_id))
                .order_by(PhoneNumber.number)
            )
            return [
                {
                    "number": number.number,
                    "status": number.status.value,
                    "carrier": number.carrier,
                    "user_id": str(number.user_id) if number.user_id else None,
                    "business": business,
                    "agent": agent,
                }
                for number, business, agent in rows
            ]

    numbers = run(work())
    if as_json:
        sys.stdout.write(json.dumps(numbers) + "\n")
    elif not numbers:
        sys.stdout.write("The pool is empty.\n")
    for row in [] if as_json else numbers:
        who = f"{row['business']}, {row['agent']}" if row["business"] else "nobody"
        sys.stdout.write(f"{row['number']:<16} {row['status']:<10} {row['carrier']:<10} {who}\n")
