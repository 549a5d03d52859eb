"""The rules of the books in plain Python, one customer's at a time: what the books are, and the life of a charge. What
money does to them stands in `model.py`.

Written from what is promised, not from the SQL. The rule here: what can be worked out is never kept. A balance is the
sum of its lines, what is held is the sum of the open holds, debt is what is missing to the grace line; only a call's
own figures and the order of the lines are state. A verb either answers, or raises `Denied` and has changed nothing.
"""

import itertools
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from talktime.credits.functions import NotTheOwner
from talktime.credits.pricing import Rate
from talktime.errors import NotFound, TalktimeError

OPEN = {"AUTHORISED", "ACTIVE", "FINAL"}
CLOSED = {"DENIED", "SETTLED", "RELEASED"}


class Denied(Exception):
    """The verb is refused with this error, and changes nothing."""

    def __init__(self, error: type[TalktimeError]) -> None:
        super().__init__(error.__name__)
        self.error = error


@dataclass
class Hold:
    """One call's charge."""

    rate: Rate
    caller: str | None
    state: str
    denied_reason: str | None = None
    granted: int = 0
    used: int = 0
    held: int = 0
    held_peak: int = 0
    charged: int = 0
    corrected: int = 0
    corrections: int = 0
    corrected_seconds: int | None = None
    unbilled: int = 0
    request_no: int = 0
    final_reason: str | None = None
    owner: str | None = None
    lost: bool = False
    cut_claimed: bool = False
    settled_seconds: int | None = None
    not_charged_reason: str | None = None
    # What only time tells; a history moves these.
    lease_ran_out: bool = False
    cut_due: str = "not yet"
    """`not yet`, `owner` (its own process may cut it), `anyone`."""
    days_old: int = 0
    """How often it was midnight since it began."""
    settled_today: bool = False

    @property
    def cost(self) -> int:
        return self.charged + self.corrected

    def price_of_grant(self, seconds: int) -> int:
        """What a grant sets aside: the free seconds are known only at the end."""
        return Rate(*self.bare).cost(seconds)

    @property
    def bare(self) -> tuple[int, int, int, int]:
        rate = self.rate
        return rate.credits_per_minute, rate.connection_fee, rate.initial_seconds, rate.increment_seconds

    def next_grants(self) -> Iterator[int]:
        """Every grant above the present one, step by step."""
        first = self.granted + self.rate.increment_seconds if self.granted else self.rate.initial_seconds
        return itertools.count(first, self.rate.increment_seconds)

    def longest(self, wanted: int, budget: int) -> int:
        """The longest grant, at most the first that covers `wanted` seconds, that costs no more than the budget."""
        best = self.granted
        for grant in self.next_grants():
            if best >= wanted or self.price_of_grant(grant) > budget:
                return best
            best = grant
        raise AssertionError("unreachable")


@dataclass
class Line:
    """One line of the ledger, without its number, balance and hash: those follow."""

    type: str
    amount: int
    call: uuid.UUID | None = None
    purchase: uuid.UUID | None = None
    reference: str | None = None
    actor: uuid.UUID | None = None
    reason: str | None = None
    """None where nobody promised the words."""


@dataclass
class Bought:
    """A purchase."""

    credits: int
    is_paid: bool
    credited: bool = False
    reversed: int = 0


@dataclass
class Claimed:
    """A customer's word that a call was not a real one."""

    reason: str
    state: str
    automatic: bool
    credits: int
    this_month: bool = True


@dataclass
class Calls:
    """One customer's books, and what calls do to them."""

    user: uuid.UUID
    prices: dict[uuid.UUID, Rate]
    """Their own for calls, of then and now: a call may name one."""
    own: dict[str, Rate | None]
    """What holds for them now, by kind; None where they had one and follow everybody's again."""
    everybodys: dict[str, Rate]
    """The same for all customers."""
    lines: list[Line] = field(default_factory=list)
    holds: dict[uuid.UUID, Hold] = field(default_factory=dict)
    purchases: dict[uuid.UUID, Bought] = field(default_factory=dict)
    reversals: dict[str, tuple[uuid.UUID, str, int, int]] = field(default_factory=dict)
    claims: dict[uuid.UUID, Claimed] = field(default_factory=dict)
    callers: dict[uuid.UUID, str | None] = field(default_factory=dict)
    grace_limit: int = 0
    max_open_calls: int = 10
    blocked_reason: str | None = None
    day_limit: int | None = None
    call_limit: int | None = None
    caller_limit: int | None = None
    low_balance: int | None = None
    alerts: Counter[tuple[str, int]] = field(default_factory=Counter)
    notices: set[tuple[str, str]] = field(default_factory=set)

    # What follows from it.

    @property
    def balance(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def held(self) -> int:
        return sum(hold.held for hold in self.holds.values())

    @property
    def free(self) -> int:
        return self.balance - self.held

    @property
    def debt(self) -> int:
        return max(0, -self.grace_limit - self.free)

    @property
    def open_calls(self) -> int:
        return sum(hold.state in OPEN for hold in self.holds.values())

    @property
    def spent_today(self) -> int:
        return sum(h.held + (h.cost if h.settled_today else 0) for h in self.holds.values())

    def rate_of(self, kind: str) -> Rate:
        return self.own.get(kind) or self.everybodys[kind]

    def _spent_by(self, caller: str | None) -> int:
        theirs = [hold for hold in self.holds.values() if hold.caller == caller]
        return sum(h.held + (h.cost if h.settled_today and h.days_old <= 1 else 0) for h in theirs)

    def _line(self, reference: str) -> tuple[int, Line] | None:
        return next(((n, line) for n, line in enumerate(self.lines, 1) if line.reference == reference), None)

    def _posting(self, number: int, fresh: bool) -> dict[str, Any]:
        after = sum(line.amount for line in self.lines[:number])
        return {"fresh": fresh, "seq": number, "amount": self.lines[number - 1].amount, "balance_after": after}

    def _post(self, line: Line) -> None:
        before = self.balance
        self.lines.append(line)
        if self.low_balance is not None and before >= self.low_balance > self.balance:
            self.notices.add(("low_balance", str(len(self.lines))))

    def _budget(self, credits: int, hold: Hold) -> tuple[int, str]:
        """What a call may take of so many credits that are free for it, and the reason when that is too little."""
        room = {
            "day_limit": self.day_limit is not None and self.day_limit - self.spent_today,
            "call_limit": self.call_limit is not None and self.call_limit - hold.held,
            "caller_limit": self.caller_limit is not None and self.caller_limit - self._spent_by(hold.caller),
        }
        budget, reason = max(0, credits), "no_credit"
        guards = {name: left for name, left in room.items() if left is not False}
        if guards:
            least = min(guards, key=lambda name: guards[name])
            if guards[least] < budget:
                budget, reason = max(0, guards[least]), least
        return budget, reason

    def _hold(self, call: uuid.UUID) -> Hold:
        if call not in self.holds:
            raise Denied(NotFound)
        return self.holds[call]

    # The life of a charge.

    def authorise(self, *, call: uuid.UUID, price: uuid.UUID | None = None) -> dict[str, Any]:
        return self._authorise(call, self.prices.get(price) if price else self.rate_of("CALL"))

    def _authorise(self, call: uuid.UUID, rate: Rate | None) -> dict[str, Any]:
        hold = self.holds.get(call)
        fresh = hold is None
        if hold is None:
            hold = Hold(rate or Rate(0), self.callers[call], "AUTHORISED")
            hold.denied_reason = self._why_not(hold, has_price=rate is not None)
            if hold.denied_reason:
                hold.state, hold.granted = "DENIED", 0
            hold.held = hold.held_peak = hold.price_of_grant(hold.granted)
            self.holds[call] = hold
        is_over = hold.state in {"SETTLED", "RELEASED"}
        return {
            "allowed": hold.state not in CLOSED,
            "reason": "over" if is_over else hold.denied_reason,
            "granted_seconds": hold.granted,
            "held": hold.held,
            "fresh": fresh,
        }

    def _why_not(self, hold: Hold, *, has_price: bool) -> str | None:
        if not has_price:
            return "no_price"
        if self.blocked_reason is not None:
            return "blocked"
        if self.open_calls >= self.max_open_calls:
            return "too_many_calls"
        if self.debt:
            return "debt"
        budget, reason = self._budget(self.free, hold)
        hold.granted = hold.longest(60, budget)
        return None if hold.granted else reason

    def answer(self, *, call: uuid.UUID, owner: str) -> dict[str, Any]:
        hold = self.holds.get(call)
        if hold is None or hold.state != "AUTHORISED" or hold.cut_claimed:
            return {"claimed": False}
        hold.state, hold.owner = "ACTIVE", owner
        hold.lease_ran_out = False
        return {"claimed": True, "granted_seconds": hold.granted}

    def heartbeat(self, owner: str, used: dict[uuid.UUID, int]) -> set[uuid.UUID]:
        beaten = set()
        for call, seconds in used.items():
            hold = self.holds.get(call)
            if hold and hold.owner == owner and hold.state in {"ACTIVE", "FINAL"}:
                hold.used = max(hold.used, seconds)
                hold.lease_ran_out = False
                if not hold.cut_claimed:
                    beaten.add(call)
        return beaten

    def extend(self, *, call: uuid.UUID, owner: str, request_no: int, slice_seconds: int = 60) -> dict[str, Any]:
        hold = self._hold(call)
        if hold.owner != owner:
            raise Denied(NotTheOwner)
        before = hold.granted
        if hold.state in CLOSED:
            reason: str | None = "over"
        elif request_no <= hold.request_no:
            reason = "repeated" if request_no == hold.request_no else "stale"
        elif hold.cut_claimed:
            reason = "cut"
        else:
            reason = self._extend(hold, slice_seconds)
            hold.request_no, hold.final_reason = request_no, reason
            hold.lost = hold.lease_ran_out = False
        return {
            "extended": hold.granted > before,
            "state": hold.state,
            "granted_seconds": hold.granted,
            "held": hold.held,
            "reason": reason,
        }

    def _extend(self, hold: Hold, slice_seconds: int) -> str | None:
        hold.state = "FINAL"
        if self.blocked_reason is not None:
            return "blocked"
        if self.debt:
            return "debt"
        wanted = hold.granted + slice_seconds
        budget, reason = self._budget(self.free + self.grace_limit, hold)
        hold.granted = hold.longest(wanted, hold.held + budget)
        hold.held = hold.price_of_grant(hold.granted)
        hold.held_peak = max(hold.held_peak, hold.held)
        if hold.granted < wanted:
            return reason
        hold.state = "ACTIVE"
        return None

    def cut(self, *, call: uuid.UUID, owner: str) -> bool:
        hold = self.holds.get(call)
        if hold is None or hold.owner is None or hold.cut_claimed or hold.state in CLOSED:
            return False
        if hold.cut_due == "not yet" or (hold.cut_due == "owner" and hold.owner != owner):
            return False
        hold.cut_claimed = True
        if hold.final_reason in {"no_credit", "debt"}:
            self.notices.add(("credit_exhausted", str(call)))
        return True

    def settle(self, *, call: uuid.UUID, seconds: int, not_charged_reason: str | None = None) -> dict[str, Any]:
        hold = self._hold(call)
        fresh = hold.state not in CLOSED
        if fresh:
            was_answered = hold.owner is not None
            is_charged = was_answered and not_charged_reason is None
            rated = hold.rate.cost(seconds) if is_charged else 0
            charged = min(rated, hold.held)
            covered = min(charged, max(0, self.balance))
            hold.charged, hold.unbilled, hold.held = charged, rated - charged, 0
            hold.state = "SETTLED" if was_answered else "RELEASED"
            hold.settled_seconds, hold.not_charged_reason, hold.settled_today = seconds, not_charged_reason, True
            if covered:
                self._post(Line("CALL_USAGE", -covered, call=call))
            if charged > covered:
                self._post(Line("GRACE_USAGE", covered - charged, call=call))
            self._unbilled(hold.unbilled)
        return {
            "fresh": fresh,
            "state": hold.state,
            "charged": hold.charged,
            "unbilled": hold.unbilled,
            "balance": self.balance,
        }

    def _unbilled(self, credits: int) -> None:
        if credits > 0:
            self.alerts["call_unbilled", credits] += 1

    def lose(self, *, call: uuid.UUID) -> dict[str, Any]:
        hold = self.holds.get(call)
        lost = hold is not None and hold.state in OPEN and hold.lease_ran_out
        if hold is not None and lost:
            hold.state, hold.lost = "RECONCILE", True
        return {"lost": lost, **({"used_seconds": hold.used, "answered": hold.owner is not None} if hold else {})}

    def give_up(self, *, call: uuid.UUID) -> bool:
        hold = self.holds.get(call)
        if hold is None or hold.state != "RECONCILE":
            return False
        hold.cut_claimed = True
        return True
