"""How a call's charge was arrived at, line by line, so that a person can redo the sum by hand.

The rule: nothing is computed here that the books do not say as well. For a call that is settled and charged, what the
counted seconds cost at its rate is what was charged and what was left unbilled; the lines sum to the charge.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from talktime.calls.models import Call
from talktime.credits.models import ChargeClaim, ClaimState, CreditHold, CreditTransaction, HoldState
from talktime.credits.pricing import Rate
from talktime.documents.values import ReceiptDocument
from talktime.documents.values import ReceiptLine as DocumentLine
from talktime.errors import Conflict, NotFound


class NotSettled(Conflict):
    """This call is not settled yet: its receipt is written when it ends."""


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of the ledger that this call made."""

    seq: int
    type: str
    amount: int
    balance_after: int
    created_at: datetime
    reason: str | None = None
    """Why, where somebody or something had to say so: a correction, a call that is not charged."""


@dataclass(frozen=True, slots=True)
class ReceiptClaim:
    """The customer's word that this was not a real call, and what became of it."""

    reason: str
    state: ClaimState
    automatic: bool
    credits: int
    """What the call had cost by then."""
    created_at: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The charge of one call."""

    call_id: uuid.UUID
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    seconds: int
    """Talk by our clock, rounded up."""
    carrier_seconds: int | None
    """The same by the carrier's."""
    counted_seconds: int
    """What the charge goes by: ours, or the carrier's when the two differ too much."""
    billable_seconds: int
    rate: Rate
    rated: int
    """What the counted seconds cost at this rate, in credits."""
    charged: int
    """What was taken: the sum of the lines, positive."""
    corrected: int
    """How much of that was added (negative: given back) after the first settling."""
    unbilled: int
    not_charged_reason: str | None
    final_reason: str | None
    """Why it got no more time: `no_credit`, `debt`, `blocked`, or a spend guard's name."""
    is_final: bool
    held: int
    """What is set aside while the call runs."""
    rule: str
    """The sum in words."""
    lines: Sequence[ReceiptLine]
    claim: ReceiptClaim | None = None
    parent_id: uuid.UUID | None = None
    """Of a leg to a person: the call whose caller was put through. Its seconds are its carrier's."""
    legs: Sequence[uuid.UUID] = ()
    """The legs to persons that this call's caller was put through on; their charges are their own."""

    @property
    def is_comparable(self) -> bool:
        """Whether the carrier counts the same as we do: not where it counts a transferred part along."""
        return not self.legs and self.parent_id is None

    @property
    def can_be_claimed(self) -> bool:
        """Whether the customer may say that it was not a real call."""
        return self.is_final and self.charged > 0 and self.claim is None


async def receipt(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> Receipt:
    """The receipt of one call of a user. Raises NotFound, also for somebody else's, and where there is none because the
    fallback ladder answered before anybody asked about credit."""
    found = (
        await db.execute(
            select(Call)
            .where(Call.user_id == user, Call.id == call)
            .options(joinedload(Call.hold), selectinload(Call.lines), selectinload(Call.legs))
        )
    ).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such call.")
    if found.hold is None:
        raise NotFound("This call has no receipt: the agent did not answer it.")
    return receipt_of(found, found.hold, found.lines, await claim_of(db, user, call))


async def claim_of(db: AsyncSession, user: uuid.UUID, call: uuid.UUID) -> ChargeClaim | None:
    """What the customer said of a call, if anything."""
    return (
        await db.execute(select(ChargeClaim).where(ChargeClaim.user_id == user, ChargeClaim.call_id == call))
    ).scalar_one_or_none()


def rate_of(hold: CreditHold) -> Rate:
    """The price of one call, as it was when it rang."""
    return Rate(
        credits_per_minute=hold.credits_per_minute,
        connection_fee=hold.connection_fee,
        initial_seconds=hold.initial_seconds,
        increment_seconds=hold.increment_seconds,
        free_seconds=hold.free_seconds,
    )


def receipt_of(
    call: Call, hold: CreditHold, lines: Sequence[CreditTransaction], claim: ChargeClaim | None = None
) -> Receipt:
    """Put a call's receipt together from what the books say. The call's legs must have been loaded with it."""
    rate = rate_of(hold)
    was_answered = hold.lease_owner is not None
    seconds = hold.settled_seconds if hold.settled_seconds is not None else hold.used_seconds
    seconds = seconds if was_answered else 0
    counted = hold.corrected_seconds if hold.corrected_seconds is not None else seconds
    reason = hold.not_charged_reason
    billable = 0 if reason else rate.billable_seconds(counted)
    rated = 0 if reason else rate.cost(counted)
    return Receipt(
        call_id=call.id,
        began_at=call.started_at,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
        seconds=seconds,
        carrier_seconds=call.carrier_seconds,
        counted_seconds=counted,
        billable_seconds=billable,
        rate=rate,
        rated=rated,
        charged=hold.charged + hold.corrected,
        corrected=hold.corrected,
        unbilled=hold.unbilled,
        not_charged_reason=reason or (None if was_answered else _why_not(hold)),
        final_reason=hold.final_reason,
        is_final=hold.settled_at is not None,
        held=hold.held,
        rule=_rule(rate, seconds, counted, billable, rated),
        lines=tuple(
            ReceiptLine(line.seq, line.type.value, line.amount, line.balance_after, line.created_at, line.reason)
            for line in lines
        ),
        claim=_claim(claim) if claim is not None else None,
        parent_id=call.parent_id,
        legs=tuple(leg.id for leg in call.legs if leg.carrier_call_id),
    )


def document_of(receipt: Receipt, *, business: str, zone: str) -> ReceiptDocument:
    """A receipt as a page on paper. Raises NotSettled.

    On paper the sum goes by our clock, and what was corrected afterwards stands below it.
    """
    if not receipt.is_final or receipt.ended_at is None:
        raise NotSettled
    rate = receipt.rate
    reason = receipt.not_charged_reason or ""
    return ReceiptDocument(
        business_name=business,
        reference=str(receipt.call_id),
        zone=zone,
        began_at=receipt.began_at,
        answered_at=receipt.answered_at,
        ended_at=receipt.ended_at,
        seconds=receipt.seconds,
        carrier_seconds=receipt.carrier_seconds if receipt.is_comparable else None,
        billable_seconds=0 if reason else rate.billable_seconds(receipt.seconds),
        credits_per_minute=rate.credits_per_minute,
        connection_fee=rate.connection_fee,
        initial_seconds=rate.initial_seconds,
        increment_seconds=rate.increment_seconds,
        free_seconds=rate.free_seconds,
        charged=receipt.charged,
        unbilled=receipt.unbilled,
        not_charged_reason=reason,
        lines=tuple(
            DocumentLine(line.seq, line.created_at, line.type, line.amount, line.balance_after, line.reason or "")
            for line in receipt.lines
        ),
        final_reason=receipt.final_reason or "",
    )


def _claim(claim: ChargeClaim) -> ReceiptClaim:
    return ReceiptClaim(claim.reason, claim.state, claim.automatic, claim.credits, claim.created_at, claim.note)


def _why_not(hold: CreditHold) -> str:
    return hold.denied_reason or ("never answered" if hold.state == HoldState.RELEASED else "not answered yet")


def _rule(rate: Rate, seconds: int, counted: int, billable: int, rated: int) -> str:
    """`95 s, billed as 120 s (first 60 s, then steps of 60 s) at 15 credits a minute: 120 / 60 × 15 = 30 credits`."""
    talked = f"{counted} s" if counted == seconds else f"{counted} s by the carrier's clock ({seconds} s by ours)"
    if not billable:
        return f"{talked}, not charged"
    fee = f"{rate.connection_fee} + " if rate.connection_fee else ""
    is_exact = rate.credits_per_minute * billable % 60 == 0
    return (
        f"{talked}, billed as {billable} s"
        f" (first {rate.initial_seconds} s, then steps of {rate.increment_seconds} s)"
        f" at {rate.credits_per_minute} credits a minute:"
        f" {fee}{billable} / 60 × {rate.credits_per_minute}{' =' if is_exact else ', rounded up, ='} {rated} credits"
    )
