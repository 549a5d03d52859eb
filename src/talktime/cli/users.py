"""`talktime users`: people who sign in."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from talktime.cli.books import AsJson, By, Whose, find_operator, find_user, in_the_books, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

app = typer.Typer(help="People who sign in.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("sign-in")
def sign_in(
    email: Annotated[str, typer.Argument(help="Whose account.")],
    as_json: AsJson = False,
) -> None:
    """Print a link that signs somebody in, once, within a day."""
    from talktime.accounts import sessions
    from talktime.cli.running import open_database, read_settings, run

    settings = read_settings()

    async def work() -> str:
        async with open_database(settings) as database, database.transaction(everyone=sessions.WHY) as db:
            return await sessions.make_link_token(db, (await find_user(db, email)).id)

    link = f"{settings.base_url}/sign-in/{run(work())}"
    sys.stdout.write((json.dumps({"link": link}) if as_json else link) + "\n")


@app.command()
def close(
    user: Whose,
    by: By,
    seconds: Annotated[float, typer.Option(min=0, max=300, help="How long to wait for live calls to be settled.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Close an account for good: nothing starts any more, live calls are hung up and charged, its card is forgotten.

    Pages where something could still be paid are closed by the running server. What is left can be paid out
    afterwards: `talktime ledger payout`. Exit code 1 when a call is not settled yet or the payment company did not
    answer.
    """
    from talktime import log
    from talktime.app import carriers_of
    from talktime.calls import closing
    from talktime.cli.running import database_url, open_database, read_settings, run
    from talktime.jobs import Jobs
    from talktime.payments import open_checkouts, saved_card
    from talktime.payments.till import gateways_of

    settings = read_settings()
    log.configure(settings.log_level)

    async def work() -> closing.Closed:
        carriers, gateways = carriers_of(settings, demo=True), gateways_of(settings, demo=True)
        try:
            async with open_database(settings) as database:
                with database_url(settings) as url:
                    jobs = Jobs(url)
                async with database.transaction(everyone=closing.WHY) as db:
                    whose, actor = (await find_user(db, user)).id, await find_operator(db, by)
                return await closing.close_account(
                    database,
                    carriers,
                    whose,
                    actor,
                    forget_card=lambda user: saved_card.leave(database, gateways, user),
                    end_checkouts=lambda db, user: open_checkouts.end_all(db, jobs, user),
                    seconds_max=seconds,
                )
        finally:
            for carrier in carriers.values():
                await carrier.close()
            for gateway in gateways.values():
                await gateway.close()

    done = run(work())
    words = f"Closed. {done.hung_up} calls were hung up."
    if done.left:
        words += f" {len(done.left)} are not settled yet; the server does that within two minutes, or run this again."
    if done.checkouts:
        words += f" {done.checkouts} checkouts were open; the server has the payment company close them."
    if not done.card_is_gone:
        words += " The payment company did not forget the card; it is not charged any more. Run this again later."
    document = {
        "hung_up": done.hung_up,
        "left": done.left,
        "checkouts": done.checkouts,
        "card_is_gone": done.card_is_gone,
    }
    show(document, [words], as_json=as_json)
    raise typer.Exit(1 if done.left or not done.card_is_gone else 0)


@app.command()
def suspend(
    user: Whose,
    *,
    because: Annotated[str, typer.Option("--because", help="Why, for other operators: the customer does not see it.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Suspend an account: nobody signs in, no call starts or is extended. Running calls use what they were granted."""
    from talktime import log
    from talktime.calls import closing
    from talktime.cli.running import read_settings

    log.configure(read_settings().log_level)

    async def work(db: "AsyncSession") -> None:
        await closing.suspend(db, (await find_user(db, user)).id, await find_operator(db, by), because)

    in_the_books(work)
    show({"status": "SUSPENDED"}, ["Suspended."], as_json=as_json)


@app.command()
def activate(user: Whose, *, by: By, as_json: AsJson = False) -> None:
    """End a suspension."""
    from talktime import log
    from talktime.calls import closing
    from talktime.cli.running import read_settings

    log.configure(read_settings().log_level)

    async def work(db: "AsyncSession") -> None:
        await closing.activate(db, (await find_user(db, user)).id, await find_operator(db, by))

    in_the_books(work)
    show({"status": "ACTIVE"}, ["Active again."], as_json=as_json)
