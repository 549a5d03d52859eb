"""What the tests of the door need: people with a password or a second step, and the links that their mails have."""

import time
import uuid

import httpx
import pyotp
from sqlalchemy import func, select, update

from talktime.accounts import links, passwords, second_factor_codes
from talktime.accounts.models import Link, LinkPurpose, Session, User, UserStatus
from talktime.db.session import Database
from talktime.security import token_hash
from tests.people import WHY, Person
from tests.web.conftest import Browser
from tests.web.stage import SECRET

KEY = SECRET.get_secret_value().encode()
PASSWORD = "lantern oyster gravel waltz"  # of people who are made up
OTHER_PASSWORD = "copper meadow trumpet fog"


async def with_password(database: Database, person: Person, password: str = PASSWORD) -> str:
    """Give somebody a password; gives their address."""
    hashed = await passwords.hash_of(password)
    async with database.transaction(everyone=WHY) as db:
        changed = await db.execute(
            update(User).where(User.id == person.id).values(password_hash=hashed).returning(User.email)
        )
        return str(changed.scalar_one())


async def with_second_step(database: Database, person: Person) -> tuple[str, list[str]]:
    """Switch somebody's second factor on; gives its key and the recovery codes."""
    key = second_factor_codes.new_key()
    sealed = second_factor_codes.seal_key(KEY, person.id, key)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            update(User).where(User.id == person.id).values(totp_secret=sealed, totp_since=func.now(), totp_step=None)
        )
        return key, await second_factor_codes.replace(db, person.id)


def code_of(key: str, *, steps_ahead: int = 0) -> str:
    """What the app shows now."""
    return pyotp.TOTP(key).at(time.time() + 30 * steps_ahead)


async def become(database: Database, person: Person, status: UserStatus) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == person.id).values(status=status))


async def address_of(database: Database, person: Person) -> str:
    async with database.transaction(everyone=WHY) as db:
        return str(await db.scalar(select(User.email).where(User.id == person.id)))


async def user_of(database: Database, email: str) -> User | None:
    async with database.transaction(everyone=WHY) as db:
        found: User | None = await db.scalar(select(User).where(func.lower(User.email) == email.lower()))
        return found


async def mailed_to(database: Database, email: str) -> str | None:
    """The path of the newest link that is in a mail to this address; None when there is no such mail."""
    async with database.transaction(everyone=WHY) as db:
        link = await db.scalar(select(Link).where(Link.email == email).order_by(Link.created_at.desc()).limit(1))
    return links.path_of(link.purpose, links.token_of(KEY, link.id)) if link is not None else None


async def invited(database: Database, **more: object) -> str:
    """The path of an invitation."""
    async with database.transaction(everyone=WHY) as db:
        made = await links.issue(db, LinkPurpose.INVITE, **more)  # type: ignore[arg-type]  # as the caller says
    return links.path_of(LinkPurpose.INVITE, made.token)


async def reset_link(database: Database, person: Person) -> str:
    async with database.transaction(everyone=WHY) as db:
        made = await links.issue(db, LinkPurpose.RESET, user=person.id)
    return links.path_of(LinkPurpose.RESET, made.token)


async def new_email_link(database: Database, person: Person, email: str) -> str:
    async with database.transaction(everyone=WHY) as db:
        made = await links.issue(db, LinkPurpose.CHANGE_EMAIL, user=person.id, email=email)
    return links.path_of(LinkPurpose.CHANGE_EMAIL, made.token)


async def grow_old(database: Database, path: str) -> None:
    """Let a link's time run out."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            update(Link)
            .where(Link.token_hash == token_hash(path.rpartition("/")[2]))
            .values(created_at=func.now() - func.make_interval(0, 0, 0, 30), expires_at=func.now())
        )


async def sessions_of(database: Database, person: Person) -> list[uuid.UUID]:
    async with database.transaction(everyone=WHY) as db:
        return list(await db.scalars(select(Session.id).where(Session.user_id == person.id)))


async def sign_in(browser: Browser, email: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    """Send the form of signing in."""
    return await browser.post("/sign-in", data={"email": email, "password": password, **more})


def unique(name: str = "new") -> str:
    """An address that nobody has."""
    return f"{name}.{uuid.uuid4().hex}@example.org"
