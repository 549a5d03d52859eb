"""The rules of the books in plain Python: the whole of one customer's. See `model_calls.py` for the one rule,
and `model_legs.py` for prices and legs."""

import uuid
from dataclasses import dataclass
from typing import Any

from talktime.credits.functions import NotEnoughCredit
from talktime.errors import BadInput, Conflict, NotFound
from tests.credits.model_calls import CLOSED, OPEN, Bought, Claimed, Denied, Hold, Line
from tests.credits.model_legs import Legs

MAY_OWE = {"reverse", "set_limits", "adjust", "rent", "post_many"}
"""Nothing else may make debt grow."""


@dataclass
class Books(Legs):
    """One customer's books: every verb, with the answer it must give."""

    # What is put right afterwards.

    def _settled(self, call: uuid.UUID) -> Hold:
        hold = self._hold(call)
        if hold.state not in CLOSED:
            raise Denied(Conflict)
        return hold

    def _recharge(self, call: uuid.UUID, hold: Hold, rated: int, actor: uuid.UUID | None) -> int:
        delta = rated - hold.cost
        if delta > 0:
            delta = max(0, min(delta, hold.held_peak - hold.cost, self.free + self.grace_limit))
        if delta:
            hold.corrections += 1
            hold.corrected += delta
            reference = f"correction:{call}:{hold.corrections}"
            self._post(Line("ADMIN_ADJUSTMENT", -delta, call=call, reference=reference, actor=actor))
        before, hold.unbilled = hold.unbilled, max(0, rated - hold.cost)
        self._unbilled(hold.unbilled - before)
        return -delta

    def correct(self, *, call: uuid.UUID, seconds: int) -> dict[str, Any]:
        hold = self._settled(call)
        known = hold.settled_seconds if hold.corrected_seconds is None else hold.corrected_seconds
        fresh = hold.state == "SETTLED" and hold.not_charged_reason is None and seconds != known
        amount = 0
        if fresh:
            hold.corrected_seconds = seconds
            amount = self._recharge(call, hold, hold.rate.cost(seconds), None)
        return {
            "fresh": fresh,
            "amount": amount,
            "charged": hold.cost,
            "unbilled": hold.unbilled,
            "balance": self.balance,
        }

    def waive(self, *, call: uuid.UUID, reason: str, actor: uuid.UUID) -> dict[str, Any]:
        hold = self._settled(call)
        if hold.state != "SETTLED" or hold.not_charged_reason not in {None, reason}:
            raise Denied(Conflict)
        fresh = hold.not_charged_reason is None
        amount = 0
        if fresh:
            hold.not_charged_reason = reason
            amount = self._recharge(call, hold, 0, actor)
        return {"fresh": fresh, "amount": amount, "balance": self.balance}

    def claim(self, *, call: uuid.UUID, reason: str) -> dict[str, Any]:
        known = self.claims.get(call)
        if known is None:
            hold = self._settled(call)
            if hold.cost == 0:
                raise Denied(Conflict)
            seconds = hold.settled_seconds if hold.corrected_seconds is None else hold.corrected_seconds
            assert seconds is not None, hold
            before = sum(claim.automatic and claim.this_month for claim in self.claims.values())
            at_once = seconds < 30 and before < 3
            known = Claimed(reason, "GRANTED" if at_once else "REQUESTED", at_once, hold.cost)
            self.claims[call] = known
            if at_once:
                hold.not_charged_reason = reason
                self._recharge(call, hold, 0, None)
            else:
                self.alerts["charge_claimed", known.credits] += 1
            return {"fresh": True, "state": known.state, "credits": known.credits}
        return {"fresh": False, "state": known.state, "credits": known.credits}

    def decide_claim(self, *, call: uuid.UUID, grant: bool, actor: uuid.UUID) -> str:
        known = self.claims.get(call)
        if known is None:
            raise Denied(NotFound)
        wanted = "GRANTED" if grant else "REFUSED"
        if known.state == "REQUESTED":
            known.state = wanted
            if grant and self.holds[call].not_charged_reason is None:
                self.waive(call=call, reason=known.reason, actor=actor)
            self.notices.add(("charge_claim_decided", str(call)))
        elif known.state != wanted:
            raise Denied(Conflict)
        return wanted

    # Money.

    def purchase(self, *, purchase_id: uuid.UUID) -> dict[str, Any]:
        bought = self.purchases.get(purchase_id)
        if bought is None:
            raise Denied(NotFound)
        if not bought.is_paid:
            raise Denied(Conflict)
        fresh = not bought.credited
        if fresh:
            bought.credited = True
            self._post(Line("PURCHASE", bought.credits, purchase=purchase_id))
        lines = enumerate(self.lines, 1)
        return self._posting(next(n for n, x in lines if (x.type, x.purchase) == ("PURCHASE", purchase_id)), fresh)

    def reverse(self, *, purchase_id: uuid.UUID, kind: str, reference: str, credits: int) -> dict[str, Any]:
        bought = self.purchases.get(purchase_id)
        if bought is None:
            raise Denied(NotFound)
        known = self.reversals.get(reference)
        asked = (purchase_id, str(kind), credits)
        if known is not None:
            if known[:3] != asked:
                raise Denied(Conflict)
            taken = known[3]
        else:
            if not bought.credited:
                raise Denied(Conflict)
            taken = min(credits, bought.credits - bought.reversed) if credits > 0 else max(credits, -bought.reversed)
            bought.reversed += taken
            self.reversals[reference] = (*asked, taken)
            if taken:
                self._post(Line(str(kind), -taken, purchase=purchase_id, reference=reference))
            if credits > taken:
                self.alerts["reversal_short", credits - taken] += 1
        lost = max(0, credits - taken)
        return {"fresh": known is None, "taken": taken, "lost": lost, "balance": self.balance}

    def adjust(
        self, *, reference: str, amount: int, reason: str, actor: uuid.UUID, as_debt: bool = False
    ) -> dict[str, Any]:
        known = self._line(reference)
        if known is not None:
            line = known[1]
            if (line.type, line.amount, line.reason, line.actor) != ("ADMIN_ADJUSTMENT", amount, reason, actor):
                raise Denied(Conflict)
            return self._posting(known[0], fresh=False)
        if -amount > max(0, self.free) and amount < 0 and not as_debt:
            raise Denied(NotEnoughCredit)
        self._post(Line("ADMIN_ADJUSTMENT", amount, reference=reference, actor=actor, reason=reason))
        return self._posting(len(self.lines), fresh=True)

    def payout(self, *, reference: str, actor: uuid.UUID) -> dict[str, Any]:
        known = self._line(f"payout:{reference}")
        if known is not None:
            return self._posting(known[0], fresh=False)
        if self.blocked_reason != "closed" or any(hold.state not in CLOSED for hold in self.holds.values()):
            raise Denied(Conflict)
        if self.balance <= 0:
            raise Denied(NotEnoughCredit)
        self._post(Line("ADMIN_ADJUSTMENT", -self.balance, reference=f"payout:{reference}", actor=actor))
        return self._posting(len(self.lines), fresh=True)

    def rent(self, *, number: uuid.UUID, month: Any, credits: int) -> dict[str, Any]:
        reference = f"rent:{number}:{month:%Y-%m}"
        known = self._line(reference)
        if known is not None and known[1].amount != -credits:
            raise Denied(Conflict)
        if known is None:
            self._post(Line("ADMIN_ADJUSTMENT", -credits, reference=reference))
        return self._posting(known[0] if known else len(self.lines), known is None)

    def set_limits(self, *, grace_limit: int | None = None, max_open_calls: int | None = None) -> dict[str, Any]:
        self.grace_limit = self.grace_limit if grace_limit is None else grace_limit
        self.max_open_calls = self.max_open_calls if max_open_calls is None else max_open_calls
        return {
            "grace_limit": self.grace_limit,
            "max_open_calls": self.max_open_calls,
            "clawback_debt": self.debt,
        }

    def set_guards(self, *, per_day: int | None, per_call: int | None, per_caller: int | None) -> None:
        self.day_limit, self.call_limit, self.caller_limit = per_day, per_call, per_caller

    def set_low_balance(self, *, threshold: int | None) -> None:
        self.low_balance = threshold

    def block(self, *, reason: str | None) -> None:
        if reason is not None and not reason.strip():
            raise Denied(BadInput)
        if self.blocked_reason == "closed" and reason != "closed":
            raise Denied(Conflict)
        self.blocked_reason = reason

    def reopen(self) -> None:
        """Nothing in the product does this; the histories go on with a closed customer as with a new one."""
        self.blocked_reason = None

    def close(self) -> set[uuid.UUID]:
        self.blocked_reason = "closed"
        running = {call for call, hold in self.holds.items() if hold.state not in CLOSED}
        for call in running:
            self.holds[call].cut_claimed = True
        return running


__all__ = ["CLOSED", "MAY_OWE", "OPEN", "Books", "Bought", "Denied", "Hold"]
