"""Endpoints: the list, making one, changing it, pausing it, its secret, taking it away.

The rules: a secret is shown when it is made, and later only to somebody who just typed their password; and whoever
decides where something is sent has typed it, too: where it leads is as good as what is sent there.
"""

import uuid
from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web import refusals
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, clock_of, sheet
from talktime.web.webhooks.shown import endpoint_view, groups
from talktime.web.who import just_confirmed, signed_in, themselves
from talktime.webhooks import endpoints
from talktime.webhooks.endpoints import ENDPOINTS_MAX, Keeping
from talktime.webhooks.events import EVERYTHING, WANTED
from talktime.webhooks.models import WebhookEndpoint

PATH = "/webhooks"
_FIELDS = {"url", "events", "description"}

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def look(request: Request) -> Response:
    """All of them."""
    identity = await signed_in(request)
    user = identity.user_id
    async with context_of(request).database.transaction(user=user, snapshot=True) as db:
        paper = await sheet(request, db, identity, "webhooks", said={"deleted": _("The endpoint is gone.")})
        found = await endpoints.of_user(db, user)
        waiting = {each.id: await endpoints.waiting(db, user, each.id) for each in found}
    return paper.page(
        "webhooks/list.html",
        endpoints=[endpoint_view(each, waiting[each.id], paper.clock) for each in found],
        may_make=len(found) < ENDPOINTS_MAX and identity.actor_id is None,
    )


@router.get("/new")
async def before_making(request: Request) -> Response:
    """Where, and of what."""
    return await _form(request, await just_confirmed(request))


@router.post("/new")
async def make(request: Request) -> Response:
    """Make one, and show its secret."""
    form, identity = await read_form(request), await just_confirmed(request)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            made, secret = await endpoints.create(
                db,
                identity.user_id,
                _keeping(request),
                url=form.text("url"),
                events=_wanted(form),
                description=form.text("description"),
                actor=identity.user_id,
            )
    except TalktimeError as error:
        return await _form(request, identity, form=_noted(form, error))
    return await _secret(request, identity, made, secret=secret, is_new=True)


@router.get("/{endpoint}/edit")
async def before_changing(request: Request, endpoint: uuid.UUID) -> Response:
    """How it is."""
    identity = await just_confirmed(request)
    return await _form(request, identity, await _found(request, identity, endpoint))


@router.post("/{endpoint}/edit")
async def change(request: Request, endpoint: uuid.UUID) -> Response:
    """Send something else, or somewhere else."""
    form, identity = await read_form(request), await just_confirmed(request)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            found = await endpoints.locked(db, identity.user_id, endpoint)
            await endpoints.change(
                db,
                found,
                _keeping(request),
                url=form.text("url"),
                events=_wanted(form),
                description=form.text("description"),
                actor=identity.user_id,
            )
    except endpoints.NoSuchEndpoint:
        raise
    except TalktimeError as error:
        return await _form(request, identity, await _found(request, identity, endpoint), _noted(form, error))
    return back(f"{PATH}/{endpoint}", "saved")


@router.post("/{endpoint}/switch")
async def switch(request: Request, endpoint: uuid.UUID) -> Response:
    """Pause it, or go on."""
    form, identity = await read_form(request), await themselves(request)
    on = form.text("do") == "on"
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        found = await endpoints.locked(db, identity.user_id, endpoint)
        await endpoints.change(db, found, _keeping(request), enabled=on, actor=identity.user_id)
    return back(f"{PATH}/{endpoint}", "on" if on else "off")


@router.get("/{endpoint}/secret")
async def before_secret(request: Request, endpoint: uuid.UUID) -> Response:
    """What can be done about the secret."""
    identity = await just_confirmed(request)
    return await _secret(request, identity, await _found(request, identity, endpoint))


@router.post("/{endpoint}/secret")
async def secret(request: Request, endpoint: uuid.UUID) -> Response:
    """Show the one that signs, or make a new one."""
    form, identity = await read_form(request), await just_confirmed(request)
    keeping, user, is_new = _keeping(request), identity.user_id, form.text("do") == "rotate"
    async with context_of(request).database.transaction(user=user) as db:
        found = await endpoints.locked(db, user, endpoint)
        if is_new:
            words = await endpoints.rotate(db, found, keeping, actor=user)
        else:
            words = await endpoints.reveal(db, user, endpoint, keeping, actor=user)
    return await _secret(request, identity, found, secret=words, is_new=is_new)


@router.post("/{endpoint}/delete")
async def delete(request: Request, endpoint: uuid.UUID) -> Response:
    """Take it away; what still waited for it is not sent."""
    identity = await themselves(request)
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        await endpoints.delete(db, await endpoints.locked(db, identity.user_id, endpoint), actor=identity.user_id)
    return back(PATH, "deleted")


async def _found(request: Request, identity: Identity, endpoint: uuid.UUID) -> WebhookEndpoint:
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        return await endpoints.one(db, identity.user_id, endpoint)


async def _form(
    request: Request, identity: Identity, endpoint: WebhookEndpoint | None = None, form: Form | None = None
) -> Response:
    """The form for a new endpoint, or for one that there is."""
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "webhooks")
    kept: Mapping[str, str] = {}
    chosen = [EVERYTHING]
    if endpoint is not None:
        kept, chosen = {"url": endpoint.url, "description": endpoint.description}, endpoint.events
    if form is not None:
        chosen = _wanted(form)
    return paper.page(
        "webhooks/form.html",
        form=form,
        values=kept,
        endpoint=endpoint_view(endpoint, 0, paper.clock) if endpoint is not None else None,
        groups=groups(chosen),
        is_everything=EVERYTHING in chosen,
    )


async def _secret(
    request: Request, identity: Identity, endpoint: WebhookEndpoint, *, secret: str = "", is_new: bool = False
) -> Response:
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "webhooks")
    view = endpoint_view(endpoint, 0, clock_of(identity))
    return paper.page("webhooks/secret.html", endpoint=view, secret=secret, is_new=is_new)


def _wanted(form: Form) -> list[str]:
    """The events that are ticked; everything, if that is chosen."""
    if form.text("which") == "everything":
        return [EVERYTHING]
    return [event for event in sorted(WANTED) if event != EVERYTHING and form.is_ticked(f"event-{event}")]


def _noted(form: Form, error: TalktimeError) -> Form:
    """The error beside its field, or above the form."""
    field = getattr(error, "field", "")
    form.errors[field if field in _FIELDS else "form"] = refusals.in_words(error)
    return form


def _keeping(request: Request) -> Keeping:
    settings = context_of(request).settings
    return Keeping(settings.secret, to_private=settings.webhooks_to_private)
