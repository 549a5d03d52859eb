"""What carriers say of many calls at once: those that change nothing, and those that agree with us.

The rule: nothing is decided here that `lifecycle.report` would decide otherwise. What moves a call or money, and what
is not clear at a glance, is left out, and handled alone there. All calls are locked in one order, and no account.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls.models import CallStatus
from talktime.credits.models import HoldState

Call = tuple[uuid.UUID, uuid.UUID]
"""User and call."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one report says."""

    carrier: str
    carrier_call_id: str
    is_over: bool
    seconds: int | None


async def report_many(db: AsyncSession, told: Mapping[uuid.UUID, Told]) -> Mapping[uuid.UUID, str]:
    """Take in reports, by the id of their event and in the order that they came; gives what came of each that could be
    handled here. Needs a transaction that sees everyone."""
    if not told:
        return {}
    verdicts: dict[uuid.UUID, str] = {}
    durations: dict[Call, uuid.UUID] = {}
    named = {
        "carriers": [each.carrier for each in told.values()],
        "names": [each.carrier_call_id for each in told.values()],
    }
    found = (await db.execute(_FIND, named)).all()
    for (event, said), row in zip(told.items(), found, strict=True):
        call = (row.user_id, row.call_id)
        if row.status is None:
            verdicts[event] = "unknown call"
        elif row.parent_id is not None:
            continue  # a leg to a person is answered and ended by its reports
        elif not said.is_over:
            verdicts[event] = "nothing to do"
        elif row.status == CallStatus.RINGING.value or call in durations:
            continue  # it is to be finished; or this is the second word on it
        elif said.seconds is None:
            verdicts[event] = "nothing to do"
        else:
            durations[call] = event
    noted = await _note(db, {call: told[event].seconds or 0 for call, event in durations.items()})
    return verdicts | {durations[call]: "duration noted" for call in noted}


async def _note(db: AsyncSession, seconds: Mapping[Call, int]) -> Sequence[Call]:
    """Note how long the carrier measured these calls, unless that may correct a charge; gives those that were noted."""
    if not seconds:
        return ()
    await db.execute(_LOCK, _listed(list(seconds)))
    # Only now, because whoever finished a call just before us has let go of it with its hold settled.
    holds = {(row.user_id, row.call_id): row for row in await db.execute(_HOLDS, _listed(list(seconds)))}
    agreed = [call for call in seconds if call not in holds or _agrees(holds[call], seconds[call])]
    if agreed:
        await db.execute(_NOTE, {**_listed(agreed), "seconds": [seconds[call] for call in agreed]})
    return agreed


def _agrees(hold: Row[Any], seconds: int) -> bool:
    """Nothing would be corrected (`correct_call_v1`): it is not settled yet, or was always within 2 seconds or 2 %."""
    if hold.state != HoldState.SETTLED.value:
        return True
    return hold.corrected_seconds is None and abs(seconds - hold.settled_seconds) * 50 <= max(100, hold.settled_seconds)


def _listed(calls: Sequence[Call]) -> dict[str, list[uuid.UUID]]:
    return {"users": [user for user, _ in calls], "calls": [call for _, call in calls]}


_FIND = text(
    """
    SELECT d.user_id, d.call_id, c.status, c.parent_id
    FROM unnest(CAST(:carriers AS text[]), CAST(:names AS text[])) WITH ORDINALITY r (carrier, name, place)
    LEFT JOIN call_directory d ON d.carrier = r.carrier AND d.carrier_call_id = r.name
    LEFT JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id
    ORDER BY r.place
    """
)
_CALLS = "unnest(CAST(:users AS uuid[]), CAST(:calls AS uuid[])) t (user_id, call_id)"
_LOCK = text(
    f"""
    SELECT c.id FROM {_CALLS} JOIN calls c ON c.user_id = t.user_id AND c.id = t.call_id
    ORDER BY c.user_id, c.id FOR NO KEY UPDATE OF c
    """  # noqa: S608  our own words only
)
_HOLDS = text(
    f"""
    SELECT h.user_id, h.call_id, h.state, h.settled_seconds, h.corrected_seconds
    FROM {_CALLS} JOIN credit_holds h ON h.user_id = t.user_id AND h.call_id = t.call_id
    """  # noqa: S608  our own words only
)
_NOTE = text(
    """
    UPDATE calls c SET carrier_seconds = t.seconds
    FROM unnest(CAST(:users AS uuid[]), CAST(:calls AS uuid[]), CAST(:seconds AS integer[]))
        t (user_id, call_id, seconds)
    WHERE c.user_id = t.user_id AND c.id = t.call_id AND c.carrier_seconds IS DISTINCT FROM t.seconds
    """
)
