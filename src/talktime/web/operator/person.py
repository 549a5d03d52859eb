"""One person, on one page: what they have, what they owe, what went on lately, and what was done to them.

The one rule: no caller's number and no word of a conversation stands here; who needs those signs in as them, by name.
"""

import uuid
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from talktime.accounts.models import Role, UserStatus
from talktime.accounts.reading import emails_of
from talktime.calls import person as screen
from talktime.calls.person import Opened, ShownCall
from talktime.credits import prices
from talktime.credits.models import ApprovalState, PriceKind
from talktime.credits.reading import approvals
from talktime.numbers.assigned import numbers_of
from talktime.payments import reading
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.operator.audit import entry_views
from talktime.web.operator.people import PATH
from talktime.web.operator.price_words import price_view
from talktime.web.operator.purchases import purchase_view
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.words import Clock

_PURCHASES = 5
_AGENTS = 6
"""So many stand there at once; who has more opens the rest."""

router = APIRouter(prefix=PATH, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class _Number:
    """A number by which somebody's agent is reached."""

    id: uuid.UUID
    agent_id: uuid.UUID | None
    number: str


@router.get("/{user}")
async def show(request: Request, user: uuid.UUID) -> Response:
    """Everything about one person."""
    identity = await who.operator(request)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "users", said=_said())
        clock = paper.clock
        opened = await screen.open_person(db, user, clock.now)
        numbers = await numbers_of(db, user)
        bought = await reading.bought(db, user=user, limit=_PURCHASES)
        waiting = await approvals(db, state=ApprovalState.PENDING, user=user, limit=_PURCHASES)
        own_prices = [await prices.price_of(db, user, clock.now, kind) for kind in PriceKind]
        emails = await emails_of(db, [each.actor_id for each in opened.audit if each.actor_id])
    person = opened.person
    shown = [_Number(each.id, each.agent_id, words.number(each.number)) for each in numbers]
    return paper.page(
        "operator/person.html",
        crumbs=[(PATH, _("Users")), (None, person.name)],
        path=f"{PATH}/{user}",
        person=person,
        state=words.status_of_user(person.status),
        role=words.role_name(person.role),
        is_oneself=user == identity.user_id,
        is_closed=person.status is UserStatus.CLOSED,
        is_suspended=person.status is UserStatus.SUSPENDED,
        can_be_visited=person.role is Role.USER and person.status is UserStatus.ACTIVE,
        why_blocked=(opened.limits.blocked_reason or "").removeprefix("suspended: "),
        funds=_funds(opened),
        facts=_facts(opened, clock),
        agents=[(agent, [each for each in shown if each.agent_id == agent.id]) for agent in opened.agents],
        agents_shown=_AGENTS,
        loose=[each for each in shown if each.agent_id not in {agent.id for agent in opened.agents}],
        calls=[_call(each, user, clock) for each in opened.calls],
        purchases=[purchase_view(each, clock) for each in bought],
        waiting=[words.signed(each.amount) for each in waiting],
        prices=[price_view(each, clock) for each in own_prices if each is not None],
        audit=entry_views(opened.audit, emails, clock),
    )


def _said() -> dict[str, str]:
    return {
        "suspended": _("Suspended. Nobody signs in, and no call begins."),
        "active": _("Active again."),
        "adjusted": _("Posted to the ledger."),
        "asked": _("Asked for. Another operator has to say yes."),
        "limits": _("Saved."),
        "role": _("Changed. They were signed out everywhere."),
        "signed-out": _("Signed out in every browser."),
        "second-factor": _("Taken off. They were told, and signed out everywhere."),
        "price": _("The price is set."),
        "waived": _("Given back. The call costs nothing."),
        "closed": _("The account is closed."),
    }


def _funds(opened: Opened) -> list[dict[str, str]]:
    """Balance, held, debt and grace, as the page's figures."""
    funds, limits = opened.funds, opened.limits
    held = _("{count} calls are running") if limits.open_calls != 1 else _("1 call is running")
    found = [
        {"label": _("Balance"), "value": local.figure(funds.balance), "note": "", "tone": ""},
        {
            "label": _("Held"),
            "value": local.figure(funds.held),
            "note": held.format(count=local.figure(limits.open_calls)) if limits.open_calls else "",
            "tone": "live" if limits.open_calls else "",
        },
        {
            "label": _("Grace"),
            "value": local.figure(limits.grace_limit),
            "note": _("how far below zero a running call may go"),
            "tone": "",
        },
        {
            "label": _("Calls at once"),
            "value": local.figure(limits.max_open_calls),
            "note": _("at most"),
            "tone": "",
        },
    ]
    if funds.debt:
        owed = _("no call begins until it is paid")
        found.append({"label": _("Owed"), "value": local.figure(funds.debt), "note": owed, "tone": "bad"})
    return found


def _facts(opened: Opened, clock: Clock) -> list[tuple[str, str]]:
    person, guards = opened.person, opened.guards
    facts = [
        (
            _("Address"),
            person.email if opened.is_confirmed else _("{email} (not confirmed)").format(email=person.email),
        ),
        (_("Since"), local.day(person.created_at, clock)),
        (
            _("Last seen"),
            local.moment(person.last_seen_at, clock) if person.last_seen_at else _("not signed in"),
        ),
        (_("Browsers signed in"), local.figure(opened.sessions)),
        (_("API keys"), local.figure(opened.api_keys)),
        (_("Second factor"), _("on") if person.has_second_factor else _("off")),
        (_("Language and zone"), f"{person.locale}, {person.zone}"),
        (_("Spent today"), words.credits_of(guards.spent_today)),
    ]
    if guards.day_limit is not None:
        facts.append((_("Their limit for a day"), words.credits_of(guards.day_limit)))
    if opened.closed_at is not None:
        facts.append((_("Closed"), local.moment(opened.closed_at, clock)))
    return facts


def _call(call: ShownCall, user: uuid.UUID, clock: Clock) -> dict[str, object]:
    return {
        "address": f"{PATH}/{user}/calls/{call.id}",
        "when": local.moment(call.started_at, clock),
        "status": words.status_of_call(call.status),
        "route": "" if call.route == "talk" else words.plain(call.route),
        "length": words.length(call.seconds) if call.seconds is not None else "",
        "credits": local.figure(call.credits),
    }
