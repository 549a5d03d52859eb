"""Proving that a number is one's own: we call it and say a code, and whoever holds the telephone types it here.

The rule: a call is placed once for each form that is sent, and never again by itself: somebody's telephone rings.
"""

import uuid
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.numbers import proof
from talktime.numbers.rounds import all_numbers
from talktime.web import refusals
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.numbers.pages import PATH, WHY, listed
from talktime.web.numbers.shown import proof_view
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.who import signed_in, themselves

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("/proofs")
async def before_beginning(request: Request) -> Response:
    """Where a browser comes to that loads the page after the form once more."""
    await signed_in(request)
    return RedirectResponse(f"{PATH}#own", 303)


@router.post("/proofs")
async def begin(request: Request) -> Response:
    """Call a number of one's own."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    try:
        begun = await proof.begin(
            context.database,
            identity.user_id,
            form.text("number"),
            all_numbers(context.carriers),
            secret=context.settings.secret,
        )
    except TalktimeError as error:
        form.errors["number"] = refusals.in_words(error)
        return await listed(request, identity, form, error.status)
    return RedirectResponse(f"{PATH}/proofs/{begun.id}", 303)


@router.get("/proofs/{proof_id}")
async def look(request: Request, proof_id: uuid.UUID) -> Response:
    """Where the code is typed."""
    return await _shown(request, await signed_in(request), proof_id)


@router.post("/proofs/{proof_id}")
async def finish(request: Request, proof_id: uuid.UUID) -> Response:
    """The code that the call said."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    try:
        await proof.finish(
            context.database,
            identity.user_id,
            proof_id,
            form.text("code"),
            secret=context.settings.secret,
            now=datetime.now(UTC),
        )
    except TalktimeError as error:
        if error.status == 404:
            raise
        form.errors["code"] = refusals.in_words(error)
        return await _shown(request, identity, proof_id, form, error.status)
    return back(PATH, "proven")


async def _shown(
    request: Request, identity: Identity, proof_id: uuid.UUID, form: Form | None = None, status: int | None = None
) -> Response:
    context = context_of(request)
    async with context.database.transaction(everyone=WHY) as db:
        found = await proof.one(db, identity.user_id, proof_id)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "numbers")
    return paper.page(
        "numbers/proof.html",
        form=form,
        status=status,
        proof=proof_view(found, paper.clock),
        doubt=_("The call may not have come through. If your telephone does not ring, begin anew.")
        if found.error == "no answer"
        else "",
    )
