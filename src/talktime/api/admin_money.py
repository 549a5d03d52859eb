"""`/v1/admin`: what was bought, what went back or was never granted, and calls that customers say were not real.

The rule: money goes back under the operator's own name for it, once.
"""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import CALLS_OUT, api_router
from talktime.api.shapes import Fields, Moment, Resource, example
from talktime.api.writing import Once, only_once
from talktime.calls import claims
from talktime.calls.claims import Claimed
from talktime.credits import money
from talktime.credits.models import ClaimState
from talktime.credits.packs import PRICE_MINOR_MAX
from talktime.payments import reading, refunding
from talktime.payments.models import PurchaseKind, PurchaseState, RefundRequestState, ReversalKind, ReversalState
from talktime.payments.overview import Bought, Reversed
from talktime.payments.ungranted_models import UngrantedPayment as UngrantedRow

WHY = "the operator looks after everybody's money"

payments = api_router("/admin/purchases", "Operator: money")
reversals = api_router("/admin/reversals", "Operator: money")
ungranted = api_router("/admin/ungranted-payments", "Operator: money")
disputed = api_router("/admin/claims", "Operator: money")


class AdminPurchase(Resource):
    """A purchase, with its buyer."""

    model_config = example(
        id="0199c910-aaaa-7000-8000-000000000001",
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        email="maria@example.org",
        kind="CHECKOUT",
        state="PAID",
        failure=None,
        name="Starter",
        credits=1500,
        amount_minor=4900,
        currency="EUR",
        gateway="stripe",
        test=False,
        reversed_credits=0,
        payment_id="pi_1",
        created_at="2026-11-20T09:00:00Z",
        paid_at="2026-11-20T09:00:58Z",
    )

    id: uuid.UUID
    user_id: uuid.UUID
    email: str
    kind: PurchaseKind
    state: PurchaseState
    failure: str | None
    name: str
    credits: int
    amount_minor: int
    currency: str
    gateway: str
    test: bool
    reversed_credits: int
    payment_id: str | None
    created_at: Moment
    paid_at: Moment | None

    @classmethod
    def of(cls, found: Bought) -> "AdminPurchase":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class NewRefund(Fields):
    """How much goes back; null is all that is left."""

    model_config = example(amount_minor=1000)

    amount_minor: int | None = Field(default=None, ge=1, le=PRICE_MINOR_MAX)


class Refund(Resource):
    """What was asked of the payment company; how it goes on stands among the reversals."""

    model_config = example(
        purchase_id="0199c910-aaaa-7000-8000-000000000001",
        amount_minor=1000,
        state="DONE",
        refund_id="re_1",
        created_at="2026-11-21T09:00:00Z",
    )

    purchase_id: uuid.UUID
    amount_minor: int
    state: RefundRequestState
    refund_id: str | None
    created_at: Moment


class Reversal(Resource):
    """Money that went back, or that somebody wants back."""

    model_config = example(
        id="re_1",
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        email="maria@example.org",
        purchase_id="0199c910-aaaa-7000-8000-000000000001",
        kind="REFUND",
        state="SUCCEEDED",
        amount_minor=1000,
        currency="EUR",
        reason="",
        created_at="2026-11-21T09:00:00Z",
    )

    id: str
    user_id: uuid.UUID
    email: str
    purchase_id: uuid.UUID
    kind: ReversalKind
    state: ReversalState
    amount_minor: int
    currency: str
    reason: str
    created_at: Moment

    @classmethod
    def of(cls, found: Reversed) -> "Reversal":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class UngrantedPayment(Resource):
    """A payment that no credits were granted for; there is an alert about it."""

    model_config = example(
        gateway="stripe",
        payment_id="pi_2",
        why="paid_twice",
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        purchase_id="0199c910-aaaa-7000-8000-000000000001",
        amount_minor=4900,
        currency="EUR",
        created_at="2026-11-20T09:02:00Z",
    )

    gateway: str
    payment_id: str
    why: str
    user_id: uuid.UUID | None
    purchase_id: uuid.UUID | None
    amount_minor: int | None
    currency: str
    created_at: Moment

    @classmethod
    def of(cls, found: UngrantedRow) -> "UngrantedPayment":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class AdminClaim(Resource):
    """A customer's word that a call was not a real one."""

    model_config = example(
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        email="maria@example.org",
        call_id="0199c901-2f7c-7d00-8b3e-9a2c4e6f8a01",
        reason="spam",
        state="REQUESTED",
        automatic=False,
        credits=30,
        seconds=95,
        note=None,
        created_at="2026-11-20T10:02:11Z",
        decided_at=None,
    )

    user_id: uuid.UUID
    email: str
    call_id: uuid.UUID
    reason: str
    state: ClaimState
    automatic: bool
    credits: int
    seconds: int
    note: str | None
    created_at: Moment
    decided_at: Moment | None

    @classmethod
    def of(cls, found: Claimed) -> "AdminClaim":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class Decision(Fields):
    """What becomes of a claim."""

    model_config = example(grant=True, note="a fax")

    grant: bool
    note: str | None = Field(default=None, max_length=1000)


class Decided(Resource):
    """What became of a claim."""

    model_config = example(state="GRANTED")

    state: ClaimState


@payments.get("")
async def admin_purchases_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    user_id: Annotated[uuid.UUID | None, Query(description="Only of this customer.")] = None,
    state: Annotated[PurchaseState | None, Query(description="Only those that stand so.")] = None,
) -> Page[AdminPurchase]:
    """Lists purchases, the newest first."""
    async with caller.everyone(WHY) as db:
        rows = await reading.bought(db, user=user_id, state=state, before=page.moment_and_id, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.created_at, row.id), show=AdminPurchase.of)


@payments.post("/{user_id}/{purchase_id}/refunds", status_code=201, response_model=Refund, openapi_extra=CALLS_OUT)
async def admin_refunds_make(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)],
    user_id: uuid.UUID,
    purchase_id: uuid.UUID,
    body: NewRefund,
    once: Annotated[Once, only_once()],
) -> Response:
    """Gives money back, and takes its credits. What the payment company says of it later comes among the reversals."""
    context = caller.context
    async with caller.everyone(WHY) as db:
        found = await reading.purchase(db, user_id, purchase_id)
    gateway = context.till.gateway(found.gateway)

    async def refund(name: str) -> Refund:
        done = await refunding.refund(
            caller.database,
            context.till.billing,
            gateway,
            user=user_id,
            purchase=purchase_id,
            amount_minor=body.amount_minor,
            key=name,
            actor=caller.user,
        )
        return Refund(**{name: getattr(done, name) for name in Refund.model_fields})

    return await once.do_in_steps(refund)


@reversals.get("")
async def admin_reversals_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    user_id: Annotated[uuid.UUID | None, Query(description="Only of this customer.")] = None,
    kind: Annotated[ReversalKind | None, Query(description="Only refunds, or only disputes.")] = None,
) -> Page[Reversal]:
    """Lists refunds and disputes, the newest first."""
    async with caller.everyone(WHY) as db:
        before = page.place(datetime, uuid.UUID, str)
        rows = await reading.went_back(db, user=user_id, kind=kind, before=before, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.created_at, row.user_id, row.id), show=Reversal.of)


@ungranted.get("")
async def admin_ungranted_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)], page: Annotated[Paging, pages()]
) -> Page[UngrantedPayment]:
    """Lists payments that granted nothing, the newest first."""
    async with caller.everyone(WHY) as db:
        before = page.place(datetime, str, str)
        rows = await reading.ungranted(db, before=before, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.created_at, row.gateway, row.payment_id), show=UngrantedPayment.of)


@disputed.get("")
async def admin_claims_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    every: Annotated[bool, Query(description="Also those that are decided.")] = False,
) -> Page[AdminClaim]:
    """Lists what customers say of calls and nobody has decided, the oldest first."""
    async with caller.everyone(WHY) as db:
        rows = await claims.claims(db, every=every, after=page.moment_and_id, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.created_at, row.call_id), show=AdminClaim.of)


@disputed.post("/{user_id}/{call_id}/decide")
async def admin_claims_decide(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], user_id: uuid.UUID, call_id: uuid.UUID, body: Decision
) -> Decided:
    """Gives back what a call had cost, or leaves it. Decided again it stays as it was."""
    async with caller.everyone(WHY) as db:
        state = await money.decide_claim(
            db, user_id, call_id, grant=body.grant, actor=caller.user, note=body.note or None
        )
    return Decided(state=state)
