"""What payments do by themselves: topping up every few seconds, asking the payment company every hour.

The rule: any number of processes may run this at once. One that fails says so and goes on with the next round.
"""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from talktime import log
from talktime.db.session import Database
from talktime.errors import ProviderError, TalktimeError
from talktime.gateways.contract import Gateway
from talktime.jobs import Handler
from talktime.payments import reconcile, saved_card, top_up
from talktime.payments.fulfilment import SAVE_CARD_JOB
from talktime.payments.till import Till

WHY = "the hour's reconciliation is one process's, whichever comes first"

TOP_UP_SECONDS = 10.0
_HOUR = timedelta(hours=1)
_LOOK_BACK = timedelta(days=3)
_LOGGER = log.get(__name__)


async def run(database: Database, till: Till) -> None:
    """Go round until cancelled."""
    while True:
        for gateway in till.gateways.values():
            try:
                await top_up.due(database, till, gateway)
                await hourly(database, till, gateway, datetime.now(UTC))
            except (SQLAlchemyError, OSError, ProviderError, TalktimeError) as error:
                _LOGGER.warning("a round of payments did not come to its end", error=type(error).__name__)
        await asyncio.sleep(TOP_UP_SECONDS)


def jobs(database: Database, till: Till) -> Mapping[str, Handler]:
    """Who does the jobs that payments enqueue."""

    async def save_card(gateway: str, user: str, purchase: str, payment: str) -> None:
        await saved_card.save(database, till.gateway(gateway), uuid.UUID(user), uuid.UUID(purchase), payment)

    return {SAVE_CARD_JOB: save_card}


async def hourly(database: Database, till: Till, gateway: Gateway, now: datetime) -> reconcile.Reconciliation | None:
    """Reconcile the last three days, if nobody did within the hour; None when somebody did.

    After a longer silence of ours it looks back to three days before that began: what was told then was told in vain.
    """
    async with database.transaction(everyone=WHY) as db:
        ours = (
            await db.execute(
                text(
                    "WITH before AS (SELECT reconciled_at FROM payment_rounds WHERE gateway = :gateway)"
                    " INSERT INTO payment_rounds AS r (gateway, reconciled_at) VALUES (:gateway, :now)"
                    " ON CONFLICT (gateway) DO UPDATE SET reconciled_at = :now WHERE r.reconciled_at <= :before"
                    " RETURNING (SELECT reconciled_at FROM before) AS last"
                ),
                {"gateway": gateway.name, "now": now, "before": now - _HOUR},
            )
        ).first()
    if ours is None:
        return None
    since = min(now, ours.last or now) - _LOOK_BACK
    found = await reconcile.reconcile(database, till, gateway, since, now)
    if found.differences:
        _LOGGER.warning(
            "what the payment company knows differed from what we do",
            gateway=gateway.name,
            differences=len(found.differences),
            left=sum(not difference.mended for difference in found.differences),
        )
    return found
