"""What was bought, what went back, and payments that granted nothing.

The one rule: money goes back once for each form that was shown, whatever is sent twice.
"""

import uuid
from datetime import datetime

from fastapi import APIRouter, Request, Response

from talktime.accounts.reading import emails_of
from talktime.db.base import new_id
from talktime.errors import ProviderError, TalktimeError
from talktime.http.context import context_of
from talktime.payments import reading, refunding
from talktime.payments.models import Purchase, PurchaseKind, PurchaseState, ReversalKind
from talktime.payments.overview import Bought, Reversed
from talktime.payments.ungranted_models import UngrantedPayment
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import alert_words, desk, words
from talktime.web.operator.desk import Input, Question
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.words import Clock, plain_amount

_MONEY = "/operator/money"
PATH = f"{_MONEY}/purchases"

router = APIRouter(prefix=_MONEY, route_class=PageRoute)


@router.get("/purchases")
async def show(request: Request) -> Response:
    """The newest purchases, or those that a filter chooses."""
    identity = await who.operator(request)
    user, state = desk.some_id(request, "user"), desk.chosen(request, "state", PurchaseState)
    before = desk.place(request, datetime.fromisoformat, uuid.UUID)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "money", said={"refunded": _("The money is on its way back.")})
        rows = await reading.bought(db, user=user, state=state, before=before, limit=desk.SHOWN + 1)
        emails = await emails_of(db, [user] if user else [])
    page = desk.listed(request, rows, lambda row: desk.written(row.created_at, row.id))
    return paper.page(
        "operator/purchases.html",
        rows=[purchase_view(each, paper.clock) for each in page.rows],
        newest=page.newest,
        older=page.older,
        states=[
            ("", _("All states")),
            *((each.value, words.state_of_money(each.value).text) for each in PurchaseState),
        ],
        state_chosen=state.value if state else "",
        user=str(user or ""),
        email=emails.get(user, "") if user else "",
        is_filtered=bool(user or state),
    )


@router.get("/purchases/{user}/{purchase}/refund")
async def ask_refund(request: Request, user: uuid.UUID, purchase: uuid.UUID) -> Response:
    """How much?"""
    identity = await who.operator(request)
    return await desk.ask(request, identity, await _refund(request, user, purchase))


@router.post("/purchases/{user}/{purchase}/refund")
async def refund(request: Request, user: uuid.UUID, purchase: uuid.UUID) -> Response:
    """Give money back, and take its credits."""
    form, identity = await desk.sent(request)
    question, context = await _refund(request, user, purchase), context_of(request)
    async with desk.transaction(request) as db:
        found = await reading.purchase(db, user, purchase)
    amount = form.money("amount", found.currency) if form.text("amount") else None
    if form.errors:
        return await desk.ask(request, identity, question, form)
    try:
        await refunding.refund(
            context.database,
            context.till.billing,
            context.till.gateway(found.gateway),
            user=user,
            purchase=purchase,
            amount_minor=amount,
            key=form.text("key")[:100],
            actor=identity.user_id,
        )
    except (TalktimeError, ProviderError) as error:
        return await desk.again(request, identity, question, form, error)
    return back(PATH, "refunded")


@router.get("/reversals")
async def reversals(request: Request) -> Response:
    """Refunds and disputes, the newest first."""
    identity = await who.operator(request)
    kind = desk.chosen(request, "kind", ReversalKind)
    before = desk.place(request, datetime.fromisoformat, uuid.UUID, str)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "money")
        rows = await reading.went_back(db, kind=kind, before=before, limit=desk.SHOWN + 1)
    page = desk.listed(request, rows, lambda row: desk.written(row.created_at, row.user_id, row.id))
    return paper.page(
        "operator/reversals.html",
        rows=[reversal_view(each, paper.clock) for each in page.rows],
        newest=page.newest,
        older=page.older,
        kinds=[("", _("Both")), *((each.value, _kind_of_reversal(each.value)) for each in ReversalKind)],
        kind_chosen=kind.value if kind else "",
    )


@router.get("/ungranted")
async def ungranted(request: Request) -> Response:
    """Payments that no credits were granted for."""
    identity = await who.operator(request)
    before = desk.place(request, datetime.fromisoformat, str, str)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "money")
        rows = await reading.ungranted(db, before=before, limit=desk.SHOWN + 1)
        emails = await emails_of(db, [each.user_id for each in rows if each.user_id])
    page = desk.listed(request, rows, lambda row: desk.written(row.created_at, row.gateway, row.payment_id))
    return paper.page(
        "operator/ungranted.html",
        rows=[
            _ungranted_view(each, emails.get(each.user_id, "") if each.user_id else "", paper.clock)
            for each in page.rows
        ],
        newest=page.newest,
        older=page.older,
    )


def purchase_view(bought: Bought, clock: Clock) -> dict[str, object]:
    """One purchase in a list."""
    is_paid = bought.state == PurchaseState.PAID
    return {
        "when": local.moment(bought.created_at, clock),
        "email": bought.email,
        "user": f"/operator/users/{bought.user_id}",
        "name": bought.name or (_("Top-up") if bought.kind == PurchaseKind.TOP_UP else _("Checkout")),
        "credits": local.figure(bought.credits),
        "gone": _("{credits} taken back").format(credits=local.figure(bought.reversed_credits))
        if bought.reversed_credits
        else "",
        "price": local.amount(bought.amount_minor, bought.currency),
        "state": words.state_of_money(bought.state),
        "failure": words.plain(bought.failure) if bought.failure else "",
        "payment": bought.payment_id or "",
        "gateway": bought.gateway,
        "is_test": bought.test,
        "refund": f"{PATH}/{bought.user_id}/{bought.id}/refund" if is_paid else "",
    }


def reversal_view(reversal: Reversed, clock: Clock) -> dict[str, object]:
    """One refund or dispute in a list."""
    return {
        "when": local.moment(reversal.created_at, clock),
        "email": reversal.email or _("nobody we know"),
        "user": f"/operator/users/{reversal.user_id}" if reversal.user_id else "",
        "kind": _kind_of_reversal(reversal.kind),
        "amount": local.amount(reversal.amount_minor, reversal.currency),
        "state": words.state_of_money(reversal.state),
        "reason": words.plain(reversal.reason),
        "id": reversal.id,
    }


def _ungranted_view(payment: UngrantedPayment, email: str, clock: Clock) -> dict[str, object]:
    return {
        "when": local.moment(payment.created_at, clock),
        "why": alert_words.title(payment.why),
        "email": email or _("nobody we know"),
        "user": f"/operator/users/{payment.user_id}" if payment.user_id else "",
        "amount": local.amount(payment.amount_minor, payment.currency) if payment.amount_minor is not None else "",
        "payment": payment.payment_id,
        "gateway": payment.gateway,
    }


def _kind_of_reversal(kind: str) -> str:
    return _("Refund") if kind == ReversalKind.REFUND else _("Dispute")


async def _refund(request: Request, user: uuid.UUID, purchase: uuid.UUID) -> Question:
    async with desk.transaction(request) as db:
        found: Purchase = await reading.purchase(db, user, purchase)
        email = (await emails_of(db, [user]))[user]
        gone = await refunding.reversals(db, user, purchase)
    price = local.amount(found.price_minor, found.currency)
    return Question(
        here="money",
        crumbs=[(_MONEY, _("Money")), (PATH, _("Purchases")), (None, _("Give money back"))],
        title=_("Give money back"),
        sentences=[
            _("{email} paid {price} for {credits}.").format(
                email=email, price=price, credits=words.credits_of(found.credits)
            ),
            *(
                _("Of this {amount} went back already: {state}.").format(
                    amount=local.amount(each.amount_minor, each.currency), state=words.state_of_money(each.state).text
                )
                for each in gone
            ),
            _("The credits that it bought are taken back; what is spent already is owed."),
        ],
        inputs=[
            Input(
                "amount",
                "amount",
                _("How much"),
                hint=_("Empty is all that is left. Such as {amount}.").format(
                    amount=plain_amount(found.price_minor, found.currency)
                ),
                unit=found.currency,
            ),
            Input("hidden", "key", ""),
        ],
        values={"key": f"desk-{new_id()}"},
        button=_("Give it back"),
        back=PATH,
        tone="danger",
    )
