"""The password once more, before something that changes how somebody comes in, and the way back.

The one rule: it confirms the session of this very browser, for a quarter of an hour; nobody confirms in somebody else's
place.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts import sign_in
from talktime.accounts.reading import has_password
from talktime.accounts.sessions import Identity
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web.door import address_of, door_page, next_of, said_of, told
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.visit import safe_next
from talktime.web.who import themselves

PATH = "/confirm"

router = APIRouter(route_class=PageRoute)


@router.get(PATH)
async def ask(request: Request) -> Response:
    """The page that asks."""
    identity = await themselves(request)
    return await _page(request, identity, next_of(request), sent=bool(request.query_params.get("sent")))


@router.post(PATH)
async def take(request: Request) -> Response:
    """Look at the password; on to where somebody wanted to go."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    password, path = form.values.get("password", ""), safe_next(form.text("next"))
    if not password:
        form.errors["password"] = _("Type your password.")
        return await _page(request, identity, path, form=form)
    try:
        await sign_in.confirm_password(
            context.database, context.settings.secret, identity, password, address=address_of(request)
        )
    except TalktimeError as error:
        form.errors["password"] = said_of(error)
        status = 401 if isinstance(error, sign_in.WrongPassword) else error.status
        return await _page(request, identity, path, form=form, status=status, headers=told(error))
    return RedirectResponse(path, 303)


async def _page(
    request: Request,
    identity: Identity,
    path: str,
    *,
    sent: bool = False,
    form: Form | None = None,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    errors = form.errors if form is not None else {}
    async with context_of(request).database.transaction(everyone=sign_in.WHY) as db:
        has_one = await has_password(db, identity.user_id)
    return door_page(
        request,
        "confirm.html",
        status=status or (422 if errors else 200),
        headers=headers or {},
        next=path,
        sent=sent,
        email=identity.email,
        has_password=has_one,
        errors=errors,
    )
