"""`talktime ledger payments | reconcile | invoices`: what was paid, and what went back."""

import dataclasses
import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli import typed
from talktime.cli.books import (
    AsJson,
    By,
    Most,
    find_operator,
    find_user,
    in_the_books,
    log_change,
    money_of,
    show,
    write_file,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.db.session import Database
    from talktime.payments.reconcile import Difference, Reconciliation
    from talktime.payments.till import Till

payments = typer.Typer(help="What was bought, and what went back.", no_args_is_help=True)
reconcile = typer.Typer(help="Compare with what others know.", no_args_is_help=True)
invoices = typer.Typer(help="Invoices and credit notes.", no_args_is_help=True)

_WHY = "the operator looks after everybody's purchases"
_DAYS = 3

Demo = Annotated[bool, typer.Option("--demo", help="Also know the simulated payment company.")]
User = Annotated[str, typer.Option("--user", metavar="EMAIL", help="Whose.")]
OnlyUser = Annotated[str | None, typer.Option("--user", metavar="EMAIL", help="Only this customer's.")]


@payments.callback()
@reconcile.callback()
@invoices.callback()
def _group() -> None:
    pass


@payments.command("list")
def list_payments(
    user: OnlyUser = None,
    state: Annotated[str | None, typer.Option("--state", help="OPEN, PENDING, PAID, FAILED or EXPIRED.")] = None,
    limit: Most = 100,
    as_json: AsJson = False,
) -> None:
    """Print purchases, newest first, with what went back of each."""
    from talktime.payments import overview

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        whose = None if user is None else (await find_user(db, user)).id
        return [dataclasses.asdict(row) for row in await overview.newest(db, user=whose, state=state, limit=limit)]

    rows = in_the_books(work)
    show(rows, [_payment_line(row) for row in rows] or ["There are no such purchases."], as_json=as_json)


@payments.command("disputes")
def list_disputes(user: OnlyUser = None, limit: Most = 100, as_json: AsJson = False) -> None:
    """Print refunds and what banks dispute, newest first, with the purchase each is of."""
    from talktime.payments import overview

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        whose = None if user is None else (await find_user(db, user)).id
        return [dataclasses.asdict(row) for row in await overview.disputes(db, user=whose, limit=limit)]

    rows = in_the_books(work)
    show(rows, [_reversal_line(row) for row in rows] or ["Nothing went back."], as_json=as_json)


@payments.command("unmatched")
def list_unmatched(limit: Most = 100, as_json: AsJson = False) -> None:
    """Print the payment companies' events that led to nothing although they should have, newest first."""
    from talktime.payments import overview

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        return [dataclasses.asdict(row) for row in await overview.unmatched(db, limit=limit)]

    rows = in_the_books(work)
    show(rows, [_event_line(row) for row in rows] or ["Every event found its purchase."], as_json=as_json)


@payments.command("again")
def handle_again(
    event: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The event's id, as `unmatched` prints it.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Have an event handled again that was given up. A running worker does it."""
    from talktime import inbox
    from talktime.accounts import audit
    from talktime.errors import NotFound

    async def work(db: "AsyncSession") -> uuid.UUID:
        actor = await find_operator(db, by)
        if not await inbox.again(db, event):
            raise NotFound("There is no event with this id that was given up.")
        await audit.record(db, actor, actor, "event.handled_again", after={"event_id": str(event)})
        return actor

    log_change("event is to be handled again", in_the_books(work), event_id=event)
    show({"id": event, "will_be_handled": True}, ["It will be handled again."], as_json=as_json)


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
    from talktime.cli.running import run
    from talktime.payments import checkout, refunding

    async def work() -> dict[str, Any]:
        async with _open(demo=demo) as (database, till):
            async with database.transaction(everyone=_WHY) as db:
                whose, actor = (await find_user(db, user)).id, (await find_user(db, by)).id
                bought = await checkout.find(db, whose, purchase)
            done = await refunding.refund(
                database,
                till.billing,
                till.gateway(bought.gateway),
                user=whose,
                purchase=purchase,
                amount_minor=None if amount is None else typed.minor(amount, bought.currency),
                key=key,
                actor=actor,
            )
            return {
                "refund_id": done.refund_id,
                "amount_minor": done.amount_minor,
                "currency": bought.currency,
                "state": done.state.value,
            }

    row = run(work())
    show([row], [f"{row['refund_id']}  {money_of(row)}  {row['state']}"], as_json=as_json)


@reconcile.command("payments")
def reconcile_payments(
    since: Annotated[datetime | None, typer.Option("--since", help="From when on (UTC); three days ago.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what differs.")] = False,
    demo: Demo = False,
    as_json: AsJson = False,
) -> None:
    """Ask the payment companies for what we never heard of; exit code 1 if something is left that differs."""
    from talktime.cli.running import run
    from talktime.payments import reconcile as domain

    async def work() -> "list[Reconciliation]":
        until = datetime.now(UTC)
        begin = until - timedelta(days=_DAYS) if since is None else since.replace(tzinfo=since.tzinfo or UTC)
        async with _open(demo=demo) as (database, till):
            return [
                await domain.reconcile(database, till, gateway, begin, until, fix=not dry_run)
                for gateway in till.gateways.values()
            ]

    found = run(work())
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(each) for each in found], default=str) + "\n")
    else:
        if not found:
            from talktime.payments.till import NO_COMPANY

            sys.stdout.write(f"{NO_COMPANY}\n")
        for each in found:
            sys.stdout.write(f"{each.gateway}: {each.seen} seen, {len(each.differences)} differ.\n")
            sys.stdout.writelines(_difference_line(difference) + "\n" for difference in each.differences)
    if not all(each.is_clean for each in found):
        raise typer.Exit(1)


@invoices.command("list")
def list_invoices(
    user: User,
    limit: Most = 100,
    as_json: AsJson = False,
) -> None:
    """Print somebody's invoices and credit notes, newest first."""
    from talktime.payments import invoices as domain

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        found = await domain.newest(db, (await find_user(db, user)).id, limit=limit)
        names = ("id", "number", "kind", "purchase_id", "refers_to", "issued_at", "currency", "gross_minor")
        return [{name: getattr(invoice, name) for name in names} for invoice in found]

    rows = in_the_books(work)
    show(rows, [_invoice_line(row) for row in rows] or ["There are no invoices."], as_json=as_json)


@invoices.command("pdf")
def invoice_pdf(
    invoice: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The document's id, as `list` prints it.")],
    user: User,
    to: Annotated[Path, typer.Option("--to", help="The file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write a document as a PDF."""
    from talktime.payments import invoices as domain

    async def work(db: "AsyncSession") -> bytes:
        return await domain.pdf(db, (await find_user(db, user)).id, invoice)

    content = in_the_books(work)
    write_file(to, content)
    show({"id": invoice, "file": to, "bytes": len(content)}, [f"Written: {to}"], as_json=as_json)


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


def _payment_line(row: dict[str, Any]) -> str:
    test = "  TEST" if row["test"] else ""
    back = f"  {row['reversed_credits']:,} taken back" if row["reversed_credits"] else ""
    why = f"  ({row['failure']})" if row["failure"] else ""
    return (
        f"{row['id']}  {row['created_at']:%Y-%m-%d %H:%M}  {row['email']}  {row['kind']}  {row['state']}{why}"
        f"  {row['credits']:,} credits for {money_of(row)}{back}{test}"
    )


def _reversal_line(row: dict[str, Any]) -> str:
    why = f"  {json.dumps(row['reason'], ensure_ascii=False)}" if row["reason"] else ""
    of = f"purchase {row['purchase_id']}"
    if row["ungranted"]:
        nothing = f"payment {row['payment_id']}, which granted nothing ({row['ungranted'].replace('_', ' ')})"
        of = f"{nothing} for {of}" if row["purchase_id"] else nothing
    return (
        f"{row['id']}  {row['created_at']:%Y-%m-%d %H:%M}  {row['email'] or '-'}  {row['kind'].lower()}"
        f"  {row['state'].lower()}  {money_of(row)} of {of}{why}"
    )


def _event_line(row: dict[str, Any]) -> str:
    return f"{row['id']}  {row['received_at']:%Y-%m-%d %H:%M}  {row['provider']}  {row['event_id']}  {row['outcome']}"


def _invoice_line(row: dict[str, Any]) -> str:
    gross = money_of({**row, "amount_minor": row["gross_minor"]})
    return f"{row['id']}  {row['number']}  {row['issued_at']:%Y-%m-%d}  {row['kind']}  {gross}"


def _difference_line(difference: "Difference") -> str:
    names = (difference.reversal_id, difference.payment_id, difference.checkout_id, difference.purchase_id)
    told = "  ".join(name for name in names if name)
    end = "mended" if difference.mended else difference.verdict or "left as it is"
    return f"  {difference.what} ({difference.there} there)  {told}  {end}"
