"""Taking one's data along, and forgetting somebody who called.

The rules: nobody takes somebody else's data along in their place; and a number that is to be forgotten stands in no
address, because addresses are kept in logs and histories.
"""

import phonenumbers
from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.errors import BadInput, TalktimeError
from talktime.http.context import context_of
from talktime.numbers.assigned import numbers_of
from talktime.privacy import forget, spellings
from talktime.web import exporting, local
from talktime.web.door import told
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import wrong
from talktime.web.who import just_confirmed, signed_in, themselves

PATH = "/settings/data"
_NUMBER_LENGTH_MAX = 40
_WHY = "a number's owner is looked up in the pool, which is nobody's own"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """What can be done."""
    return await _shown(request, await signed_in(request))


@router.get("/export")
async def before_export(request: Request) -> Response:
    """The same page, for who just typed their password once more: now the button works."""
    return await _shown(request, await just_confirmed(request))


@router.post("/export")
async def export_all(request: Request) -> Response:
    """Everything, as a file."""
    form, identity = await read_form(request), await just_confirmed(request)
    try:
        return await exporting.download(context_of(request).database, identity)
    except TalktimeError as error:
        return await _shown(request, identity, wrong(form, "export", error), error.status, told(error))


@router.get("/forget")
async def before_forgetting(request: Request) -> Response:
    """Where a browser comes to that loads the page after the form once more."""
    return await _shown(request, await signed_in(request))


@router.post("/forget")
async def forget_caller(request: Request) -> Response:
    """Say what would be forgotten; and forget it, once that was seen."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    number = await _read(request, identity, form)
    if number is None:
        return await _shown(request, identity, form)
    if form.text("sure") != "yes":
        return await settings_page(
            request,
            identity,
            "settings_forget.html",
            PATH,
            values={"number": number},
            number_said=_as_written(number),
        )
    done = await forget.forget_own(context.database, identity, number, home=context.settings.home)
    return await settings_page(
        request,
        identity,
        "settings_forgotten.html",
        PATH,
        calls=done.calls,
        calls_said=local.figure(done.calls),
        mentions=done.mentions,
        stands_in=list(dict.fromkeys(_places()[place] for place in done.stands_in if place in _places())),
    )


async def _read(request: Request, identity: Identity, form: Form) -> str | None:
    """The number as calls have it: without its country it is one of where the customer's own numbers are."""
    typed = form.text("number")
    async with context_of(request).database.transaction(everyone=_WHY) as db:
        own = await numbers_of(db, identity.user_id)
    regions = {spellings.region_of(each.number) for each in own} - {None}
    try:
        if len(typed) > _NUMBER_LENGTH_MAX:
            raise BadInput
        return spellings.spelled(typed, regions.pop() if len(regions) == 1 else None).number
    except BadInput:
        form.errors["number"] = _("That is no phone number. Type it with its country, such as +49 30 901820.")
        return None


def _as_written(number: str) -> str:
    """With its country, so that everybody sees which one was understood."""
    written = phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return str(written)


async def _shown(
    request: Request,
    identity: Identity,
    form: Form | None = None,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    return await settings_page(request, identity, "settings_data.html", PATH, form=form, status=status, headers=headers)


def _places() -> dict[str, str]:
    """Where a number may stand that only its owner can take out, or nobody."""
    return {
        "agents": _("in the words of one of your agents, which you can change"),
        "drafts of agents": _("in the words of one of your agents, which you can change"),
        "billing details": _("in what stands on your invoices, which you can change"),
        "own numbers": _("among your own numbers"),
        "invoices": _("on an invoice that was issued, which has to stay as it is"),
        "ledger": _("in an entry of your credit, which has to stay as it is: write to us"),
    }
