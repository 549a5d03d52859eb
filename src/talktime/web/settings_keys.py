"""API keys: what programs of a customer come in with.

The one rule: a key is shown once, on the page that made it, and never again; nothing of it stands in an address.
"""

import uuid
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from talktime.accounts import keys
from talktime.accounts.keys import OPERATORS_SCOPES, Scope
from talktime.accounts.models import ApiKey, Role
from talktime.accounts.sessions import Identity
from talktime.errors import NotFound, TalktimeError
from talktime.http.context import context_of
from talktime.web import local
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.settings_frame import settings_page
from talktime.web.sheet import back, clock_of, wrong
from talktime.web.who import just_confirmed, signed_in
from talktime.web.words import Clock

PATH = "/settings/keys"
_WHY = "keys stand in the directory, which no customer's transaction reads"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """The keys that work, the newest first."""
    identity = await signed_in(request)
    clock = clock_of(identity)
    views = [_view(each, clock) for each in await _of(request, identity)]
    return await settings_page(request, identity, "settings_keys.html", PATH, keys=views)


@router.get("/new")
async def ask(request: Request) -> Response:
    """What is the new one for, and what may it do?"""
    return await _asked(request, await just_confirmed(request))


@router.post("/new")
async def make(request: Request) -> Response:
    """Make it, and show it."""
    form, identity = await read_form(request), await just_confirmed(request)
    name, scopes = form.text("name"), [scope for scope in _scopes(identity.role) if form.is_ticked(f"scope-{scope}")]
    try:
        async with context_of(request).database.transaction(everyone=_WHY) as db:
            key, secret = await keys.make(db, identity.user_id, name, scopes)
    except TalktimeError as error:
        return await _asked(request, identity, wrong(form, getattr(error, "field", "form"), error), status=error.status)
    return await settings_page(request, identity, "settings_key_made.html", PATH, key_name=key.name, secret=secret)


@router.get("/{key}/revoke")
async def ask_revoke(request: Request, key: uuid.UUID) -> Response:
    """Really?"""
    identity = await just_confirmed(request)
    found = next((each for each in await _of(request, identity) if each.id == key), None)
    if found is None:
        raise NotFound("There is no such key.")
    return await settings_page(
        request, identity, "settings_key_revoke.html", PATH, key=_view(found, clock_of(identity))
    )


@router.post("/{key}/revoke")
async def revoke(request: Request, key: uuid.UUID) -> Response:
    """Revoke it; one that was revoked already, or never was theirs, does nothing either way."""
    identity = await just_confirmed(request)
    async with context_of(request).database.transaction(everyone=_WHY) as db:
        await keys.revoke(db, identity.user_id, key)
    return back(PATH, "key-revoked")


async def _of(request: Request, identity: Identity) -> Sequence[ApiKey]:
    async with context_of(request).database.transaction(everyone=_WHY) as db:
        return await keys.of_user(db, identity.user_id)


async def _asked(request: Request, identity: Identity, form: Form | None = None, status: int | None = None) -> Response:
    offered = _scopes(identity.role)
    ticked = {scope for scope in offered if form is not None and form.is_ticked(f"scope-{scope}")}
    return await settings_page(
        request,
        identity,
        "settings_key_new.html",
        PATH,
        form=form,
        status=status,
        scopes=[(scope, said, scope in ticked) for scope, said in offered.items()],
    )


def _view(key: ApiKey, clock: Clock) -> dict[str, object]:
    used = _("Last used {moment}").format(moment=local.moment(key.last_used_at, clock)) if key.last_used_at else ""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        # In the order in which they are offered; one that there is no more opens nothing.
        "scopes": [said for scope, said in _scopes().items() if scope in key.scopes],
        "used": used or _("Never used"),
        "made": local.moment(key.created_at, clock),
    }


def _scopes(role: Role = Role.ADMIN) -> dict[Scope, str]:
    """What a key can be allowed, in words, in the order in which it is offered; what operators do only to operators."""
    said = {
        Scope.ACCOUNT_READ: _("see the account"),
        Scope.ACCOUNT_WRITE: _("change name, language and time zone"),
        Scope.CALLS_READ: _("read calls and what was said"),
        Scope.CALLS_WRITE: _("say that a call was not a real one"),
        Scope.CREDITS_READ: _("see credits and statements"),
        Scope.CREDITS_WRITE: _("buy credits and change what may be spent"),
        Scope.AGENTS_READ: _("see agents"),
        Scope.AGENTS_WRITE: _("change agents"),
        Scope.NUMBERS_READ: _("see phone numbers"),
        Scope.NUMBERS_WRITE: _("assign and give back phone numbers"),
        Scope.WEBHOOKS_READ: _("see webhooks and what was sent"),
        Scope.WEBHOOKS_WRITE: _("change webhooks"),
        Scope.KEYS_READ: _("see API keys"),
        Scope.KEYS_WRITE: _("make and revoke API keys that may do no more than it"),
        Scope.ADMIN_READ: _("see everybody’s, as an operator"),
        Scope.ADMIN_WRITE: _("do what operators do, for everybody"),
    }
    return {scope: words for scope, words in said.items() if role is Role.ADMIN or scope not in OPERATORS_SCOPES}
