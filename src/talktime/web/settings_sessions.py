"""The browsers somebody is signed in at, and signing out the others.

The one rule: somebody else's browser is as good as none; and an operator in somebody's place sees, and ends nothing.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.accounts import sessions
from talktime.accounts.sessions import Identity, Shown
from talktime.http.context import context_of
from talktime.http.security import set_session
from talktime.web import local
from talktime.web.browsers import browser_in_words, place_in_words
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import back, clock_of
from talktime.web.who import signed_in, themselves
from talktime.web.words import Clock

PATH = "/settings/sessions"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """All of them: this one first, then the one that was seen last."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(everyone=sessions.WHY) as db:
        found = await sessions.of_user(db, identity.user_id)
    in_order = sorted(found, key=lambda each: each.id != identity.session_id)
    clock = clock_of(identity)
    return await settings_page(
        request,
        identity,
        "settings_sessions.html",
        PATH,
        shown=[_view(each, identity, clock) for each in in_order],
    )


@router.post("/end-others")
async def end_others(request: Request) -> Response:
    """Sign out everywhere but here; a copy of this browser's cookie is somewhere else, too."""
    identity = await themselves(request)
    context = context_of(request)
    async with context.database.transaction(everyone=sessions.WHY) as db:
        await sessions.end_all(db, identity.user_id, but=identity.session_id)
        token = await sessions.rotate(db, identity.session_id)
    response = back(PATH, "sessions")
    set_session(response, context.settings, token)
    return response


@router.post("/{session}/end")
async def end(request: Request, session: uuid.UUID) -> Response:
    """Sign one out; one that is not there any more, or never was theirs, is as good as signed out."""
    identity = await themselves(request)
    async with context_of(request).database.transaction(everyone=sessions.WHY) as db:
        await sessions.end_one(db, identity.user_id, session)
    return back(PATH, "session")


def _view(one: Shown, identity: Identity, clock: Clock) -> dict[str, object]:
    return {
        "id": one.id,
        "browser": browser_in_words(one.browser),
        "place": place_in_words(one.address),
        "seen": local.moment(one.last_seen_at, clock),
        "began": local.moment(one.created_at, clock),
        "is_this": one.id == identity.session_id,
        "is_operator": one.actor_id is not None,
    }
