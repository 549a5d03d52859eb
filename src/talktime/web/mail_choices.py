"""The page behind the link of a mail that somebody no longer wants: what it is, and one button.

The one rule: opening the page changes nothing, because mail programs open links by themselves; and nobody has to sign
in to be left alone.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.http.context import context_of
from talktime.notices.choices import check_off, choices_of, choose
from talktime.web.door import door_page
from talktime.web.routing import PageRoute

PATH = "/mail/off/{user}/{choice}/{proof}"

router = APIRouter(route_class=PageRoute)


@router.get(PATH)
async def ask(request: Request, user: uuid.UUID, choice: str, proof: str) -> Response:
    """The page that asks, or says that it is so already."""
    context = context_of(request)
    check_off(context.settings.secret, user, choice, proof)
    async with context.database.transaction(user=user) as db:
        is_on = bool(getattr(await choices_of(db, user), choice))
    return door_page(request, "mail_off.html", choice=choice, is_on=is_on)


@router.post(PATH)
async def off(request: Request, user: uuid.UUID, choice: str, proof: str) -> Response:
    """Switch it off, and say so."""
    context = context_of(request)
    check_off(context.settings.secret, user, choice, proof)
    async with context.database.transaction(user=user) as db:
        await choose(db, user, {choice: False}, actor=user)
    return door_page(request, "mail_off.html", choice=choice, is_on=False)
