"""`talktime ledger prices`: what a minute costs. A price is added, never changed; running calls keep theirs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli import typed
from talktime.cli.books import AsJson, By, emails, find_operator, find_user, in_the_books, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.credits.models import Price

app = typer.Typer(help="What a minute costs.", no_args_is_help=True)


@app.command("list")
def list_prices(
    user: Annotated[str | None, typer.Option("--user", help="All that one customer had, has and will have.")] = None,
    as_json: AsJson = False,
) -> None:
    """The prices that hold now, everybody's first."""
    from talktime.credits import prices as list_of

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        if user is not None:
            found = await list_of.history(db, (await find_user(db, user)).id)
        else:
            found = await list_of.price_list(db, datetime.now(UTC))
        return await _price_rows(db, found)

    rows = in_the_books(work)
    show(rows, [_price_line(row) for row in rows] or ["No price is set, so no call is answered."], as_json=as_json)


@app.command("set")
def set_price(
    rate: Annotated[
        int | None, typer.Argument(parser=typed.digits, metavar="[CREDITS]", help="Credits a minute.")
    ] = None,
    *,
    by: By,
    user: Annotated[str | None, typer.Option("--user", help="For one customer; everybody's when not given.")] = None,
    transfer: Annotated[bool, typer.Option("--transfer", help="For the leg to a person, not for the call.")] = False,
    fee: Annotated[int, typer.Option(parser=typed.digits, help="Credits for the connection.")] = 0,
    initial: Annotated[int, typer.Option(parser=typed.digits, help="Seconds that are billed at least.")] = 60,
    increment: Annotated[int, typer.Option(parser=typed.digits, help="Seconds of each step after that.")] = 60,
    free: Annotated[int, typer.Option(parser=typed.digits, help="A call shorter than so many seconds is free.")] = 0,
    since: Annotated[datetime | None, typer.Option("--from", help="From this moment on (UTC); now otherwise.")] = None,
    allow_free: Annotated[bool, typer.Option("--allow-free", help="A rate of zero is meant.")] = False,
    follow_list: Annotated[
        bool, typer.Option("--follow-list", help="Instead of a rate: everybody's price holds for the customer again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set a price from now on, or from a later moment. Running calls keep theirs."""
    from talktime.credits import prices as list_of
    from talktime.credits.models import PriceKind

    if follow_list and (user is None or rate is not None):
        raise typer.BadParameter(
            "it ends the price of one customer, so it takes --user and no rate", param_hint="--follow-list"
        )
    if not follow_list and rate is None:
        raise typer.BadParameter("say how many credits a minute costs", param_hint="CREDITS")
    kind = PriceKind.TRANSFER if transfer else PriceKind.CALL
    valid_from = since.replace(tzinfo=UTC) if since is not None else None

    async def work(db: "AsyncSession") -> dict[str, Any]:
        whose, actor = (await find_user(db, user)).id if user is not None else None, await find_operator(db, by)
        if rate is None:
            assert whose is not None
            ended = await list_of.follow_list(db, user=whose, kind=kind, valid_from=valid_from, actor=actor)
            return {} if ended is None else (await _price_rows(db, [ended]))[0]
        price = await list_of.set_price(
            db,
            user=whose,
            kind=kind,
            credits_per_minute=rate,
            connection_fee=fee,
            initial_seconds=initial,
            increment_seconds=increment,
            free_seconds=free,
            valid_from=valid_from,
            actor=actor,
            allow_free=allow_free,
        )
        return (await _price_rows(db, [price]))[0]

    row = in_the_books(work)
    show(row, [_price_line(row) if row else "This customer has no price of their own."], as_json=as_json)


async def _price_rows(db: "AsyncSession", prices: "Sequence[Price]") -> list[dict[str, Any]]:
    """Prices with the addresses of whose they are and of who set them."""
    named = await emails(db, (person for price in prices for person in (price.user_id, price.created_by)))
    return [
        {**_price_row(price), "email": named.get(price.user_id), "created_by_email": named.get(price.created_by)}
        for price in prices
    ]


def _price_row(price: "Price") -> dict[str, Any]:
    names = (
        "id", "user_id", "kind", "valid_from", "credits_per_minute", "connection_fee", "initial_seconds",
        "increment_seconds", "free_seconds", "follows_list", "created_by",
    )  # fmt: skip
    return {name: getattr(price, name) for name in names}


def _price_line(row: dict[str, Any]) -> str:
    whose = row["email"] if row["user_id"] else "everybody"
    if row["follows_list"]:
        return f"{whose}  {row['kind'].lower()}  everybody's price  from {row['valid_from']:%Y-%m-%d %H:%M:%S %Z}"
    fee = f" + {row['connection_fee']:,} a call" if row["connection_fee"] else ""
    free = f", free below {row['free_seconds']} s" if row["free_seconds"] else ""
    return (
        f"{whose}  {row['kind'].lower()}  {row['credits_per_minute']:,} a minute{fee},"
        f" first {row['initial_seconds']} s, then steps of {row['increment_seconds']} s{free}"
        f"  from {row['valid_from']:%Y-%m-%d %H:%M:%S %Z}"
    )
