"""What providers told us, and having it handled once more.

The one rule: an event is shown without the people in it. Whoever needs them asks for them by a button of its own, and
that they did stands in the audit log.
"""

import uuid
from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.alerts import events
from talktime.alerts.events import Filter, Opened, Shown, State
from talktime.http.context import context_of
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.words import Clock

PATH = "/operator/events"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """The newest, or those that a filter chooses."""
    identity = await who.operator(request)
    state, provider, kind = (
        desk.chosen(request, "state", State),
        desk.text(request, "provider"),
        desk.text(request, "kind"),
    )
    before = desk.place(request, uuid.UUID)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "events", said=_said())
        which = Filter(
            provider or None,
            kind or None,
            state,
            desk.day(request, "since", paper.clock),
            desk.day(request, "until", paper.clock, after=True),
        )
        rows = await events.listed(db, which, before=before, limit=desk.SHOWN + 1)
    page = desk.listed(request, rows, lambda row: str(row.id))
    context = context_of(request)
    providers = sorted({*context.carriers, *context.gateways})
    return paper.page(
        "operator/events.html",
        rows=[event_view(each, paper.clock) for each in page.rows],
        newest=page.newest,
        older=page.older,
        values={name: desk.text(request, name) for name in ("kind", "since", "until")},
        states=[("", _("All states")), *((each.value, words.state_of_event(each).text) for each in State)],
        state_chosen=state.value if state else "",
        providers=[("", _("All providers")), *((each, each) for each in providers)],
        provider_chosen=provider,
        is_filtered=bool(state or provider or kind or which.since or which.until),
        # What was given up is handled again all at once only where that is what stands on the page.
        many=state is State.GIVEN_UP and bool(page.rows),
    )


@router.post("/replay")
async def replay_many(request: Request) -> Response:
    """Everything that was given up, of one provider or of all."""
    form, identity = await desk.sent(request)
    which = Filter(provider=form.text("provider") or None, kind=form.text("kind") or None, state=State.GIVEN_UP)
    async with desk.transaction(request) as db:
        await events.replay_many(db, which, by=identity.user_id, jobs=context_of(request).jobs)
    return back(PATH, "replayed-many")


@router.get("/{event}")
async def show_one(request: Request, event: uuid.UUID) -> Response:
    """One, with what it says."""
    identity = await who.operator(request)
    async with desk.transaction(request) as db:
        paper = await sheet(request, db, identity, "events", said=_said())
        found = await events.opened(db, event)
    return paper.page("operator/event.html", **_opened(found, paper.clock))


@router.post("/{event}/reveal")
async def reveal(request: Request, event: uuid.UUID) -> Response:
    """The same with the people in it, which is written down before it is shown."""
    _form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        paper = await sheet(request, db, identity, "events")
        found = await events.opened(db, event, reveal_to=identity.user_id)
    return paper.page("operator/event.html", **_opened(found, paper.clock))


@router.post("/{event}/replay")
async def replay(request: Request, event: uuid.UUID) -> Response:
    """Handle it again, from the beginning; one that was handled only where that was said."""
    form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        again, jobs = form.text("again") == "yes", context_of(request).jobs
        await events.replay(db, event, by=identity.user_id, again=again, jobs=jobs)
    return back(f"{PATH}/{event}", "replayed")


def _said() -> dict[str, str]:
    return {
        "replayed": _("It is handled again, within seconds."),
        "replayed-many": _("They are handled again, within seconds."),
    }


def event_view(event: Shown, clock: Clock) -> dict[str, object]:
    """One event in a list."""
    return {
        "address": f"{PATH}/{event.id}",
        "when": local.moment(event.received_at, clock),
        "provider": event.provider,
        "kind": event.kind,
        "state": words.state_of_event(event.state),
        "is_over": event.state is not State.WAITING,
        "is_handled": event.state is State.HANDLED,
        "came_to": event.verdict or event.error or "",
        "tries": local.figure(event.tries),
    }


def _opened(found: Opened, clock: Clock) -> dict[str, Any]:
    event = found.event
    facts = [
        (_("From"), f"{event.provider} ({event.account})" if event.account else event.provider),
        (_("Its name there"), event.event_id),
        (_("Kind"), event.kind),
        (_("Came"), local.moment(event.received_at, clock)),
        (_("Handled"), local.moment(event.handled_at, clock) if event.handled_at else "–"),
        (_("It came to"), event.verdict or event.error or "–"),
        (_("Tries"), local.figure(event.tries)),
    ]
    if event.state is State.WAITING:
        facts.append((_("Tried next"), local.moment(event.not_before, clock)))
    if event.waits_for:
        facts.append((_("Waits for"), event.waits_for))
    return {
        "crumbs": [(PATH, _("Events")), (None, event.event_id)],
        "path": f"{PATH}/{event.id}",
        "event": event_view(event, clock),
        "facts": facts,
        "heads": [(name, str(value)) for name, value in found.headers.items()],
        "body": found.body,
        "is_revealed": found.is_revealed,
    }
