"""A number for the agent, and publishing it: what makes it answer the phone.

The one rule: taking the number and publishing are one step, so that no number rings into nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import publish
from talktime.agents.problems import UnfitAgent
from talktime.agents.publish import NothingToPublish
from talktime.db.session import Session
from talktime.errors import TalktimeError
from talktime.http.context import Context, context_of
from talktime.numbers import choosing, pool
from talktime.numbers.models import PhoneNumber
from talktime.numbers.shown import international
from talktime.web.begin.desk import Desk, business_first, desk_of, own_numbers
from talktime.web.begin.progress import NUMBER
from talktime.web.credits.said import credits_of
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.numbers.shown import near
from talktime.web.refusals import in_words
from talktime.web.routing import PageRoute
from talktime.web.sheet import back
from talktime.web.who import signed_in

WHY = "a customer chooses a number from the pool, which is nobody's own, and puts their agent on it"
_OFFERED = 6

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Offer:
    """A number to choose."""

    id: uuid.UUID
    number: str
    is_own: bool
    """It is theirs already, and this agent does not answer it."""
    is_answered: bool = False


@router.get("/begin/number")
async def ask(request: Request) -> Response:
    """The numbers to choose from; or the one there is, and how to forward one's own to it."""
    return await _page(request, await signed_in(request))


@router.post("/begin/number")
async def take(request: Request) -> Response:
    """Take the number and publish; or, where there is none to take, publish alone."""
    form, identity = await read_form(request), await signed_in(request)
    context = context_of(request)
    numbers = await own_numbers(context, identity)
    async with context.database.transaction(user=identity.user_id) as db:
        desk = await desk_of(request, db, identity, numbers)
    agent = desk.progress.agent
    if agent is None:
        return business_first()
    needs_number = not any(number.agent_id == agent.id for number in numbers)
    number = _id_of(form.text("number"))
    if needs_number and number is None and form.text("do") != "publish":
        form.errors["number"] = _("Choose one of these numbers.")
        return await _page(request, identity, form)
    try:
        async with context.database.transaction(everyone=WHY) as db:
            if needs_number and number is not None:
                rent = context.settings.number_rent
                await _give(db, identity, number, numbers, agent=agent.id, rent_credits=rent)
            await _publish(db, identity, agent.id)
    except UnfitAgent:
        form.errors["form"] = _("Your agent cannot be published yet: something in it is missing.")
        return await _page(request, identity, form)
    except TalktimeError as error:
        form.errors["number" if needs_number else "form"] = in_words(error)
        return await _page(request, identity, form, status=error.status)
    if needs_number and number is None:
        return back("/begin/number", "published")
    return back("/begin/number", "number" if needs_number else "published")


async def _give(
    db: Session,
    identity: Identity,
    number: uuid.UUID,
    has: Sequence[PhoneNumber],
    *,
    agent: uuid.UUID,
    rent_credits: int,
) -> None:
    """One that they have is pointed at this agent, another one is taken from the pool."""
    if any(each.id == number for each in has):
        await pool.point(db, identity.user_id, number, agent=agent, actor=identity.acts_as)
        return
    user, actor = identity.user_id, identity.acts_as
    await choosing.take(db, user, number, agent=agent, rent_credits=rent_credits, actor=actor)


async def _publish(db: Session, identity: Identity, agent: uuid.UUID) -> None:
    try:
        await publish.publish_draft(db, identity.user_id, agent, revision=None, actor=identity.acts_as)
    except NothingToPublish:
        return  # it is out already, as it stands there


async def _page(
    request: Request, identity: Identity, form: Form | None = None, *, status: int | None = None
) -> Response:
    context = context_of(request)
    async with context.database.transaction(everyone=WHY) as db:
        free = await choosing.offered(db, identity.user_id, near=near(identity.zone), limit=_OFFERED)
    numbers = await own_numbers(context, identity)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        desk = await desk_of(request, db, identity, numbers)
    if desk.progress.agent is None or desk.progress.draft is None:
        return business_first()
    return _shown(context, desk, numbers, free, form=form, status=status)


def _shown(
    context: Context,
    desk: Desk,
    numbers: Sequence[PhoneNumber],
    free: Sequence[PhoneNumber],
    *,
    form: Form | None,
    status: int | None,
) -> Response:
    agent, draft = desk.progress.agent, desk.progress.draft
    assert agent is not None
    assert draft is not None
    answering = [number.number for number in numbers if number.agent_id == agent.id]
    own = [
        Offer(each.id, international(each.number), is_own=True, is_answered=each.agent_id is not None)
        for each in numbers
    ]
    offers = own or [Offer(each.id, international(each.number), is_own=False) for each in free]
    rent = context.settings.number_rent
    return desk.page(
        "begin/number.html",
        NUMBER,
        form=form,
        status=status,
        agent=agent,
        number=international(answering[0]) if answering else "",
        dialled=answering[0] if answering else "",
        offers=offers,
        chosen=form.text("number") if form is not None else str(offers[0].id) if offers else "",
        can_choose=bool(own) or desk.funds.free > 0,
        rent=credits_of(rent) if rent and not own else "",
        is_published=agent.published_version is not None,
        is_draft_open=draft.is_open,
        support_email=context.settings.support_email,
        onward=desk.onward,
    )


def _id_of(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
