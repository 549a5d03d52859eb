"""`/v1/admin/users`: the operator looks people up, lets them in and shows them the door.

The rule: each verb asks for the operator's permission in its own transaction and writes one entry into the audit log.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts import links, people
from talktime.accounts.keys import Scope
from talktime.accounts.models import LinkPurpose, Role, UserStatus
from talktime.accounts.people import Person as PersonRow
from talktime.accounts.profile import LOCALES
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, example, example_like
from talktime.api.writing import Once, only_once
from talktime.calls import closing as suspending
from talktime.calls import person as screen
from talktime.db.session import Session
from talktime.payments import open_checkouts, saved_card
from talktime.privacy import closing

WHY = "the operator looks after everybody's account"

router = api_router("/admin/users", "Operator: people")
invitations = api_router("/admin/invitations", "Operator: people")


class Person(Resource):
    """Somebody who has an account, in a list of many."""

    model_config = example(
        id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        email="maria@example.org",
        name="Maria Berger",
        role="USER",
        status="ACTIVE",
        locale="de",
        zone="Europe/Berlin",
        has_second_factor=True,
        balance=1250,
        created_at="2026-10-01T08:13:40Z",
        last_seen_at="2026-11-20T07:01:00Z",
    )

    id: uuid.UUID
    email: str
    name: str
    role: Role
    status: UserStatus
    locale: str
    zone: str
    has_second_factor: bool
    balance: int
    created_at: Moment
    last_seen_at: Moment | None
    """In a browser that is still signed in."""

    @classmethod
    def of(cls, found: PersonRow) -> "Person":
        return cls(**{name: getattr(found, name) for name in Person.model_fields})


class OpenedPerson(Person):
    """Somebody, with what they have."""

    model_config = example_like(
        Person,
        is_confirmed=True,
        closed_at=None,
        sessions=1,
        api_keys=2,
        blocked_reason=None,
        numbers=["+493012345678"],
        agents=["0199c8f5-0000-7000-8000-000000000001"],
    )

    is_confirmed: bool
    """A link to their address was opened."""
    closed_at: Moment | None
    sessions: int
    api_keys: int
    blocked_reason: str | None
    numbers: list[str]
    agents: list[uuid.UUID]


class Suspension(Fields):
    """Why."""

    model_config = example(reason="unpaid dispute")

    reason: str = Field(min_length=1, max_length=200)
    """For other operators; on one line."""


class RoleChange(Fields):
    """What somebody is to be."""

    model_config = example(role="ADMIN")

    role: Role


class Closed(Resource):
    """What came of closing an account."""

    model_config = example(hung_up=1, left=[], checkouts=0, card_is_gone=True, balance=120)

    hung_up: int
    """Calls that the carrier took the end of."""
    left: list[uuid.UUID]
    """Calls that are not settled yet; close again to see how they stand."""
    checkouts: int
    card_is_gone: bool
    """False: the payment company did not answer. Close again to ask it again."""
    balance: int
    """What is left, to be paid out."""


class NewInvitation(Fields):
    """Who is let in."""

    model_config = example(email="new@example.org", role="USER", locale="en")

    email: str | None = Field(default=None, max_length=254)
    """Null: whoever has the link."""
    role: Role = Role.USER
    locale: str = Field(default="en", json_schema_extra={"enum": [*LOCALES]})


class Invitation(Resource):
    """A link that makes an account, once, within a week. Hand it over yourself."""

    model_config = example(id="0199c8f4-2222-7000-8000-000000000001", url="https://talktime.example/welcome/…")

    id: uuid.UUID
    url: str


@router.get("")
async def admin_users_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    search: Annotated[str, Query(max_length=100, description="A part of the address or the name.")] = "",
    status: Annotated[UserStatus | None, Query(description="Only who is this.")] = None,
    role: Annotated[Role | None, Query(description="Only who is this.")] = None,
) -> Page[Person]:
    """Lists people, the newest first."""
    before = page.single(uuid.UUID)
    async with caller.everyone(WHY) as db:
        found = await people.listed(db, status=status, role=role, search=search, before=before, limit=page.limit)
    return page.to([Person.of(each) for each in found.people], None if found.older is None else [found.older])


@router.get("/{user_id}")
async def admin_users_read(caller: Annotated[Caller, needs(Scope.ADMIN_READ)], user_id: uuid.UUID) -> OpenedPerson:
    """Gives one person, with what they have. What was said on their calls is not in it."""
    async with caller.everyone(WHY, snapshot=True) as db:
        return await _opened(db, user_id)


@router.post("/{user_id}/suspend")
async def admin_users_suspend(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], user_id: uuid.UUID, body: Suspension
) -> OpenedPerson:
    """Lets nobody sign in and no call begin, until the account is active again. Suspending again changes the reason."""
    async with caller.everyone(WHY) as db:
        await suspending.suspend(db, user_id, caller.user, body.reason)
        return await _opened(db, user_id)


@router.post("/{user_id}/activate")
async def admin_users_activate(caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], user_id: uuid.UUID) -> OpenedPerson:
    """Ends a suspension. An account that is active stays so."""
    async with caller.everyone(WHY) as db:
        await suspending.activate(db, user_id, caller.user)
        return await _opened(db, user_id)


@router.post("/{user_id}/close")
async def admin_users_close(caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], user_id: uuid.UUID) -> Closed:
    """Closes an account for good: ends its calls, and takes the person out of it. Closed again, it is finished."""
    context = caller.context
    done = await closing.close_account(
        caller.database,
        context.carriers,
        user_id,
        caller.user,
        forget_card=lambda whose: saved_card.leave(caller.database, context.gateways, whose),
        end_checkouts=lambda db, whose: open_checkouts.end_all(db, context.jobs, whose),
        jobs=context.jobs,
        home=context.settings.home,
        seconds_max=_CLOSING_SECONDS_MAX,
    )
    return Closed(
        hung_up=done.hung_up,
        left=list(done.left),
        checkouts=done.checkouts,
        card_is_gone=done.card_is_gone,
        balance=done.balance,
    )


_CLOSING_SECONDS_MAX = 5.0
"""Whoever waits for an answer; what takes longer a job does."""


@router.post("/{user_id}/role")
async def admin_users_role(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], user_id: uuid.UUID, body: RoleChange
) -> OpenedPerson:
    """Makes somebody an operator, or a customer again, and signs them out everywhere."""
    async with caller.everyone(WHY) as db:
        await people.change_role(db, user_id, body.role, caller.user)
        return await _opened(db, user_id)


@router.post("/{user_id}/sign-out")
async def admin_users_sign_out(caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], user_id: uuid.UUID) -> OpenedPerson:
    """Signs somebody out in every browser. Their keys go on working."""
    async with caller.everyone(WHY) as db:
        await people.end_sessions(db, user_id, caller.user)
        return await _opened(db, user_id)


@router.post("/{user_id}/reset-second-factor")
async def admin_users_reset_second_factor(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], user_id: uuid.UUID
) -> OpenedPerson:
    """Takes the second factor off somebody who has lost it. They are told, and signed out everywhere."""
    async with caller.everyone(WHY) as db:
        await people.reset_second_factor(db, user_id, caller.user)
        return await _opened(db, user_id)


@invitations.post("", status_code=201, response_model=Invitation)
async def admin_invitations_make(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], body: NewInvitation, once: Annotated[Once, only_once()]
) -> Response:
    """Makes a link that makes an account, also where signing up is switched off."""

    async def invite(db: Session) -> Invitation:
        issued = await people.invite(db, email=body.email, role=body.role, locale=body.locale, actor=caller.user)
        path = links.path_of(LinkPurpose.INVITE, issued.token)
        return Invitation(id=issued.id, url=caller.context.settings.base_url + path)

    return await once.do(invite, everyone=lambda: caller.everyone(WHY))


async def _opened(db: Session, user: uuid.UUID) -> OpenedPerson:
    found = await screen.open_person(db, user, datetime.now(UTC))
    return OpenedPerson(
        **Person.of(found.person).model_dump(),
        is_confirmed=found.is_confirmed,
        closed_at=found.closed_at,
        sessions=found.sessions,
        api_keys=found.api_keys,
        blocked_reason=found.limits.blocked_reason,
        numbers=list(found.numbers),
        agents=[agent.id for agent in found.agents],
    )
