"""`talktime numbers`: the pool of phone numbers, who has which, and what it costs them.

The rule: whoever changes something says who they are (`--by`).
"""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli import typed
from talktime.cli.books import AsJson, By, find_operator, find_user, in_the_books, show

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.cli.numbers_at_work import Pool
    from talktime.numbers.models import PhoneNumber

app = typer.Typer(help="The pool of phone numbers.", no_args_is_help=True)

WHY = "the operator looks at the whole pool"
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="As +49 30 1234567.")]
Company = Annotated[
    str | None, typer.Option("--carrier", metavar="NAME", help="Which phone company; the only one there is.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: it is meant.")]


@app.callback()
def _group() -> None:
    pass


@app.command("list")
def list_numbers(
    status: Annotated[str | None, typer.Option(help="AVAILABLE, ASSIGNED, RELEASED or RETURNED.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print every number, where it is, and which agent answers it."""
    from sqlalchemy import select

    from talktime.agents.models import Agent
    from talktime.errors import BadInput
    from talktime.numbers.models import PhoneNumber, PhoneStatus

    if status is not None and status.upper() not in set(PhoneStatus):
        raise BadInput(f"{status[:30]!r} is no status: {', '.join(PhoneStatus)}.")

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        query = (
            select(PhoneNumber, Agent.business, Agent.name)
            .outerjoin(Agent, (Agent.user_id == PhoneNumber.user_id) & (Agent.id == PhoneNumber.agent_id))
            .order_by(PhoneNumber.number)
        )
        if status is not None:
            query = query.where(PhoneNumber.status == PhoneStatus(status.upper()))
        rows = await db.execute(query)
        return [{**_row(number), "business": business, "agent": agent} for number, business, agent in rows]

    rows = in_the_books(work, WHY)
    show(rows, [_line(row) for row in rows] or ["The pool is empty."], as_json=as_json)


@app.command()
def add(
    number: Number,
    *,
    by: By,
    carrier: Company = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="USER", help="The customer who brought it along, and proved it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a number into the pool by hand. Where it rings is then yours to set up with the phone company."""
    from talktime.cli.numbers_at_work import at_work
    from talktime.numbers import pool as verbs

    async def work(pool: "Pool") -> dict[str, Any]:
        name = pool.company_name(carrier)
        async with pool.database.transaction(everyone=WHY) as db:
            actor = await find_operator(db, by)
            whose = (await find_user(db, owner)).id if owner is not None else None
            return _row(await verbs.add(db, number, carrier=name, owner=whose, actor=actor))

    row = at_work(work)
    show(row, [_line(row)], as_json=as_json)


@app.command()
def assign(
    number: Number,
    user: Annotated[str, typer.Argument(metavar="USER", help="Who gets it: an e-mail address, or an id.")],
    *,
    by: By,
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Which agent answers: its id or name; the only one they have.")
    ] = None,
    rent: Annotated[
        int | None, typer.Option(parser=typed.digits, help="Credits a month; TALKTIME_NUMBER_RENT when not said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a number to a customer's agent. The first month's rent is charged with it."""
    from talktime.cli.numbers_at_work import agent_of
    from talktime.cli.running import read_settings
    from talktime.numbers import pool as verbs

    credits_a_month = read_settings().number_rent if rent is None else rent

    async def work(db: "AsyncSession") -> dict[str, Any]:
        actor, whose = await find_operator(db, by), await find_user(db, user)
        which = await agent_of(db, whose.id, agent)
        return _row(
            await verbs.assign(db, number, user=whose.id, agent=which, actor=actor, rent_credits=credits_a_month)
        )

    row = in_the_books(work, WHY)
    show(row, [_line(row)], as_json=as_json)


@app.command()
def release(
    number: Number,
    *,
    by: By,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="A number that nobody has goes back to the phone company, for good.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take a number back from whoever has it: it rests for 30 days, then it is free again."""
    from talktime.errors import BadInput
    from talktime.numbers import pool as verbs

    if give_up and not yes:
        if not sys.stdin.isatty():
            raise BadInput("A number that is given up is gone: say --yes if it is meant.")
        typer.confirm(f"Give {number} back to the phone company, for good?", abort=True, err=True)

    async def work(db: "AsyncSession") -> dict[str, Any]:
        actor = await find_operator(db, by)
        done = verbs.give_up(db, number, actor=actor) if give_up else verbs.release(db, number, actor=actor)
        return _row(await done)

    row = in_the_books(work, WHY)
    show(row, [_line(row)], as_json=as_json)


@app.command()
def rent(
    number: Annotated[
        str | None, typer.Argument(metavar="[NUMBER]", help="One number; all that cost rent else.")
    ] = None,
    set_: Annotated[
        int | None,
        typer.Option("--set", parser=typed.digits, metavar="CREDITS", help="From its next month on; 0 ends it."),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="EMAIL", help="Who does this; needed with --set.")] = None,
    due: Annotated[
        bool, typer.Option("--charge-due", help="Charge what is due now; the server does it by itself.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What numbers cost their customers in a month, and when the next rent is due."""
    from talktime.cli.numbers_at_work import at_work, charge_now, rents
    from talktime.errors import BadInput
    from talktime.numbers import rent as verbs

    if set_ is not None and (number is None or by is None):
        raise BadInput("Say which number, and who does this: talktime numbers rent NUMBER --set CREDITS --by EMAIL.")

    async def work(pool: "Pool") -> list[dict[str, Any]]:
        if due:
            return await charge_now(pool)
        async with pool.database.transaction(everyone=WHY) as db:
            if set_ is not None:
                assert by is not None
                assert number is not None
                await verbs.set_rent(db, number, credits=set_, actor=await find_operator(db, by))
            return await rents(db, number)

    rows = at_work(work)
    lines = [
        f"{row['number']:<16} {row['credits']:>8,} credits  "
        + (row["outcome"] if "outcome" in row else f"next on {row['due_on']}" if row["due_on"] else "no rent")
        + (f", unpaid since {row['unpaid_since']}" if row.get("unpaid_since") else "")
        for row in rows
    ]
    show(rows, lines or ["No number costs rent." if not due else "No rent is due."], as_json=as_json)


def _row(number: "PhoneNumber") -> dict[str, Any]:
    return {
        "number": number.number,
        "status": number.status.value,
        "carrier": number.carrier,
        "user_id": _id(number.user_id),
        "agent_id": _id(number.agent_id),
        "carrier_phase": number.carrier_phase.value,
        "carrier_error": number.carrier_error,
        "by_hand": number.carrier_number_id is None,
        "rent_credits": number.rent_credits,
        "quarantine_until": number.quarantine_until.isoformat() if number.quarantine_until else None,
    }


def _line(row: dict[str, Any]) -> str:
    who = f"{row['business']}, {row['agent']}" if row.get("business") else "nobody"
    if row["user_id"] and not row.get("business"):
        who = row["user_id"]
    if row["status"] == "RELEASED" and row["quarantine_until"]:
        who = f"rests until {row['quarantine_until'][:10]}"
    phase = "" if row["carrier_phase"] == "AGREED" else f"  carrier: {row['carrier_phase'].lower()}"
    return f"{row['number']:<16} {row['status']:<10} {row['carrier']:<10} {who}{phase}"


def _id(found: "uuid.UUID | None") -> str | None:
    return str(found) if found is not None else None
