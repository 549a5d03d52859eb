"""`/v1/credits`: what there is, how long it lasts, what may be spent, and every line of the ledger.

The rule: credits are whole numbers, and nothing here moves one; the ledger says what did.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Response

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import api_router
from talktime.api.shapes import Amount, Fields, Moment, Resource, example
from talktime.api.writing import Match, if_match, shown, tag_of
from talktime.credits import money, reading
from talktime.credits.account import Guards, funds_of, guards_of
from talktime.credits.forecast import days_left
from talktime.credits.models import CreditTransaction, TransactionType
from talktime.db.session import Session
from talktime.errors import BadInput

router = api_router("/credits", "Credits")
transactions = api_router("/transactions", "Credits")


class OneOrTheOther(BadInput):
    """Ask for the lines of a call, or for those of a type: not both."""

    field = "type"


class Credits(Resource):
    """What there is, and how far calls may go."""

    model_config = example(
        balance=1250,
        held=15,
        free=1235,
        debt=0,
        is_blocked=False,
        days_left=21,
        grace_limit=0,
        open_calls=1,
        max_open_calls=10,
        spent_today=90,
    )

    balance: int
    """The sum of the ledger's lines. Below zero is grace in use, or money taken back."""
    held: int
    """Set aside for calls that run."""
    free: int
    """What a new call can begin with."""
    debt: int
    """While above zero no call begins."""
    is_blocked: bool
    """Nothing begins, because the account is suspended."""
    days_left: int | None
    """How long the free credits last if calls go on costing what they did; null while they cost nothing."""
    grace_limit: int
    """How far running calls may go below zero."""
    open_calls: int
    max_open_calls: int
    spent_today: int
    """By calls since midnight in the account's time zone, with what running ones hold."""


class CreditSettings(Resource):
    """What the customer lets be spent, and when they want to be told; null is no limit, and never."""

    model_config = example(day_limit=500, call_limit=60, caller_limit=None, low_balance=100)

    day_limit: int | None
    """At most so many credits a day, in the account's time zone."""
    call_limit: int | None
    """At most so many credits for one call."""
    caller_limit: int | None
    """At most so many credits a day for the calls of one caller."""
    low_balance: int | None
    """Below so many credits the customer is told, once each time."""

    @classmethod
    def of(cls, guards: Guards) -> "CreditSettings":
        return cls(**{name: getattr(guards, name) for name in cls.model_fields})


class CreditSettingsChange(Fields):
    """What changes; what is left out stays as it is, and null is no limit."""

    model_config = example(day_limit=800, caller_limit=None)

    day_limit: Amount | None = None
    call_limit: Amount | None = None
    caller_limit: Amount | None = None
    low_balance: Amount | None = None


class Transaction(Resource):
    """A line of the ledger. None is ever changed."""

    model_config = example(
        seq=1204,
        type="CALL_USAGE",
        amount=-30,
        balance_after=1250,
        call_id="0199c901-2f7c-7d00-8b3e-9a2c4e6f8a01",
        purchase_id=None,
        reference=None,
        reason=None,
        created_at="2026-11-20T09:31:38.115Z",
    )

    seq: int
    """Its number: 1 is the oldest, and none is left out."""
    type: TransactionType
    amount: int
    balance_after: int
    call_id: uuid.UUID | None
    purchase_id: uuid.UUID | None
    reference: str | None
    reason: str | None
    created_at: Moment

    @classmethod
    def of(cls, line: CreditTransaction) -> "Transaction":
        return cls(**{name: getattr(line, name) for name in cls.model_fields})


@router.get("")
async def credits_read(caller: Annotated[Caller, needs(Scope.CREDITS_READ)]) -> Credits:
    """Gives the balance, what is set aside of it, and how long it lasts."""
    async with caller.transaction(snapshot=True) as db:
        return await credits_of(db, caller.user, caller.zone)


@router.get("/settings", response_model=CreditSettings)
async def credits_settings_read(caller: Annotated[Caller, needs(Scope.CREDITS_READ)]) -> Response:
    """Gives the spend guards, and the balance below which the customer is told."""
    async with caller.transaction() as db:
        return shown(CreditSettings.of(await guards_of(db, caller.user, datetime.now(UTC))))


@router.patch("/settings", response_model=CreditSettings)
async def credits_settings_change(
    caller: Annotated[Caller, needs(Scope.CREDITS_WRITE)],
    body: CreditSettingsChange,
    match: Annotated[Match, if_match()],
) -> Response:
    """Changes the spend guards, and the balance below which the customer is told. Running calls go on as granted."""
    async with caller.transaction() as db:
        changed = await change_settings(db, caller.user, caller.user, body, match)
    return shown(changed)


@transactions.get("")
async def transactions_list(
    caller: Annotated[Caller, needs(Scope.CREDITS_READ)],
    page: Annotated[Paging, pages()],
    kind: Annotated[TransactionType | None, Query(alias="type", description="Only of this type.")] = None,
    call_id: Annotated[uuid.UUID | None, Query(description="Only of this call.")] = None,
) -> Page[Transaction]:
    """Lists the lines of the ledger, the newest first.

    With a type a page may have few lines, or none, and be followed by others all the same: go on while `has_more`.
    """
    async with caller.transaction() as db:
        return await listed(db, caller.user, page, kind, call_id)


@transactions.get("/{seq}")
async def transactions_read(caller: Annotated[Caller, needs(Scope.CREDITS_READ)], seq: int) -> Transaction:
    """Gives one line of the ledger."""
    if not 0 < seq < 2**63:
        raise reading.NoSuchLine
    async with caller.transaction() as db:
        return Transaction.of(await reading.line(db, caller.user, seq))


async def credits_of(db: Session, user: uuid.UUID, zone: str) -> Credits:
    """Somebody's credits. In one snapshot, or the figures do not belong together."""
    now = datetime.now(UTC)
    funds, limits = await funds_of(db, user), await reading.limits_of(db, user)
    guards = await guards_of(db, user, now)
    return Credits(
        balance=funds.balance,
        held=funds.held,
        free=funds.free,
        debt=funds.debt,
        is_blocked=funds.is_blocked,
        days_left=await days_left(db, user, now, zone=zone),
        grace_limit=limits.grace_limit,
        open_calls=limits.open_calls,
        max_open_calls=limits.max_open_calls,
        spent_today=guards.spent_today,
    )


async def change_settings(
    db: Session, user: uuid.UUID, actor: uuid.UUID, body: CreditSettingsChange, match: Match
) -> CreditSettings:
    """Change what a customer chose, from the state that is meant."""
    await money.hold_choices(db, user)
    now = CreditSettings.of(await guards_of(db, user, datetime.now(UTC)))
    match.require(tag_of(now))
    wanted = now.model_copy(update=body.sent())
    await money.set_guards(
        db,
        user,
        per_day=wanted.day_limit,
        per_call=wanted.call_limit,
        per_caller=wanted.caller_limit,
        actor=actor,
    )
    if wanted.low_balance != now.low_balance:
        await money.set_low_balance(db, user, wanted.low_balance, actor=actor)
    return CreditSettings.of(await guards_of(db, user, datetime.now(UTC)))


async def listed(
    db: Session, user: uuid.UUID, page: Paging, kind: TransactionType | None, call_id: uuid.UUID | None
) -> Page[Transaction]:
    """A page of somebody's ledger."""
    before = page.single(int)
    if kind is not None and call_id is not None:
        raise OneOrTheOther
    found = await reading.lines(db, user, kind=kind, call=call_id, before=before, limit=page.limit)
    return page.to([Transaction.of(line) for line in found.lines], None if found.older is None else [found.older])
