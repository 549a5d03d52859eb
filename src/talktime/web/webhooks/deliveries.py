"""One endpoint and what was sent to it: "why did my CRM not update?", and sending it once more.

The rule: a replay is the same event under the same id, whatever became of it, and sends nothing twice at once.
"""

import uuid
from datetime import timedelta

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.errors import Conflict, NotFound, TalktimeError
from talktime.http.context import context_of
from talktime.web import refusals
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, clock_of, sheet
from talktime.web.webhooks.shown import body_view, delivery_view, endpoint_view, states, tries_view
from talktime.web.who import signed_in, themselves
from talktime.webhooks import deliveries, endpoints
from talktime.webhooks.models import DeliveryState

PATH = "/webhooks"
_SHOWN = 50
_HOURS = {"hour": 1, "day": 24, "week": 7 * 24, "month": 30 * 24}

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("/{endpoint}")
async def look(request: Request, endpoint: uuid.UUID, state: str = "", before: uuid.UUID | None = None) -> Response:
    """An endpoint, and what it was told, newest first."""
    return await _shown(request, await signed_in(request), endpoint, state=_state(state), before=before)


@router.post("/{endpoint}/test")
async def test(request: Request, endpoint: uuid.UUID) -> Response:
    """Send an event that says nothing but that it works."""
    form, identity = await read_form(request), await themselves(request)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            made = await deliveries.test(db, identity.user_id, endpoint)
    except Conflict as error:
        form.errors["form"] = refusals.in_words(error)
        return await _shown(request, identity, endpoint, form=form)
    return back(f"{PATH}/{endpoint}/deliveries/{made}", "test")


@router.post("/{endpoint}/replay")
async def replay_failed(request: Request, endpoint: uuid.UUID) -> Response:
    """Send again what was not delivered of late, in the order in which it happened."""
    form, identity = await read_form(request), await themselves(request)
    until = clock_of(identity).now
    since = until - timedelta(hours=_HOURS.get(form.text("since"), 1))
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            count = await deliveries.replay_range(db, identity.user_id, endpoint, since=since, until=until)
    except NotFound:
        raise
    except TalktimeError as error:
        form.errors["form"] = refusals.in_words(error)
        return await _shown(request, identity, endpoint, form=form)
    return back(f"{PATH}/{endpoint}", "replayed" if count else "nothing")


@router.get("/{endpoint}/deliveries/{delivery}")
async def look_at(request: Request, endpoint: uuid.UUID, delivery: uuid.UUID) -> Response:
    """One delivery, with every try and what was sent."""
    return await _one(request, await signed_in(request), endpoint, delivery)


@router.post("/{endpoint}/deliveries/{delivery}/replay")
async def replay(request: Request, endpoint: uuid.UUID, delivery: uuid.UUID) -> Response:
    """Send it once more."""
    form, identity = await read_form(request), await themselves(request)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            await deliveries.replay(db, identity.user_id, endpoint, delivery)
    except Conflict as error:
        form.errors["form"] = refusals.in_words(error)
        return await _one(request, identity, endpoint, delivery, form)
    return back(f"{PATH}/{endpoint}/deliveries/{delivery}", "again")


async def _shown(
    request: Request,
    identity: Identity,
    endpoint: uuid.UUID,
    *,
    state: DeliveryState | None = None,
    before: uuid.UUID | None = None,
    form: Form | None = None,
) -> Response:
    user = identity.user_id
    async with context_of(request).database.transaction(user=user, snapshot=True) as db:
        found = await endpoints.one(db, user, endpoint)
        waiting = await endpoints.waiting(db, user, endpoint)
        paper = await sheet(request, db, identity, "webhooks", said=_done())
        last = (await deliveries.one(db, user, endpoint, before)).listed if before is not None else None
        place = (last.created_at, last.id) if last is not None else None
        rows = await deliveries.of_endpoint(db, user, endpoint, state=state, after=place, limit=_SHOWN + 1)
    shown, kept = rows[:_SHOWN], f"state={state.value}&" if state else ""
    path = f"{PATH}/{endpoint}"
    return paper.page(
        "webhooks/endpoint.html",
        form=form,
        endpoint=endpoint_view(found, waiting, paper.clock),
        deliveries=[delivery_view(each, paper.clock) for each in shown],
        states=[("", _("Everything")), *((each.value, name) for each, (name, _tone) in states().items())],
        state=state.value if state else "",
        spans=_spans(),
        newest=f"{path}?{kept}".rstrip("?&") if before is not None else "",
        older=f"{path}?{kept}before={shown[-1].id}" if len(rows) > _SHOWN else "",
        is_acting=identity.actor_id is not None,
    )


async def _one(
    request: Request, identity: Identity, endpoint: uuid.UUID, delivery: uuid.UUID, form: Form | None = None
) -> Response:
    user = identity.user_id
    async with context_of(request).database.transaction(user=user, snapshot=True) as db:
        found = await endpoints.one(db, user, endpoint)
        told = await deliveries.one(db, user, endpoint, delivery)
        paper = await sheet(request, db, identity, "webhooks", said=_done())
    return paper.page(
        "webhooks/delivery.html",
        form=form,
        endpoint=endpoint_view(found, 0, paper.clock),
        delivery=delivery_view(told.listed, paper.clock),
        tries=tries_view(told, paper.clock),
        body=body_view(told.body) if told.body is not None else "",
        is_acting=identity.actor_id is not None,
    )


def _state(written: str) -> DeliveryState | None:
    """Raises NotFound for what is no state."""
    if not written:
        return None
    try:
        return DeliveryState(written)
    except ValueError:
        raise NotFound("There is no page at this address.") from None


def _spans() -> list[tuple[str, str]]:
    """How far back what failed is looked for."""
    said = (_("the last hour"), _("the last day"), _("the last week"), _("all 30 days"))
    return list(zip(_HOURS, said, strict=True))


def _done() -> dict[str, str]:
    return {
        "saved": _("Saved."),
        "on": _("It is on: what happens from now on is sent."),
        "off": _("It is paused. What happens meanwhile can be sent later."),
        "test": _("The test is on its way. Load this page again to see what came of it."),
        "again": _("It is sent once more. Load this page again to see what came of it."),
        "replayed": _("They are sent again, ten a second at most."),
        "nothing": _("There was nothing to send again: all of it was delivered."),
    }
