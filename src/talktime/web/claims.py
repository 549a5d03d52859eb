"""“This was not a real call”: what a customer says of a call, on the call's own page.

The one rule: it is their word, and may give them money back; so nobody says it in their place.
"""

import uuid

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.calls import history
from talktime.credits import money
from talktime.credits.models import NotCharged
from talktime.errors import BadInput
from talktime.http.context import context_of
from talktime.web.forms import read_form
from talktime.web.receipts import CLAIM_REASONS
from talktime.web.routing import PageRoute
from talktime.web.who import themselves

router = APIRouter(route_class=PageRoute)


@router.post("/calls/{call}/claim")
async def claim(request: Request, call: uuid.UUID) -> Response:
    """Say it, once; the call's page shows what comes of it."""
    form = await read_form(request)
    identity = await themselves(request)
    reason = form.text("reason")
    if reason not in {each.value for each in CLAIM_REASONS}:
        raise BadInput("Say what it was: spam, a wrong number, or nobody there. Go back and choose one.")
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        await history.one(db, identity.user_id, call)  # somebody else's is as good as none
        await money.claim(db, identity.user_id, call, NotCharged(reason))
    return RedirectResponse(f"/calls/{call}", 303)
