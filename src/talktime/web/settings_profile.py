"""How somebody is called, which language they read, and whose day they live in.

The one rule: the language is the one of pages and mails alone; what their agents speak is the agents' own.
"""

from fastapi import APIRouter, Request, Response

from talktime.accounts import profile
from talktime.accounts.sessions import Identity
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web import local
from talktime.web.forms import Form, read_form
from talktime.web.language import NAMES
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import back, wrong
from talktime.web.visit import LANGUAGES, speak
from talktime.web.who import signed_in

PATH = "/settings"

router = APIRouter(route_class=PageRoute)


@router.get(PATH)
async def show(request: Request) -> Response:
    """The first page of the settings."""
    return await _shown(request, await signed_in(request))


@router.post(PATH)
async def change(request: Request) -> Response:
    """Change them; the next page is in the language that was chosen."""
    form, identity = await read_form(request), await signed_in(request)
    context = context_of(request)
    said = {name: form.text(name) for name in ("name", "locale", "zone")}
    try:
        async with context.database.transaction(everyone=profile.WHY) as db:
            await profile.change(db, identity, **said)
    except TalktimeError as error:
        field = getattr(error, "field", "form")
        return await _shown(request, identity, wrong(form, field, error), status=error.status)
    response = back(PATH, "saved")
    if said["locale"] in LANGUAGES and identity.actor_id is None:
        # So that the page where one signs in next time speaks it, too.
        speak(response, context.settings, said["locale"])
    return response


async def _shown(request: Request, identity: Identity, form: Form | None = None, status: int | None = None) -> Response:
    values = {"name": identity.name, "locale": identity.locale, "zone": identity.zone}
    return await settings_page(
        request,
        identity,
        "settings_profile.html",
        PATH,
        form=form,
        status=status,
        values=values,
        spoken_languages=[("", list(NAMES.items()))],
        zones=local.zones(identity.zone),
    )
