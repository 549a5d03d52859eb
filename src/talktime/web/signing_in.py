"""Coming in with a password or by a one-time link, and going out.

The one rule: opening a link spends nothing, because mail programs and chat windows open links by themselves; only the
button on the page does. And nothing here tells whether an address has an account, to anybody who does not know its
password.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts import sessions, sign_in
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.http.security import clear_session, session_token
from talktime.web import second_step
from talktime.web.door import address_of, again, browser_of, door_page, let_in, next_of
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.visit import safe_next
from talktime.web.who import who_asks

router = APIRouter(route_class=PageRoute)
router.include_router(second_step.router)  # first: its path looks like a link's


@router.get("/sign-in")
async def ask(request: Request) -> Response:
    """Who is it? Of somebody who is signed in already nothing is asked."""
    path = next_of(request)
    if await who_asks(request) is not None:
        return RedirectResponse(path, 303)
    if await second_step.waiting(request) is not None:
        return RedirectResponse(second_step.address_for(path), 303)
    return door_page(request, "sign_in.html", next=path)


@router.post("/sign-in")
async def take(request: Request) -> Response:
    """Look at the password: a session begins in this browser, or its second step is due."""
    form, context = await read_form(request), context_of(request)
    email, password = form.text("email"), form.values.get("password", "")
    if not email:
        form.errors["email"] = _("Type your e-mail address.")
    if not password:
        form.errors["password"] = _("Type your password.")
    if form.errors:
        return _again(request, form)
    try:
        signed_in = await sign_in.sign_in(
            context.database,
            context.settings.secret,
            email,
            password,
            address=address_of(request),
            browser=browser_of(request),
        )
    except TalktimeError as error:
        return _again(request, form, error)
    path = form.text("next")
    return await let_in(
        request, signed_in.token, second_step.address_for(path) if signed_in.second_factor_due else path
    )


@router.get("/sign-in/{token}")
async def show_link(request: Request, token: str) -> Response:
    """A page with one button."""
    return door_page(request, "sign_in_link.html", token=token)


@router.post("/sign-in/{token}")
async def take_link(request: Request, token: str) -> Response:
    """Spend the link: a session begins in this browser. Who has a second step is asked for it here, too."""
    context = context_of(request)
    async with context.database.transaction(everyone=sessions.WHY) as db:
        session = await sessions.redeem(db, token, address=address_of(request), browser=browser_of(request))
        is_due = session is not None and await sessions.waiting(db, session) is not None
    if session is None:
        return door_page(request, "link_spent.html", status=410, purpose="sign-in")
    return await let_in(request, session, second_step.address_for("/") if is_due else "/")


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session, here and in the database."""
    context = context_of(request)
    token = session_token(request, context.settings)
    if token is not None:
        async with context.database.transaction(everyone=sessions.WHY) as db:
            await sessions.end(db, token)
    response = RedirectResponse("/", 303)
    clear_session(response, context.settings)
    return response


def _again(request: Request, form: Form, error: TalktimeError | None = None) -> Response:
    """The page once more, with the address that was typed; never with the password."""
    return again(request, "sign_in.html", form, error, shown="email", next=safe_next(form.text("next")))
