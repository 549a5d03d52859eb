"""What a person must see, and what a person must decide: alerts, claims, approvals, and events that led to nothing.

The one rule: a decision is for good, so it is made by pressing its button, by name, in a transaction of its own.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from talktime.accounts.reading import emails_of
from talktime.accounts.sessions import Identity
from talktime.alerts import board
from talktime.calls.claims import Claimed, claims
from talktime.credits import adjustments, money
from talktime.credits.models import Approval
from talktime.db.session import Session
from talktime.errors import BadInput
from talktime.payments import overview
from talktime.web import local, who
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.operator import alert_words, desk, words
from talktime.web.operator.alert_details import Detail, details_of
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.words import Clock

PATH = "/operator/money"
SHOWN = 50

router = APIRouter(prefix=PATH, route_class=PageRoute)


class NoDecision(BadInput):
    """Say what is to be done: go back, and press one of the buttons."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to look at."""

    id: str
    title: str
    when: str
    sentence: str
    details: Sequence[Detail]
    user: str = ""
    address: str = ""
    """Where more of it stands."""
    name: str = ""
    """What programs call it."""
    badge: words.Badge | None = None
    is_own: bool = False
    """The reader asked for it, so somebody else decides."""


@dataclass(frozen=True, slots=True)
class Pile:
    """The cases of one card."""

    cases: Sequence[Case]
    said: str
    """What stands in the card's head: in which order, and whether there are more than are shown."""


@router.get("")
async def show(request: Request) -> Response:
    """Everything that waits for somebody."""
    identity = await who.operator(request)
    # One more than is shown, so that the page can say when there are more.
    limit = SHOWN + 1
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "money", said=_said())
        alerts = await board.open_alerts(db, limit=limit)
        waiting = await claims(db, limit=limit)
        pending = await adjustments.pending(db, limit=limit)
        unmatched = await overview.unmatched(db, limit=limit)
        named = [*(each.user_id for each in alerts if each.user_id), *(each.user_id for each in pending)]
        emails = await emails_of(db, [*named, *(each.requested_by for each in pending)])
    clock = paper.clock
    return paper.page(
        "operator/money.html",
        alerts=_oldest([_alert(each, emails, clock) for each in alerts], _("oldest first")),
        claims=_oldest([_claim(each, clock) for each in waiting], _("customers say")),
        approvals=_oldest(
            [_approval(each, emails, identity, clock) for each in pending], _("wait for a second person")
        ),
        events=_newest([_event(each, clock) for each in unmatched]),
    )


@router.post("/alerts/{alert}")
async def acknowledge(request: Request, alert: uuid.UUID) -> Response:
    """Somebody has seen it and will see to it."""

    async def work(db: Session, identity: Identity, form: Form) -> None:
        await board.acknowledge(db, alert, identity.user_id, form.text("note"))

    return await _done(request, work, "seen")


@router.post("/claims/{user}/{call}")
async def decide_claim(request: Request, user: uuid.UUID, call: uuid.UUID) -> Response:
    """Give back what a call had cost, or leave it."""

    async def work(db: Session, identity: Identity, form: Form) -> None:
        grant, note = _choice(form, "grant", "refuse") == "grant", form.text("note")[:1000] or None
        await money.decide_claim(db, user, call, grant=grant, actor=identity.user_id, note=note)

    return await _done(request, work, "decided")


@router.post("/approvals/{approval}")
async def decide_approval(request: Request, approval: uuid.UUID) -> Response:
    """Say yes or no as the second person."""

    async def work(db: Session, identity: Identity, form: Form) -> None:
        if _choice(form, "approve", "refuse") == "approve":
            await adjustments.approve(db, approval, identity.user_id)
        else:
            await adjustments.refuse(db, approval, identity.user_id)

    return await _done(request, work, "decided")


async def _done(request: Request, work: Callable[[Session, Identity, Form], Awaitable[None]], done: str) -> Response:
    form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await work(db, identity, form)
    # An alert may be acknowledged where it is shown first.
    return back("/operator" if form.text("from") == "overview" else PATH, done)


def _said() -> dict[str, str]:
    return {"seen": _("Seen, under your name."), "decided": _("Decided.")}


def _choice(form: Form, *choices: str) -> str:
    """Which button was pressed. Raises NoDecision for none of them: a decision is for good, so none is guessed."""
    chosen = form.text("do")
    if chosen not in choices:
        raise NoDecision
    return chosen


def _oldest(cases: Sequence[Case], said: str) -> Pile:
    """What waits, oldest first; `said` when all of it is shown."""
    more = _("the oldest {count}, more wait").format(count=SHOWN)
    return Pile(cases[:SHOWN], more if len(cases) > SHOWN else said)


def _newest(cases: Sequence[Case]) -> Pile:
    """What happened, newest first."""
    more = _("the newest {count} of more").format(count=SHOWN)
    return Pile(cases[:SHOWN], more if len(cases) > SHOWN else _("newest first"))


def _alert(alert: board.Shown, emails: Mapping[uuid.UUID, str], clock: Clock) -> Case:
    return Case(
        id=str(alert.id),
        title=alert_words.title(alert.kind),
        when=local.moment(alert.created_at, clock),
        sentence=alert_words.sentence(alert.kind),
        details=details_of(alert, clock),
        name=alert.kind,
        user=emails.get(alert.user_id, "") if alert.user_id else "",
        address=f"/operator/users/{alert.user_id}" if alert.user_id else "",
    )


def _claim(claim: Claimed, clock: Clock) -> Case:
    reason = dict(words.reasons_not_to_charge()).get(claim.reason, words.plain(claim.reason))
    return Case(
        id=f"{claim.user_id}/{claim.call_id}",
        title=_("{reason}, says {email}").format(reason=reason, email=claim.email),
        when=local.moment(claim.created_at, clock),
        sentence=f"{words.length(claim.seconds)}, {words.credits_of(claim.credits)}",
        details=[],
        address=f"/operator/users/{claim.user_id}/calls/{claim.call_id}",
    )


def _approval(approval: Approval, emails: Mapping[uuid.UUID, str], identity: Identity, clock: Clock) -> Case:
    title = _("{credits} for {email}, as debt") if approval.as_debt else _("{credits} for {email}")
    return Case(
        id=str(approval.id),
        title=title.format(credits=words.signed(approval.amount), email=emails[approval.user_id]),
        when=local.moment(approval.created_at, clock),
        sentence=approval.reason,
        details=[
            Detail(_("asked for by {email}").format(email=emails[approval.requested_by])),
            Detail(_("reference {name}").format(name=approval.reference)),
        ],
        address=f"/operator/users/{approval.user_id}",
        badge=words.Badge(_("yours")) if approval.requested_by == identity.user_id else None,
        is_own=approval.requested_by == identity.user_id,
    )


def _event(event: overview.Unmatched, clock: Clock) -> Case:
    return Case(
        id=str(event.id),
        title=f"{event.provider}: {event.event_id}",
        when=local.moment(event.received_at, clock),
        sentence=event.outcome,
        details=[],
        # What was given up is handled again on its own page.
        address=f"/operator/events/{event.id}",
        badge=words.Badge(_("given up"), "bad") if event.gave_up else None,
    )
