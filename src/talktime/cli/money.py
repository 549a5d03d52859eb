"""`talktime ledger …`: what the operator does to credits by hand.

The rule: everything can be typed again. What has been done already is said again, and not done twice.
"""

import dataclasses
import json
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli import typed
from talktime.cli.books import (
    AsJson,
    By,
    Which,
    Whose,
    account_row,
    credits_of,
    emails,
    find_operator,
    find_user,
    in_the_books,
    log_change,
    show,
    user_of_call,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.credits.models import Approval
    from talktime.credits.money import Posting

    # Whose account, who changed it (nobody when it was only looked at), and how it is now.
    _Changed = tuple[uuid.UUID, uuid.UUID | None, dict[str, Any]]

approvals = typer.Typer(help="Adjustments that wait for a second person.", no_args_is_help=True)
claims = typer.Typer(help="Calls that customers say were not real.", no_args_is_help=True)
_Approval = Annotated[uuid.UUID, typer.Argument(metavar="ID", help="As `list` prints it.")]
_Note = Annotated[str | None, typer.Option(help="What is to be remembered.")]
_Limit = Annotated[str | None, typer.Option(metavar="CREDITS|none")]
# Who changes a limit; nobody is asked for who only looks.
_Changer = Annotated[str | None, typer.Option("--by", metavar="EMAIL", help="Who does this: an operator.")]


def adjust(
    user: Whose,
    amount: Annotated[
        int, typer.Argument(parser=typed.digits, metavar="AMOUNT", help="Credits to give; below zero to take.")
    ],
    *,
    reference: Annotated[str, typer.Option(help="Your own name for this; used once, so it happens once.")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the customer's statement.")],
    by: By,
    as_debt: Annotated[bool, typer.Option("--as-debt", help="Take more than is free; the rest is owed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give or take credits by hand. Above the installation's limit it waits for a second person."""
    from talktime.cli.running import read_settings
    from talktime.credits import adjustments
    from talktime.credits.models import Approval

    limit = read_settings().adjustment_limit

    async def work(db: "AsyncSession") -> tuple[dict[str, Any], str]:
        whose = await find_user(db, user)
        done = await adjustments.request(
            db,
            user=whose.id,
            reference=reference,
            amount=amount,
            reason=reason,
            actor=await find_operator(db, by),
            as_debt=as_debt,
            limit=limit,
        )
        if isinstance(done, Approval):
            word = "waits for a second person" if done.state == "PENDING" else f"was {done.state.lower()}"
            (row,) = await _approval_rows(db, [done])
            return row, f"More than {credits_of(limit)} in one day, so this {word}: approval {done.id}."
        again = "" if done.fresh else ", as it was before"
        return _posting_row(
            done
        ), f"{whose.name}: {done.amount:+,} in line {done.seq}{again}; then {credits_of(done.balance_after)}."

    row, line = in_the_books(work)
    show(row, [line], as_json=as_json)


@approvals.command("list")
def list_approvals(as_json: AsJson = False) -> None:
    """What waits for a second person, oldest first."""
    from talktime.credits import adjustments

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        return await _approval_rows(db, await adjustments.pending(db))

    rows = in_the_books(work)
    lines = [
        f"{row['id']}  {row['email']}  {row['amount']:+,}{' as debt' if row['as_debt'] else ''}"
        f"  {json.dumps(row['reason'], ensure_ascii=False)}  asked for by {row['requested_by_email']}"
        for row in rows
    ]
    show(rows, lines or ["Nothing waits for a second person."], as_json=as_json)


@approvals.command()
def approve(approval: _Approval, by: By, as_json: AsJson = False) -> None:
    """Say yes as the second person: then it is posted."""
    from talktime.credits import adjustments
    from talktime.credits.models import Approval

    async def work(db: "AsyncSession") -> dict[str, Any]:
        actor = await find_operator(db, by)
        posting = _posting_row(await adjustments.approve(db, approval, actor))
        asked = await db.get_one(Approval, approval)
        named = await emails(db, [asked.user_id])
        return {**posting, "user_id": asked.user_id, "email": named[asked.user_id]}

    row = in_the_books(work)
    show(row, [f"Posted for {row['email']}: {row['amount']:+,} in line {row['seq']}."], as_json=as_json)


@approvals.command()
def refuse(approval: _Approval, by: By, as_json: AsJson = False) -> None:
    """Say no as the second person: it is never posted."""
    from talktime.credits import adjustments

    async def work(db: "AsyncSession") -> dict[str, Any]:
        refused = await adjustments.refuse(db, approval, await find_operator(db, by))
        return (await _approval_rows(db, [refused]))[0]

    show(in_the_books(work), ["Refused."], as_json=as_json)


def limits(
    user: Whose,
    *,
    grace: Annotated[
        int | None,
        typer.Option(parser=typed.digits, help="How far running calls may go below zero, in credits."),
    ] = None,
    calls: Annotated[int | None, typer.Option(parser=typed.digits, help="How many calls may run at once.")] = None,
    by: _Changer = None,
    as_json: AsJson = False,
) -> None:
    """Show how far an account may go, or change it."""
    from talktime.credits import money

    async def work(db: "AsyncSession") -> "_Changed":
        whose, actor = await find_user(db, user), None
        if grace is not None or calls is not None:
            actor = await find_operator(db, _needed(by))
            await money.set_limits(db, whose.id, grace_limit=grace, max_open_calls=calls, actor=actor)
        account = await account_row(db, whose)
        return whose.id, actor, {name: account[name] for name in ("grace_limit", "max_open_calls", "clawback_debt")}

    whose, actor, row = in_the_books(work)
    if actor is not None:
        log_change("limits changed", actor, user_id=whose, **row)
    lines = [
        f"grace           {row['grace_limit']:,}",
        f"calls at once   {row['max_open_calls']:,}",
        f"owed            {row['clawback_debt']:,}",
    ]
    show(row, lines, as_json=as_json)


def guards(
    user: Whose,
    *,
    day: _Limit = None,
    call: _Limit = None,
    caller: _Limit = None,
    low_balance: _Limit = None,
    by: _Changer = None,
    as_json: AsJson = False,
) -> None:
    """Show how much may be spent a day, a call, a caller and day, and when the customer is told; or change it."""
    from talktime.credits import money

    async def work(db: "AsyncSession") -> "_Changed":
        whose, actor = await find_user(db, user), None
        account = await account_row(db, whose)
        if any(given is not None for given in (day, call, caller, low_balance)):
            actor = await find_operator(db, _needed(by))
        if any(given is not None for given in (day, call, caller)):
            await money.set_guards(
                db,
                whose.id,
                per_day=_changed(day, account["day_limit"]),
                per_call=_changed(call, account["call_limit"]),
                per_caller=_changed(caller, account["caller_limit"]),
                actor=actor,
            )
        if low_balance is not None:
            await money.set_low_balance(db, whose.id, _changed(low_balance, None), actor=actor)
        account = await account_row(db, whose)
        shown = ("day_limit", "call_limit", "caller_limit", "low_balance")
        return whose.id, actor, {name: account[name] for name in shown}

    whose, actor, row = in_the_books(work)
    if actor is not None:
        log_change("guards changed", actor, user_id=whose, **row)
    names = {
        "day_limit": "a day",
        "call_limit": "a call",
        "caller_limit": "a caller and day",
        "low_balance": "tell below",
    }
    show(
        row,
        [f"{names[name]:<18}{'none' if row[name] is None else f'{row[name]:,}'}" for name in names],
        as_json=as_json,
    )


@claims.command("list")
def list_claims(
    every: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False, as_json: AsJson = False
) -> None:
    """What customers say, oldest first."""
    from talktime.calls.claims import claims as claims_of

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        return [dataclasses.asdict(claim) for claim in await claims_of(db, every=every)]

    rows = in_the_books(work)
    lines = [
        f"{row['call_id']}  {row['email']}  {row['credits']:,}  {row['seconds']} s  {row['reason']}"
        f"  {row['state'].lower()}"
        f"{' by itself' if row['automatic'] else ''}"
        for row in rows
    ]
    show(rows, lines or ["Nobody waits for a decision."], as_json=as_json)


@claims.command()
def grant(call: Which, by: By, note: _Note = None, as_json: AsJson = False) -> None:
    """Give back what the call had cost."""
    _decide(call, by, note, grant=True, as_json=as_json)


@claims.command("refuse")
def refuse_claim(call: Which, by: By, note: _Note = None, as_json: AsJson = False) -> None:
    """Leave the charge as it is."""
    _decide(call, by, note, grant=False, as_json=as_json)


def waive(
    call: Which,
    *,
    because: Annotated[str, typer.Option(help="platform_fault, wrong_number, spam or not_a_call.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Do not charge a call; what it cost is given back."""
    from talktime.credits import money

    async def work(db: "AsyncSession") -> dict[str, Any]:
        whose = await user_of_call(db, call)
        done = await money.waive(db, whose.id, call, because, await find_operator(db, by))
        return {"amount": done.amount, "balance": done.balance, "fresh": done.fresh}

    row = in_the_books(work)
    word = f"Given back: {credits_of(row['amount'])}" if row["fresh"] else "It is not charged already"
    show(row, [f"{word}; the balance is {row['balance']:,}."], as_json=as_json)


def payout(
    user: Whose,
    *,
    reference: Annotated[str, typer.Option(help="Your own name for the payment; used once, so it happens once.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Take what is left off a closed account, because it is paid out. Paying is yours to do."""
    from talktime.credits import money

    async def work(db: "AsyncSession") -> dict[str, Any]:
        whose = await find_user(db, user)
        return _posting_row(await money.payout(db, whose.id, reference, await find_operator(db, by)))

    row = in_the_books(work)
    show(row, [f"Paid out: {credits_of(-row['amount'])}, line {row['seq']}."], as_json=as_json)


def _decide(call: uuid.UUID, by: str, note: str | None, *, grant: bool, as_json: bool) -> None:
    from talktime.credits import money

    async def work(db: "AsyncSession") -> dict[str, Any]:
        whose = await user_of_call(db, call)
        actor = await find_operator(db, by)
        state = await money.decide_claim(db, whose.id, call, grant=grant, actor=actor, note=note)
        return {"call_id": call, "user_id": whose.id, "email": whose.email, "state": state.value}

    row = in_the_books(work)
    show(row, [f"{row['state'].capitalize()}."], as_json=as_json)


def _needed(by: str | None) -> str:
    from talktime.errors import BadInput

    if by is None:
        raise BadInput("Say who changes this: --by EMAIL.")
    return by


def _changed(given: str | None, before: int | None) -> int | None:
    """What a limit is to be: as before, none, or so many credits."""
    from talktime.errors import BadInput

    if given is None:
        return before
    if given == "none":
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= typed.DIGITS_MAX):
        raise BadInput(f"A limit is a whole number of credits, or none; not {given[:30]}.")
    return int(given)


def _posting_row(posting: "Posting") -> dict[str, Any]:
    names = ("seq", "amount", "balance_after", "fresh")
    return {name: getattr(posting, name) for name in names}


async def _approval_rows(db: "AsyncSession", found: "Sequence[Approval]") -> list[dict[str, Any]]:
    """Approvals with the addresses of whom they are about and of who asked."""
    named = await emails(db, (person for each in found for person in (each.user_id, each.requested_by)))
    return [
        {
            **_approval_row(each),
            "email": named.get(each.user_id),
            "requested_by_email": named.get(each.requested_by),
        }
        for each in found
    ]


def _approval_row(approval: "Approval") -> dict[str, Any]:
    names = ("id", "user_id", "reference", "amount", "reason", "as_debt", "state", "requested_by", "created_at")
    return {name: getattr(approval, name) for name in names}
