"""`talktime ledger`: prove the books, read them, and what the operator does to them by hand."""

import dataclasses
import json
import re
import sys
import time
import uuid
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from talktime.cli import alerts, costs, money, packs, payments, prices, typed
from talktime.cli.books import (
    AsJson,
    Which,
    Whose,
    account_row,
    credits_of,
    find_user,
    in_the_books,
    show,
    user_of_call,
    write_file,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.calls.receipt import Receipt
    from talktime.credits.models import CreditTransaction

_SHOWN = 20

app = typer.Typer(help="The books: every credit that came and went.", no_args_is_help=True)
app.command("adjust", context_settings={"ignore_unknown_options": True})(money.adjust)  # -50 is no option
app.command("limits")(money.limits)
app.command("guards")(money.guards)
app.command("waive")(money.waive)
app.command("payout")(money.payout)
app.add_typer(money.approvals, name="approvals")
app.add_typer(money.claims, name="claims")
app.add_typer(prices.app, name="prices")
app.add_typer(packs.app, name="packs")
app.add_typer(payments.payments, name="payments")
app.add_typer(payments.reconcile, name="reconcile")
app.add_typer(payments.invoices, name="invoices")
app.add_typer(alerts.app, name="alerts")
app.add_typer(costs.app, name="costs")


@app.command()
def verify(
    full: Annotated[bool, typer.Option("--full", help="From the first line, not from the last verification.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    connections: Annotated[int, typer.Option(parser=typed.between(1, 16), help="How many work side by side.")] = 2,
) -> None:
    """Check every line, account and hold against each other. Exit code 1 when something does not add up."""
    from talktime.cli.running import open_database, read_settings, run
    from talktime.credits import verify as books

    async def work() -> books.Verdict:
        async with open_database(read_settings()) as database:
            return await books.verify(database, full=full, connections=connections)

    began = time.monotonic()
    verdict = run(work())
    if as_json:
        violations = [dataclasses.asdict(violation) for violation in verdict.violations]
        document = {"accounts": verdict.accounts, "lines": verdict.lines, "violations": violations}
        sys.stdout.write(json.dumps(document, default=str) + "\n")
    else:
        for violation in verdict.violations:
            line = f" line {violation.seq}" if violation.seq is not None else ""
            sys.stdout.write(f"user {violation.user_id}{line}: {violation.problem}\n")
        word = "The books are right" if verdict.is_clean else f"{len(verdict.violations)} things are wrong"
        span = "" if full else " since the last verification"
        sys.stdout.write(
            f"{word}: {verdict.accounts} accounts, {verdict.lines} lines{span}, {time.monotonic() - began:.1f} s.\n"
        )
    raise typer.Exit(0 if verdict.is_clean else 1)


@app.command("show")
def show_account(user: Whose, as_json: AsJson = False) -> None:
    """What somebody has, what is held, what is guarded, and the newest lines of their ledger."""
    from datetime import UTC, datetime

    from talktime.credits.forecast import days_left

    async def work(db: "AsyncSession") -> tuple[dict[str, Any], list[str]]:
        whose = await find_user(db, user)
        account = await account_row(db, whose)
        days = await days_left(db, whose.id, datetime.now(UTC), zone=whose.zone)
        lines = await _newest_lines(db, whose.id)
        document = {
            "user_id": whose.id,
            "email": whose.email,
            "status": whose.status,
            **account,
            "days_left": days,
            "lines": await _with_transfers(db, whose.id, [_line_row(line) for line in lines]),
        }
        guarded = {
            "a day": account["day_limit"],
            "a call": account["call_limit"],
            "a caller and day": account["caller_limit"],
        }
        spelled = [
            f"{whose.name}, {whose.status.lower()}"
            + (f", blocked: {account['blocked_reason']}" if account["blocked_reason"] else ""),
            f"  balance   {credits_of(account['balance'])}, {account['held']:,} held by {account['open_calls']} calls",
            f"  lasts     {'unknown: nothing was used of late' if days is None else f'about {days} days'}",
            f"  grace     {account['grace_limit']:,}, owed {account['clawback_debt']:,}",
            f"  at once   {account['max_open_calls']} calls at most",
            "  guards    "
            + (", ".join(f"{most:,} {word}" for word, most in guarded.items() if most is not None) or "none"),
        ]
        return document, [*spelled, *(f"  {_line_words(row)}" for row in document["lines"])]

    document, spelled = in_the_books(work)
    show(document, spelled, as_json=as_json)


@app.command("receipt")
def print_receipt(
    call: Which,
    pdf: Annotated[Path | None, typer.Option(help="Write it to this file, as a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """How a call's charge was arrived at, so that the sum can be done again by hand."""
    from talktime.calls.receipt import document_of, receipt
    from talktime.cli.calling import receipt_lines
    from talktime.documents.receipt import render_receipt_pdf

    async def work(db: "AsyncSession") -> tuple["Receipt", str, str, str]:
        whose = await user_of_call(db, call)
        found = await receipt(db, whose.id, call)
        return found, await _business_of(db, whose.id, call) or whose.name, whose.zone, whose.locale

    found, business, zone, locale = in_the_books(work)
    if pdf is not None:
        write_file(pdf, render_receipt_pdf(document_of(found, business=business, zone=zone), locale))
    show(
        dataclasses.asdict(found),
        [f"Receipt of call {call}, {business}", *receipt_lines(found, zone=zone)],
        as_json=as_json,
    )


@app.command("statement")
def print_statement(
    user: Whose,
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2026-11, where the customer lives.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the lines to this file; - prints them.")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="Write it to this file, as pages.")] = None,
    as_json: AsJson = False,
) -> None:
    """A month of somebody's ledger: opening balance, every line, closing balance."""
    from talktime.credits.statement_pages import document_of
    from talktime.credits.statements import statement
    from talktime.documents.export import statement_csv
    from talktime.documents.statement import render_statement_pdf
    from talktime.documents.values import StatementDocument

    first = _month(month)

    async def work(db: "AsyncSession") -> tuple[StatementDocument, str]:
        whose = await find_user(db, user)
        return document_of(await statement(db, whose.id, first, whose.zone), whose.name), whose.locale

    document, locale = in_the_books(work)
    if pdf is not None:
        write_file(pdf, render_statement_pdf(document, locale))
    if csv is not None and str(csv) == "-":
        sys.stdout.writelines(statement_csv(document.lines))
        return
    if csv is not None:
        write_file(csv, "".join(statement_csv(document.lines)).encode())
    row = {**dataclasses.asdict(document), "totals": dict(document.totals)}
    lines = [
        f"{document.user_name}, {month}, {document.zone}",
        f"  opening balance {document.opening_balance:,}",
        *(
            f"{line.seq:>8}  {line.at.astimezone(ZoneInfo(document.zone)):%Y-%m-%d %H:%M}  {line.kind:<16}"
            f" {line.amount:>+10,} {line.balance_after:>12,}  {line.description}"
            for line in document.lines
        ),
        f"  closing balance {document.closing_balance:,}",
    ]
    show(row, lines, as_json=as_json)


def _month(written: str) -> date:
    from talktime.errors import BadInput

    found = re.fullmatch(r"(20[0-9]{2})-(0[1-9]|1[0-2])", written, re.ASCII)
    if found is None:
        raise BadInput(f"A month is written like 2026-11, not {written}.")
    return date(int(found[1]), int(found[2]), 1)


async def _newest_lines(db: "AsyncSession", user: uuid.UUID) -> "list[CreditTransaction]":
    """Oldest of them first, as a ledger is read."""
    from sqlalchemy import select

    from talktime.credits.models import CreditTransaction

    newest = select(CreditTransaction).where(CreditTransaction.user_id == user)
    lines = list(await db.scalars(newest.order_by(CreditTransaction.seq.desc()).limit(_SHOWN)))
    return lines[::-1]


async def _business_of(db: "AsyncSession", user: uuid.UUID, call: uuid.UUID) -> str | None:
    from sqlalchemy import select

    from talktime.agents.models import Agent
    from talktime.calls.models import Call

    found: str | None = await db.scalar(
        select(Agent.business)
        .join(Call, (Call.user_id == Agent.user_id) & (Call.agent_id == Agent.id))
        .where(Call.user_id == user, Call.id == call)
    )
    return found


def _line_row(line: "CreditTransaction") -> dict[str, Any]:
    names = (
        "seq", "created_at", "type", "amount", "balance_after", "call_id", "purchase_id", "reference", "reason",
        "actor_id",
    )  # fmt: skip
    return {name: getattr(line, name) for name in names}


async def _with_transfers(db: "AsyncSession", user: uuid.UUID, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say of each line that charges a leg to a person which call was put through."""
    from sqlalchemy import select

    from talktime.calls.models import Call

    calls = [row["call_id"] for row in rows if row["call_id"] is not None]
    legs = select(Call.id, Call.parent_id).where(Call.user_id == user, Call.id.in_(calls), Call.parent_id.is_not(None))
    parents = {row.id: row.parent_id for row in await db.execute(legs)}
    return [{**row, "put_through_from": parents.get(row["call_id"])} for row in rows]


def _line_words(row: dict[str, Any]) -> str:
    about = row["reason"] or row["call_id"] or row["purchase_id"] or ""
    if row["put_through_from"] is not None:
        about = f"{about}, put through from {row['put_through_from']}"
    return (
        f"{row['seq']:>6}  {row['created_at']:%Y-%m-%d %H:%M}  {row['type']:<16} {row['amount']:>+10,}"
        f" {row['balance_after']:>12,}  {about}"
    )
