"""Money that comes in and goes back, and what is set by hand: each verb is one call of one database function
(`sql/40_money.sql`), which is the only writer. What a person does by hand is written into the audit log with it.

They run inside the caller's transaction, and work in every state of an account. Asked a second time they give the first
answer. Amounts are whole credits.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.alerts import put_away
from talktime.credits.functions import NotEnoughCredit, many, one, texts, whole, whole32
from talktime.credits.models import ClaimState, CreditAccount, NotCharged, TransactionType

__all__ = ["NotEnoughCredit"]


@dataclass(frozen=True, slots=True)
class Posting:
    """A line of the ledger."""

    fresh: bool
    seq: int
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class Reversal:
    """What was taken back of a purchase (negative: given back), and what could not be: the operator's loss."""

    fresh: bool
    taken: int
    lost: int
    balance: int


@dataclass(frozen=True, slots=True)
class Correction:
    """What a call costs after its duration was corrected; `amount` is the new line's, 0 when there is none."""

    fresh: bool
    amount: int
    charged: int
    unbilled: int
    balance: int


@dataclass(frozen=True, slots=True)
class Waiver:
    """What was given back for a call that is not charged."""

    fresh: bool
    amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Where a customer's word stands that a call was not a real one."""

    fresh: bool
    state: ClaimState
    credits: int
    """What the call had cost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far running calls may go, and how many at once."""

    grace_limit: int
    max_open_calls: int
    clawback_debt: int


async def purchase(db: AsyncSession, user: uuid.UUID, purchase_id: uuid.UUID) -> Posting:
    """Turn a paid purchase into credits, once."""
    return Posting(**await one(db, "purchase_v1", user, purchase=purchase_id))


async def reverse(
    db: AsyncSession,
    user: uuid.UUID,
    purchase_id: uuid.UUID,
    *,
    kind: TransactionType,
    reference: str,
    credits: int,
) -> Reversal:
    """Take credits of a purchase back (negative: give back what was taken), for a REFUND or a DISPUTE.

    The reference is `refund:<id>`, `refund:<id>:failed`, `dispute:<id>:withdrawn` or `dispute:<id>:reinstated`.
    """
    return Reversal(
        **await one(
            db,
            "reverse_v1",
            user,
            purchase=purchase_id,
            kind=kind.value,
            reference=reference,
            credits=whole(credits, "reversal"),
        )
    )


async def correct(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, seconds: int) -> Correction:
    """The carrier says a settled call lasted so many seconds: post the difference as a line of its own."""
    return Correction(**await one(db, "correct_v1", user, call=call, seconds=whole32(seconds, "seconds")))


async def waive(
    db: AsyncSession, user: uuid.UUID, call: uuid.UUID, reason: NotCharged | str, actor: uuid.UUID
) -> Waiver:
    """The operator does not charge a call. Needs a transaction that is everyone's."""
    done = Waiver(**await one(db, "waive_v1", user, call=call, reason=str(reason), actor=actor))
    if done.fresh:
        after: dict[str, audit.Value] = {"call_id": str(call), "reason": str(reason), "amount": done.amount}
        await audit.record(db, user, actor, "call.waived", after=after)
    return done


async def claim(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, reason: NotCharged | str) -> Claim:
    """The customer says a call was not a real one: given back at once when short and rare, else decided by a person."""
    row = await one(db, "claim_v1", user, call=call, reason=str(reason))
    return Claim(**{**row, "state": ClaimState(row["state"])})


async def decide_claim(
    db: AsyncSession, user: uuid.UUID, call: uuid.UUID, *, grant: bool, actor: uuid.UUID, note: str | None = None
) -> ClaimState:
    """The operator's word on a claim; the alert that asked for it goes. Needs a transaction that is everyone's."""
    row = await one(db, "decide_claim_v1", user, call=call, grant=grant, actor=actor, note=note)
    state = ClaimState(row["state"])
    # Also of one that was decided before: its alert may have stayed.
    said = f"The claim was {state.value.lower()}."
    await put_away(db, "charge_claimed", about={"call_id": str(call)}, decided_by=actor, note=said)
    if row["fresh"]:
        before = {"state": ClaimState.REQUESTED.value}
        after = {"call_id": str(call), "state": state.value, "amount": row["amount"]}
        await audit.record(db, user, actor, f"claim.{state.value.lower()}", before=before, after=after)
    return state


async def adjust(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    reference: str,
    amount: int,
    reason: str,
    actor: uuid.UUID,
    as_debt: bool = False,
) -> Posting:
    """Give (or, negative, take) credits by hand; the reference makes it happen once. Needs a transaction that is
    everyone's. Raises NotEnoughCredit.

    The operator's verb is `adjustments.request`, which knows when a second person is needed, and keeps the audit log.
    """
    texts(reference, reason)
    row = await one(
        db,
        "adjust_v1",
        user,
        reference=reference,
        amount=whole(amount, "amount"),
        reason=reason,
        actor=actor,
        as_debt=as_debt,
    )
    return Posting(**row)


async def payout(db: AsyncSession, user: uuid.UUID, reference: str, actor: uuid.UUID) -> Posting:
    """What is left on a closed account leaves the books. Needs a transaction that is everyone's."""
    texts(reference, "-")
    await one_way_out(db, user)
    done = Posting(**await one(db, "payout_v1", user, reference=reference, actor=actor))
    if done.fresh:
        after = {"seq": done.seq, "amount": done.amount, "balance": done.balance_after}
        await audit.record(db, user, actor, "credits.paid_out", after=after)
    return done


async def one_way_out(db: AsyncSession, user: uuid.UUID) -> None:
    """Money leaves an account by a payout or by a refund: whoever comes second looks when the first is done."""
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"money leaves {user}"})


async def rent(db: AsyncSession, user: uuid.UUID, number: uuid.UUID, month: date, credits: int) -> Posting:
    """Charge a number's rent for a month, once."""
    return Posting(**await one(db, "rent_v1", user, number=number, month=month, credits=whole(credits, "rent")))


async def set_limits(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    grace_limit: int | None = None,
    max_open_calls: int | None = None,
    actor: uuid.UUID | None = None,
) -> Limits:
    """Set how far running calls may go below zero and how many may run; None leaves one as it is.

    `actor` is the operator who does it; nobody is the installation itself.
    """
    grace = None if grace_limit is None else whole(grace_limit, "grace limit")
    open_calls = None if max_open_calls is None else whole32(max_open_calls, "number of calls")
    # Changing nothing locks the account and says how it is.
    before = await one(db, "set_limits_v1", user, grace=None, open_calls=None)
    row = await one(db, "set_limits_v1", user, grace=grace, open_calls=open_calls)
    await _record_change(db, user, actor, "limits.set", (before, row))
    return Limits(**row)


async def set_guards(
    db: AsyncSession,
    user: uuid.UUID,
    *,
    per_day: int | None,
    per_call: int | None,
    per_caller: int | None,
    actor: uuid.UUID | None = None,
) -> None:
    """Set all three spend guards, in credits; None is none.

    `actor` is the operator when the customer does not do it.
    """
    await hold_choices(db, user)
    before = await _chosen(db, user)
    await one(
        db,
        "set_guards_v1",
        user,
        day=None if per_day is None else whole(per_day, "limit per day"),
        per_call=None if per_call is None else whole(per_call, "limit per call"),
        per_caller=None if per_caller is None else whole(per_caller, "limit per caller"),
    )
    await _record_change(db, user, actor or user, "guards.set", (before, await _chosen(db, user)))


async def set_low_balance(
    db: AsyncSession, user: uuid.UUID, threshold: int | None, *, actor: uuid.UUID | None = None
) -> None:
    """Tell the customer, once each time, when the balance falls below so many credits; None never.

    `actor` is the operator when the customer does not do it.
    """
    await hold_choices(db, user)
    before = await _chosen(db, user)
    await one(db, "set_low_balance_v1", user, threshold=None if threshold is None else whole(threshold, "threshold"))
    await _record_change(db, user, actor or user, "low_balance.set", (before, await _chosen(db, user)))


async def hold_choices(db: AsyncSession, user: uuid.UUID) -> None:
    """What a customer chose stays as it is until the transaction ends: whoever else changes it comes after."""
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"choices of {user}"})


async def block(db: AsyncSession, user: uuid.UUID, reason: str | None) -> None:
    """Let nothing start or extend on this account, or (None) again."""
    await one(db, "block_v1", user, reason=reason)


async def close(db: AsyncSession, user: uuid.UUID) -> list[uuid.UUID]:
    """Let nothing start any more and cut off what runs; gives the calls that are to be hung up."""
    return [row["call_id"] for row in await many(db, "close_v1", user=user)]


_CHOSEN = ("day_limit", "call_limit", "caller_limit", "low_balance")


async def _chosen(db: AsyncSession, user: uuid.UUID) -> dict[str, int | None]:
    """What a customer chose; nothing before there is an account."""
    found = await db.execute(
        select(*(getattr(CreditAccount, name) for name in _CHOSEN)).where(CreditAccount.user_id == user)
    )
    row = found.first()
    return dict.fromkeys(_CHOSEN) if row is None else dict(zip(_CHOSEN, row, strict=True))


async def _record_change(
    db: AsyncSession,
    user: uuid.UUID,
    actor: uuid.UUID | None,
    act: str,
    change: tuple[Mapping[str, int | None], Mapping[str, int | None]],
) -> None:
    """Write down what changed, when something did; `change` is how it was and how it is."""
    before, after = change
    changed = [name for name in after if before[name] != after[name]]
    if changed:
        pick = [{name: values[name] for name in changed} for values in (before, after)]
        await audit.record(db, user, actor, act, before=pick[0], after=pick[1])
