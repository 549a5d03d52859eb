"""The audit log: who did what to whom, and from where.

The one rule: it is only read here; what is shown is what stands in it, ids and states and sums.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.accounts import audit_log, people
from talktime.accounts.audit_log import Entry, Filter
from talktime.accounts.reading import emails_of
from talktime.db.session import Session
from talktime.errors import BadInput
from talktime.http.context import context_of
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import act_words, desk
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.words import Clock

PATH = "/operator/audit"
_NOBODY = uuid.UUID(int=0)
_VALUE_LENGTH_MAX = 80

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """The newest entries, or those that a filter chooses."""
    identity = await who.operator(request)
    said = {name: desk.text(request, name) for name in ("by", "about", "act", "since", "until")}
    place = request.query_params.get("before", "")
    before = audit_log.read_place(place) if place else None
    errors: dict[str, str] = {}
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "audit")
        which = Filter(
            about=await _person(db, said["about"], "about", errors),
            by=await _person(db, said["by"], "by", errors),
            act=said["act"] or None,
            since=desk.day(request, "since", paper.clock),
            until=desk.day(request, "until", paper.clock, after=True),
        )
        try:
            found = await audit_log.page(db, which, before=before, limit=desk.SHOWN)
        except BadInput:
            errors["act"] = _("What an act begins with: small letters and one dot, such as key.made.")
            found = audit_log.Page([], None)
        named = [each for entry in found.entries for each in (entry.user_id, entry.actor_id) if each]
        emails = await emails_of(db, named)
    return paper.page(
        "operator/audit.html",
        status=422 if errors else None,
        rows=entry_views(found.entries, emails, paper.clock),
        newest=desk.first_page(request),
        older=desk.address_with(request, before=audit_log.written(found.older)) if found.older else "",
        filter=said,
        filter_errors=errors,
        about=str(which.about) if which.about and which.about != _NOBODY else "",
        is_filtered=any(said.values()),
    )


@router.get("/{user}/proof")
async def prove(request: Request, user: uuid.UUID) -> Response:
    """Whether anything of one person's chain was changed."""
    identity = await who.operator(request)
    async with desk.transaction(request) as db:
        paper = await sheet(request, db, identity, "audit")
        person = await people.find(db, user)
    verdict = await audit_log.verify(context_of(request).database, user)
    return paper.page(
        "operator/audit_proof.html",
        crumbs=[(PATH, _("Audit log")), (None, person.email)],
        email=person.email,
        entries=local.figure(verdict.entries),
        is_clean=verdict.is_clean,
        violations=[(local.figure(each.seq), each.problem) for each in verdict.violations],
    )


def entry_views(entries: Sequence[Entry], emails: Mapping[uuid.UUID, str], clock: Clock) -> list[dict[str, object]]:
    """Entries as rows: when, who, whom, what, and what changed."""
    return [
        {
            "when": local.moment(each.at, clock),
            "by": _name(each.actor_id, emails) if each.actor_id else _("Talktime itself"),
            "is_own": each.actor_id == each.user_id,
            "about": _name(each.user_id, emails),
            "about_id": str(each.user_id),
            "act": each.act,
            "said": act_words.said(each.act),
            "changes": _changes(each.before or {}, each.after or {}),
            "door": each.door,
            "network": each.network or "",
        }
        for each in entries
    ]


def _name(user: uuid.UUID, emails: Mapping[uuid.UUID, str]) -> str:
    return emails.get(user, str(user)[:8])


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """`status: ACTIVE → SUSPENDED, count: 2`."""
    found = []
    for name in [*after, *(each for each in before if each not in after)]:
        was, now = before.get(name), after.get(name)
        label = name.replace("_", " ")
        if name in before and name in after and was != now:
            found.append(f"{label}: {_short(was)} → {_short(now)}")
        else:
            found.append(f"{label}: {_short(now if name in after else was)}")
    return ", ".join(found)


def _short(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    said = ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
    return said if len(said) <= _VALUE_LENGTH_MAX else f"{said[:_VALUE_LENGTH_MAX]}…"


async def _person(db: Session, said: str, name: str, errors: dict[str, str]) -> uuid.UUID | None:
    """Who is meant by an address or an id; None for nobody in particular, and nobody's id for who is not found."""
    if not said:
        return None
    try:
        return uuid.UUID(said)
    except ValueError:
        found = await people.listed(db, search=said, limit=2)
    exact = [each for each in found.people if each.email.lower() == said.lower()]
    if len(exact or found.people) == 1:
        return (exact or found.people)[0].id
    errors[name] = _("Nobody, or more than one, has this in their address or name.")
    return _NOBODY
