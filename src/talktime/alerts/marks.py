"""What an installation remembers of itself: when each round came to its end, how far the nightly emptying came, and
that a restored copy is asleep.

The rule: a mark says what was done, never what is to be done; one that is missing means that it never was. The detail
holds numbers and times, nobody's data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from talktime.db.base import Model
from talktime.errors import Conflict

WHY = "whether this is a copy is asked before anybody is served"
ASLEEP = "asleep"
Detail = Mapping[str, str | int | bool | None]


class Asleep(Conflict):
    """This database is a restored copy, and asleep: it takes no calls, sends no mail and charges no card, because the
    one it was copied from may still do so. Once that one is gone for good, `talktime db wake` makes this the real one.
    """


class Mark(Model):
    """When something was last done."""

    __tablename__ = "marks"

    name: Mapped[str] = mapped_column(primary_key=True)
    """The job's own name (`ledger.verify`), or what is remembered."""
    at: Mapped[datetime]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))

    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("jsonb_typeof(detail) = 'object'", name="detail"),
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What was last done under a name, and when."""

    name: str
    at: datetime
    detail: Mapping[str, Any]


async def note(db: AsyncSession, name: str, detail: Detail | None = None) -> None:
    """Something was done just now. Needs a transaction that is everyone's, as all of these."""
    # The clock, not the transaction's beginning: a round may have taken long.
    values = {"at": func.clock_timestamp(), "detail": dict(detail or {})}
    await db.execute(
        insert(Mark).values(name=name, **values).on_conflict_do_update(index_elements=[Mark.name], set_=values)
    )


async def last(db: AsyncSession, name: str) -> Done | None:
    """When it was last done; None when it never was."""
    found = await db.execute(select(Mark.name, Mark.at, Mark.detail).where(Mark.name == name))
    row = found.first()
    return Done(row.name, row.at, row.detail) if row is not None else None


async def all_done(db: AsyncSession) -> Sequence[Done]:
    """Everything that was ever done, by name."""
    rows = await db.execute(select(Mark.name, Mark.at, Mark.detail).order_by(Mark.name))
    return [Done(row.name, row.at, row.detail) for row in rows]


async def require_awake(db: AsyncSession) -> None:
    """Raise Asleep in a restored copy that nobody has woken."""
    if await last(db, ASLEEP) is not None:
        raise Asleep


async def wake(db: AsyncSession) -> bool:
    """From now on this database is the real one; False when it was not asleep."""
    woken = await db.execute(delete(Mark).where(Mark.name == ASLEEP).returning(Mark.name))
    return woken.first() is not None
