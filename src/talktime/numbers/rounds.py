"""What numbers need by themselves: carriers told, orders brought to their end, rents charged, rested numbers freed.

The rule: any number of processes may run this at once. One that fails says so and goes on with the next round.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from talktime import log
from talktime.alerts import raise_alert
from talktime.carriers.contract import Carrier
from talktime.carriers.numbers import Numbers, numbers_of
from talktime.db.session import Database
from talktime.jobs import Jobs
from talktime.numbers import buying, drift, pool, rent_due, telling
from talktime.numbers.drift import Difference

WHY = "numbers that have rested, or that differ from what their carriers have, are everybody's"
RENT_JOB = "numbers.rent"
REST_JOB = "numbers.rested"
SYNC_JOB = "numbers.sync"
PASS_SECONDS = 3.0
_OF_NO_CONSEQUENCE = (Difference.OTHER_NAME, Difference.ONLY_THERE)
"""What rings where it should, or is nobody's here: a company may have numbers that it uses for something else."""
_LOGGER = log.get(__name__)


def all_numbers(carriers: Mapping[str, Carrier]) -> dict[str, Numbers]:
    """The numbers of each carrier that lets us manage them."""
    found = {name: numbers_of(carrier) for name, carrier in carriers.items()}
    return {name: numbers for name, numbers in found.items() if numbers is not None}


async def run(database: Database, carriers: Mapping[str, Carrier], base_url: str) -> None:
    """Go round until cancelled."""
    numbers = all_numbers(carriers)
    while True:
        try:
            await buying.finish_due(database, numbers, base_url)
            await telling.tell_due(database, numbers, base_url)
        except (SQLAlchemyError, OSError) as error:
            _LOGGER.warning("a round of numbers did not come to its end", error=type(error).__name__)
        await asyncio.sleep(PASS_SECONDS)


async def compare(database: Database, carriers: Mapping[str, Numbers], base_url: str) -> int:
    """Put before the operator in how many numbers the pool and its carriers differ; gives how many that are."""
    found = [
        each for each in await drift.compare(database, carriers, base_url) if each.difference not in _OF_NO_CONSEQUENCE
    ]
    if found:
        counts = Counter(each.difference.value for each in found)
        async with database.transaction(everyone=WHY) as db:
            await raise_alert(db, "numbers_differ", None, dict(counts), once=True)
    return len(found)


def regularly(jobs: Jobs, database: Database, carriers: Mapping[str, Carrier], base_url: str) -> None:
    """Every hour what is due, because a day begins somewhere at each of them; every night the carriers are compared."""

    async def rents() -> None:
        await rent_due.charge_due(database, datetime.now(UTC))

    async def rested() -> None:
        async with database.transaction(everyone=WHY) as db:
            await pool.free_rested(db, datetime.now(UTC))

    async def compared() -> None:
        await compare(database, all_numbers(carriers), base_url)

    jobs.handle_regularly("40 4 * * *", SYNC_JOB, compared)
    jobs.handle_regularly("7 * * * *", RENT_JOB, rents)
    jobs.handle_regularly("17 * * * *", REST_JOB, rested)
