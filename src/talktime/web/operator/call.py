"""One call of somebody's, as the operator sees it: how it went, what it brought and what it cost.

The one rule: who called and what was said is not here. An operator who needs that signs in as the customer, by name.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.accounts import people
from talktime.calls import history, margins
from talktime.calls.history import CallRecord
from talktime.calls.margins import Margin
from talktime.credits import money
from talktime.credits.models import NotCharged
from talktime.errors import TalktimeError
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.operator.desk import Input, Question
from talktime.web.operator.people import PATH as USERS
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.words import Clock

router = APIRouter(prefix=USERS + "/{user}/calls/{call}", route_class=PageRoute)


@router.get("")
async def show(request: Request, user: uuid.UUID, call: uuid.UUID) -> Response:
    """The call, its charge and its margin."""
    identity = await who.operator(request)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "users", said={"waived": _("Given back. The call costs nothing.")})
        email = (await people.find(db, user)).email
        record = await history.one(db, user, call)
        margin = await margins.margin(db, user, call)
    return paper.page(
        "operator/call.html",
        crumbs=[(USERS, _("Users")), (f"{USERS}/{user}", email), (None, _("A call"))],
        path=f"{USERS}/{user}/calls/{call}",
        badge=words.status_of_call(record.call.status),
        facts=_facts(record, paper.clock),
        money=_money(margin),
        unknown=margin.unknown,
        is_estimated=margin.estimated,
        can_be_waived=record.receipt is not None and record.receipt.is_final and record.receipt.charged > 0,
    )


@router.get("/waive")
async def ask_waive(request: Request, user: uuid.UUID, call: uuid.UUID) -> Response:
    """Why?"""
    identity = await who.operator(request)
    return await desk.ask(request, identity, await _waiver(request, user, call))


@router.post("/waive")
async def waive(request: Request, user: uuid.UUID, call: uuid.UUID) -> Response:
    """Do not charge it: what it cost is given back, once."""
    form, identity = await desk.sent(request)
    question = await _waiver(request, user, call)
    reason = next((each for each in NotCharged if each.value == form.text("reason")), None)
    if reason is None:
        form.errors["reason"] = _("Choose why: it stands on the receipt.")
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            await money.waive(db, user, call, reason, identity.user_id)
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"{USERS}/{user}/calls/{call}", "waived")


def _facts(record: CallRecord, clock: Clock) -> list[tuple[str, str]]:
    call = record.call
    facts = [(_("Rang"), local.moment(call.started_at, clock))]
    if call.answered_at:
        facts.append((_("Answered"), local.moment(call.answered_at, clock)))
    if call.ended_at:
        facts.append((_("Ended"), local.moment(call.ended_at, clock)))
    if call.seconds is not None:
        facts.append((_("Talk by our clock"), words.length(call.seconds)))
    if call.carrier_seconds is not None:
        facts.append((_("By the phone company’s"), words.length(call.carrier_seconds)))
    facts.append((_("Phone company"), call.carrier))
    facts.append((_("Its name there"), call.carrier_call_id or "–"))
    if call.route != "talk":
        facts.append((_("The caller got"), words.plain(call.route)))
    if call.end_reason:
        facts.append((_("Ended by"), words.plain(call.end_reason)))
    return facts


def _money(margin: Margin) -> list[tuple[str, str]]:
    return [
        (_("Charged"), words.credits_of(margin.credits)),
        (_("Earned"), words.money_of_micros(margin.revenue)),
        (_("Cost"), words.money_of_micros(margin.cost)),
        (_("Margin"), _("unknown") if margin.margin is None else words.money_of_micros(margin.margin)),
    ]


async def _waiver(request: Request, user: uuid.UUID, call: uuid.UUID) -> Question:
    async with desk.transaction(request) as db:
        email = (await people.find(db, user)).email
        charge = (await history.one(db, user, call)).receipt  # of no call nothing is given back
    path = f"{USERS}/{user}/calls/{call}"
    return Question(
        here="users",
        crumbs=[(USERS, _("Users")), (f"{USERS}/{user}", email), (path, _("A call")), (None, _("Do not charge it"))],
        title=_("Do not charge this call"),
        sentences=[
            _("{credits} go back to {email}. It cannot be undone.").format(
                credits=words.credits_of(charge.charged if charge else 0), email=email
            )
        ],
        inputs=[
            Input("choose", "reason", _("Why"), choices=[("", _("Choose …")), *words.reasons_not_to_charge()]),
        ],
        values={"reason": ""},
        button=_("Give it back"),
        back=path,
        tone="danger",
    )
