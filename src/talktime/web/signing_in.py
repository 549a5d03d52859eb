"""Coming in by a one-time link, and going out.

The one rule: opening a link spends nothing, because mail programs and chat windows open links by themselves; only the
button on the page does.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts import sessions
from talktime.accounts.sessions import Identity
from talktime.errors import NotFound
from talktime.http.context import context_of
from talktime.http.security import clear_session, refuse_other_sites, session_token, set_session
from talktime.web.render import page
from talktime.web.routing import PageRoute

router = APIRouter(route_class=PageRoute)


@router.get("/sign-in/{token}")
async def show(token: str) -> Response:
    """A page with one button."""
    return page("sign_in.html", token=token)


@router.post("/sign-in/{token}")
async def sign_in(request: Request, token: str) -> Response:
    """Spend the link: a session begins in this browser."""
    context = context_of(request)
    refuse_other_sites(request, context.settings)
    async with context.database.transaction(everyone=sessions.WHY) as db:
        session = await sessions.redeem(
            db,
            token,
            address=request.client.host if request.client else None,
            browser=request.headers.get("user-agent"),
        )
    if session is None:
        return page("sign_in_spent.html", status=410)
    response = RedirectResponse("/", 303)
    set_session(response, context.settings, session)
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session, here and in the database."""
    context = context_of(request)
    refuse_other_sites(request, context.settings)
    token = session_token(request, context.settings)
    if token is not None:
        async with context.database.transaction(everyone=sessions.WHY) as db:
            await sessions.end(db, token)
    response = RedirectResponse("/", 303)
    clear_session(response, context.settings)
    return response


async def who_asks(request: Request) -> Identity | None:
    """Who is signed in at this browser; None for nobody."""
    context = context_of(request)
    token = session_token(request, context.settings)
    if token is None:
        return None
    async with context.database.transaction(everyone=sessions.WHY) as db:
        return await sessions.identify(db, token)


async def signed_in(request: Request) -> Identity:
    """Who is signed in at this browser. Raises NotFound for nobody: for them there is no such page."""
    identity = await who_asks(request)
    if identity is None:
        raise NotFound("There is no such page, or you are not signed in.")
    return identity
