"""A new password for somebody who forgot theirs, and the link that makes a new e-mail address count.

The one rule: asking tells nothing of the address that was typed, and opening a link spends nothing.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.accounts import links, profile, reading, sessions, sign_up
from talktime.accounts.links import LinkSpent
from talktime.accounts.models import LinkPurpose
from talktime.errors import TalktimeError
from talktime.http.context import Context, context_of
from talktime.web import second_step
from talktime.web.door import address_of, again, browser_of, door_page, let_in, outbox_of
from talktime.web.forms import read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute

router = APIRouter(route_class=PageRoute)


@router.get("/reset")
async def ask(request: Request) -> Response:
    """The page that asks for an address."""
    return door_page(request, "reset.html")


@router.post("/reset")
async def send(request: Request) -> Response:
    """Send the link, if there is an account; the answer is the same if there is none."""
    form, context = await read_form(request), context_of(request)
    email = form.text("email")
    if not email:
        form.errors["email"] = _("Type your e-mail address.")
        return again(request, "reset.html", form, shown="email")
    try:
        await sign_up.ask_reset(
            context.database, context.jobs, context.settings.secret, email, address=address_of(request)
        )
    except TalktimeError as error:
        return again(request, "reset.html", form, error, shown="email")
    return door_page(request, "sign_up_sent.html", purpose="reset", email=email, outbox=outbox_of(request))


@router.get("/reset/{token}")
async def show(request: Request, token: str) -> Response:
    """The page that asks for the new password."""
    email = await _whose(context_of(request), token)
    if email is None:
        return _spent(request, "reset")
    return door_page(request, "reset_password.html", token=token, values={"email": email})


@router.post("/reset/{token}")
async def reset(request: Request, token: str) -> Response:
    """Set it, and sign in; who has a second step is asked for it."""
    form, context = await read_form(request), context_of(request)
    email = await _whose(context, token)
    if email is None:
        return _spent(request, "reset")
    values: dict[str, Any] = {"token": token, "values": {"email": email}}
    if not form.values.get("password"):
        form.errors["password"] = _("Choose a password.")
        return again(request, "reset_password.html", form, **values)
    try:
        signed_in = await sign_up.finish_reset(
            context.database,
            context.settings.secret,
            token,
            password=form.values["password"],
            address=address_of(request),
            browser=browser_of(request),
        )
    except LinkSpent:
        return _spent(request, "reset")
    except TalktimeError as error:
        return again(request, "reset_password.html", form, error, **values)
    return await let_in(request, signed_in.token, second_step.address_for("/") if signed_in.second_factor_due else "/")


@router.get("/confirm-email/{token}")
async def show_email(request: Request, token: str) -> Response:
    """A page with one button."""
    async with context_of(request).database.transaction(everyone=sessions.WHY) as db:
        link = await links.look(db, token, LinkPurpose.CHANGE_EMAIL)
    if link is None:
        return _spent(request, "email")
    return door_page(request, "confirm_email.html", token=token, email=link.email)


@router.post("/confirm-email/{token}")
async def confirm_email(request: Request, token: str) -> Response:
    """From now on the new address counts. Whoever reads its mail need not be signed in."""
    context = context_of(request)
    try:
        email = await profile.finish_new_email(context.database, token)
    except LinkSpent:
        return _spent(request, "email")
    return door_page(request, "confirm_email_done.html", email=email)


async def _whose(context: Context, token: str) -> str | None:
    """The address of whom a link for a new password was made for; None for a link that is not good."""
    async with context.database.transaction(everyone=sessions.WHY) as db:
        link = await links.look(db, token, LinkPurpose.RESET)
        if link is None or link.user_id is None:
            return None
        return (await reading.emails_of(db, [link.user_id])).get(link.user_id)


def _spent(request: Request, purpose: str) -> Response:
    return door_page(request, "link_spent.html", status=410, purpose=purpose)
