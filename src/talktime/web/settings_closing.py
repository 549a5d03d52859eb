"""Closing one's own account: what happens and what is kept is said first, and it is done by who typed their address.

The one rule: nobody closes an account by accident, or in its owner's place.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.credits.account import funds_of
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.http.security import clear_session
from talktime.payments import open_checkouts, saved_card
from talktime.privacy import closing
from talktime.web.door import door_page
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import wrong
from talktime.web.visit import speak
from talktime.web.who import just_confirmed

PATH = "/settings/close"
FAREWELL = "/farewell"

router = APIRouter(route_class=PageRoute)


@router.get(PATH)
async def show(request: Request) -> Response:
    """What happens, and what is kept."""
    return await _shown(request, await just_confirmed(request))


@router.post(PATH)
async def close(request: Request) -> Response:
    """Close it. Who was signed in is so no more, here and everywhere."""
    form, identity = await read_form(request), await just_confirmed(request)
    context = context_of(request)
    if form.text("email").casefold() != identity.email.casefold():
        form.errors["email"] = _("That is not the address of this account.")
        return await _shown(request, identity, form)
    database, jobs = context.database, context.jobs
    try:
        await closing.close_own(
            database,
            context.carriers,
            identity,
            forget_card=lambda user: saved_card.leave(database, context.gateways, user),
            end_checkouts=lambda db, user: open_checkouts.end_all(db, jobs, user),
            jobs=jobs,
        )
    except TalktimeError as error:
        return await _shown(request, identity, wrong(form, "form", error), status=error.status)
    response = RedirectResponse(FAREWELL, 303)
    clear_session(response, context.settings)
    speak(response, context.settings, identity.locale)
    return response


@router.get(FAREWELL)
async def farewell(request: Request) -> Response:
    """What who left is told; it is the same for everybody who looks."""
    return door_page(request, "farewell.html")


async def _shown(request: Request, identity: Identity, form: Form | None = None, status: int | None = None) -> Response:
    context = context_of(request)
    async with context.database.transaction(user=identity.user_id) as db:
        funds = await funds_of(db, identity.user_id)
    return await settings_page(
        request,
        identity,
        "settings_close.html",
        PATH,
        form=form,
        status=status,
        has_credit=funds.balance > 0,
        support=context.settings.support_email,
    )
