"""For how long what calls left behind is kept: what was said, what came of it, who called. Every night what is older
goes.

The rule: the calls themselves stay, and every line of the ledger, because the books point at them. It is done in small
transactions, customer by customer, and a night that is broken off is done over by the next one: the mark of how far it
came is moved at the very end. What is kept longer from now on is not brought back.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text

from talktime import log
from talktime.accounts.models import User
from talktime.alerts import marks
from talktime.credits.functions import typed_errors
from talktime.db.session import Database

WHY = "what was kept long enough goes, whoever's it was"
KINDS = ("turns", "summaries", "callers")
_AT_ONCE = 500
_PEOPLE_AT_ONCE = 500
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_LOGGER = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days each is kept; None is for ever."""

    turns_days: int | None = None
    """What was said."""
    summaries_days: int | None = None
    callers_days: int | None = None
    """Who called, and whom they were put through to."""

    def days(self, kind: str) -> int | None:
        return {"turns": self.turns_days, "summaries": self.summaries_days, "callers": self.callers_days}[kind]


async def forget_old(database: Database, keep: Keep, *, now: datetime | None = None) -> Mapping[str, int]:
    """Empty what was kept long enough; gives out of how many calls each kind went."""
    emptied: dict[str, int] = {}
    for kind in KINDS:
        days = keep.days(kind)
        if days is None:
            continue
        until = (now or datetime.now(UTC)) - timedelta(days=days)
        mark = f"calls.retain_{kind}"
        async with database.transaction(everyone=WHY) as db:
            before = await marks.last(db, mark)
        since = datetime.fromisoformat(before.detail["until"]) if before is not None else _BEGIN
        if since >= until:
            continue
        emptied[kind] = await _forget(database, kind, since, until)
        async with database.transaction(everyone=WHY) as db:
            await marks.note(db, mark, {"until": until.isoformat(), "calls": emptied[kind]})
    if any(emptied.values()):
        _LOGGER.info("what calls left behind was kept long enough", **emptied)
    return emptied


async def _forget(database: Database, kind: str, since: datetime, until: datetime) -> int:
    """Of everybody, those that were closed, too."""
    done, last = 0, uuid.UUID(int=0)
    while True:
        async with database.transaction(everyone=WHY) as db:
            page = select(User.id).where(User.id > last).order_by(User.id).limit(_PEOPLE_AT_ONCE)
            people = (await db.scalars(page)).all()
        if not people:
            return done
        for user in people:
            done += await _forget_of(database, user, kind, since, until)
        last = people[-1]


async def _forget_of(database: Database, user: uuid.UUID, kind: str, since: datetime, until: datetime) -> int:
    done = 0
    while True:
        async with database.transaction(everyone=WHY) as db, typed_errors():
            page = (
                await db.execute(
                    text("SELECT * FROM retain_calls_v1(:user, :kind, :since, :until, :most)"),
                    {"user": user, "kind": kind, "since": since, "until": until, "most": _AT_ONCE},
                )
            ).one()
        if not page.emptied:
            return done
        done += page.emptied
        since = page.reached
