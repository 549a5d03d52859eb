"""Telling the carrier what became of a number: the second of two steps.

The first one is written with the fact (`pool`): what is wanted, and that the carrier does not know yet. This one asks
the carrier, outside of any transaction, and writes down what it said. The rule: each can be run again, by anybody, and
it never makes a difference how often: the carrier is told what the row says now, and its yes counts only for that.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.alerts import raise_alert
from talktime.carriers.numbers import Doors, NumberGone, Numbers, SlowDown
from talktime.db.session import Database
from talktime.errors import ProviderError
from talktime.numbers.models import CarrierPhase, PhoneNumber
from talktime.numbers.pool import RELEASE, RINGS_HERE
from talktime.numbers.rows import locked

WHY = "carriers are told about everybody's numbers"
_CLAIMED = timedelta(seconds=40)
"""Longer than a carrier can take: until then whoever claimed a number is believed to be at it."""
_WAIT_MAX = timedelta(hours=1)
_AT_ONCE_MAX = 50
_ALERT_TRIES = 8
_LOGGER = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: uuid.UUID
    carrier: str
    carrier_number_id: str
    wanted: dict[str, Any]
    tries: int


def doors_of(base_url: str, carrier: str) -> Doors:
    """Where calls to a number and their reports come to us."""
    return Doors(f"{base_url}/hooks/{carrier}/ring", f"{base_url}/hooks/{carrier}/report")


def told_of(doors: Doors) -> dict[str, Any]:
    """What the carrier was told when it took these doors (`carrier_told`)."""
    return {**RINGS_HERE, "voice_url": doors.voice_url, "status_callback": doors.status_callback}


async def tell_due(database: Database, carriers: Mapping[str, Numbers], base_url: str) -> int:
    """Tell the carriers what they do not know yet; gives how many numbers were settled, one way or the other."""
    settled = 0
    for _ in range(_AT_ONCE_MAX):
        async with database.transaction(everyone=WHY) as db:
            claimed = await _claim_next(db, list(carriers))
        if claimed is None:
            break
        settled += await _tell(database, carriers[claimed.carrier], claimed, base_url)
    return settled


async def _claim_next(db: AsyncSession, carriers: list[str]) -> _Claimed | None:
    """The number that waited longest, which nobody else tells for a while."""
    row = (
        await db.execute(
            select(PhoneNumber)
            .where(
                PhoneNumber.carrier_phase == CarrierPhase.WANTED,
                PhoneNumber.carrier_try_at <= func.clock_timestamp(),
                PhoneNumber.carrier.in_(carriers),
                PhoneNumber.carrier_number_id.is_not(None),
            )
            .order_by(PhoneNumber.carrier_try_at)
            .limit(1)
            .with_for_update(skip_locked=True, key_share=True)
        )
    ).scalar_one_or_none()
    if row is None:
        return None
    assert row.carrier_number_id is not None
    row.carrier_tries += 1
    row.carrier_try_at = datetime.now(UTC) + _CLAIMED
    return _Claimed(row.id, row.carrier, row.carrier_number_id, dict(row.carrier_wanted), row.carrier_tries)


async def _tell(database: Database, numbers: Numbers, claimed: _Claimed, base_url: str) -> bool:
    """Ask the carrier, and write down its word."""
    doors = doors_of(base_url, claimed.carrier)
    try:
        if claimed.wanted == RELEASE:
            await numbers.release(claimed.carrier_number_id)
            told: dict[str, Any] = dict(RELEASE)
        else:
            await numbers.configure(claimed.carrier_number_id, doors)
            told = told_of(doors)
    except NumberGone as error:
        return await _settle(database, claimed, CarrierPhase.GONE, error=str(error))
    except ProviderError as error:
        if error.permanent:
            return await _settle(database, claimed, CarrierPhase.REFUSED, error=str(error))
        await _put_off(database, claimed, error)
        return False
    return await _settle(database, claimed, CarrierPhase.AGREED, told=told)


async def _settle(
    database: Database,
    claimed: _Claimed,
    phase: CarrierPhase,
    *,
    told: dict[str, Any] | None = None,
    error: str | None = None,
) -> bool:
    """The carrier's word, unless something else is wanted by now: then it is told that, too."""
    async with database.transaction(everyone=WHY) as db:
        row = await locked(db, claimed.id)
        if told is not None:
            row.carrier_told = told
        if row.carrier_wanted != claimed.wanted or row.carrier_number_id != claimed.carrier_number_id:
            return False
        row.carrier_phase, row.carrier_error = phase, error
        if phase is CarrierPhase.AGREED and claimed.wanted == RELEASE:
            row.carrier_number_id = None
        if error is not None:
            _LOGGER.error("a carrier will not do what a number needs", number_id=str(row.id), error=error)
            detail = {"number_id": str(row.id), "carrier": row.carrier, "error": error[:200]}
            await raise_alert(db, "carrier_disagrees", row.user_id, detail, once=True)
    return True


async def _put_off(database: Database, claimed: _Claimed, error: ProviderError) -> None:
    """Ask again, later and later; when it has failed for some minutes, somebody is told."""
    # A carrier may be away for weeks, and no number of seconds is as long as two to the power of those tries.
    wait = min(_WAIT_MAX, timedelta(seconds=2 ** min(claimed.tries, 20)))
    if isinstance(error, SlowDown):
        wait = max(wait, timedelta(seconds=error.retry_after_seconds))
    _LOGGER.warning("a carrier was not reached about a number", number_id=str(claimed.id), tries=claimed.tries)
    async with database.transaction(everyone=WHY) as db:
        row = await locked(db, claimed.id)
        row.carrier_error = str(error)
        if row.carrier_wanted == claimed.wanted:
            row.carrier_try_at = datetime.now(UTC) + wait
        else:
            row.carrier_try_at = datetime.now(UTC)
        if claimed.tries == _ALERT_TRIES:
            detail = {"number_id": str(row.id), "carrier": row.carrier, "error": str(error)[:200]}
            await raise_alert(db, "carrier_silent", row.user_id, detail, once=True)
