"""The first page about credit: what there is, what is held now and by which calls, where it goes, and buying more.

The one rule: whose credit it is comes from the session alone, and all figures come from one look at the database.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.agents import reading as agents
from talktime.calls import usage, watching
from talktime.calls.history import CallRecord
from talktime.calls.named import NamedCall
from talktime.credits import packs
from talktime.credits.account import Funds, guards_of
from talktime.credits.forecast import days_left
from talktime.http.context import context_of
from talktime.payments import saved_card
from talktime.web import local
from talktime.web.credits import limits_shown, purchases_shown, said
from talktime.web.credits.use_shown import slots_of, use_view
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.who import signed_in

PATH = "/credits"
_DAYS = 30
_AGENTS_MAX = 500
_DONE_ELSEWHERE = ("guards", "low-balance", "top-up", "card", "billing")
"""What an older page said was saved: now that stands on another."""

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class HeldView:
    """Credits that a live call has set aside."""

    call: uuid.UUID
    caller: str
    agent: str
    credits: str


@router.get(PATH)
async def look(request: Request, saved: str = "", cancelled: bool = False, days: int = _DAYS) -> Response:
    """What there is."""
    identity = await signed_in(request)
    if saved in _DONE_ELSEWHERE:
        return RedirectResponse(f"/credits/settings?done={saved}", 303)
    return await shown(request, identity, days=days, was_cancelled=cancelled)


async def shown(
    request: Request,
    identity: Identity,
    *,
    days: int = _DAYS,
    was_cancelled: bool = False,
    form: Form | None = None,
    status: int | None = None,
) -> Response:
    """The page; with a form that has something wrong, that is said on it."""
    context, user = context_of(request), identity.user_id
    span = days if days in usage.SPANS else _DAYS
    async with context.database.transaction(user=user, snapshot=True) as db:
        paper = await sheet(request, db, identity, "credits")
        clock = paper.clock
        funds = paper.funds
        left = await days_left(db, user, clock.now, zone=identity.zone)
        guards = await guards_of(db, user, clock.now)
        live = await watching.running(db, user) if funds.held else ()
        used = await usage.used(db, user, zone=identity.zone, days=span, now=clock.now, by=slots_of(span))
        known = await agents.page(db, user, limit=_AGENTS_MAX)
        on_sale = await packs.on_sale(db)
        top_up = await saved_card.of(db, user)
    use = use_view(used, {agent.id: agent.name for agent in known}, span, clock)
    values: dict[str, Any] = {
        "lasts": limits_shown.lasts(funds, left),
        "balance": local.figure(funds.balance),
        "free": local.figure(funds.free),
        "spent_today": local.figure(guards.spent_today),
        "day_limit": _("of {credits} a day").format(credits=said.credits_of(guards.day_limit or 0))
        if guards.day_limit is not None
        else "",
        "held_by": _held_by(live),
        "held_besides": _held_besides(funds, live),
        "use": use,
        "packs": [purchases_shown.pack_view(pack) for pack in on_sale if pack.price_minor],
        "can_buy": context.gateway is not None,
        "top_up": limits_shown.top_up_view(top_up, clock.now),
        "low_balance": "" if guards.low_balance is None else said.credits_of(guards.low_balance),
        "has_limits": any(each is not None for each in (guards.day_limit, guards.call_limit, guards.caller_limit)),
    }
    if was_cancelled:
        values["said"] = _("Nothing was bought.")
    return paper.page("credits/overview.html", form=form, status=status, **values)


def _held_by(live: Sequence[CallRecord]) -> list[HeldView]:
    """By which live calls credits are held, and how many."""
    return [
        HeldView(
            record.call.id,
            said.caller_of(_named(record)),
            record.call.agent.name if record.call.agent else "",
            local.figure(record.receipt.held),
        )
        for record in live
        if record.receipt is not None and record.receipt.held
    ]


def _held_besides(funds: Funds, live: Sequence[CallRecord]) -> str:
    """What is held by calls that are over and not settled yet; "" when nothing is."""
    rest = funds.held - sum(record.receipt.held for record in live if record.receipt is not None)
    return local.figure(rest) if rest > 0 else ""


def _named(record: CallRecord) -> NamedCall:
    call = record.call
    agent = call.agent.name if call.agent else None
    is_leg, is_forgotten = call.parent_id is not None, call.forgotten_at is not None
    return NamedCall(call.id, call.carrier, call.caller, call.dialled, agent, call.seconds, is_leg, is_forgotten)
