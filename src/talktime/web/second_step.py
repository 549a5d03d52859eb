"""The second step of signing in: the code of an app, or a recovery code.

The one rule: a browser whose password was right and whose code is still due is nobody yet; it gets a new session, with
a new token, by a code that is taken and by nothing else.
"""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts import sessions, sign_in
from talktime.accounts.sessions import Identity, SignInAgain
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.http.security import session_token
from talktime.web.door import address_of, again, door_page, let_in, next_of
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.visit import safe_next

_PATH = "/sign-in/second-factor"

router = APIRouter(route_class=PageRoute)


def address_for(path: str) -> str:
    """The page that asks for the code and goes on to `path` afterwards."""
    path = safe_next(path)
    return _PATH if path == "/" else f"{_PATH}?{urlencode({'next': path})}"


async def waiting(request: Request) -> Identity | None:
    """Who is to give their code at this browser; None for nobody, and when they took too long."""
    context = context_of(request)
    token = session_token(request, context.settings)
    if token is None:
        return None
    async with context.database.transaction(everyone=sessions.WHY) as db:
        return await sessions.waiting(db, token)


@router.get(_PATH)
async def ask(request: Request) -> Response:
    """The page; who has nothing to do here is sent to where it begins."""
    if await waiting(request) is None:
        return _begin_again(next_of(request))
    return door_page(request, "second_factor.html", next=next_of(request))


@router.post(_PATH)
async def take(request: Request) -> Response:
    """Take the code: of the app, or one of those for when the app is gone."""
    form, context = await read_form(request), context_of(request)
    field = "recovery_code" if form.text("recovery_code") else "code"
    token = session_token(request, context.settings)
    if token is None or await waiting(request) is None:
        return _begin_again(form.text("next"))
    if not form.text(field):
        form.errors[field] = _("Type the code.")
        return _again(request, form)
    try:
        session = await sign_in.second_factor(
            context.database, context.settings.secret, token, form.text(field), address=address_of(request)
        )
    except SignInAgain:
        return _begin_again(form.text("next"))
    except TalktimeError as error:
        return _again(request, form, error)
    return await let_in(request, session, form.text("next"))


def _again(request: Request, form: Form, error: TalktimeError | None = None) -> Response:
    """The page once more. A code is not shown again: it was wrong, or is used now."""
    return again(request, "second_factor.html", form, error, next=safe_next(form.text("next")))


def _begin_again(path: str) -> Response:
    path = safe_next(path)
    return RedirectResponse("/sign-in" if path == "/" else f"/sign-in?{urlencode({'next': path})}", 303)
