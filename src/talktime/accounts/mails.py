"""Mails with a one-time link in them, and what an account's owner is to be told.

The rules: a job carries a link's id and nothing else; the token and the address are found when the mail is written.
Whether an address has an account is found out then, too, so that asking takes as long and does the same either way. The
old address hears of a new one before the new one can be confirmed. No mail repeats what somebody typed but an address.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

import jinja2
from sqlalchemy import bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import links
from talktime.accounts.links import Issued
from talktime.accounts.models import Link, LinkPurpose, User, UserStatus
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.documents.figures import language_of
from talktime.jobs import Jobs
from talktime.mail.message import Mail, Undeliverable
from talktime.mail.render import environment, write
from talktime.mail.send import Mailer
from talktime.security import token_hash

JOB = "accounts.mail"
WHY = "a mail with a link goes to whom it was made for"
_TEMPLATES: Mapping[LinkPurpose, str] = {
    LinkPurpose.SIGN_UP: "sign_up",
    LinkPurpose.INVITE: "invite",
    LinkPurpose.RESET: "reset",
    LinkPurpose.CHANGE_EMAIL: "change_email",
}
_GREETINGS = {"en": "Hello,", "de": "Guten Tag,"}
_CLOSINGS = {
    "en": "You get this mail because somebody gave this address at {site}.",
    "de": "Sie erhalten diese E-Mail, weil jemand diese Adresse auf {site} angegeben hat.",
}
_LOGGER = log.get(__name__)


async def send_later(db: AsyncSession, jobs: Jobs, link: Issued, purpose: LinkPurpose) -> None:
    """Have the mail sent once the caller's transaction is committed. The link must be one with a secret.

    For a link of another purpose nothing is sent: it was made because what was asked for was not to be had, and that
    should look the same.
    """
    await jobs.enqueue(db, JOB, link=str(link.id), purpose=purpose.value)


def sender(database: Database, mailer: Mailer, secret: bytes, base_url: str) -> Callable[..., Awaitable[None]]:
    """Who does the jobs."""

    async def send(link: str, purpose: str) -> None:
        async with database.transaction(everyone=WHY) as db:
            mails = await _mails(db, uuid.UUID(link), LinkPurpose(purpose), secret, base_url)
        for mail in mails:
            try:
                await mailer.send(mail)
            except Undeliverable as error:
                # Whoever typed it sees that nothing comes; an old address that is dead is why there is a new one.
                _LOGGER.info("a mail with a link can never be delivered", mail_id=str(mail.id), error=str(error))

    return send


async def have_told(
    db: AsyncSession, user: uuid.UUID, kind: str, subject: str, detail: Mapping[str, str | int | bool] | None = None
) -> None:
    """Have an account's owner told, once for each subject."""
    # The notices stand above the accounts, not below them: so it is written as the database's functions do.
    await db.execute(
        text(
            "INSERT INTO notices (user_id, id, kind, subject, detail) VALUES (:user, :id, :kind, :subject, :detail)"
            " ON CONFLICT DO NOTHING"
        ).bindparams(bindparam("detail", dict(detail or {}), JSONB)),
        {"user": user, "id": new_id(), "kind": kind, "subject": subject},
    )


async def _mails(
    db: AsyncSession, link_id: uuid.UUID, purpose: LinkPurpose, secret: bytes, base_url: str
) -> list[Mail]:
    """What goes out for a link: nothing any more when it was used, taken back, or ran out meanwhile."""
    link = await db.scalar(select(Link).where(Link.id == link_id, links.is_open()))
    if link is None:
        return []
    if link.purpose is not purpose:
        await db.execute(delete(Link).where(Link.id == link_id))
        return []
    token = links.token_of(secret, link.id)
    if token_hash(token) != link.token_hash:
        _LOGGER.warning("a link was made with another secret key, so it is not mailed", link_id=str(link.id))
        return []
    owner = await db.get(User, link.user_id) if link.user_id is not None else None
    to = link.email or (owner.email if owner is not None else None)
    if to is None or (owner is not None and owner.status is not UserStatus.ACTIVE):
        return []
    language = language_of(owner.locale if owner is not None else link.locale or "en")
    mails = []
    if purpose is LinkPurpose.CHANGE_EMAIL and owner is not None:
        old = uuid.uuid5(link.id, "to the old address")
        mails.append(
            _mail(old, owner.email, "change_email_asked", language=language, base_url=base_url, path="/settings/email")
        )
    holder = await db.scalar(select(User).where(func.lower(User.email) == to))
    if link.email is not None and holder is not None and holder.id != link.user_id:
        language = language_of(holder.locale)
        mails.append(_mail(link.id, to, "already_here", language=language, base_url=base_url, path="/sign-in"))
    else:
        path = links.path_of(purpose, token)
        mails.append(_mail(link.id, to, _TEMPLATES[purpose], language=language, base_url=base_url, path=path))
    return mails


def _mail(mail_id: uuid.UUID, to: str, template: str, *, language: str, base_url: str, path: str) -> Mail:
    values: dict[str, Any] = {"site": base_url, "reset_url": f"{base_url}/reset"}
    words = write(
        _templates().get_template(f"{language}/{template}.txt"),
        values,
        base_url + path,
        greeting=_GREETINGS[language],
        closing=_CLOSINGS[language].format(site=base_url),
    )
    return Mail(mail_id, (to,), language, words)


@cache
def _templates() -> jinja2.Environment:
    return environment("talktime.accounts")
