"""What an operator does about one person: show them the door or in again, give or take credits, set their limits, sign
in as them.

The one rule: each deed is asked for on a page that says what it does and to whom, and stands in the audit log under the
operator's name. Who signs in as somebody, or changes what somebody is, has typed their own password a moment ago.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.accounts import links, people, sessions
from talktime.accounts.models import LinkPurpose, Role
from talktime.accounts.people import VisitReason
from talktime.accounts.sessions import Identity
from talktime.calls import closing as suspending
from talktime.credits import adjustments, money
from talktime.credits.models import Approval
from talktime.errors import BadInput, ProviderError, TalktimeError
from talktime.http.context import context_of
from talktime.payments import open_checkouts, saved_card
from talktime.privacy import closing
from talktime.web import who
from talktime.web.language import _
from talktime.web.operator import desk
from talktime.web.operator import person_questions as questions
from talktime.web.operator.people import PATH
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet

_CREDITS_MAX = 10**9
_CALLS_MAX = 10_000
_CLOSING_SECONDS_MAX = 5.0
"""Whoever waits for the answer; what takes longer a job does."""

router = APIRouter(prefix=PATH + "/{user}", route_class=PageRoute)


@router.get("/suspend")
async def ask_suspend(request: Request, user: uuid.UUID) -> Response:
    """Why?"""
    identity = await who.operator(request)
    return await desk.ask(request, identity, await questions.suspension(request, user))


@router.post("/suspend")
async def suspend(request: Request, user: uuid.UUID) -> Response:
    """Nobody signs in and nothing begins, until it is lifted. Again, it changes the reason."""
    form, identity = await desk.sent(request)
    question = await questions.suspension(request, user)
    try:
        async with desk.transaction(request) as db:
            await suspending.suspend(db, user, identity.user_id, form.text("reason"))
    except BadInput as error:
        error.field = "reason"  # type: ignore[attr-defined]  # the verb takes no other words
        return await desk.again(request, identity, question, form, error)
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"{PATH}/{user}", "suspended")


@router.post("/activate")
async def activate(request: Request, user: uuid.UUID) -> Response:
    """End a suspension; who is active stays so."""
    _form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await suspending.activate(db, user, identity.user_id)
    return back(f"{PATH}/{user}", "active")


@router.get("/adjust")
async def ask_adjust(request: Request, user: uuid.UUID) -> Response:
    """How many, and why?"""
    identity = await who.operator(request)
    return await desk.ask(request, identity, await questions.adjustment(request, user))


@router.post("/adjust")
async def adjust(request: Request, user: uuid.UUID) -> Response:
    """Give or take credits, once for each form that was shown; above the day's limit a second operator has to agree."""
    form, identity = await desk.sent(request)
    question = await questions.adjustment(request, user)
    amount = desk.whole_number(form, "amount", least=-_CREDITS_MAX, most=_CREDITS_MAX, sign=True)
    if amount == 0:
        form.errors["amount"] = _("Nothing would change: give more than 0, or take more.")
    if not form.text("reason"):
        form.errors["reason"] = _("Say why: it stands on the customer’s statement.")
    if form.errors or amount is None:
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            done = await adjustments.request(
                db,
                user=user,
                reference=form.text("reference"),
                amount=amount,
                reason=form.text("reason")[:1000],
                actor=identity.user_id,
                as_debt=form.is_ticked("as_debt"),
                limit=context_of(request).settings.adjustment_limit,
            )
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"{PATH}/{user}", "asked" if isinstance(done, Approval) else "adjusted")


@router.get("/limits")
async def ask_limits(request: Request, user: uuid.UUID) -> Response:
    """How far?"""
    identity = await who.operator(request)
    return await desk.ask(request, identity, await questions.limits(request, user))


@router.post("/limits")
async def set_limits(request: Request, user: uuid.UUID) -> Response:
    """How far running calls may go, and how many there may be; nothing that runs is ended."""
    form, identity = await desk.sent(request)
    question = await questions.limits(request, user)
    grace = desk.whole_number(form, "grace_limit", most=_CREDITS_MAX)
    calls = desk.whole_number(form, "max_open_calls", most=_CALLS_MAX)
    if form.errors:
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            await money.set_limits(db, user, grace_limit=grace, max_open_calls=calls, actor=identity.user_id)
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"{PATH}/{user}", "limits")


@router.get("/role")
async def ask_role(request: Request, user: uuid.UUID) -> Response:
    """Really?"""
    identity = await _confirmed(request)
    return await desk.ask(request, identity, await questions.role(request, user))


@router.post("/role")
async def change_role(request: Request, user: uuid.UUID) -> Response:
    """Make somebody an operator, or a customer again; they are signed out everywhere."""
    form, identity = await desk.sent(request)
    sessions.require_confirmed(identity)
    role = Role.ADMIN if form.text("role") == Role.ADMIN else Role.USER
    question = await questions.role(request, user)
    try:
        async with desk.transaction(request) as db:
            await people.change_role(db, user, role, identity.user_id)
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    is_still_here = user != identity.user_id
    return back(f"{PATH}/{user}" if is_still_here else "/sign-in", "role")


@router.post("/sign-out")
async def sign_out(request: Request, user: uuid.UUID) -> Response:
    """End every browser of theirs."""
    _form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await people.end_sessions(db, user, identity.user_id)
    return back(f"{PATH}/{user}", "signed-out")


@router.post("/reset-second-factor")
async def reset_second_factor(request: Request, user: uuid.UUID) -> Response:
    """Take off what they have lost; they are told."""
    _form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await people.reset_second_factor(db, user, identity.user_id)
    return back(f"{PATH}/{user}", "second-factor")


@router.get("/visit")
async def ask_visit(request: Request, user: uuid.UUID) -> Response:
    """Why?"""
    identity = await _confirmed(request)
    return await desk.ask(request, identity, await questions.visit(request, user))


@router.post("/visit")
async def visit(request: Request, user: uuid.UUID) -> Response:
    """A link that signs the operator in as this customer, once, within ten minutes and for half an hour."""
    form, identity = await desk.sent(request)
    sessions.require_confirmed(identity)
    question = await questions.visit(request, user)
    reason = next((each for each in VisitReason if each.value == form.text("reason")), None)
    if reason is None:
        form.errors["reason"] = _("Choose why: it stands in the audit log.")
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            token = await people.sign_in_as(db, user, reason, identity.user_id)
            paper = await sheet(request, db, identity, "users")
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return paper.page(
        "operator/link.html",
        crumbs=question.crumbs,
        title=_("The link is made"),
        sentences=[
            _("It works once, within ten minutes, and for half an hour. What you do there stands under your name."),
            _("Open it in a private window, and you stay signed in here. Opened here, it signs you out of this one."),
        ],
        link=context_of(request).settings.base_url + links.path_of(LinkPurpose.SIGN_IN, token),
        open_text=_("Open it here"),
        back=f"{PATH}/{user}",
    )


@router.get("/close")
async def ask_close(request: Request, user: uuid.UUID) -> Response:
    """Really?"""
    identity = await _confirmed(request)
    return await desk.ask(request, identity, await questions.closing(request, user))


@router.post("/close")
async def close(request: Request, user: uuid.UUID) -> Response:
    """Close an account for good. Closed again, it is finished."""
    form, identity = await desk.sent(request)
    sessions.require_confirmed(identity)
    question, context = await questions.closing(request, user), context_of(request)
    if form.text("email") != await questions.email_of(request, user):
        form.errors["email"] = _("Type the address exactly as it stands above.")
        return await desk.ask(request, identity, question, form)
    try:
        await closing.close_account(
            context.database,
            context.carriers,
            user,
            identity.user_id,
            forget_card=lambda whose: saved_card.leave(context.database, context.gateways, whose),
            end_checkouts=lambda db, whose: open_checkouts.end_all(db, context.jobs, whose),
            jobs=context.jobs,
            home=context.settings.home,
            seconds_max=_CLOSING_SECONDS_MAX,
        )
    except (TalktimeError, ProviderError) as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"{PATH}/{user}", "closed")


async def _confirmed(request: Request) -> Identity:
    """The operator, who has typed their password a moment ago. Raises ConfirmFirst."""
    identity = await who.operator(request)
    sessions.require_confirmed(identity)
    return identity
