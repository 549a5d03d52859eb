"""Calls that were answered and cost their customer nothing, and why.

The one rule: nobody's number and no word of a conversation stands here.
"""

import uuid
from datetime import datetime

from fastapi import APIRouter, Request, Response

from talktime.calls import unbilled as calls
from talktime.calls.history import Place
from talktime.calls.unbilled import Unbilled, Why
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.words import Clock

PATH = "/operator/unbilled"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """The newest first."""
    identity = await who.operator(request)
    place = desk.place(request, datetime.fromisoformat, uuid.UUID)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "unbilled")
        rows = await calls.unbilled(db, limit=desk.SHOWN + 1, after=Place(*place) if place else None)
    page = desk.listed(request, rows, lambda row: desk.written(row.place.started_at, row.place.id))
    return paper.page(
        "operator/unbilled.html",
        rows=[_view(each, paper.clock) for each in page.rows],
        newest=page.newest,
        older=page.older,
    )


def _view(call: Unbilled, clock: Clock) -> dict[str, object]:
    return {
        "address": f"/operator/users/{call.user_id}/calls/{call.call_id}",
        "when": local.moment(call.rang_at, clock),
        "email": call.email,
        "user": f"/operator/users/{call.user_id}",
        "status": words.status_of_call(call.status),
        "length": words.length(call.seconds or 0),
        "why": why_unbilled(call.why, call.reason),
        "is_odd": call.why is Why.NOT_SETTLED,
    }


def why_unbilled(why: Why, reason: str | None) -> str:
    """Why a call cost nothing."""
    if why is Why.FORGIVEN:
        said = dict(words.reasons_not_to_charge()).get(reason or "", words.plain(reason or ""))
        return _("Forgiven: {reason}").format(reason=said) if said else _("Forgiven")
    return {
        Why.FREE_PRICE: _("Its price is 0"),
        Why.FREE_SECONDS: _("So short that it is free"),
        Why.NOT_SETTLED: _("Not settled yet"),
        Why.NO_TIME: _("It took no time"),
    }.get(why) or words.plain(why)
