"""What payments do by themselves: topping up every few seconds, asking the payment company every hour.

The rule: any number of processes may run this at once. One that fails says so and goes on with the next round.
"""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.alerts import raise_alert
from talktime.db.session import Database
from talktime.errors import ProviderError, TalktimeError
from talktime.gateways.contract import Gateway
from talktime.jobs import Handler
from talktime.payments import open_checkouts, reconcile, saved_card, top_up
from talktime.payments.fulfilment import SAVE_CARD_JOB
from talktime.payments.till import Till

WHY = "the hour's reconciliation is one process's, whichever comes first"

TOP_UP_SECONDS = 10.0
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_LOOK_BACK = timedelta(days=3)
_UNDECIDED_MAX = timedelta(days=180)
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

    async def end_checkout(gateway: str, user: str, purchase: str, asked_at: int) -> None:
        await open_checkouts.end(
            database,
            till,
            gateway,
            user=uuid.UUID(user),
            purchase=uuid.UUID(purchase),
            asked_at=datetime.fromtimestamp(asked_at, UTC),
        )

    return {SAVE_CARD_JOB: save_card, open_checkouts.END_CHECKOUT_JOB: end_checkout}


async def hourly(database: Database, till: Till, gateway: Gateway, now: datetime) -> reconcile.Reconciliation | None:
    """Reconcile the last three days, if nobody did within the hour; None when somebody did.

    It looks back to three days before the last round that came to its end: after a longer silence, ours or the
    company's, what was told then was told in vain. Before the first it looks back to the first purchase of all.
    And once a day as far as what is not decided yet: a dispute takes weeks, and its end is told for some days only.
    """
    async with database.transaction(everyone=WHY) as db:
        ours = (
            await db.execute(
                text(
                    "INSERT INTO payment_rounds AS r (gateway, reconciled_at) VALUES (:gateway, :now)"
                    " ON CONFLICT (gateway) DO UPDATE SET reconciled_at = :now WHERE r.reconciled_at <= :before"
                    " RETURNING r.succeeded_at AS last, (SELECT min(p.created_at) FROM purchases p"
                    " WHERE r.succeeded_at IS NULL AND p.gateway = :gateway) AS first"
                ),
                {"gateway": gateway.name, "now": now, "before": now - _HOUR},
            )
        ).first()
        if ours is None:
            return None
        since = min(now, ours.last or max(ours.first or now, now - _UNDECIDED_MAX)) - _LOOK_BACK
        is_new_day = ours.last is None or ours.last.astimezone(UTC).date() < now.astimezone(UTC).date()
        undecided = await reconcile.oldest_undecided(db, gateway) if is_new_day else None
    if undecided is not None:
        since = min(since, max(undecided - _DAY, now - _UNDECIDED_MAX))
    await open_checkouts.end_left_over(database, till, gateway)
    found = await reconcile.reconcile(database, till, gateway, since, now)
    if found.differences:
        _LOGGER.warning(
            "what the payment company knows differed from what we do",
            gateway=gateway.name,
            differences=len(found.differences),
            left=sum(not difference.mended for difference in found.differences),
        )
    async with database.transaction(everyone=WHY) as db:
        # What the company knows and we do not was put before the operator by who handled it; this is the other way.
        for difference in found.differences:
            if difference.there == "nothing":
                await _tell_unknown(db, gateway, difference)
        # Only now, so that the next round goes on from the last one that came so far. GREATEST leaves a NULL out.
        await db.execute(
            text("UPDATE payment_rounds SET succeeded_at = greatest(succeeded_at, :now) WHERE gateway = :gateway"),
            {"gateway": gateway.name, "now": now},
        )
    return found


async def _tell_unknown(db: AsyncSession, gateway: Gateway, difference: reconcile.Difference) -> None:
    """Put something that only we know of before the operator, once while it is open."""
    ids = {
        "purchase_id": difference.purchase_id,
        "payment_id": difference.payment_id,
        "checkout_id": difference.checkout_id,
        "reversal_id": difference.reversal_id,
    }
    detail = {"gateway": gateway.name, **{name: value for name, value in ids.items() if value}}
    await raise_alert(db, "unknown_there", uuid.UUID(difference.user_id), detail, once=True)
