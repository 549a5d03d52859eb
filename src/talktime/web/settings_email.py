"""Changing the e-mail address that somebody signs in with.

The one rule: the new one counts only when a link that went there was opened; until then everything is as it was.
"""

from fastapi import APIRouter, Request, Response

from talktime.accounts import profile
from talktime.accounts.sessions import Identity
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web.door import address_of, said_of, told
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import back
from talktime.web.who import just_confirmed, themselves

PATH = "/settings/email"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """The address, and the one that is to take its place."""
    return await _shown(request, await just_confirmed(request))


@router.post("")
async def ask(request: Request) -> Response:
    """Send a link to the new one."""
    form, identity = await read_form(request), await just_confirmed(request)
    context = context_of(request)
    if not form.text("email"):
        form.errors["email"] = _("Type the new address.")
        return await _shown(request, identity, form)
    try:
        await profile.ask_new_email(
            context.database,
            context.jobs,
            context.settings.secret,
            identity,
            form.text("email"),
            address=address_of(request),
        )
    except TalktimeError as error:
        form.errors["email"] = said_of(error)
        return await _shown(request, identity, form, status=error.status, headers=told(error))
    return back(PATH, "email")


@router.post("/cancel")
async def cancel(request: Request) -> Response:
    """Take the link back."""
    identity = await themselves(request)
    async with context_of(request).database.transaction(everyone=profile.WHY) as db:
        await profile.cancel_new_email(db, identity)
    return back(PATH, "email-kept")


async def _shown(
    request: Request,
    identity: Identity,
    form: Form | None = None,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    async with context_of(request).database.transaction(everyone=profile.WHY) as db:
        asked = await profile.asked_email(db, identity.user_id)
    return await settings_page(
        request,
        identity,
        "settings_email.html",
        PATH,
        form=form,
        status=status,
        headers=headers,
        asked=asked,
    )
