"""The stage of the tests about signing in: people with passwords, browsers, letters that arrive, time that passes."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyotp
from sqlalchemy import event, text

from talktime.accounts import mails, passwords, second_factor, sessions
from talktime.accounts.sessions import Identity
from talktime.db.session import Database, connect
from talktime.jobs import Jobs
from talktime.mail.message import Mail
from talktime.mail.render import text_of
from tests.mail.pigeon import Pigeon
from tests.people import WHY, Person

SECRET = b"a secret of the tests, and of nobody else"
SITE = "https://talktime.example"
GOOD = "vier ungleiche Dinge am Abend"
BETTER = "neun krumme Nägel im Brot"
HERE = "192.0.2.1"
THERE = "198.51.100.7"


@dataclass(eq=False)
class Doors:
    """A database of this file's own, with somebody who delivers the mails."""

    database: Database
    jobs: Jobs
    pigeon: Pigeon = field(default_factory=Pigeon)

    async def letters_to(self, address: str) -> list[Mail]:
        """What arrived there, once everything that is to be sent was sent."""
        await self.delivered()
        return list(self.pigeon.to(address))

    async def delivered(self) -> None:
        async with asyncio.timeout(20):
            while True:
                async with self.database.transaction(everyone=WHY) as db:
                    waiting = await db.scalar(
                        text("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
                    )
                if not waiting:
                    return
                await asyncio.sleep(0.05)


def token_in(mail: Mail) -> str:
    """The token of the link in a mail."""
    assert mail.words.link is not None
    return mail.words.link.url.rpartition("/")[2]


def words_in(mail: Mail) -> str:
    return text_of(mail.words)


@contextlib.asynccontextmanager
async def delivering(database: Database, url: str) -> AsyncIterator[Doors]:
    """Deliver mails for as long as the block."""
    doors = Doors(database, Jobs(url))
    # On connections of their own, so that what a test does can be counted.
    workers = connect(url)
    doors.jobs.handle(mails.JOB, mails.sender(workers, doors.pigeon, SECRET, SITE))
    work = asyncio.create_task(doors.jobs.work())
    try:
        yield doors
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await workers.close()


def address_of(person: Person, name: str) -> str:
    return f"{name}.{person.id.hex}@example.org"


def new_address() -> str:
    return f"somebody.{uuid.uuid4().hex}@example.org"


async def give_password(database: Database, person: Person, password: str = GOOD) -> str:
    """Let somebody have this password; gives their address."""
    hashed = await passwords.hash_of(password)
    async with database.transaction(everyone=WHY) as db:
        found = await db.execute(
            text("UPDATE users SET password_hash = :hash WHERE id = :user RETURNING email"),
            {"hash": hashed, "user": person.id},
        )
        return str(found.scalar_one())


async def come_in(
    database: Database, person: Person, *, actor: Person | None = None, **more: Any
) -> tuple[str, Identity]:
    """A browser in which somebody is signed in: its token, and who that is."""
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.begin(
            db, person.id, address=HERE, browser="Firefox", actor=actor.id if actor else None, **more
        )
    identity = await who(database, token)
    assert identity is not None
    return token, identity


async def who(database: Database, token: str) -> Identity | None:
    async with database.transaction(everyone=WHY) as db:
        return await sessions.identify(db, token)


async def who_waits(database: Database, token: str) -> Identity | None:
    async with database.transaction(everyone=WHY) as db:
        return await sessions.waiting(db, token)


async def give_second_factor(database: Database, person: Person, secret: bytes = SECRET) -> tuple[str, list[str]]:
    """Switch somebody's second factor on; gives the key and the recovery codes. Its step lies in the past already."""
    _, identity = await come_in(database, person)
    async with database.transaction(everyone=WHY) as db:
        setup = await second_factor.begin(db, secret, identity)
    codes = await second_factor.switch_on(database, secret, identity, code_of(setup.key), address=HERE)
    await set_user(database, person, totp_step=0)
    return setup.key, codes


def code_of(key: str, *, steps: int = 0) -> str:
    """The code of now, or of so many half minutes later."""
    return pyotp.TOTP(key).generate_otp(int(time.time()) // 30 + steps)


async def set_user(database: Database, person: Person, **values: Any) -> None:
    """Set columns of somebody's row."""
    columns = ", ".join(f"{name} = :{name}" for name in values)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text(f"UPDATE users SET {columns} WHERE id = :user"), {**values, "user": person.id})


async def user_of(database: Database, person: Person) -> Any:
    async with database.transaction(everyone=WHY) as db:
        return (await db.execute(text("SELECT * FROM users WHERE id = :user"), {"user": person.id})).one()


async def age_sessions(database: Database, person: Person, by: timedelta, *, idle: bool = False) -> None:
    """Let time pass for somebody's browsers; with `idle` they were not used meanwhile, which is all that passes."""
    columns = ("last_seen_at",) if idle else ("created_at", "expires_at", "confirmed_at")
    await _age(database, "sessions", columns, by, "user_id = :user", user=person.id)


async def age_links(database: Database, link: uuid.UUID, by: timedelta) -> None:
    await _age(database, "account_links", ("created_at", "expires_at"), by, "id = :link", link=link)


async def age_throttles(database: Database, by: timedelta) -> None:
    await _age(database, "throttles", ("updated_at",), by, "true")


async def _age(
    database: Database, table: str, columns: tuple[str, ...], by: timedelta, which: str, **values: Any
) -> None:
    changes = ", ".join(f"{column} = {column} - :by" for column in columns)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text(f"UPDATE {table} SET {changes} WHERE {which}"), {"by": by, **values})


async def entries_of(database: Database, person: Person) -> list[Any]:
    """What stands in the audit log about somebody."""
    async with database.transaction(everyone=WHY) as db:
        found = await db.execute(
            text("SELECT * FROM audit_entries WHERE user_id = :user ORDER BY seq"), {"user": person.id}
        )
        return list(found)


async def acts_of(database: Database, person: Person) -> list[str]:
    return [entry.act for entry in await entries_of(database, person)]


async def notices_of(database: Database, person: Person) -> list[str]:
    async with database.transaction(everyone=WHY) as db:
        found = await db.scalars(
            text("SELECT kind FROM notices WHERE user_id = :user ORDER BY created_at"), {"user": person.id}
        )
        return list(found)


@contextlib.contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is asked of the database inside the block, but for the beginning and the end of transactions."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    # What transactions run on; `engine` is the same pool with other options, and would hear nothing of them.
    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
