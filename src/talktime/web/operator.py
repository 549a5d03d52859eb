"""The operator's page about money: what a person must see, and what a person must decide.

The one rule: it is there for administrators alone; for anybody else there is no such page. What is done here is done by
name, in a transaction of its own.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.reading import emails_of
from talktime.accounts.sessions import Identity
from talktime.alerts import board
from talktime.calls import watching
from talktime.calls.claims import Claimed, claims
from talktime.credits import adjustments, money
from talktime.credits.account import funds_of
from talktime.credits.models import Approval
from talktime.db.session import Database
from talktime.errors import BadInput
from talktime.gateways.currencies import format_money
from talktime.http.context import Context, context_of
from talktime.payments import overview
from talktime.web import who, words
from talktime.web.forms import Form, read_form
from talktime.web.frame import frame
from talktime.web.render import page
from talktime.web.routing import PageRoute
from talktime.web.words import Clock

WHY = "the operator looks after everybody's money"
_SHOWN = 50

router = APIRouter(prefix="/operator/money", route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to look at: an alert, a claim, an approval, an event."""

    id: str
    title: str
    when: str
    sentence: str
    details: Sequence[str]
    user: str = ""
    tag: str = ""
    tone: words.Tone = ""


@dataclass(frozen=True, slots=True)
class Pile:
    """The cases of one card."""

    cases: Sequence[Case]
    said: str
    """What stands in the card's head: in which order, and whether there are more than are shown."""


@router.get("")
async def operator_page(request: Request) -> Response:
    """Everything at once."""
    identity = await who.operator(request)
    return page("operator_money.html", **await _everything(context_of(request), identity))


@router.post("/alerts/{alert}")
async def acknowledge(request: Request, alert: uuid.UUID) -> Response:
    """Somebody has seen it and will see to it."""

    async def work(database: Database, identity: Identity, form: Form) -> None:
        async with database.transaction(everyone=WHY) as db:
            await board.acknowledge(db, alert, identity.user_id, form.text("note"))

    return await _done(request, work)


@router.post("/claims/{user}/{call}")
async def decide_claim(request: Request, user: uuid.UUID, call: uuid.UUID) -> Response:
    """Give back what a call had cost, or leave it."""

    async def work(database: Database, identity: Identity, form: Form) -> None:
        grant, note = _choice(form, "grant", "refuse") == "grant", form.text("note")[:1000] or None
        async with database.transaction(everyone=WHY) as db:
            await money.decide_claim(db, user, call, grant=grant, actor=identity.user_id, note=note)

    return await _done(request, work)


@router.post("/approvals/{approval}")
async def decide_approval(request: Request, approval: uuid.UUID) -> Response:
    """Say yes or no as the second person."""

    async def work(database: Database, identity: Identity, form: Form) -> None:
        decide = adjustments.approve if _choice(form, "approve", "refuse") == "approve" else adjustments.refuse
        async with database.transaction(everyone=WHY) as db:
            await decide(db, approval, identity.user_id)

    return await _done(request, work)


async def _done(request: Request, work: Callable[[Database, Identity, Form], Awaitable[None]]) -> Response:
    form = await read_form(request)
    identity = await who.operator(request)
    await work(context_of(request).database, identity, form)
    return RedirectResponse("/operator/money", 303)


def _choice(form: Form, *choices: str) -> str:
    """Which button was pressed. Raises BadInput for none of them: a decision is for good, so none is guessed."""
    chosen = form.text("do")
    if chosen not in choices:
        raise BadInput(f"Say what is to be done: {' or '.join(choices)}. Go back and choose one.")
    return chosen


async def _everything(context: Context, identity: Identity) -> dict[str, Any]:
    clock, locale = Clock(datetime.now(UTC), identity.zone), identity.locale
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        funds = await funds_of(db, identity.user_id)
        live = await watching.running(db, identity.user_id)
    # One more than is shown, so that the page can say when there are more.
    limit = _SHOWN + 1
    async with context.database.transaction(everyone=WHY, snapshot=True) as db:
        alerts = await board.open_alerts(db, limit=limit)
        waiting = await claims(db, limit=limit)
        pending = await adjustments.pending(db, limit=limit)
        bought = await overview.newest(db, limit=limit)
        disputes = await overview.disputes(db, limit=limit)
        unmatched = await overview.unmatched(db, limit=limit)
        named = [*(each.user_id for each in alerts if each.user_id), *(each.user_id for each in pending)]
        emails = await emails_of(db, [*named, *(each.requested_by for each in pending)])
    return {
        **frame(identity, funds, live, clock, "operator"),
        "alerts": _oldest([_alert(each, emails, clock) for each in alerts], "oldest first"),
        "claims": _oldest([_claim(each, clock) for each in waiting], "customers say"),
        "approvals": _oldest(
            [_approval(each, emails, identity, clock) for each in pending], "wait for a second person"
        ),
        "purchases": _newest([_purchase(each, clock, locale) for each in bought]),
        "disputes": _newest([_reversal(each, clock, locale) for each in disputes]),
        "events": _newest([_event(each, clock) for each in unmatched]),
    }


def _oldest(cases: Sequence[Case], said: str) -> Pile:
    """What waits, oldest first; `said` when all of it is shown."""
    return Pile(cases[:_SHOWN], f"the oldest {_SHOWN}, more wait" if len(cases) > _SHOWN else said)


def _newest(cases: Sequence[Case]) -> Pile:
    """What happened, newest first."""
    return Pile(cases[:_SHOWN], f"the newest {_SHOWN} of more" if len(cases) > _SHOWN else "newest first")


def _alert(alert: board.Shown, emails: Mapping[uuid.UUID, str], clock: Clock) -> Case:
    return Case(
        id=str(alert.id),
        title=alert.kind.replace("_", " ").capitalize(),
        when=_when(alert.created_at, clock),
        sentence=alert.sentence,
        details=[f"{name.replace('_', ' ')} {value}" for name, value in alert.detail.items()],
        user=emails.get(alert.user_id, "") if alert.user_id else "",
    )


def _claim(claim: Claimed, clock: Clock) -> Case:
    return Case(
        id=f"{claim.user_id}/{claim.call_id}",
        title=f"{claim.reason.replace('_', ' ').capitalize()}, says {claim.email}",
        when=_when(claim.created_at, clock),
        sentence=f"{words.length_in_words(claim.seconds)}, {words.credits_in_words(claim.credits)}.",
        details=[f"call {claim.call_id}"],
    )


def _approval(approval: Approval, emails: Mapping[uuid.UUID, str], identity: Identity, clock: Clock) -> Case:
    as_debt = ", as debt" if approval.as_debt else ""
    return Case(
        id=str(approval.id),
        title=f"{words.signed(approval.amount)} for {emails[approval.user_id]}{as_debt}",
        when=_when(approval.created_at, clock),
        sentence=approval.reason,
        details=[f"asked for by {emails[approval.requested_by]}", f"reference {approval.reference}"],
        tag="yours" if approval.requested_by == identity.user_id else "",
    )


def _purchase(bought: overview.Bought, clock: Clock, locale: str) -> Case:
    tones: dict[str, words.Tone] = {"PAID": "ok", "PENDING": "warn", "FAILED": "bad"}
    gone = f", {words.figure(bought.reversed_credits)} taken back" if bought.reversed_credits else ""
    price = format_money(bought.amount_minor, bought.currency, locale)
    return Case(
        id=str(bought.id),
        title=f"{bought.email}: {bought.name or bought.kind.lower()}",
        when=_when(bought.created_at, clock),
        sentence=f"{words.credits_in_words(bought.credits)} for {price}{gone}"
        + (f" ({bought.failure.replace('_', ' ')})" if bought.failure else ""),
        details=[f"purchase {bought.id}", *([f"payment {bought.payment_id}"] if bought.payment_id else [])]
        + (["a test: no money moves"] if bought.test else []),
        tag=bought.state.lower(),
        tone=tones.get(bought.state, ""),
    )


def _reversal(reversal: overview.Reversed, clock: Clock, locale: str) -> Case:
    reason = reversal.reason.replace("_", " ")
    if reversal.ungranted:
        why = f"Its payment granted nothing: {reversal.ungranted.replace('_', ' ')}."
        reason = f"{why} {reason}".strip()
    details = [f"{reversal.kind.lower()} {reversal.id}"]
    details += [f"payment {reversal.payment_id}"] if reversal.payment_id else []
    details += [f"purchase {reversal.purchase_id}"] if reversal.purchase_id else []
    return Case(
        id=reversal.id,
        title=f"{format_money(reversal.amount_minor, reversal.currency, locale)}, {reversal.email or 'nobody we know'}",
        when=_when(reversal.created_at, clock),
        sentence=reason,
        details=details,
        tag=reversal.state.lower(),
        tone="bad" if reversal.state in ("LOST", "WITHDRAWN", "OPENED", "FAILED") else "",
    )


def _event(event: overview.Unmatched, clock: Clock) -> Case:
    return Case(
        id=str(event.id),
        title=f"{event.provider}: {event.event_id}",
        when=_when(event.received_at, clock),
        sentence=event.outcome,
        # Only what was given up can be handled again.
        details=[f"talktime ledger payments again {event.id} --by EMAIL" if event.gave_up else f"event {event.id}"],
        tag="gave up" if event.gave_up else "",
        tone="bad" if event.gave_up else "",
    )


def _when(at: datetime, clock: Clock) -> str:
    return words.moment(clock.local(at), clock.local(clock.now))
