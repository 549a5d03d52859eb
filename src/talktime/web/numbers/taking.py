"""Another number from the pool: chosen from those that are free, and which agent answers it.

The rules: what it costs stands on the page before it is taken; and how many somebody may choose by themselves says the
domain (`numbers.choosing`), here it is only put into words.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import reading
from talktime.credits.account import funds_of
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.numbers import choosing
from talktime.numbers.assigned import numbers_of
from talktime.numbers.models import PhoneNumber
from talktime.numbers.shown import international
from talktime.web import refusals
from talktime.web.credits.said import credits_of
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.numbers.shown import agents_to_choose, near
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.who import signed_in

PATH = "/numbers/new"
WHY = "a customer chooses a number from the pool, which is nobody's own"
_OFFERED = 12
_AGENTS_MAX = 500

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def ask(request: Request) -> Response:
    """The numbers to choose from, or why there are none."""
    return await _page(request, await signed_in(request))


@router.post("")
async def take(request: Request) -> Response:
    """Take it; sent twice, it is taken once."""
    form, identity = await read_form(request), await signed_in(request)
    context = context_of(request)
    number, agent = _id_of(form, "number"), _id_of(form, "agent")
    if number is None:
        form.errors["number"] = _("Choose one of these numbers.")
    if agent is None:
        form.errors["agent"] = _("Choose one of your agents.")
    if number is None or agent is None:
        return await _page(request, identity, form)
    try:
        async with context.database.transaction(everyone=WHY) as db:
            taken = await choosing.take(
                db,
                identity.user_id,
                number,
                agent=agent,
                rent_credits=context.settings.number_rent,
                is_another=True,
                actor=identity.acts_as,
            )
    except TalktimeError as error:
        if error.status == 404:
            raise
        form.errors[_field_of(error)] = refusals.in_words(error)
        return await _page(request, identity, form, status=error.status)
    return back(f"/numbers/{taken.id}", "taken")


async def _page(
    request: Request, identity: Identity, form: Form | None = None, *, status: int | None = None
) -> Response:
    context, user = context_of(request), identity.user_id
    async with context.database.transaction(everyone=WHY) as db:
        own = await numbers_of(db, user)
        free = await choosing.offered(db, user, near=near(identity.zone), limit=_OFFERED)
    async with context.database.transaction(user=user, snapshot=True) as db:
        paper = await sheet(request, db, identity, "numbers")
        agents = agents_to_choose(await reading.page(db, user, limit=_AGENTS_MAX))
        funds = await funds_of(db, user)
    rent = context.settings.number_rent
    return paper.page(
        "numbers/new.html",
        form=form,
        status=status,
        values={"number": str(free[0].id) if free else "", "agent": agents[0][0] if agents else ""},
        obstacle=_obstacle(own, free, has_agents=bool(agents), has_credits=funds.free > 0),
        offers=[(str(each.id), international(each.number)) for each in free],
        agents=agents,
        rent=credits_of(rent) if rent else "",
        support=context.settings.support_email,
    )


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why there is nothing to choose, and where to go instead; without an address somebody has to be written to."""

    title: str
    sentence: str
    button: str = ""
    address: str = ""


def _obstacle(
    own: Sequence[PhoneNumber], free: Sequence[PhoneNumber], *, has_agents: bool, has_credits: bool
) -> Obstacle | None:
    if len(own) >= choosing.HAS_MAX:
        return Obstacle(_("You have enough numbers"), refusals.in_words(choosing.HasEnoughNumbers()))
    if not has_agents:
        return Obstacle(
            _("No agent yet"), _("Make an agent, then let it answer this number."), _("Make an agent"), "/agents"
        )
    if not has_credits:
        return Obstacle(
            _("First some credits"), refusals.in_words(choosing.CreditsFirst()), _("To the credits"), "/credits"
        )
    if not free:
        return Obstacle(_("No number is free"), _("There is no free number at the moment."))
    return None


def _field_of(error: TalktimeError) -> str:
    """Beside which field it stands: what is wrong with an agent beside the agent, all else beside the number."""
    return "agent" if getattr(error, "field", "") == "agent_id" else "number"


def _id_of(form: Form, name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(form.text(name))
    except ValueError:
        return None
