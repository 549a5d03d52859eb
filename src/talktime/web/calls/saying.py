"""What a customer says of a call, on its own page: “this was not a real call”, and “this answer was wrong”.

The one rule: the first is their word, and may give them money back; so nobody says it in their place.
"""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from talktime.calls import corrections, history
from talktime.calls.corrections import WrongText
from talktime.credits import money
from talktime.credits.models import NotCharged
from talktime.errors import BadInput
from talktime.http.context import context_of
from talktime.web.calls.pages import show
from talktime.web.calls.receipts import claim_reasons
from talktime.web.calls.wanted import kept
from talktime.web.forms import read_form
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, wrong
from talktime.web.who import signed_in, themselves

TurnNo = Annotated[int, Path(ge=1, le=1_000_000)]

router = APIRouter(route_class=PageRoute)


@router.post("/calls/{call}/claim")
async def claim(request: Request, call: uuid.UUID) -> Response:
    """Say it, once; the call's page shows what comes of it."""
    form = await read_form(request)
    identity = await themselves(request)
    reason = form.text("reason")
    if reason not in {each.value for each in claim_reasons()}:
        raise BadInput("Say what it was: spam, a wrong number, or nobody there. Go back and choose one.")
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        await history.one(db, identity.user_id, call)  # somebody else's is as good as none
        await money.claim(db, identity.user_id, call, NotCharged(reason))
    return back(f"/calls/{call}{kept(request)}", "claimed")


@router.post("/calls/{call}/turns/{turn}/correction")
async def correct(request: Request, call: uuid.UUID, turn: TurnNo) -> Response:
    """Say what the agent should have said; again is changed, and it can be withdrawn."""
    form, identity = await read_form(request), await signed_in(request)
    is_gone = form.text("do") == "withdraw"
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            if is_gone:
                await corrections.withdraw(db, identity.user_id, call, turn)
            else:
                await corrections.record(db, identity.user_id, call, turn, form.text(field_of(turn)))
    except WrongText as error:
        return await show(request, identity, call, form=wrong(form, field_of(turn), error))
    # To the answer itself, which a long call has far down.
    done = "withdrawn" if is_gone else "corrected"
    way = kept(request)
    return RedirectResponse(f"/calls/{call}{way}{'&' if way else '?'}done={done}#turn-{call}-{turn}", 303)


def field_of(turn: int) -> str:
    """The name of the field below an answer: a page has many answers."""
    return f"text-{turn}"
