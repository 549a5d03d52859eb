"""`talktime users list | search | show`: finding somebody, and everything about them on one screen."""

import dataclasses
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli import typed
from talktime.cli.books import AsJson, Whose, credits_of, emails, find_user, in_the_books, printable, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.accounts.models import Role
    from talktime.accounts.people import Page, Person
    from talktime.calls.person import Opened

_Status = Annotated[str | None, typer.Option("--status", metavar="active|suspended|closed", help="Only these.")]
_Role = Annotated[str | None, typer.Option("--role", metavar="user|admin", help="Only these.")]
_Older = Annotated[
    uuid.UUID | None, typer.Option("--before", metavar="ID", help="Go on after this one, as the last page says.")
]
_Limit = Annotated[int, typer.Option(parser=typed.between(1, 200), help="How many at most.")]


def role_of(written: str) -> "Role":
    """A role as people type it. Raises BadInput."""
    from talktime.accounts.models import Role
    from talktime.errors import BadInput

    try:
        return Role(written.upper())
    except ValueError:
        raise BadInput("A role is user or admin.") from None


def list_people(
    status: _Status = None,
    role: _Role = None,
    before: _Older = None,
    limit: _Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Print people, the newest first, with their credit and when they were last seen."""
    _listed("", status, role, before, limit, as_json=as_json)


def search(
    words: Annotated[str, typer.Argument(metavar="TEXT", help="A part of an e-mail address or of a name.")],
    *,
    status: _Status = None,
    role: _Role = None,
    before: _Older = None,
    limit: _Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Find people by a part of their address or name; capitals do not matter."""
    from talktime.errors import BadInput

    if not words.strip():
        raise BadInput("Say what to look for: a part of an e-mail address or of a name.")
    _listed(words, status, role, before, limit, as_json=as_json)


def show_person(user: Whose, as_json: AsJson = False) -> None:
    """Print everything about one person: who they are, what they have, what went on lately."""
    from talktime.calls import person as screen

    async def work(db: "AsyncSession") -> "tuple[Opened, dict[uuid.UUID | None, str]]":
        opened = await screen.open_person(db, (await find_user(db, user)).id, datetime.now(UTC))
        return opened, await emails(db, (entry.actor_id for entry in opened.audit))

    opened, named = in_the_books(work)
    show(_document(opened), _screen(opened, named), as_json=as_json)


def _listed(
    words: str, status: str | None, role: str | None, before: uuid.UUID | None, limit: int, *, as_json: bool
) -> None:
    from talktime.accounts import people
    from talktime.accounts.models import UserStatus
    from talktime.errors import BadInput

    if status is not None and status.upper() not in UserStatus.__members__:
        raise BadInput("A status is active, suspended or closed.")
    chosen = UserStatus(status.upper()) if status is not None else None
    wanted = role_of(role) if role is not None else None

    async def work(db: "AsyncSession") -> "Page":
        return await people.listed(db, status=chosen, role=wanted, search=words, before=before, limit=limit)

    page = in_the_books(work)
    lines = [_line(person) for person in page.people]
    if page.older is not None:
        lines.append(f"There are more: --before {page.older}")
    document = {"people": [dataclasses.asdict(person) for person in page.people], "older": page.older}
    show(document, lines or ["There is nobody like that."], as_json=as_json)


def _line(person: "Person") -> str:
    seen = f"seen {person.last_seen_at:%Y-%m-%d %H:%M}" if person.last_seen_at else "not signed in"
    role = "operator" if person.role.value == "ADMIN" else "customer"
    state = "" if person.status.value == "ACTIVE" else f"  {person.status.value.lower()}"
    return f"{person.id}  {person.email}  {printable(person.name)}  {role}{state}  {credits_of(person.balance)}  {seen}"


def _document(opened: "Opened") -> dict[str, Any]:
    from talktime.accounts.audit_log import row_of

    return {**dataclasses.asdict(opened), "audit": [row_of(entry) for entry in opened.audit]}


def _screen(opened: "Opened", named: dict[uuid.UUID | None, str]) -> list[str]:
    from talktime.cli.audit import line_of

    person, funds, limits, guards = opened.person, opened.funds, opened.limits, opened.guards
    confirmed = "confirmed" if opened.is_confirmed else "not confirmed"
    blocked = f"  (blocked: {printable(limits.blocked_reason)})" if limits.blocked_reason else ""
    spend = ", ".join(
        f"{word} {figure:,}"
        for word, figure in (
            ("a day", guards.day_limit),
            ("a call", guards.call_limit),
            ("a caller", guards.caller_limit),
            ("told below", guards.low_balance),
        )
        if figure is not None
    )
    lines = [
        _line(person),
        f"address         {confirmed}",
        f"language, zone  {person.locale}, {person.zone}",
        f"since           {person.created_at:%Y-%m-%d %H:%M %Z}"
        + (f", closed {opened.closed_at:%Y-%m-%d %H:%M %Z}" if opened.closed_at else ""),
        f"signed in       {opened.sessions} browsers, {opened.api_keys} keys for programs",
        f"second factor   {'on' if person.has_second_factor else 'off'}",
        f"credit          {funds.balance:,}, of that {funds.held:,} held, {funds.free:,} free"
        + (f", owes {funds.debt:,}" if funds.debt else "")
        + blocked,
        f"limits          {limits.grace_limit:,} below zero, {limits.open_calls} of {limits.max_open_calls} calls",
        f"spend guards    {spend or 'none'}",
        f"numbers         {', '.join(opened.numbers) or 'none'}",
        "agents          " + ("" if opened.agents else "none"),
        *(
            f"  {agent.id}  {printable(agent.name)}, {printable(agent.business)}"
            f"  {f'version {agent.published_version}' if agent.published_version else 'not published'}"
            f"{'' if agent.active else '  switched off'}"
            for agent in opened.agents
        ),
        "last calls      " + ("" if opened.calls else "none"),
        *(
            f"  {call.id}  {call.started_at:%Y-%m-%d %H:%M}  {call.status.value.lower()}  {call.route}"
            f"  {call.seconds or 0} s  {credits_of(call.credits)}"
            for call in opened.calls
        ),
        "last notices    " + ("" if opened.notices else "none"),
        *(
            f"  {notice.created_at:%Y-%m-%d %H:%M}  {notice.kind}"
            f"  {'mailed' if notice.mailed_at else 'given up' if notice.dropped_at else 'waits'}"
            for notice in opened.notices
        ),
        "last acts       " + ("" if opened.audit else "none"),
        *(f"  {line_of(entry, named)}" for entry in opened.audit),
    ]
    return [line.rstrip() for line in lines]
