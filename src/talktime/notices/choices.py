"""What customers want to be told by mail, and how they take it back from within a mail.

The rule: what is about money, and about how somebody comes in, is told in any case. A link in a mail switches one thing
off and nothing else, for whoever has that mail; it asks for no sign-in (RFC 8058), and is worth nothing for anybody
else's.
"""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.errors import NotFound
from talktime.notices.models import MailChoice
from talktime.security import is_signed, sign

CHOICES = ("digest", "messages", "missed_calls", "summaries")
OFF_PAGE = "/mail/off"
OFF_HOOK = "/hooks/mail/off"
_PURPOSE = "mail off"


class NoSuchLink(NotFound):
    """This link is not whole: open it from the mail once more, or say in your settings what you want to be told."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What one customer is told by mail beyond what must be; the defaults are for who never chose.

    `calls_tell` (`calls/sql/60_telling.sql`) knows the same defaults.
    """

    digest: bool = True
    """Every morning, what yesterday brought."""
    messages: bool = True
    """Each message that was taken."""
    missed_calls: bool = True
    """Calls that nobody talked to."""
    summaries: bool = False
    """How each call went."""


async def choices_of(db: AsyncSession, user: uuid.UUID) -> Choices:
    """What somebody wants."""
    found = await db.execute(
        select(MailChoice.digest, MailChoice.messages, MailChoice.missed_calls, MailChoice.summaries).where(
            MailChoice.user_id == user
        )
    )
    row = found.first()
    return Choices(**row._mapping) if row is not None else Choices()


async def held(db: AsyncSession, user: uuid.UUID) -> Choices:
    """The same, which nobody else changes before this transaction ends."""
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"mail choices of {user}", 0))))
    return await choices_of(db, user)


async def choose(db: AsyncSession, user: uuid.UUID, changes: Mapping[str, bool], *, actor: uuid.UUID) -> Choices:
    """Change some of it (`{"digest": False}`), and leave the rest as it is; gives all of it."""
    assert set(changes) <= set(CHOICES), sorted(changes)
    before = asdict(await held(db, user))
    changed = {name: value for name, value in changes.items() if before[name] != value}
    if changed:
        # What is not named stays, whatever it is.
        await db.execute(
            insert(MailChoice)
            .values(user_id=user, **{**asdict(Choices()), **changed})
            .on_conflict_do_update(
                index_elements=[MailChoice.user_id], set_={**changed, "updated_at": func.clock_timestamp()}
            )
        )
        old: dict[str, audit.Value] = {name: before[name] for name in changed}
        await audit.record(db, user, actor, "mail.chosen", before=old, after=dict(changed))
    return Choices(**{**before, **changed})


def path_off(secret: bytes, user: uuid.UUID, choice: str) -> str:
    """Where a mail's own link leads that switches off what it is, from the root of the site: a page with a button.
    Behind `OFF_HOOK` in its place a program does it with one POST."""
    assert choice in CHOICES, choice
    return f"{OFF_PAGE}/{user}/{choice}/{sign(secret, _PURPOSE, str(user), choice)}"


def check_off(secret: bytes, user: uuid.UUID, choice: str, proof: str) -> None:
    """Raise NoSuchLink unless `path_off` made this link."""
    if choice not in CHOICES or not is_signed(proof, secret, _PURPOSE, str(user), choice):
        raise NoSuchLink
