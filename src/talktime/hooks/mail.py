"""Mail programs knock here for their readers: one POST, and a mail of this kind does not come again (RFC 8058).

The link is its own proof: whoever has the mail may say so, and nobody else can make one. Somebody who follows it in a
browser gets the page that asks, because programs that look at links before a person does must change nothing.
"""

import uuid

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts import audit
from talktime.http.address import client_address
from talktime.http.context import context_of
from talktime.notices.choices import OFF_PAGE, check_off, choose

router = APIRouter(prefix="/hooks")
_PATH = "/mail/off/{user}/{choice}/{proof}"


@router.post(_PATH)
async def off(user: uuid.UUID, choice: str, proof: str, request: Request) -> Response:
    """Switch it off. What stands in the body says nothing that the address does not."""
    context = context_of(request)
    check_off(context.settings.secret, user, choice, proof)
    with audit.came_from("web", client_address(request, context.settings)):
        async with context.database.transaction(user=user) as db:
            await choose(db, user, {choice: False}, actor=user)
    return Response(status_code=204)


@router.get(_PATH)
async def ask(user: uuid.UUID, choice: str, proof: str) -> Response:
    """To the page with the button."""
    return RedirectResponse(f"{OFF_PAGE}/{user}/{choice}/{proof}", 303)
