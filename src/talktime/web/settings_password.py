"""Changing the password.

The one rule: the old one is asked for, whoever sits at the browser; and every other browser is signed out.
"""

from fastapi import APIRouter, Request, Response

from talktime.accounts import profile
from talktime.accounts.passwords import BadPassword
from talktime.accounts.reading import has_password
from talktime.accounts.sessions import Identity
from talktime.accounts.sign_in import WrongPassword
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.http.security import set_session
from talktime.web.door import address_of, said_of, told
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import back
from talktime.web.who import themselves

PATH = "/settings/password"

router = APIRouter(route_class=PageRoute)


@router.get(PATH)
async def show(request: Request) -> Response:
    """The page."""
    return await _shown(request, await themselves(request))


@router.post(PATH)
async def change(request: Request) -> Response:
    """Change it."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    # As they were typed: a blank at an end may be part of a password.
    old, new = form.values.get("old", ""), form.values.get("new", "")
    if not old:
        form.errors["old"] = _("Type the password that you have now.")
    if not new:
        form.errors["new"] = _("Type a new password.")
    if form.errors:
        return await _shown(request, identity, form)
    try:
        token = await profile.change_password(
            context.database, context.settings.secret, identity, old, new, address=address_of(request)
        )
    except TalktimeError as error:
        form.errors["new" if isinstance(error, BadPassword) else "old"] = said_of(error)
        status = 401 if isinstance(error, WrongPassword) else error.status
        return await _shown(request, identity, form, status=status, headers=told(error))
    response = back(PATH, "password")
    set_session(response, context.settings, token)
    return response


async def _shown(
    request: Request,
    identity: Identity,
    form: Form | None = None,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    async with context_of(request).database.transaction(everyone=profile.WHY) as db:
        has_one = await has_password(db, identity.user_id)
    return await settings_page(
        request,
        identity,
        "settings_password.html",
        PATH,
        form=form,
        status=status,
        headers=headers,
        has_password=has_one,
    )
