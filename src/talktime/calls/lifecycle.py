"""A call moves: ring, answer, finish. Each is one short transaction of its own making, and each can come twice.

The money moves with the call: a ring holds it, an answer claims the hold, a finish settles it, in the same transaction.
What the carrier measured is held against what we did, whichever comes first: its report, or our finish
(`correct_call_v1` in `sql/10_lifecycle.sql` says by how much they must differ, and which calls only go down).
"""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import webhooks
from talktime.accounts.models import UserStatus
from talktime.agents.opening_hours import OpeningHours
from talktime.calls import legs
from talktime.calls.models import CallStatus, Turn
from talktime.calls.routing import Route, rung_before_credits
from talktime.carriers.contract import Ring
from talktime.credits.functions import typed_errors
from talktime.db.base import new_id
from talktime.db.session import Database

RING_WHY = "whose call a ring is, is known only once its number is looked up"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a ring was answered with."""

    route: Route
    user_id: uuid.UUID | None = None
    call_id: uuid.UUID | None = None
    agent: tuple[uuid.UUID, uuid.UUID, int] | None = None
    """User, agent and version that are to talk."""
    language: str = "en"
    business: str = ""
    fallback: Mapping[str, Any] | None = None
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What the database knows of a ring: whose number it is, what the agent behind it says, or the earlier answer."""

    row: Mapping[str, Any]

    @property
    def rings_people(self) -> bool:
        """Where the agent does not talk, somebody may be rung instead (`standing_in.py`)."""
        return bool((self.row["fallback"] or {}).get("forward"))


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that is ours to carry."""

    user_id: uuid.UUID
    call_id: uuid.UUID
    agent_id: uuid.UUID
    agent_version: int | None
    """None: the agent as its draft is, on a call that its owner made from the browser (`browser.py`)."""
    caller: str | None
    answered_at: datetime
    cut_at: datetime
    granted_seconds: int


@dataclass(frozen=True, slots=True)
class Finished:
    """What a call came to; the same however often it is finished."""

    fresh: bool
    status: CallStatus
    seconds: int
    charged: int
    unbilled: int


async def ring(
    db: AsyncSession, carrier: str, rang: Ring, *, taking_calls: bool = True, now: datetime | None = None
) -> Decision:
    """Decide what a caller gets, and hold the money when it is the agent. Needs a transaction that sees everyone."""
    found = await find_ring(db, carrier, rang)
    return await decide(db, carrier, rang, found, taking_calls=taking_calls, now=now)


async def find_ring(db: AsyncSession | Database, carrier: str, rang: Ring) -> Found | None:
    """What is known of a ring before anything is decided; None when nobody answers the number.

    Given the `Database`, it is one statement of its own; else it needs a transaction that sees everyone.
    """
    arguments = (("text", carrier), ("text", rang.call_id), ("text", rang.dialled))
    row = await _asked(db, "find_ring_v1", arguments)
    return Found(row) if row is not None else None


async def decide(
    db: AsyncSession | Database,
    carrier: str,
    rang: Ring,
    found: Found | None,
    *,
    taking_calls: bool = True,
    now: datetime | None = None,
) -> Decision:
    """The decision on a ring that was looked up just now, stored with its call; the same as before when it was decided
    already, also meanwhile. `db` as in `find_ring`."""
    if found is None:
        return Decision(Route.UNKNOWN_NUMBER)
    row = found.row
    known = {"language": row["language"], "business": row["business"], "fallback": row["fallback"]}
    if row["agent_version"] is not None:
        known["agent"] = (row["user_id"], row["agent_id"], row["agent_version"])
    if row["call_id"] is not None:
        return _repeated(row["user_id"], row["call_id"], row["route"], CallStatus(row["status"]), known)
    rung: Route | None = Route.DRAINING if not taking_calls else None
    if rung is None:
        rung = rung_before_credits(
            user_is_active=row["user_status"] == UserStatus.ACTIVE.value,
            agent_is_active=bool(row["agent_active"]) and row["agent_version"] is not None,
            hours=OpeningHours.from_json(row["hours"]) if row["hours"] else None,
            answers_after_hours=row["answers_after_hours"],
            now=now or datetime.now(UTC),
        )
    arguments = (
        ("text", carrier),
        ("text", rang.call_id),
        ("uuid", row["user_id"]),
        ("uuid", new_id()),
        ("uuid", row["number_id"]),
        ("uuid", row["agent_id"] if row["agent_version"] is not None else None),
        ("integer", row["agent_version"]),
        ("text", rang.caller),
        ("text", rang.dialled),
        ("text", rung.value if rung else None),
    )
    async with typed_errors():
        taken = await _asked(db, "ring_v1", arguments)
    assert taken is not None, rang.call_id
    return Decision(Route(taken["route"]), row["user_id"], taken["call_id"], fresh=taken["fresh"], **known)


async def answer(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, owner: str) -> Answered | None:
    """Take a ringing call, once: None when it is not ringing any more, or was never to be talked to."""
    async with typed_errors():
        row = (
            await db.execute(
                text("SELECT * FROM answer_call_v1(:user, :call, :owner)"),
                {"user": user, "call": call, "owner": owner},
            )
        ).one()
    if not row.answered:
        return None
    return Answered(
        user_id=user,
        call_id=call,
        agent_id=row.agent_id,
        agent_version=row.agent_version,
        caller=row.caller,
        answered_at=row.answered_at,
        cut_at=row.cut_at,
        granted_seconds=row.granted_seconds,
    )


async def finish(
    db: AsyncSession | Database,
    user: uuid.UUID,
    call: uuid.UUID,
    *,
    seconds: float,
    reason: str,
    failed: bool = False,
    carrier_seconds: int | None = None,
    not_charged_reason: str | None = None,
    only_if_lost: bool = False,
) -> Finished:
    """Close a call and settle its hold. `seconds` of talk are rounded up; a second finish gets the first one's figures.

    With `only_if_lost`, a call whose owner has come back is left alone (and the answer is not fresh). Given the
    `Database`, it is one statement of its own, in one round trip.
    """
    arguments: dict[str, tuple[str, object]] = {
        "call": ("uuid", call),
        "seconds": ("integer", math.ceil(seconds)),
        "failed": ("boolean", failed),
        "reason": ("text", reason),
        "carrier_seconds": ("integer", carrier_seconds),
        "not_charged": ("text", not_charged_reason),
        "only_if_lost": ("boolean", only_if_lost),
    }
    async with typed_errors():
        if isinstance(db, Database):
            row = await db.statement(user, "finish_v1", list(arguments.values()))
        else:
            row = dict((await db.execute(_FINISH, {"user": user, **_values(arguments)})).one()._mapping)
    return Finished(
        fresh=row["fresh"],
        status=CallStatus(row["status"]),
        seconds=row["seconds"] or 0,
        charged=row["charged"] or 0,
        unbilled=row["unbilled"] or 0,
    )


async def report(db: AsyncSession, carrier: str, carrier_call_id: str, *, is_over: bool, seconds: int | None) -> str:
    """What the carrier says of a call; gives what came of it. Needs a transaction that sees everyone.

    A call that is over and was never answered is finished here. One that is in progress is its owner's to finish: the
    line closes, and the sweep stands behind it. The duration of one that is settled may correct its charge. A leg to a
    person has nobody but its carrier: it is answered here, and ended.
    """
    row = (
        await db.execute(
            text(
                "SELECT d.user_id, d.call_id, c.status, c.parent_id FROM call_directory d"
                " JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id"
                " WHERE d.carrier = :carrier AND d.carrier_call_id = :call"
            ),
            {"carrier": carrier, "call": carrier_call_id},
        )
    ).first()
    if row is None:
        return "unknown call"
    if row.parent_id is not None:
        return await _report_leg(db, row.user_id, row.call_id, is_over=is_over, seconds=seconds)
    if not is_over:
        return "nothing to do"
    if row.status == CallStatus.RINGING.value:
        await finish(db, row.user_id, row.call_id, seconds=0, reason="caller_gave_up", carrier_seconds=seconds)
        return "never answered"
    if seconds is None:
        return "nothing to do"
    whose = {"user": row.user_id, "call": row.call_id}
    await db.execute(_NOTE_SECONDS, {"seconds": seconds, **whose})
    async with typed_errors():
        corrected = (await db.execute(text("SELECT * FROM correct_call_v1(:user, :call)"), whose)).one()
    return "charge corrected" if corrected.corrected else "duration noted"


async def write_turn(db: AsyncSession, turn: Mapping[str, Any]) -> None:
    """Store one turn of the transcript; the same turn again changes nothing."""
    await db.execute(insert(Turn).values(**turn).on_conflict_do_nothing())


async def note_outcome(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, outcome: str, summary: str) -> None:
    """Say in a sentence what a call led to: a message, an appointment. Said again it changes nothing."""
    noted = await db.execute(_NOTE_OUTCOME, {"outcome": outcome, "summary": summary, "user": user, "call": call})
    row = noted.first()
    if row is None or row.forgotten_at is not None:
        return
    await webhooks.emit(db, user, "call.summarised", {"call_id": call, "outcome": outcome})
    if outcome == "message":
        await webhooks.emit(db, user, "message.taken", {"call_id": call})


_NOTE_OUTCOME = text(
    "UPDATE calls SET outcome = :outcome, summary = :summary WHERE user_id = :user AND id = :call"
    " AND (outcome IS DISTINCT FROM :outcome OR summary IS DISTINCT FROM :summary) RETURNING forgotten_at"
)
_NOTE_SECONDS = text("UPDATE calls SET carrier_seconds = :seconds WHERE user_id = :user AND id = :call")
_FINISH = text(
    "SELECT * FROM finish_v1(:user, :call, :seconds, :failed, :reason, CAST(:carrier_seconds AS integer),"
    " CAST(:not_charged AS text), :only_if_lost)"
)


async def _report_leg(db: AsyncSession, user: uuid.UUID, leg: uuid.UUID, *, is_over: bool, seconds: int | None) -> str:
    """A leg's report. Of one that still rings none is stored, so what is not over was answered just now."""
    if not is_over:
        return "leg answered" if await answer(db, user, leg, legs.OWNER) is not None else "nothing to do"
    ended = await legs.end(db, user, leg, seconds=seconds or 0)
    if ended.fresh:
        return "leg settled" if ended.seconds else "never answered"
    if seconds is None:
        return "nothing to do"
    # It was given up without the carrier's word, or this comes twice; what was settled stays.
    await db.execute(_NOTE_SECONDS, {"seconds": seconds, "user": user, "call": leg})
    return "duration noted"


async def _asked(
    db: AsyncSession | Database, function: str, arguments: Sequence[tuple[str, object]]
) -> Mapping[str, Any] | None:
    """The row of a function that sees everyone. A caller waits: given the `Database`, it is one round trip."""
    if isinstance(db, Database):
        return await db.statement_for(everyone=RING_WHY, function=function, arguments=arguments)
    values = {f"p{place}": value for place, (_, value) in enumerate(arguments)}
    casts = ", ".join(f"CAST(:p{place} AS {kind})" for place, (kind, _) in enumerate(arguments))
    row = (await db.execute(text(f"SELECT * FROM {function}({casts})"), values)).first()  # noqa: S608  our own words only
    return dict(row._mapping) if row is not None else None


def _values(arguments: Mapping[str, tuple[str, object]]) -> dict[str, object]:
    return {name: value for name, (_, value) in arguments.items()}


def _repeated(user: uuid.UUID, call: uuid.UUID, route: str, status: CallStatus, known: Mapping[str, Any]) -> Decision:
    """The stored answer; but a call that was talked to and has ended gets a hang-up."""
    stored = Route(route)
    if stored == Route.TALK and status not in (CallStatus.RINGING, CallStatus.IN_PROGRESS):
        stored = Route.OVER
    return Decision(stored, user, call, fresh=False, **known)
