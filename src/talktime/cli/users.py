"""`talktime users`: people who sign in."""

import json
import sys
from typing import Annotated

import typer

from talktime.cli.books import AsJson, By, Whose, find_operator, find_user, show

app = typer.Typer(help="People who sign in.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("sign-in")
def sign_in(
    email: Annotated[str, typer.Argument(help="Whose account.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print a link that signs somebody in, once, within a day."""
    from sqlalchemy import func, select

    from talktime.accounts import sessions
    from talktime.accounts.models import User
    from talktime.cli.running import open_database, read_settings, run
    from talktime.errors import NotFound

    settings = read_settings()

    async def work() -> str:
        async with open_database(settings) as database, database.transaction(everyone=sessions.WHY) as db:
            user = await db.scalar(select(User.id).where(func.lower(User.email) == email.lower()))
            if user is None:
                raise NotFound(f"Nobody here has the address {email}.")
            return await sessions.make_link_token(db, user)

    link = f"{settings.base_url}/sign-in/{run(work())}"
    sys.stdout.write((json.dumps({"link": link}) if as_json else link) + "\n")


@app.command()
def close(
    user: Whose,
    by: By,
    seconds: Annotated[float, typer.Option(min=0, max=300, help="How long to wait for live calls to be settled.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Close an account for good: nothing starts any more, live calls are hung up and charged.

    What is left can be paid out afterwards: `talktime ledger payout`. Exit code 1 when a call is not settled yet.
    """
    from talktime import log
    from talktime.app import carriers_of
    from talktime.calls import closing
    from talktime.cli.running import open_database, read_settings, run

    settings = read_settings()
    log.configure(settings.log_level)

    async def work() -> closing.Closed:
        carriers = carriers_of(settings, demo=True)
        try:
            async with open_database(settings) as database:
                async with database.transaction(everyone=closing.WHY) as db:
                    whose, actor = (await find_user(db, user)).id, await find_operator(db, by)
                return await closing.close_account(database, carriers, whose, actor, seconds_max=seconds)
        finally:
            for carrier in carriers.values():
                await carrier.close()

    done = run(work())
    words = f"Closed. {done.hung_up} calls were hung up."
    if done.left:
        words += f" {len(done.left)} are not settled yet; the server does that within two minutes, or run this again."
    show({"hung_up": done.hung_up, "left": done.left}, [words], as_json=as_json)
    raise typer.Exit(1 if done.left else 0)
