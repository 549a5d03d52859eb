"""`/v1/account`: who the customer is: how they are called, which language they read, whose day they live in, and what
they are told by mail.

The e-mail address, the password and the second factor are changed by a person in front of a browser, never by a key.
"""

import uuid
from dataclasses import asdict
from typing import Annotated

from fastapi import Response
from pydantic import Field

from talktime.accounts import profile
from talktime.accounts.keys import Scope
from talktime.accounts.models import Role
from talktime.accounts.profile import LOCALES, NAME_LENGTH_MAX, Profile
from talktime.api.caller import Caller, needs
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, example
from talktime.api.writing import Match, if_match, shown, tag_of
from talktime.notices.choices import Choices, choices_of, choose, held

router = api_router("/account", "Account")


class Account(Resource):
    """A customer."""

    model_config = example(
        id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        email="maria@example.org",
        name="Maria Berger",
        locale="de",
        zone="Europe/Berlin",
        role="USER",
        email_confirmed_at="2026-10-01T08:14:02Z",
        created_at="2026-10-01T08:13:40Z",
    )

    id: uuid.UUID
    email: str
    name: str
    locale: str
    """The language of pages and mails: `en` or `de`."""
    zone: str
    """Whose midnight days and months begin at: `Europe/Berlin`."""
    role: Role
    email_confirmed_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, found: Profile, role: Role) -> "Account":
        return cls(
            id=found.id,
            email=found.email,
            name=found.name,
            locale=found.locale,
            zone=found.zone,
            role=role,
            email_confirmed_at=found.email_confirmed_at,
            created_at=found.created_at,
        )


class AccountChange(Fields):
    """What changes; what is left out stays as it is."""

    model_config = example(name="Maria Berger", zone="Europe/Vienna")

    name: str = Field(default="", min_length=1, max_length=NAME_LENGTH_MAX)
    locale: str = Field(default="", json_schema_extra={"enum": [*LOCALES]})
    zone: str = Field(default="", max_length=100, description="A name of the IANA list, such as `Europe/Berlin`.")


class MailChoices(Resource):
    """What the customer is told by mail beside what must be told."""

    model_config = example(digest=True, messages=True, missed_calls=True, summaries=False)

    digest: bool
    """Every morning, what yesterday brought."""
    messages: bool
    """Each message that was taken."""
    missed_calls: bool
    """Calls that nobody talked to."""
    summaries: bool
    """How each call went."""

    @classmethod
    def of(cls, found: Choices) -> "MailChoices":
        return cls(**asdict(found))


class MailChoicesChange(Fields):
    """What changes; what is left out stays as it is."""

    model_config = example(summaries=True)

    digest: bool = True
    messages: bool = True
    missed_calls: bool = True
    summaries: bool = False


@router.get("", response_model=Account)
async def account_read(caller: Annotated[Caller, needs(Scope.ACCOUNT_READ)]) -> Response:
    """Gives the customer whose key this is."""
    async with caller.everyone(profile.WHY) as db:
        return shown(Account.of(await profile.of(db, caller.user), caller.role))


@router.patch("", response_model=Account)
async def account_change(
    caller: Annotated[Caller, needs(Scope.ACCOUNT_WRITE)], body: AccountChange, match: Annotated[Match, if_match()]
) -> Response:
    """Changes the name, the language or the time zone. A new time zone counts from the next day that begins in it."""
    async with caller.everyone(profile.WHY) as db:
        now = await profile.of(db, caller.user, locked=True)
        match.require(tag_of(Account.of(now, caller.role)))
        said = {"name": now.name, "locale": now.locale, "zone": now.zone} | body.sent()
        await profile.change_of(db, caller.user, caller.user, **said)
        changed = Account.of(await profile.of(db, caller.user), caller.role)
    return shown(changed)


@router.get("/mails", response_model=MailChoices)
async def account_mails_read(caller: Annotated[Caller, needs(Scope.ACCOUNT_READ)]) -> Response:
    """Gives what the customer is told by mail."""
    async with caller.transaction() as db:
        return shown(MailChoices.of(await choices_of(db, caller.user)))


@router.patch("/mails", response_model=MailChoices)
async def account_mails_change(
    caller: Annotated[Caller, needs(Scope.ACCOUNT_WRITE)], body: MailChoicesChange, match: Annotated[Match, if_match()]
) -> Response:
    """Switches mails on or off. What is about money, and about how somebody comes in, is told in any case."""
    async with caller.transaction() as db:
        match.require(tag_of(MailChoices.of(await held(db, caller.user))))
        changed = MailChoices.of(await choose(db, caller.user, body.sent(), actor=caller.user))
    return shown(changed)
