"""Making an account: first the address alone, then, by the link that went to it, a name and a password.

The one rule: whoever types an address learns nothing about it. What they see is the same for one that has an account;
who has one is told in the mail.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.accounts import links, sessions, sign_up
from talktime.accounts.links import LinkSpent
from talktime.accounts.models import Link, LinkPurpose, Role
from talktime.errors import TalktimeError
from talktime.http.context import Context, context_of
from talktime.settings import SignUp
from talktime.web import local
from talktime.web.door import address_of, again, browser_of, door_page, let_in, likely_zone, outbox_of
from talktime.web.forms import Form, read_form
from talktime.web.language import NAMES, _
from talktime.web.routing import PageRoute

router = APIRouter(route_class=PageRoute)


@router.get("/sign-up")
async def ask(request: Request) -> Response:
    """The page that asks for an address; where one needs an invitation, it says so."""
    if context_of(request).settings.sign_up != SignUp.OPEN:
        return door_page(request, "sign_up_invited.html")
    return door_page(request, "sign_up.html")


@router.post("/sign-up")
async def take(request: Request) -> Response:
    """Send the link, or to who has an account already the ways in."""
    form, context = await read_form(request), context_of(request)
    if context.settings.sign_up != SignUp.OPEN:
        return door_page(request, "sign_up_invited.html", status=403)
    email = form.text("email")
    if not email:
        form.errors["email"] = _("Type your e-mail address.")
        return again(request, "sign_up.html", form, shown="email")
    try:
        await sign_up.ask(
            context.database,
            context.jobs,
            context.settings.secret,
            email,
            locale=local.language(),
            address=address_of(request),
        )
    except TalktimeError as error:
        return again(request, "sign_up.html", form, error, shown="email")
    return door_page(request, "sign_up_sent.html", purpose="sign-up", email=email, outbox=outbox_of(request))


@router.get("/welcome/{token}")
async def show(request: Request, token: str) -> Response:
    """The form of a new account. Opening it spends nothing."""
    link = await _look(context_of(request), token)
    if link is None:
        return _spent(request)
    spoken = local.language()
    values = {"locale": spoken, "zone": likely_zone(request, spoken)}
    return door_page(request, "welcome.html", **_welcome(token, link, values))


@router.post("/welcome/{token}")
async def begin(request: Request, token: str) -> Response:
    """Make the account, and sign in."""
    form, context = await read_form(request), context_of(request)
    link = await _look(context, token)
    if link is None:
        return _spent(request)
    values = _welcome(token, link, form.values)
    _require(form, link)
    if form.errors:
        return again(request, "welcome.html", form, **values)
    try:
        session = await sign_up.finish(
            context.database,
            context.settings.secret,
            token,
            name=form.text("name"),
            password=form.values["password"],
            locale=form.text("locale"),
            zone=form.text("zone"),
            address=address_of(request),
            browser=browser_of(request),
            email=form.text("email"),
        )
    except LinkSpent:
        return _spent(request)
    except TalktimeError as error:
        return again(request, "welcome.html", form, error, **values)
    return await let_in(request, session, "/" if link.role is Role.ADMIN else "/begin")


async def _look(context: Context, token: str) -> Link | None:
    async with context.database.transaction(everyone=sessions.WHY) as db:
        return await links.look(db, token, LinkPurpose.SIGN_UP, LinkPurpose.INVITE)


def _require(form: Form, link: Link) -> None:
    """Note what was left out, all of it at once."""
    if not link.email and not form.text("email"):
        form.errors["email"] = _("Type your e-mail address.")
    if not form.text("name"):
        form.errors["name"] = _("Type your name: it stands on your pages and in our mails.")
    if not form.values.get("password"):
        form.errors["password"] = _("Choose a password.")


def _welcome(token: str, link: Link, typed: Mapping[str, str]) -> dict[str, Any]:
    """What the page shows; the address that a link went to is not to be changed."""
    return {
        "token": token,
        "email_is_fixed": link.email is not None,
        "as_operator": link.role is Role.ADMIN,
        "spoken": [("", list(NAMES.items()))],
        "zones": local.zones(typed.get("zone", "")),
        "values": {**typed, "email": link.email or typed.get("email", "")},
    }


def _spent(request: Request) -> Response:
    return door_page(request, "link_spent.html", status=410, purpose="welcome")
