"""The second factor: setting it up, switching it off, and the codes for the day the phone is gone.

The one rule: a key and recovery codes are shown to who is signed in as themselves and typed their password a short
while ago; codes once, on the page that made them.
"""

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from markupsafe import Markup

from talktime.accounts import second_factor, sessions
from talktime.accounts.second_factor import WHY
from talktime.accounts.sessions import Identity
from talktime.accounts.sign_in import WrongCode
from talktime.errors import BadInput, TalktimeError
from talktime.http.context import context_of
from talktime.http.security import set_session
from talktime.web.door import address_of, said_of, told
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import back
from talktime.web.visit import renew
from talktime.web.who import just_confirmed, signed_in, themselves

PATH = "/settings/second-factor"
_SETUP = f"{PATH}/on"
_CODES = re.compile(r"(?:[a-z2-7]{4}(?:-[a-z2-7]{4}){3} ?){1,10}", re.ASCII)

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """Whether it is on."""
    identity = await signed_in(request)
    codes_left = 0
    if identity.has_second_factor:
        async with context_of(request).database.transaction(everyone=WHY) as db:
            codes_left = await second_factor.codes_left(db, identity.user_id)
    said = _("1 left") if codes_left == 1 else _("{count} left").format(count=codes_left)
    return await settings_page(
        request,
        identity,
        "settings_second_factor.html",
        PATH,
        is_on=identity.has_second_factor,
        codes_left=codes_left,
        codes_left_said=said,
    )


@router.post("")
async def begin(request: Request) -> Response:
    """Make a key that waits for its first code."""
    identity = await just_confirmed(request)
    context = context_of(request)
    async with context.database.transaction(everyone=WHY) as db:
        await second_factor.begin(db, context.settings.secret, identity)
    return RedirectResponse(_SETUP, 303)


@router.get("/on")
async def set_up(request: Request) -> Response:
    """The key, to scan or to type; also once more, as long as it waits for its first code."""
    return await _set_up(request, await just_confirmed(request))


@router.post("/on")
async def switch_on(request: Request) -> Response:
    """Take the first code: from now on it counts."""
    form, identity = await read_form(request), await just_confirmed(request)
    context = context_of(request)
    if not form.text("code"):
        form.errors["code"] = _("Type the six digits that your app shows.")
        return await _set_up(request, identity, form)
    try:
        codes = await second_factor.switch_on(
            context.database, context.settings.secret, identity, form.text("code"), address=address_of(request)
        )
    except WrongCode:
        form.errors["code"] = _(
            "That is not the code of this moment. Wait for the next one, and see that the clock of your phone is right."
        )
        return await _set_up(request, identity, form, status=422)
    except second_factor.AlreadyOn:
        return RedirectResponse(PATH, 303)
    except second_factor.NotBegun:
        return RedirectResponse(PATH, 303)
    except TalktimeError as error:
        form.errors["code"] = said_of(error)
        return await _set_up(request, identity, form, status=error.status, headers=told(error))
    # Every other browser is signed out now, and so is whoever has a copy of this one's cookie.
    async with context.database.transaction(everyone=WHY) as db:
        token = await sessions.rotate(db, identity.session_id)
    renew(token)
    response = await _codes(request, identity, codes, just_on=True)
    set_session(response, context.settings, token)
    return response


@router.get("/off")
async def ask_off(request: Request) -> Response:
    """Really?"""
    identity = await just_confirmed(request)
    if not identity.has_second_factor:
        return RedirectResponse(PATH, 303)
    return await settings_page(request, identity, "settings_second_factor_off.html", PATH)


@router.post("/off")
async def switch_off(request: Request) -> Response:
    """Switch it off; one that is off stays so."""
    identity = await just_confirmed(request)
    try:
        async with context_of(request).database.transaction(everyone=WHY) as db:
            await second_factor.switch_off(db, identity)
    except second_factor.NotOn:
        return RedirectResponse(PATH, 303)
    return back(PATH, "second-factor-off")


@router.get("/codes")
async def ask_codes(request: Request) -> Response:
    """Really? The old ones stop working."""
    identity = await just_confirmed(request)
    if not identity.has_second_factor:
        return RedirectResponse(PATH, 303)
    return await settings_page(request, identity, "settings_codes_new.html", PATH)


@router.post("/codes")
async def new_codes(request: Request) -> Response:
    """Make new ones, and show them."""
    identity = await just_confirmed(request)
    try:
        async with context_of(request).database.transaction(everyone=WHY) as db:
            codes = await second_factor.new_codes(db, identity)
    except second_factor.NotOn:
        return RedirectResponse(PATH, 303)
    return await _codes(request, identity, codes, just_on=False)


@router.post("/codes/text")
async def codes_as_text(request: Request) -> Response:
    """The codes of the page before as a file: they come from there, because nobody else has them any more."""
    form, identity = await read_form(request), await themselves(request)
    codes = form.text("codes")
    if not _CODES.fullmatch(codes):
        raise BadInput(_("These are no recovery codes: make new ones."))
    site = context_of(request).settings.base_url
    head = _("Recovery codes for {site}, account {email}. Each works once.").format(site=site, email=identity.email)
    lines = "\r\n".join(codes.split())
    return PlainTextResponse(
        f"{head}\r\n\r\n{lines}\r\n",
        headers={"content-disposition": 'attachment; filename="talktime-recovery-codes.txt"'},
    )


async def _set_up(
    request: Request,
    identity: Identity,
    form: Form | None = None,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    context = context_of(request)
    async with context.database.transaction(everyone=WHY) as db:
        setup = await second_factor.begun(db, context.settings.secret, identity)
    if setup is None:
        return RedirectResponse(PATH, 303)
    if form is not None:
        form = _without_code(form)
    return await settings_page(
        request,
        identity,
        "settings_second_factor_on.html",
        PATH,
        form=form,
        status=status,
        headers=headers,
        qr=Markup(setup.qr_svg),  # noqa: S704  # ours: digits and attributes
        uri=setup.uri,
        secret=" ".join(setup.key[at : at + 4] for at in range(0, len(setup.key), 4)),
    )


def _without_code(form: Form) -> Form:
    """A code that was wrong is not worth keeping: the next one is typed into an empty field."""
    emptied = Form({name: value for name, value in form.values.items() if name != "code"})
    emptied.errors = form.errors
    return emptied


async def _codes(request: Request, identity: Identity, codes: list[str], *, just_on: bool) -> Response:
    return await settings_page(
        request,
        identity,
        "settings_codes.html",
        PATH,
        codes=codes,
        just_on=just_on,
        site=context_of(request).settings.base_url,
        remind=False,
    )
