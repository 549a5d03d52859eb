"""The operator gives or takes credits by hand. Above a limit, which the small ones of a day reach together, a second
person must say yes before anything is posted.

The rule: what waits for approval is not in the books, and what was approved is there once, under the name of whoever
asked for it; the approval says who agreed.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.credits import money
from talktime.credits.functions import whole
from talktime.credits.models import Approval, ApprovalState, CreditTransaction
from talktime.credits.money import Posting
from talktime.credits.operators import require_operator
from talktime.errors import BadInput, Conflict, NotFound, Refused


class SecondPersonNeeded(Refused):
    """Somebody else must decide this: you asked for it yourself."""


class AlreadyDecided(Conflict):
    """Somebody decided this before."""


async def request(
    db: AsyncSession,
    *,
    user: uuid.UUID,
    reference: str,
    amount: int,
    reason: str,
    actor: uuid.UUID,
    as_debt: bool = False,
    limit: int,
) -> Posting | Approval:
    """Adjust a user's credits: posted at once up to `limit` credits either way, above it an Approval that waits.

    The limit is for all that this operator posts for this user on one day (UTC) without a second person, each counted
    by its size: what was given and taken again is not nothing.

    The same reference again gets the same answer, whatever the limit is by then; with other words it is a Conflict.
    What could not be posted now is refused now. Raises BadInput, NotEnoughCredit, NotAnOperator, NotFound, Conflict.
    Needs a transaction that is everyone's.
    """
    if whole(limit, "limit") < 0:
        raise BadInput("A limit is 0 credits or more.")
    if not isinstance(as_debt, bool):
        raise BadInput("Whether credits may be taken as debt is yes or no.")
    await require_operator(db, actor)
    asked = Approval(
        user_id=user,
        reference=reference,
        amount=whole(amount, "amount"),
        reason=reason,
        as_debt=as_debt,
        requested_by=actor,
    )
    await _one_by_one(db, user, actor)
    known = await _known(db, user, reference) if _is_text(reference) else None
    if known is not None:
        return _same(known, asked)
    is_posted = _is_text(reference) and await _is_posted(db, user, reference)
    if is_posted or abs(amount) + await _posted_today(db, user, actor) <= limit:
        posting = await _post(db, asked)
        if posting.fresh:
            after: dict[str, audit.Value] = {
                "seq": posting.seq,
                "amount": posting.amount,
                "balance": posting.balance_after,
            }
            await audit.record(db, user, actor, "credits.adjusted", after=after)
        return posting
    async with db.begin_nested() as trial:
        # All that could be wrong with it is found by doing it; then it is undone.
        await _post(db, asked)
        await trial.rollback()
    written = await db.execute(
        insert(Approval)
        .values({name: getattr(asked, name) for name in (*_WORDS, "user_id")})
        .on_conflict_do_nothing(index_elements=[Approval.user_id, Approval.reference])
        .returning(Approval.id)
    )
    is_first = written.first() is not None
    # Of two at the same moment the second finds the first one's.
    known = await _known(db, user, reference)
    assert known is not None, reference
    waiting = _same(known, asked)
    if is_first:
        after = {"approval_id": str(waiting.id), "amount": waiting.amount, "as_debt": waiting.as_debt}
        await audit.record(db, user, actor, "adjustment.asked", after=after)
    return waiting


async def approve(db: AsyncSession, approval: uuid.UUID, actor: uuid.UUID) -> Posting:
    """Say yes as the second person: posts it, once. Said again by the same person, the first answer.

    Raises NotAnOperator, SecondPersonNeeded, AlreadyDecided, NotFound; NotEnoughCredit leaves it waiting.
    """
    waiting = await _to_decide(db, approval, actor, ApprovalState.APPROVED)
    posting = await _post(db, waiting)
    posted: dict[str, audit.Value] = {"seq": posting.seq, "amount": posting.amount, "balance": posting.balance_after}
    await _decide(db, waiting, ApprovalState.APPROVED, actor, posted)
    return posting


async def refuse(db: AsyncSession, approval: uuid.UUID, actor: uuid.UUID) -> Approval:
    """Say no as the second person: it is never posted. Its reference stays used. Raises as `approve` does."""
    waiting = await _to_decide(db, approval, actor, ApprovalState.REFUSED)
    await _decide(db, waiting, ApprovalState.REFUSED, actor, {"amount": waiting.amount})
    return waiting


async def pending(db: AsyncSession, *, limit: int = 200) -> Sequence[Approval]:
    """What waits for a second person, oldest first."""
    waiting = select(Approval).where(Approval.state == ApprovalState.PENDING)
    return (await db.execute(waiting.order_by(Approval.created_at, Approval.id).limit(limit))).scalars().all()


_WORDS = ("reference", "amount", "reason", "as_debt", "requested_by")


def _is_text(reference: object) -> bool:
    """Whether it can be looked for at all; `money.adjust` says what is wrong with one that cannot."""
    if not isinstance(reference, str):
        return False
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in reference)


async def _known(db: AsyncSession, user: uuid.UUID, reference: str) -> Approval | None:
    found = select(Approval).where(Approval.user_id == user, Approval.reference == reference)
    return (await db.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()


async def _is_posted(db: AsyncSession, user: uuid.UUID, reference: str) -> bool:
    line = select(CreditTransaction.seq).where(
        CreditTransaction.user_id == user, CreditTransaction.reference == reference
    )
    return (await db.execute(line)).first() is not None


async def _one_by_one(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID) -> None:
    """What one operator does for one user at the same moment waits in line: each sees what the others posted."""
    key = f"adjustments of {user} by {actor}"
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


async def _posted_today(db: AsyncSession, user: uuid.UUID, actor: uuid.UUID) -> int:
    """Credits either way that this operator alone has posted for this user since midnight (UTC)."""
    return await db.scalar(_POSTED_TODAY, {"user": user, "actor": actor}) or 0


# Only lines with a reference: an index has them, and there are few. A payout has one, too, and is no adjustment; what
# has a call was waived or granted, which is bounded by what the call cost.
_POSTED_TODAY = text("""
    SELECT sum(abs(t.amount))::bigint FROM credit_transactions t
    WHERE t.user_id = :user AND t.reference IS NOT NULL AND t.reference !~ '^payout:' AND t.type = 'ADMIN_ADJUSTMENT'
        AND t.call_id IS NULL AND t.actor_id = :actor
        AND t.created_at >= date_trunc('day', clock_timestamp(), 'UTC')
        AND NOT EXISTS (SELECT FROM approvals a WHERE a.user_id = t.user_id AND a.reference = t.reference)
""")


def _same(known: Approval, asked: Approval) -> Approval:
    if any(getattr(known, name) != getattr(asked, name) for name in _WORDS):
        raise Conflict(f"The reference {known.reference} was used for another adjustment: choose a new one.")
    return known


async def _post(db: AsyncSession, asked: Approval) -> Posting:
    return await money.adjust(
        db,
        asked.user_id,
        reference=asked.reference,
        amount=asked.amount,
        reason=asked.reason,
        actor=asked.requested_by,
        as_debt=asked.as_debt,
    )


async def _to_decide(db: AsyncSession, approval: uuid.UUID, actor: uuid.UUID, wanted: ApprovalState) -> Approval:
    """The approval, locked, if this person may decide it so, or has done so before."""
    await require_operator(db, actor)
    found = select(Approval).where(Approval.id == approval).with_for_update()
    waiting = (await db.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()
    if waiting is None:
        raise NotFound("There is no such request.")
    if waiting.requested_by == actor:
        raise SecondPersonNeeded
    if waiting.state != ApprovalState.PENDING and (waiting.state, waiting.decided_by) != (wanted, actor):
        raise AlreadyDecided(f"This was {waiting.state.lower()} already.")
    return waiting


async def _decide(
    db: AsyncSession, waiting: Approval, state: ApprovalState, actor: uuid.UUID, came_to: Mapping[str, audit.Value]
) -> None:
    if waiting.state != ApprovalState.PENDING:
        return
    waiting.state = state
    waiting.decided_by = actor
    waiting.decided_at = datetime.now(UTC)
    await db.flush()
    before = {"state": ApprovalState.PENDING.value, "requested_by": str(waiting.requested_by)}
    after: dict[str, audit.Value] = {"state": state.value, "approval_id": str(waiting.id), **came_to}
    await audit.record(db, waiting.user_id, actor, f"adjustment.{state.value.lower()}", before=before, after=after)
