"""Calls that were made at some moment, with what was said on them."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls import lifecycle
from talktime.carriers.contract import Ring
from talktime.db.session import Database
from tests.db.everything import become_owner
from tests.people import WHY, Person

CALLER = "+4915112345678"


async def called(
    database: Database,
    person: Person,
    *said: str,
    seconds: int = 50,
    at: datetime | None = None,
    reason: str = "caller_hung_up",
    is_over: bool = True,
) -> uuid.UUID:
    """A call that was answered, with these turns, the agent's first; gives its id. `at` is when it began."""
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC", call_id=f"CA{uuid.uuid4().hex}", caller=CALLER, dialled=person.number)
        decision = await lifecycle.ring(db, "simulated", rang)
        call = decision.call_id
        assert call is not None
        assert await lifecycle.answer(db, person.id, call, "owner") is not None
        await say(db, person, call, said)
        if is_over:
            await lifecycle.finish(db, person.id, call, seconds=seconds, reason=reason)
        if at is not None:
            await become_owner(db)
            moved = "UPDATE calls SET started_at = :at, answered_at = :at{} WHERE id = :call"
            ended = ", ended_at = CAST(:at AS timestamptz) + seconds * interval '1 second'" if is_over else ""
            await db.execute(text(moved.format(ended)), {"at": at, "call": call})
    return call


async def say(db: AsyncSession, person: Person, call: uuid.UUID, said: Sequence[str]) -> None:
    """Write turns down, the agent's first."""
    for number, words in enumerate(said, start=1):
        await lifecycle.write_turn(
            db,
            {
                "user_id": person.id, "call_id": call, "turn_no": number,
                "speaker": "AGENT" if number % 2 else "CALLER", "text": words, "began_ms": number * 1000,
                "ended_ms": number * 1000 + 900, "interrupted": False, "latency": None, "tools": [], "sources": [],
            },
        )  # fmt: skip
