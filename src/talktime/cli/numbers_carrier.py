"""The other half of `talktime numbers`: what the phone company has, sells and is told, and calls to numbers.

The rule: what costs money is asked about first, with its price, unless the price is given or `--yes` says that it was
meant.
"""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli import typed
from talktime.cli.books import AsJson, By, find_operator, show
from talktime.cli.numbers import WHY, Company, Number, Yes, app

if TYPE_CHECKING:
    from talktime.carriers.numbers import NumberPrice
    from talktime.cli.numbers_at_work import Pool
    from talktime.numbers.buying import Offers
    from talktime.numbers.drift import Drift, Imported
    from talktime.numbers.models import NumberOrder
    from talktime.numbers.self_test import SelfTest

__all__ = ["app"]

Kind = Annotated[str, typer.Option("--kind", help="local, mobile, national or toll_free.")]


@app.command("import")
def import_(
    *,
    by: By,
    carrier: Company = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take the numbers in that the phone company has for us and the pool does not know."""
    from talktime.cli.numbers_at_work import at_work
    from talktime.numbers import drift

    async def work(pool: "Pool") -> "Imported":
        name, numbers = pool.company(carrier)
        return await drift.take_in(pool.database, numbers, name, actor=await pool.operator(by), dry_run=dry_run)

    done = at_work(work)
    document = {
        "added": done.added,
        "renamed": done.renamed,
        "known": done.known,
        "refused": done.refused,
        "dry_run": dry_run,
    }
    lines = [f"{number}  {'would be ' if dry_run else ''}added" for number in done.added]
    lines += [f"{number}  {'would be ' if dry_run else ''}tied to the carrier's name of it" for number in done.renamed]
    lines += [f"{number}  left out: {why}" for number, why in done.refused.items()]
    show(document, [*lines, f"{len(done.added)} new, {done.known} known."], as_json=as_json)


@app.command()
def search(
    country: Annotated[str, typer.Argument(metavar="CC", help="The country, such as DE.")],
    *,
    kind: Kind = "local",
    area: Annotated[str, typer.Option(help="An area code, such as 030.")] = "",
    contains: Annotated[str, typer.Option(help="Digits that it must contain; * is any.")] = "",
    limit: Annotated[int, typer.Option(parser=typed.between(1, 50), help="How many at most.")] = 20,
    carrier: Company = None,
    as_json: AsJson = False,
) -> None:
    """Look for numbers that can be bought, and say what each costs in a month."""
    from talktime.carriers.numbers import Search
    from talktime.cli.numbers_at_work import at_work, kind_of
    from talktime.numbers import buying
    from talktime.numbers.shown import international

    wanted = Search(country.upper(), kind_of(kind), area, contains, limit)

    async def work(pool: "Pool") -> "Offers":
        return await buying.search(pool.company(carrier)[1], wanted)

    offers = at_work(work)
    price = _price(offers.price)
    document = {
        "price": price,
        "numbers": [
            {"number": each.number, "kind": each.kind.value, "place": each.place, "needs_address": each.needs_address}
            for each in offers.numbers
        ],
    }
    note = {True: "  (an address there has to be registered)", False: ""}
    lines = [f"{international(each.number):<20} {each.place:<20}{note[each.needs_address]}" for each in offers.numbers]
    said = f"Each costs {offers.price} a month." if offers.price else "The carrier does not say what they cost."
    show(document, [*lines, said] if lines else ["There is none like that."], as_json=as_json)


@app.command()
def buy(
    number: Number,
    *,
    by: By,
    kind: Kind = "local",
    price: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What it costs a month, as `search` said: 1.15")
    ] = None,
    currency: Annotated[str, typer.Option(help="Of that price.")] = "USD",
    carrier: Company = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Buy a number, at the price that is confirmed. It rings here at once; nobody has it until it is assigned."""
    from talktime.carriers.numbers import NumberPrice
    from talktime.cli.numbers_at_work import at_work, kind_of, micros
    from talktime.errors import BadInput
    from talktime.numbers import buying
    from talktime.numbers.forms import country_of, ordinary
    from talktime.numbers.models import OrderState

    wanted, what = ordinary(number), kind_of(kind)

    async def ask(pool: "Pool") -> "NumberPrice | None":
        return await pool.company(carrier)[1].price(country_of(wanted), what)

    confirmed = NumberPrice(micros(price), currency.upper()) if price is not None else at_work(ask)
    if confirmed is None:
        raise buying.NoPrice
    if price is None and not yes:
        if not sys.stdin.isatty():
            raise BadInput(f"It costs {confirmed} a month: say --price {str(confirmed)[:-4]}, or --yes.")
        typer.confirm(f"Buy {wanted} for {confirmed} a month?", abort=True, err=True)

    async def work(pool: "Pool") -> "NumberOrder":
        name, numbers = pool.company(carrier)
        actor = await pool.operator(by)
        base_url = pool.settings.base_url
        return await buying.buy(
            pool.database, numbers, name, wanted, kind=what, price=confirmed, base_url=base_url, actor=actor
        )

    order = at_work(work)
    document = {"order_id": order.id, "number": order.number, "state": order.state.value, "error": order.error}
    said = {
        OrderState.BOUGHT: f"{order.number} is in the pool.",
        OrderState.FAILED: f"{order.number} was not bought: {order.error}.",
        OrderState.ORDERED: f"The carrier gave no answer about {order.number}. The running server finds out whether"
        " it was bought; order nothing again.",
    }
    show({**document, "price": _price(confirmed)}, [said[order.state]], as_json=as_json)
    raise typer.Exit(0 if order.state is OrderState.BOUGHT else 1)


@app.command()
def sync(
    by: Annotated[str | None, typer.Option("--by", metavar="EMAIL", help="Who does this; needed with --tell.")] = None,
    tell: Annotated[
        list[str] | None, typer.Option("--tell", metavar="NUMBER", help="Have the phone company told again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the pool with what the phone companies have, and say where they differ. Exit code 1 if they do."""
    from talktime.cli.numbers_at_work import at_work
    from talktime.errors import BadInput
    from talktime.numbers import drift

    if tell and by is None:
        raise BadInput("Say who does this: --by EMAIL.")

    async def work(pool: "Pool") -> "list[Drift]":
        for number in tell or ():
            async with pool.database.transaction(everyone=WHY) as db:
                assert by is not None
                await drift.tell_again(db, number, actor=await find_operator(db, by))
        if tell:
            await pool.tell()
        return await drift.compare(pool.database, pool.companies, pool.settings.base_url)

    found = at_work(work)
    document = [
        {
            "number": each.number,
            "carrier": each.carrier,
            "difference": each.difference.value,
            "detail": each.detail,
            "sentence": each.sentence,
        }
        for each in found
    ]
    lines = [f"{each.number:<16} {each.carrier:<10} {each.sentence} {each.detail}".rstrip() for each in found]
    show(document, lines or ["The pool and its carriers agree."], as_json=as_json)
    raise typer.Exit(1 if found else 0)


@app.command()
def prove(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="A customer's own, which we call and say a code to.")],
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose it is: an e-mail address, or an id.")],
    *,
    by: By,
    code: Annotated[str | None, typer.Option(help="The code, when it is known already.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that a number is a customer's own: it is called and told a code, which they tell you. Run it again with
    --code to finish."""
    from talktime.cli.numbers_at_work import at_work, prove_number

    async def work(pool: "Pool") -> dict[str, Any]:
        await pool.operator(by)
        return await prove_number(pool, number, user, code)

    row = at_work(work)
    said = "is proven" if row["proven_at"] else f"was called: finish with --code by {row['expires_at']:%H:%M} UTC"
    if row["error"] and not row["proven_at"]:
        said = "could not be called: the carrier refused" if row["error"] == "refused" else "may ring: no answer yet"
    show(row, [f"{row['number']} {said}."], as_json=as_json)
    raise typer.Exit(1 if row["error"] == "refused" else 0)


@app.command("test")
def call_it(number: Number, *, by: By, as_json: AsJson = False) -> None:
    """Call a number, and say which link of the chain is broken: carrier, ring, answer, media. It is a call like any
    other, and costs what one costs. Exit code 1 when the chain is broken."""
    from talktime.cli.numbers_at_work import at_work
    from talktime.numbers import self_test

    async def work(pool: "Pool") -> "SelfTest":
        await pool.operator(by)
        sys.stderr.write(f"Calling {number} …\n")
        return await self_test.run(pool.database, pool.companies, number, secret=pool.settings.secret)

    done = at_work(work)
    document = {"passed": done.passed, "broken": done.broken, "detail": done.detail, "call_id": done.call_id}
    lines = [f"{link.value:<8} holds" for link in done.passed]
    lines += [f"{done.broken.value:<8} is broken. {done.detail}"] if done.broken else ["The whole chain holds."]
    show(document, lines, as_json=as_json)
    raise typer.Exit(1 if done.broken else 0)


def _price(price: "NumberPrice | None") -> dict[str, Any] | None:
    return {"amount_micros": price.amount_micros, "currency": price.currency} if price is not None else None
