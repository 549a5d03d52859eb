"""Looking for somebody in everything that an installation keeps: a full dump of its database, and its folder."""

import asyncio
import base64
import email
import email.policy
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncSession

from talktime.db import embedded
from talktime.db.session import Database


class Killed(BaseException):
    """The process is gone."""


class Dying(Database):
    """A database whose process is killed after so many transactions were committed."""

    def __init__(self, database: Database, lives: int) -> None:
        super().__init__(database._engine, database._statements, database._everyones)
        self.lives = lives

    @asynccontextmanager
    async def transaction(self, **which: object) -> AsyncIterator[AsyncSession]:
        if self.lives == 0:
            raise Killed
        async with super().transaction(**which) as db:  # type: ignore[arg-type]  # passed on as it came
            yield db
        self.lives -= 1


async def dump(server: embedded.Server, database: Database) -> str:
    """All of a database, as PostgreSQL's own program writes it."""
    url = server.url(str(database.engine.url.database))
    said = await asyncio.to_thread(server.territory.run, "pg_dump", "--no-owner", f"--dbname={url}")
    assert said.returncode == 0, said.stderr
    return said.stdout


def spellings_of(number: str) -> list[str]:
    """A number in E.164 as carriers and people write it; all end in the last nine digits."""
    assert number.startswith("+49")
    rest = number[3:]
    return [
        number, number[1:], f"0{rest}", f"00{number[1:]}", quote(number, safe=""), number[-9:],
        f"0{rest[:2]} {rest[2:]}", f"+49 {rest[:2]} {rest[2:]}", f"0{rest[:2]}/{rest[2:]}",
    ]  # fmt: skip


def places_of(words: Iterable[str], text: str) -> list[str]:
    """Where any of the words stands in a dump: as it is, or in a column of bytes, which are written in hexadecimal."""
    found = []
    for word in words:
        for looks in (word, word.encode().hex(), base64.b64encode(word.encode()).decode().rstrip("=")):
            at = text.find(looks)
            if at >= 0:
                found.append(text[max(0, at - 200) : at + 100])
    return found


def files_with(words: Iterable[str], home: Path) -> list[str]:
    """The files of a folder in which any of the words stands."""
    return [str(path) for path in sorted(home.rglob("*")) if path.is_file() and places_of(words, _read(path))]


def _read(path: Path) -> str:
    """A file as bytes, and a mail as whoever opens it reads it, too."""
    content = path.read_bytes()
    parts = email.message_from_bytes(content, policy=email.policy.default).walk() if path.suffix == ".eml" else ()
    texts = [part.get_content() for part in parts if part.get_content_maintype() == "text"]
    return "".join((content.decode("latin-1"), *texts))
