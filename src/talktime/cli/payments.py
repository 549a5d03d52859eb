"""`talktime ledger packs | payments | reconcile | invoices`: what is sold, what was paid, and what went back."""

import dataclasses
import json
import re
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli import typed

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.credits.models import CreditPack
    from talktime.db.session import Database
    from talktime.payments.reconcile import Difference, Reconciliation
    from talktime.payments.till import Till

packs = typer.Typer(help="What can be bought.", no_args_is_help=True)
payments = typer.Typer(help="What was bought, and what went back.", no_args_is_help=True)
reconcile = typer.Typer(help="Compare with what others know.", no_args_is_help=True)
invoices = typer.Typer(help="Invoices and credit notes.", no_args_is_help=True)

_WHY = "the operator looks after everybody's purchases"
_DAYS = 3

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Demo = Annotated[bool, typer.Option("--demo", help="Also know the simulated payment company.")]
User = Annotated[str, typer.Option("--user", metavar="EMAIL", help="Whose.")]


@packs.callback()
@payments.callback()
@reconcile.callback()
@invoices.callback()
def _group() -> None:
    pass


@packs.command("list")
def list_packs(as_json: AsJson = False) -> None:
    """Print every pack, those on sale first, in order."""
    from talktime.credits import packs as domain

    async def work() -> list[dict[str, Any]]:
        async with _everyone() as db:
            return [_pack(pack) for pack in await domain.all_packs(db)]

    _print(_run(work), as_json, "There are no packs: add one with `packs add`.", _pack_line)


@packs.command("add")
def add_pack(
    name: Annotated[str, typer.Argument(help="As buyers read it.")],
    *,
    credits: Annotated[int, typer.Option("--credits", parser=typed.digits, help="How many credits.")],
    price: Annotated[str, typer.Option("--price", help="What it costs, tax included: 10.50")],
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217: EUR")] = "EUR",
    position: Annotated[int, typer.Option("--position", help="Lower ones come first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Put a pack on sale."""
    from talktime.credits import packs as domain

    async def work() -> list[dict[str, Any]]:
        async with _everyone() as db:
            code = currency.upper()
            pack = await domain.create(
                db,
                name=name,
                credits=credits,
                price_minor=_minor(price, code),
                currency=code,
                position=position,
            )
            return [_pack(pack)]

    _print(_run(work), as_json, "", _pack_line)


@packs.command("change")
def change_pack(
    pack: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The pack's id, as `list` prints it.")],
    *,
    name: Annotated[str | None, typer.Option("--name")] = None,
    credits: Annotated[int | None, typer.Option("--credits", parser=typed.digits)] = None,
    price: Annotated[str | None, typer.Option("--price", help="What it costs, tax included: 10.50")] = None,
    position: Annotated[int | None, typer.Option("--position")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="On sale, or not.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a pack. What was bought of it stays as it was; top-ups that agreed to the old price stop."""
    from talktime.credits import packs as domain

    async def work() -> list[dict[str, Any]]:
        async with _everyone() as db:
            given = {"name": name, "credits": credits, "position": position, "active": active}
            changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
            if price is not None:
                changes["price_minor"] = _minor(price, (await domain.find(db, pack)).currency)
            return [_pack(await domain.change(db, pack, **changes))]

    _print(_run(work), as_json, "", _pack_line)


@packs.command("deactivate")
def deactivate_pack(
    pack: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The pack's id, as `list` prints it.")],
    as_json: AsJson = False,
) -> None:
    """Take a pack off sale."""
    from talktime.credits import packs as domain

    async def work() -> list[dict[str, Any]]:
        async with _everyone() as db:
            return [_pack(await domain.deactivate(db, pack))]

    _print(_run(work), as_json, "", _pack_line)


@payments.command("list")
def list_payments(
    user: Annotated[str | None, typer.Option("--user", metavar="EMAIL", help="Only this customer's.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="OPEN, PENDING, PAID, FAILED or EXPIRED.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Print purchases, newest first, with what went back of each."""
    from talktime.payments import overview

    async def work() -> list[dict[str, Any]]:
        async with _everyone() as db:
            whose = None if user is None else await _user(db, user)
            return [dataclasses.asdict(row) for row in await overview.newest(db, user=whose, state=state, limit=limit)]

    _print(_run(work), as_json, "There are no such purchases.", _payment_line)


@payments.command("unmatched")
def list_unmatched(
    limit: Annotated[int, typer.Option(min=1, max=10000, help="How many at most.")] = 100, as_json: AsJson = False
) -> None:
    """Print the payment companies' events that led to nothing although they should have, newest first."""
    from talktime.payments import overview

    async def work() -> list[dict[str, Any]]:
        async with _everyone() as db:
            return [dataclasses.asdict(row) for row in await overview.unmatched(db, limit=limit)]

    _print(_run(work), as_json, "Every event found its purchase.", _event_line)


@payments.command("again")
def handle_again(
    event: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The event's id, as `unmatched` prints it.")],
) -> None:
    """Have an event handled again that was given up. A running worker does it."""
    from talktime import inbox
    from talktime.errors import NotFound

    async def work() -> None:
        async with _everyone() as db:
            if not await inbox.again(db, event):
                raise NotFound("There is no event with this id that was given up.")

    _run(work)
    sys.stdout.write("It will be handled again.\n")


@payments.command("refund")
def refund(
    purchase: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The purchase's id, as `list` prints it.")],
    *,
    user: User,
    by: Annotated[str, typer.Option("--by", metavar="EMAIL", help="Who gives it back: an operator.")],
    key: Annotated[str, typer.Option("--key", help="The same key again is the same refund, never a second one.")],
    amount: Annotated[
        str | None, typer.Option("--amount", help="How much: 2.50. All that is left when not given.")
    ] = None,
    demo: Demo = False,
    as_json: AsJson = False,
) -> None:
    """Give money back. The credits it bought are taken back with it."""
    from talktime.payments import checkout, refunding

    async def work() -> list[dict[str, Any]]:
        async with _open(demo=demo) as (database, till):
            async with database.transaction(everyone=_WHY) as db:
                whose, actor = await _user(db, user), await _user(db, by)
                bought = await checkout.find(db, whose, purchase)
            done = await refunding.refund(
                database,
                till.billing,
                till.gateway(bought.gateway),
                user=whose,
                purchase=purchase,
                amount_minor=None if amount is None else _minor(amount, bought.currency),
                key=key,
                actor=actor,
            )
            return [
                {
                    "refund_id": done.refund_id,
                    "amount_minor": done.amount_minor,
                    "currency": bought.currency,
                    "state": done.state.value,
                }
            ]

    _print(_run(work), as_json, "", lambda row: f"{row['refund_id']}  {_money(row)}  {row['state']}")


@reconcile.command("payments")
def reconcile_payments(
    since: Annotated[datetime | None, typer.Option("--since", help="From when on (UTC); three days ago.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what differs.")] = False,
    demo: Demo = False,
    as_json: AsJson = False,
) -> None:
    """Ask the payment companies for what we never heard of; exit code 1 if something is left that differs."""
    from datetime import timedelta

    from talktime.payments import reconcile as domain

    async def work() -> "list[Reconciliation]":
        until = datetime.now(UTC)
        begin = until - timedelta(days=_DAYS) if since is None else since.replace(tzinfo=since.tzinfo or UTC)
        async with _open(demo=demo) as (database, till):
            return [
                await domain.reconcile(database, till, gateway, begin, until, fix=not dry_run)
                for gateway in till.gateways.values()
            ]

    found = _run(work)
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(each) for each in found], default=str) + "\n")
    else:
        if not found:
            sys.stdout.write("There is no payment company in the settings.\n")
        for each in found:
            sys.stdout.write(f"{each.gateway}: {each.seen} seen, {len(each.differences)} differ.\n")
            sys.stdout.writelines(_difference_line(difference) + "\n" for difference in each.differences)
    if not all(each.is_clean for each in found):
        raise typer.Exit(1)


@invoices.command("list")
def list_invoices(
    user: User,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Print somebody's invoices and credit notes, newest first."""
    from talktime.payments import invoices as domain

    async def work() -> list[dict[str, Any]]:
        async with _everyone() as db:
            found = await domain.newest(db, await _user(db, user), limit=limit)
            names = ("id", "number", "kind", "purchase_id", "refers_to", "issued_at", "currency", "gross_minor")
            return [{name: getattr(invoice, name) for name in names} for invoice in found]

    _print(
        _run(work),
        as_json,
        "There are no invoices.",
        lambda row: (
            f"{row['id']}  {row['number']}  {row['issued_at']:%Y-%m-%d}  {row['kind']}"
            f"  {_money({**row, 'amount_minor': row['gross_minor']})}"
        ),
    )


@invoices.command("pdf")
def invoice_pdf(
    invoice: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The document's id, as `list` prints it.")],
    user: User,
    to: Annotated[Path, typer.Option("--to", help="The file to write.")],
) -> None:
    """Write a document as a PDF."""
    from talktime.payments import invoices as domain

    async def work() -> bytes:
        async with _everyone() as db:
            return await domain.pdf(db, await _user(db, user), invoice)

    to.write_bytes(_run(work))
    sys.stdout.write(f"Written: {to}\n")


def _run(work: Callable[[], Any]) -> Any:
    from talktime.cli.running import run

    return run(work())


@asynccontextmanager
async def _everyone() -> "AsyncIterator[AsyncSession]":
    """A transaction that sees everybody's."""
    from talktime.cli.running import open_database, read_settings

    async with open_database(read_settings()) as database, database.transaction(everyone=_WHY) as db:
        yield db


@asynccontextmanager
async def _open(*, demo: bool) -> "AsyncIterator[tuple[Database, Till]]":
    """The database and the payment companies."""
    from talktime.cli.running import database_url, open_database, read_settings
    from talktime.jobs import Jobs
    from talktime.payments.till import Till, billing_of, gateways_of

    settings = read_settings()
    async with open_database(settings) as database:
        with database_url(settings) as url:
            jobs = Jobs(url)
        till = Till(gateways_of(settings, demo=demo), billing_of(settings), jobs)
        try:
            yield database, till
        finally:
            for gateway in till.gateways.values():
                await gateway.close()


async def _user(db: "AsyncSession", email: str) -> uuid.UUID:
    from sqlalchemy import func, select

    from talktime.accounts.models import User as Account
    from talktime.errors import NotFound

    found = await db.scalar(select(Account.id).where(func.lower(Account.email) == email.lower()))
    if found is None:
        raise NotFound(f"Nobody here has the address {email}.")
    return found


def _minor(amount: str, currency: str) -> int:
    """An amount as people write it, in minor units; never through a float. Raises BadInput."""
    from talktime.errors import BadInput
    from talktime.gateways import currencies

    if not currencies.is_known(currency):
        raise BadInput(f"{currency[:10]!r} is no currency: give its code of three capitals, such as EUR.")
    places = currencies.decimals(currency)
    if re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,9})?", amount) is None:
        raise BadInput(f"{amount[:30]!r} is no amount: write it like 10.50")
    scaled = Decimal(amount).scaleb(places)
    minor = int(scaled)
    if scaled != minor:
        raise BadInput(f"{amount} has more decimals than {currency}, which has {places}.")
    return minor


def _print(rows: Sequence[dict[str, Any]], as_json: bool, nothing: str, line: Callable[[dict[str, Any]], str]) -> None:
    if as_json:
        sys.stdout.write(json.dumps(rows, default=str) + "\n")
        return
    lines: Iterable[str] = [line(row) for row in rows] or [nothing]
    sys.stdout.writelines(f"{each}\n" for each in lines)


def _money(row: dict[str, Any]) -> str:
    from talktime.gateways.currencies import format_money

    return format_money(row["amount_minor"], row["currency"], "en")


def _pack(pack: "CreditPack") -> dict[str, Any]:
    return {
        "id": pack.id,
        "name": pack.name,
        "credits": pack.credits,
        "amount_minor": pack.price_minor,
        "currency": pack.currency,
        "position": pack.position,
        "active": pack.active,
    }


def _pack_line(row: dict[str, Any]) -> str:
    off = "" if row["active"] else "  (not on sale)"
    return f"{row['id']}  {row['position']:>3}  {row['name']}: {row['credits']:,} credits for {_money(row)}{off}"


def _payment_line(row: dict[str, Any]) -> str:
    test = "  TEST" if row["test"] else ""
    back = f"  {row['reversed_credits']:,} taken back" if row["reversed_credits"] else ""
    why = f"  ({row['failure']})" if row["failure"] else ""
    return (
        f"{row['id']}  {row['created_at']:%Y-%m-%d %H:%M}  {row['email']}  {row['kind']}  {row['state']}{why}"
        f"  {row['credits']:,} credits for {_money(row)}{back}{test}"
    )


def _event_line(row: dict[str, Any]) -> str:
    return f"{row['id']}  {row['received_at']:%Y-%m-%d %H:%M}  {row['provider']}  {row['event_id']}  {row['outcome']}"


def _difference_line(difference: "Difference") -> str:
    names = (difference.reversal_id, difference.payment_id, difference.checkout_id, difference.purchase_id)
    told = "  ".join(name for name in names if name)
    end = "mended" if difference.mended else difference.verdict or "left as it is"
    return f"  {difference.what} ({difference.there} there)  {told}  {end}"
