"""Closing an account: what runs is ended, what it cost is settled, and the person goes out of it. The books stay.

The rule: it is one way, and each step can be run again. The first transaction shuts every door (the books, the person's
and their programs' ways in, their numbers); the telephone and the payment company come outside of it; then what callers
said is emptied page by page, and last of all the person, because what is still to be found is found by their address.
Whoever dies in between is finished by closing again, or by the job that the first transaction left (`FINISH_JOB`).

What stays: the lines of the ledger, holds, purchases, refunds, and documents of money as they were issued, with the
name that stands on them; the audit log, which holds no personal data; calls without who called and what was said. Money
that is left stays until the operator pays it out (`money.payout`).
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit, sessions
from talktime.accounts.models import ApiKey, IdempotencyKey, Link, RecoveryCode, Session, User, UserStatus
from talktime.accounts.operators import leave_one, one_by_one, require_operator
from talktime.accounts.people import withdraw
from talktime.accounts.sessions import Identity
from talktime.agents.models import Agent
from talktime.calls import closing as ending
from talktime.carriers.contract import Carrier
from talktime.credits import money
from talktime.credits.account import funds_of
from talktime.db.session import Database
from talktime.errors import NotFound
from talktime.jobs import Handler, Jobs
from talktime.notices.models import Notice
from talktime.numbers import pool
from talktime.numbers.models import NumberProof, PhoneNumber
from talktime.payments import saved_card
from talktime.payments.invoice_models import BillingDetails
from talktime.privacy import emptying
from talktime.webhooks import endpoints

WHY = "an account is closed, also what is the operator's in it"
FINISH_JOB = "privacy.finish_closing"
SETTLES_SECONDS_MAX = 30.0
_NOBODY = "closed.invalid"
_LOGGER = log.get(__name__)

ForgetCard = Callable[[uuid.UUID], Awaitable[bool]]
"""Makes the payment company forget somebody's card; False when it did not."""
EndCheckouts = Callable[[AsyncSession, uuid.UUID], Awaitable[int]]
"""Sees to it that what somebody began to buy can be paid no more; gives how much that is. In the transaction that
closes the account, so that neither happens without the other."""
Progress = Callable[[int], None]
"""Told now and then how many calls were emptied so far."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What came of closing an account."""

    hung_up: int
    """Calls that the carrier took the end of."""
    left: Sequence[uuid.UUID]
    """Calls that are not settled yet: the sweep does it, within two minutes. Closing again says how they stand."""
    checkouts: int
    """Pages where something could still be paid: the payment company is asked to close them, by a job."""
    card_is_gone: bool
    """False: the payment company still has the card, because it did not answer. Closing again asks it again."""
    balance: int
    """What is left on it, in credits: the operator's to pay out."""
    emptied: int | None
    """Calls that were emptied just now; None where a job does it afterwards."""


async def close_account(
    database: Database,
    carriers: Mapping[str, Carrier],
    user: uuid.UUID,
    actor: uuid.UUID,
    *,
    forget_card: ForgetCard,
    end_checkouts: EndCheckouts,
    jobs: Jobs | None = None,
    home: Path | None = None,
    seconds_max: float = SETTLES_SECONDS_MAX,
    progress: Progress | None = None,
) -> Closed:
    """The operator closes an account for good: ends its calls, waits at most so long for them to be settled, and takes
    the person out of it. Closing a closed one again finishes what is still open.

    `home` is where mails to them may lie. With `jobs`, a job stands behind us should we die in between. Raises
    NotFound, NotAnOperator, LastOperator.
    """
    async with database.transaction(everyone=WHY) as db:
        await one_by_one(db)
        await require_operator(db, actor)
        shut = await _shut(db, user, actor, end_checkouts, jobs)
    hung_up, card_is_gone = await _end(carriers, user, shut, forget_card)
    left = await ending.settled(database, user, seconds_max if shut.calls else 0)
    emptied = await finish(database, user, actor=actor, home=home, progress=progress)
    return Closed(hung_up, left, shut.checkouts, card_is_gone, await _balance(database, user), emptied)


async def close_own(
    database: Database,
    carriers: Mapping[str, Carrier],
    identity: Identity,
    *,
    forget_card: ForgetCard,
    end_checkouts: EndCheckouts,
    jobs: Jobs,
    seconds_max: float = 3.0,
) -> Closed:
    """A customer closes their own account. What was said on their calls, and they themselves, are taken out by a job:
    that may take minutes, and nobody waits for it in front of a page.

    Raises OwnerOnly, ConfirmFirst, LastOperator.
    """
    sessions.require_confirmed(identity)
    user = identity.user_id
    async with database.transaction(everyone=WHY) as db:
        await one_by_one(db)
        shut = await _shut(db, user, user, end_checkouts, jobs)
    hung_up, card_is_gone = await _end(carriers, user, shut, forget_card)
    left = await ending.settled(database, user, seconds_max if shut.calls else 0)
    return Closed(hung_up, left, shut.checkouts, card_is_gone, await _balance(database, user), None)


async def finish(
    database: Database,
    user: uuid.UUID,
    *,
    actor: uuid.UUID | None = None,
    home: Path | None = None,
    progress: Progress | None = None,
) -> int:
    """Take what callers said, and the person, out of an account that is closed; gives how many calls that was.

    A job, which may run again; of an account that is not closed it does nothing.
    """
    async with database.transaction(everyone=WHY) as db:
        found = (await db.execute(select(User.status, User.email).where(User.id == user))).one_or_none()
    if found is None or found.status is not UserStatus.CLOSED:
        return 0
    emptied = await emptying.empty_calls(database, user, progress or _quietly)
    await emptying.empty_reports(database, user)
    if found.email != address_of(user):
        await emptying.empty_payers(database, user, found.email)
        if home is not None:
            await emptying.empty_mails(home, found.email)
    async with database.transaction(everyone=WHY) as db:
        await _anonymise(db, user, actor)
    _LOGGER.info("a closed account was emptied", user_id=str(user), calls=emptied)
    return emptied


async def finish_left_over(database: Database, home: Path | None = None) -> int:
    """Finish every closed account that nobody finished, because the jobs gave up; gives how many. For a nightly
    round."""
    async with database.transaction(everyone=WHY) as db:
        left = await db.scalars(
            select(User.id).where(User.status == UserStatus.CLOSED, User.email.not_like(f"closed-%@{_NOBODY}"))
        )
        users = left.all()
    for user in users:
        await finish(database, user, home=home)
    return len(users)


def jobs_of(database: Database, home: Path | None) -> Mapping[str, Handler]:
    """Who does the job that closing leaves behind."""

    async def finish_one(user: str) -> None:
        await finish(database, uuid.UUID(user), home=home)

    return {FINISH_JOB: finish_one}


def address_of(user: uuid.UUID) -> str:
    """The address that somebody has who is gone: nobody's, so that their own is free again."""
    return f"closed-{user}@{_NOBODY}"


@dataclass(frozen=True, slots=True)
class _Shut:
    calls: Sequence[ending.OpenCall]
    checkouts: int


async def _shut(
    db: AsyncSession, user: uuid.UUID, actor: uuid.UUID, end_checkouts: EndCheckouts, jobs: Jobs | None
) -> _Shut:
    """Everything that can be done at once, in one transaction: from here on the account is closed."""
    await leave_one(db, user)
    before = await db.scalar(select(User.status).where(User.id == user))
    if before is None:
        raise NotFound("There is no such user.")
    await money.close(db, user)
    now = datetime.now(UTC)
    await db.execute(
        update(User)
        .where(User.id == user)
        .values(status=UserStatus.CLOSED, closed_at=func.coalesce(User.closed_at, now))
        .execution_options(synchronize_session=False)
    )
    calls = await ending.open_calls(db, user)
    # After the account and its owner are closed: a purchase that is begun now waits for that, and is refused.
    checkouts = await end_checkouts(db, user)
    await saved_card.off(db, user, actor=actor)
    # An operator leaves nothing open in which they would still be somebody else, and that it ended is written down.
    await withdraw(db, user, actor)
    browsers = await _lock_out(db, user, now)
    await endpoints.close_all(db, user)
    await db.execute(
        update(Agent)
        .where(Agent.user_id == user)
        .values(active=False, archived_at=func.coalesce(Agent.archived_at, now))
        .execution_options(synchronize_session=False)
    )
    numbers = await _release_numbers(db, user, actor)
    await db.execute(
        update(Notice)
        .where(Notice.user_id == user, Notice.mailed_at.is_(None), Notice.dropped_at.is_(None))
        .values(dropped_at=now, dropped_reason="closed")
        .execution_options(synchronize_session=False)
    )
    if jobs is not None:
        await jobs.enqueue(db, FINISH_JOB, user=str(user))
    if before is not UserStatus.CLOSED:
        after: dict[str, audit.Value] = {
            "status": UserStatus.CLOSED.value,
            "open_calls": len(calls),
            "checkouts": checkouts,
            "numbers": numbers,
            "sessions": browsers,
        }
        await audit.record(db, user, actor, "user.closed", before={"status": before.value}, after=after)
        _LOGGER.info("account closed", user_id=str(user), actor_id=str(actor), open_calls=len(calls))
    return _Shut(calls, checkouts)


async def _lock_out(db: AsyncSession, user: uuid.UUID, now: datetime) -> int:
    """Every way in is gone; gives how many browsers that were. Of keys it stays known that there were some, because the
    audit log names them."""
    signed_out = await db.execute(delete(Session).where(Session.user_id == user).returning(Session.id))
    whose = select(func.lower(User.email)).where(User.id == user).scalar_subquery()
    await db.execute(delete(Link).where(or_(Link.user_id == user, func.lower(Link.email) == whose)))
    await db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user))
    await db.execute(delete(IdempotencyKey).where(IdempotencyKey.user_id == user))
    await db.execute(
        update(ApiKey)
        .where(ApiKey.user_id == user)
        .values(revoked_at=func.coalesce(ApiKey.revoked_at, now), name="closed")
        .execution_options(synchronize_session=False)
    )
    return len(signed_out.all())


async def _release_numbers(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID) -> int:
    """Their numbers go back and rest."""
    numbers = (
        await db.scalars(select(PhoneNumber.id).where(PhoneNumber.user_id == user).order_by(PhoneNumber.id))
    ).all()
    for number in numbers:
        await pool.release(db, number, user=user, actor=actor)
    return len(numbers)


async def _end(
    carriers: Mapping[str, Carrier], user: uuid.UUID, shut: _Shut, forget_card: ForgetCard
) -> tuple[int, bool]:
    """What others have to be asked for, outside of any transaction."""
    hung_up = await ending.hang_up(carriers, shut.calls)
    return hung_up, await forget_card(user)


async def _anonymise(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID | None) -> None:
    """The person goes, and their language stays: whoever reads an old invoice reads it in that."""
    await emptying.empty_agents(db, user)
    await emptying.empty_webhooks(db, user)
    await db.execute(delete(NumberProof).where(NumberProof.user_id == user))
    await db.execute(
        update(BillingDetails)
        .where(BillingDetails.user_id == user)
        .values(name="", address="", country="", vat_id="", email="")
        .execution_options(synchronize_session=False)
    )
    # Once more: a link may have been sent for while the first transaction was not committed.
    await _lock_out(db, user, datetime.now(UTC))
    changed = await db.execute(
        update(User)
        .where(User.id == user, User.status == UserStatus.CLOSED, User.email != address_of(user))
        .values(
            name="",
            email=address_of(user),
            password_hash=None,
            email_confirmed_at=None,
            totp_secret=None,
            totp_since=None,
            totp_step=None,
        )
        .returning(User.id)
        .execution_options(synchronize_session=False)
    )
    if changed.first() is not None:
        await audit.record(db, user, actor, "user.anonymised")


async def _balance(database: Database, user: uuid.UUID) -> int:
    async with database.transaction(user=user) as db:
        return (await funds_of(db, user)).balance


def _quietly(_: int) -> None:
    pass
