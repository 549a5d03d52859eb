"""Accounts for the tests of the settings: with a password, confirmed or not, and an operator in somebody's place."""

from collections.abc import Sequence

from sqlalchemy import select, text, update

from talktime.accounts import passwords, sessions
from talktime.accounts.models import AuditEntry, User
from talktime.db.session import Database
from tests.people import WHY, Person
from tests.web.conftest import Browser

PASSWORD = "violet tractor hums loudly"
NEW_PASSWORD = "nine brisk otters juggle"


async def row_of(database: Database, person: Person) -> User:
    """What is kept of a person."""
    async with database.transaction(everyone=WHY) as db:
        return (await db.execute(select(User).where(User.id == person.id))).scalar_one()


async def give_password(database: Database, person: Person, password: str = PASSWORD) -> None:
    """Let somebody have a password, as if they had always had it."""
    hashed = await passwords.hash_of(password)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == person.id).values(password_hash=hashed))


async def a_while_later(database: Database, person: Person) -> None:
    """So long after they signed in that their password is asked for once more."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE sessions SET confirmed_at = now() - interval '16 minutes' WHERE user_id = :user"),
            {"user": person.id},
        )


async def as_visitor(browser: Browser, database: Database, visitor: Person, person: Person) -> Browser:
    """Sign an operator in as somebody else."""
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.make_link_token(db, person.id, visitor=visitor.id)
    answer = await browser.post(f"/sign-in/{token}")
    assert answer.status_code == 303, answer.text
    return browser


async def acts_about(database: Database, person: Person) -> Sequence[AuditEntry]:
    """What the audit log says about somebody, oldest first."""
    async with database.transaction(user=person.id) as db:
        found = await db.scalars(select(AuditEntry).where(AuditEntry.user_id == person.id).order_by(AuditEntry.seq))
        return found.all()
