"""Leaving the account that an operator is signed in to as somebody else.

The one rule: it ends that session and no other; whoever is themselves is not signed out by it.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts import sessions
from talktime.http.context import context_of
from talktime.http.security import clear_session, session_token
from talktime.web.routing import PageRoute
from talktime.web.who import who_asks

router = APIRouter(route_class=PageRoute)


@router.post("/settings/acting/end")
async def end(request: Request) -> Response:
    """Leave it. The operator signs in as themselves again; one whose time was over is led there, too."""
    identity = await who_asks(request)
    if identity is not None and identity.actor_id is None:
        return RedirectResponse("/settings", 303)
    context = context_of(request)
    token = session_token(request, context.settings)
    if identity is not None and token is not None:
        async with context.database.transaction(everyone=sessions.WHY) as db:
            await sessions.end(db, token)
    response = RedirectResponse("/sign-in", 303)
    clear_session(response, context.settings)
    return response
