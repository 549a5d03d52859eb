"""Which mails somebody wants beyond those that must be: the same choices as behind the link in each of these mails.

The one rule: a form has all four boxes, so a box that is not ticked is a no.
"""

from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from talktime.http.context import context_of
from talktime.notices.choices import CHOICES, choices_of, choose
from talktime.web.forms import read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import back
from talktime.web.who import signed_in

PATH = "/settings/mails"

router = APIRouter(route_class=PageRoute)


@router.get(PATH)
async def show(request: Request) -> Response:
    """The four boxes."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        chosen = asdict(await choices_of(db, identity.user_id))
    said = {
        "digest": (_("Each morning, what the day before brought"), _("Nothing comes of a day without calls.")),
        "messages": (_("Each message that was taken"), _("As soon as its call is over.")),
        "missed_calls": (_("Calls that nobody talked to"), _("Those of a few minutes come in one mail.")),
        "summaries": (_("How each call went"), _("One mail for every call that was answered.")),
    }
    boxes = [(name, *said[name], chosen[name]) for name in CHOICES]
    return await settings_page(request, identity, "settings_mails.html", PATH, boxes=boxes)


@router.post(PATH)
async def change(request: Request) -> Response:
    """Choose anew."""
    form, identity = await read_form(request), await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        await choose(db, identity.user_id, {name: form.is_ticked(name) for name in CHOICES}, actor=identity.acts_as)
    return back(PATH, "saved")
