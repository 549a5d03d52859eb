"""`/v1/admin`: what somebody has, how far they may go, what their calls cost, and credits given or taken by hand.

The rule: above the installation's limit for a day nothing is posted before a second operator has said yes.
"""

import uuid
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts import audit, people
from talktime.accounts.keys import Scope
from talktime.api import calls, funds
from talktime.api.caller import Caller, needs
from talktime.api.funds import Credits, Transaction
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import COSTS, api_router
from talktime.api.shapes import CREDITS_MAX, Fields, Moment, Resource, example
from talktime.api.writing import Match, Once, if_match, only_once, shown, tag_of
from talktime.calls import history
from talktime.calls.history import CallFilter
from talktime.credits import adjustments, money, reading
from talktime.credits.models import Approval as ApprovalRow
from talktime.credits.models import ApprovalState, NotCharged, TransactionType
from talktime.db.session import Session

WHY = "the operator looks after everybody's credits"
_OPEN_CALLS_MAX = 10_000

router = api_router("/admin/users", "Operator: people")
approvals = api_router("/admin/approvals", "Operator: people")


class Limits(Resource):
    """How far an account may go."""

    model_config = example(grace_limit=0, max_open_calls=10)

    grace_limit: int
    """How far running calls may go below zero, in credits."""
    max_open_calls: int

    @classmethod
    def of(cls, found: reading.Limits | money.Limits) -> "Limits":
        return cls(grace_limit=found.grace_limit, max_open_calls=found.max_open_calls)


class LimitsChange(Fields):
    """What changes; what is left out stays as it is."""

    model_config = example(max_open_calls=25)

    grace_limit: int = Field(default=0, ge=0, le=CREDITS_MAX)
    max_open_calls: int = Field(default=0, ge=0, le=_OPEN_CALLS_MAX)


class NewAdjustment(Fields):
    """Credits to be given, or, below zero, to be taken."""

    model_config = example(reference="ticket-4711", amount=200, reason="goodwill for the outage", as_debt=False)

    reference: str = Field(min_length=1, max_length=180)
    """Your own name for it: used once, so it happens once."""
    amount: int = Field(ge=-CREDITS_MAX, le=CREDITS_MAX)
    reason: str = Field(min_length=1, max_length=1000)
    """It stands on the customer's statement."""
    as_debt: bool = False
    """Take more than is free; the rest is owed."""


class Approval(Resource):
    """An adjustment above the limit, which a second operator decides."""

    model_config = example(
        id="0199c8f4-3333-7000-8000-000000000001",
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        reference="ticket-4711",
        amount=50000,
        reason="goodwill for the outage",
        as_debt=False,
        state="PENDING",
        requested_by="0199c8f2-0000-7000-8000-000000000009",
        created_at="2026-11-20T09:00:00Z",
        decided_by=None,
        decided_at=None,
    )

    id: uuid.UUID
    user_id: uuid.UUID
    reference: str
    amount: int
    reason: str
    as_debt: bool
    state: ApprovalState
    requested_by: uuid.UUID
    created_at: Moment
    decided_by: uuid.UUID | None
    decided_at: Moment | None

    @classmethod
    def of(cls, found: ApprovalRow) -> "Approval":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class Adjustment(Resource):
    """A line of the ledger; or an approval, while nothing is posted."""

    model_config = example(posting={"seq": 1205, "amount": 200, "balance_after": 1450}, approval=None)

    posting: "Posting | None"
    approval: Approval | None


class Posting(Resource):
    """A line that was posted."""

    model_config = example(seq=1205, amount=200, balance_after=1450)

    seq: int
    amount: int
    balance_after: int

    @classmethod
    def of(cls, found: money.Posting) -> "Posting":
        return cls(seq=found.seq, amount=found.amount, balance_after=found.balance_after)


class Waiver(Fields):
    """Why a call is not charged."""

    model_config = example(reason="platform_fault")

    reason: NotCharged


class Waived(Resource):
    """What was given back for a call."""

    model_config = example(amount=30, balance=1280)

    amount: int
    balance: int


@router.get("/{user_id}/limits", response_model=Limits)
async def admin_limits_read(caller: Annotated[Caller, needs(Scope.ADMIN_READ)], user_id: uuid.UUID) -> Response:
    """Gives how far an account may go."""
    async with caller.everyone(WHY) as db:
        await people.find(db, user_id)
        return shown(Limits.of(await reading.limits_of(db, user_id)))


@router.patch("/{user_id}/limits", response_model=Limits)
async def admin_limits_change(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)],
    user_id: uuid.UUID,
    body: LimitsChange,
    match: Annotated[Match, if_match()],
) -> Response:
    """Changes how far an account may go. Lowered limits end nothing that runs."""
    async with caller.everyone(WHY) as db:
        await people.find(db, user_id)
        # Changing nothing locks the account, and says how it is.
        now = await money.set_limits(db, user_id)
        match.require(tag_of(Limits.of(now)))
        changed = await money.set_limits(db, user_id, actor=caller.user, **body.sent())
    return shown(Limits.of(changed))


@router.get("/{user_id}/credits")
async def admin_credits_read(caller: Annotated[Caller, needs(Scope.ADMIN_READ)], user_id: uuid.UUID) -> Credits:
    """Gives somebody's credits."""
    async with caller.everyone(WHY, snapshot=True) as db:
        person = await people.find(db, user_id)
        return await funds.credits_of(db, user_id, person.zone)


@router.get("/{user_id}/transactions")
async def admin_transactions_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    user_id: uuid.UUID,
    page: Annotated[Paging, pages()],
    kind: Annotated[TransactionType | None, Query(alias="type", description="Only of this type.")] = None,
    call_id: Annotated[uuid.UUID | None, Query(description="Only of this call.")] = None,
) -> Page[Transaction]:
    """Lists the lines of somebody's ledger, the newest first. With a type a page may have few lines, or none."""
    async with caller.everyone(WHY) as db:
        await people.find(db, user_id)
        return await funds.listed(db, user_id, page, kind, call_id)


@router.post("/{user_id}/adjustments", status_code=201, response_model=Adjustment, openapi_extra=COSTS)
async def admin_adjustments_make(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)],
    user_id: uuid.UUID,
    body: NewAdjustment,
    once: Annotated[Once, only_once()],
) -> Response:
    """Gives or takes credits by hand. Above the installation's limit for a day nothing is posted before a second
    operator approves it."""

    async def adjust(db: Session) -> Adjustment:
        await people.find(db, user_id)
        done = await adjustments.request(
            db,
            user=user_id,
            reference=body.reference,
            amount=body.amount,
            reason=body.reason,
            actor=caller.user,
            as_debt=body.as_debt,
            limit=caller.context.settings.adjustment_limit,
        )
        if isinstance(done, ApprovalRow):
            return Adjustment(posting=None, approval=Approval.of(done))
        return Adjustment(posting=Posting.of(done), approval=None)

    return await once.do(adjust, everyone=lambda: caller.everyone(WHY))


@router.get("/{user_id}/calls")
async def admin_calls_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    user_id: uuid.UUID,
    which: Annotated[CallFilter, calls.filtered()],
    page: Annotated[Paging, pages("-started_at", "started_at")],
) -> Page[calls.ListedCall]:
    """Lists somebody's calls, the newest first unless sorted otherwise."""
    async with caller.everyone(WHY) as db:
        await people.find(db, user_id)
        rows = await calls.listed(db, user_id, which, page)
    return page.of(rows, key=calls.key_of, show=calls.ListedCall.of)


@router.get("/{user_id}/calls/{call_id}", response_model=calls.Call)
async def admin_calls_read(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)], user_id: uuid.UUID, call_id: uuid.UUID
) -> Response:
    """Gives one of somebody's calls, with all that was said. That it was read stands in the audit log."""
    async with caller.everyone(WHY, snapshot=True) as db:
        found = await calls.opened(db, user_id, call_id)
    # Before anything is answered: what cannot be written down is not shown.
    async with caller.everyone(WHY) as db:
        await audit.record(db, user_id, caller.user, "call.read", after={"call_id": str(call_id)})
    return shown(found)


@router.post("/{user_id}/calls/{call_id}/waive", status_code=201, response_model=Waived)
async def admin_calls_waive(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)],
    user_id: uuid.UUID,
    call_id: uuid.UUID,
    body: Waiver,
    once: Annotated[Once, only_once()],
) -> Response:
    """Does not charge a call: what it cost is given back."""

    async def waive(db: Session) -> Waived:
        await history.one(db, user_id, call_id)  # of no call nothing is given back
        done = await money.waive(db, user_id, call_id, body.reason, caller.user)
        return Waived(amount=done.amount, balance=done.balance)

    return await once.do(waive, everyone=lambda: caller.everyone(WHY))


@approvals.get("")
async def admin_approvals_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    state: Annotated[ApprovalState | None, Query(description="Only those that stand so.")] = None,
    user_id: Annotated[uuid.UUID | None, Query(description="Only for this customer.")] = None,
) -> Page[Approval]:
    """Lists what operators asked of each other, the newest first."""
    async with caller.everyone(WHY) as db:
        rows = await reading.approvals(db, state=state, user=user_id, before=page.moment_and_id, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.created_at, row.id), show=Approval.of)


@approvals.post("/{approval_id}/approve", openapi_extra=COSTS)
async def admin_approvals_approve(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], approval_id: uuid.UUID
) -> Posting:
    """Says yes as the second person: then it is posted, once."""
    async with caller.everyone(WHY) as db:
        return Posting.of(await adjustments.approve(db, approval_id, caller.user))


@approvals.post("/{approval_id}/refuse")
async def admin_approvals_refuse(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], approval_id: uuid.UUID
) -> Approval:
    """Says no as the second person: it is never posted."""
    async with caller.everyone(WHY) as db:
        return Approval.of(await adjustments.refuse(db, approval_id, caller.user))
