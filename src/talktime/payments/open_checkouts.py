"""What somebody began to buy when their account was closed: nobody is to pay it any more.

The rule: which purchases these are is settled in the transaction that closes the account; the payment company is asked
afterwards, by a job, and by the hourly round where the jobs have given up. What it says goes the way of its events: one
that was paid meanwhile is granted.
"""

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts.models import User, UserStatus
from talktime.db.session import Database
from talktime.errors import ProviderError
from talktime.gateways.contract import Gateway
from talktime.jobs import Jobs
from talktime.payments import matching
from talktime.payments.models import Purchase, PurchaseKind, PurchaseState
from talktime.payments.till import Till

WHY = "an account is closed, and what it began to buy can be paid no more"
END_CHECKOUT_JOB = "payments.end_checkout"

_MADE_WITHIN = timedelta(minutes=1)
"""Longer than a payment company is given to make a checkout: one that has no name after that has no page either."""
_JOBS_TRY_FOR = timedelta(minutes=10)
_ROUND_MAX = 500
_LOGGER = log.get(__name__)


async def end_all(db: AsyncSession, jobs: Jobs, user: uuid.UUID) -> int:
    """Have every open checkout of somebody ended, once this transaction is committed; gives how many there are.

    What is pending is paid already, as far as the buyer can; it is granted when the money comes.
    """
    begun = await db.execute(
        select(Purchase.id, Purchase.gateway)
        .where(
            Purchase.user_id == user,
            Purchase.kind == PurchaseKind.CHECKOUT,
            Purchase.state == PurchaseState.OPEN,
        )
        .order_by(Purchase.id)
    )
    now = int(datetime.now(UTC).timestamp())
    count = 0
    for purchase, gateway in begun:
        await jobs.enqueue(db, END_CHECKOUT_JOB, gateway=gateway, user=str(user), purchase=str(purchase), asked_at=now)
        count += 1
    return count


async def end_left_over(database: Database, till: Till, gateway: Gateway) -> int:
    """Close what the jobs did not, because the company did not answer for longer than they try; gives how much that is.

    A step of the hourly round, which goes on whatever comes of it.
    """
    async with database.transaction(everyone=WHY) as db:
        left = await db.execute(
            select(Purchase.user_id, Purchase.id)
            .join(User, User.id == Purchase.user_id)
            .where(
                User.status == UserStatus.CLOSED,
                Purchase.kind == PurchaseKind.CHECKOUT,
                Purchase.state == PurchaseState.OPEN,
                Purchase.gateway == gateway.name,
                Purchase.test.is_(not gateway.live),
                Purchase.created_at < _long_ago(),
            )
            .limit(_ROUND_MAX)
        )
        found = [(row.user_id, row.id) for row in left]
    for user, purchase in found:
        try:
            await end(database, till, gateway.name, user=user, purchase=purchase, asked_at=_long_ago())
        except ProviderError as error:
            # One that the company does not know keeps nothing else waiting; after two days it is given up.
            _LOGGER.warning("a checkout was not ended", purchase_id=str(purchase), error=str(error))
    return len(found)


async def end(
    database: Database, till: Till, gateway_name: str, *, user: uuid.UUID, purchase: uuid.UUID, asked_at: datetime
) -> None:
    """Close one checkout at the payment company, and do what it says of it. A job, which may run again.

    Raises Conflict for a company whose keys are not set any more; ProviderError, also while a checkout is being made.
    """
    gateway = till.gateway(gateway_name)
    async with database.transaction(everyone=WHY) as db:
        found = await matching.locked(db, user, purchase)
        if found is None or found.state is not PurchaseState.OPEN or found.test == gateway.live:
            return  # it is over, or was begun in a mode that is not asked any more
        checkout_id = (await matching.known(db, found)).checkout_id
        if checkout_id is None and datetime.now(UTC) > asked_at + _MADE_WITHIN:
            found.state = PurchaseState.EXPIRED
            return
    if checkout_id is None:
        raise ProviderError("a checkout that is to be ended may still be in the making")
    notice = await gateway.expire_checkout(checkout_id)
    async with database.transaction(everyone=WHY) as db:
        await till.handle(db, gateway, notice)


def _long_ago() -> datetime:
    return datetime.now(UTC) - _JOBS_TRY_FOR
