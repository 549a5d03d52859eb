"""The rules of the books in plain Python: what a call costs from now on, and the legs to persons. See `model_calls.py`
for the one rule.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

from talktime.calls.legs import OWNER
from talktime.credits.pricing import Rate
from talktime.errors import Conflict, NotFound
from tests.credits.model_calls import CLOSED, Calls, Denied, Hold


@dataclass
class Leg:
    """What is known of a leg besides its hold."""

    parent: uuid.UUID
    number: str
    name: str = ""
    end_reason: str | None = None


@dataclass
class Legs(Calls):
    """One customer's books with their prices and legs."""

    legs: dict[uuid.UUID, Leg] = field(default_factory=dict)

    # Prices.

    def set_price(self, *, kind: str, rate: Rate, actor: uuid.UUID) -> dict[str, Any]:
        self.own[kind] = rate
        return {"rate": rate}

    def follow_list(self, *, kind: str, actor: uuid.UUID) -> bool:
        if kind not in self.own:
            return False
        self.own[kind] = None
        return True

    # Legs.

    def begin_leg(self, *, call: uuid.UUID, leg: uuid.UUID, number: str) -> dict[str, Any]:
        parent = self._hold(call)
        known = self.legs.get(leg)
        if known is not None:
            if (known.parent, known.number) != (call, number):
                raise Denied(Conflict)
            allowed = known.name != ""
            reason = None if allowed else known.end_reason or "carrier_silent"
            granted = self.holds[leg].granted
            return {"fresh": False, "allowed": allowed, "reason": reason, "granted_seconds": granted}
        reason = self._why_no_leg(call, parent)
        granted = 0
        if reason is None:
            self.legs[leg] = Leg(call, number)
            self.callers[leg] = self.callers[call]
            answer = self._authorise(leg, self.rate_of("TRANSFER"))
            reason, granted = answer["reason"], answer["granted_seconds"]
            self.legs[leg].end_reason = reason
        return {"fresh": True, "allowed": reason is None, "reason": reason, "granted_seconds": granted}

    def _why_no_leg(self, call: uuid.UUID, parent: Hold) -> str | None:
        if parent.owner is None or parent.state in CLOSED or call in self.legs:
            return "over"
        if any(leg.parent == call and self.holds[each].state not in CLOSED for each, leg in self.legs.items()):
            return "transferring"
        return None

    def name_leg(self, *, call: uuid.UUID, called: str) -> bool:
        leg = self.legs.get(call)
        if leg is None:
            return False
        if not leg.name and all(each.name != called for each in self.legs.values()):
            leg.name = called
        return leg.name == called

    def end_leg(self, *, call: uuid.UUID, seconds: int, reason: str | None) -> dict[str, Any]:
        leg = self.legs.get(call)
        if leg is None:
            raise Denied(NotFound)
        hold = self.holds[call]
        if hold.state not in CLOSED:
            if seconds > 0:
                self.answer(call=call, owner=OWNER)
            if hold.owner == OWNER and not hold.cut_claimed and seconds > hold.granted:
                more = min(3600, seconds - hold.granted)
                self.extend(call=call, owner=OWNER, request_no=hold.request_no + 1, slice_seconds=more)
            was_cut = hold.cut_claimed and hold.owner is not None
            usual = "leg_ended" if hold.owner is not None else "nobody_answered"
            leg.end_reason = "credit_ended" if was_cut else reason or usual
            if was_cut and hold.final_reason in {"no_credit", "debt"}:
                self.notices.add(("credit_exhausted", str(call)))
        settled = self.settle(call=call, seconds=seconds if hold.owner else 0)
        over = "COMPLETED" if hold.owner else "NO_ANSWER"
        return {
            **{name: settled[name] for name in ("fresh", "charged", "unbilled")},
            "status": "FAILED" if hold.state == "DENIED" else over,
        }
