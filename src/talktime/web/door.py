"""What the pages at the door have in common: how somebody is let in, and what is said to who has to wait.

The one rule: a browser that comes in gets a token that was made just now, whatever it carried before; and whoever was
signed in at it until then is not any more.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from babel.core import get_global
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts import sessions
from talktime.accounts.addresses import NoAddress
from talktime.accounts.passwords import BadPassword
from talktime.accounts.sign_in import Suspended, WrongCode, WrongSignIn
from talktime.accounts.sign_up import HasAccount
from talktime.accounts.throttle import TooManyTries
from talktime.errors import TalktimeError
from talktime.http.address import client_address
from talktime.http.context import context_of
from talktime.http.security import session_token, set_session
from talktime.mail.send import OUTBOX
from talktime.settings import SignUp
from talktime.web import visit
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.render import page
from talktime.web.visit import safe_next

_FIELDS: Sequence[tuple[type[TalktimeError], str]] = (
    (NoAddress, "email"),
    (HasAccount, "email"),
    (BadPassword, "password"),
    (WrongSignIn, "password"),
)
"""Beside which field an error of signing in stands that does not say so itself."""
_ZONES = {"en": "Europe/London", "de": "Europe/Berlin"}
"""Where most of those live who read a language, when their browser says no more than that."""
_LARGE = {"US": "America/New_York", "CA": "America/Toronto", "AU": "Australia/Sydney"}
"""Countries with several zones: the one of most people."""
_ZONES_MAX = 2
"""Of a country with more the first in the list may be anywhere."""
_MINUTES_MAX = 90
"""From here on hours say enough."""


def door_page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
    **values: Any,
) -> Response:
    """A page of somebody who is not signed in, with what this installation offers them."""
    context = context_of(request)
    return page(
        template,
        status=status,
        headers=headers,
        **{
            "can_sign_up": context.settings.sign_up == SignUp.OPEN,
            "support_email": context.settings.support_email,
            "is_demo": context.demo,
            "problem": "",
            "values": {},
            "errors": {},
            **values,
        },
    )


async def let_in(request: Request, token: str, path: str = "/") -> Response:
    """To a page of this site with a session that was just begun; the one that this browser had before is ended."""
    context = context_of(request)
    before = session_token(request, context.settings)
    if before is not None and before != token:
        async with context.database.transaction(everyone=sessions.WHY) as db:
            await sessions.end(db, before)
    response = RedirectResponse(safe_next(path), 303)
    set_session(response, context.settings, token)
    return response


def next_of(request: Request) -> str:
    """Where to go on to, as the address says: a page of this site."""
    return safe_next(request.query_params.get("next", "/"))


def address_of(request: Request) -> str:
    """Where the request comes from."""
    return client_address(request, context_of(request).settings)


def browser_of(request: Request) -> str | None:
    """What the browser calls itself."""
    return request.headers.get("user-agent")


def outbox_of(request: Request) -> str:
    """Where mails lie, for somebody who tries this on their own machine; empty where they are really sent."""
    context = context_of(request)
    is_local = context.demo and context.settings.smtp_url is None
    return str((context.settings.home / OUTBOX).absolute()) if is_local else ""


def again(
    request: Request, template: str, form: Form, error: TalktimeError | None = None, *, shown: str = "", **values: Any
) -> Response:
    """A page with its form once more, and what is wrong: beside the field that it is about, or else above the form.

    Of what was typed only the field `shown` stands there again, unless `values` say more: never a password.
    """
    if error is not None and (field := _field_of(error, form)):
        form.errors[field] = said_of(error)
        problem = ""
    else:
        problem = said_of(error) if error is not None else ""
    return door_page(
        request,
        template,
        status=_status_of(error),
        headers=told(error) if error is not None else {},
        **{
            "problem": problem,
            "errors": form.errors,
            "values": {shown: form.text(shown)} if shown else {},
            **values,
        },
    )


def said_of(error: TalktimeError) -> str:
    """What is said of an error, in the reader's language: of too many tries also how long to wait, and of a suspended
    account whom to write to."""
    if isinstance(error, TooManyTries):
        return wait_in_words(error.retry_after)
    asked = visit.current()
    support = asked.settings.support_email if asked is not None else ""
    if isinstance(error, Suspended) and support:
        return _("This account is suspended. Write to {email} to find out why.").format(email=support)
    return _(str(error))


def _field_of(error: TalktimeError, form: Form) -> str:
    """The field that an error is about; none for one that is about the whole."""
    if isinstance(error, WrongCode):
        return "recovery_code" if form.text("recovery_code") else "code"
    for kind, field in _FIELDS:
        if isinstance(error, kind):
            return field
    return str(getattr(error, "field", ""))


def _status_of(error: TalktimeError | None) -> int:
    """Who cannot prove who they are is told so in the way of the web: 401."""
    if error is None:
        return 422
    return 401 if isinstance(error, WrongSignIn | WrongCode) else error.status


def told(error: TalktimeError) -> dict[str, str]:
    """The same for programs: the header of an answer."""
    wait = getattr(error, "retry_after", None)
    return {"retry-after": str(max(1, round(wait)))} if wait is not None else {}


def wait_in_words(seconds: float) -> str:
    """How long somebody has to wait who tried too often; rather too long than too short."""
    minutes = math.ceil(seconds / 60)
    if minutes <= 1:
        return _("That was tried too often. Try again in a minute.")
    if minutes <= _MINUTES_MAX:
        return _("That was tried too often. Try again in {count} minutes.").format(count=minutes)
    return _("That was tried too often. Try again in {count} hours.").format(count=math.ceil(minutes / 60))


def likely_zone(request: Request, spoken: str) -> str:
    """The time zone that a browser's languages speak for: who reads `de-AT` lives in Vienna, most likely."""
    first = request.headers.get("accept-language", "")[:200].partition(",")[0].partition(";")[0]
    country = first.strip().upper().partition("-")[2]
    zones: Sequence[str] = get_global("territory_zones").get(country) or ()
    by_country = _LARGE.get(country) or (zones[0] if 0 < len(zones) <= _ZONES_MAX else None)
    return by_country or _ZONES[spoken]
