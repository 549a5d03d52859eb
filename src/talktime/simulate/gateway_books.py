"""What the simulated payment company knows, and what happens there: payments, refunds, disputes, and the events that
tell of them.

The one rule: everything that moves money is told by an event made in the same step, of the object as it then stands.
Nothing here waits, so one step is never interrupted by another.
"""

import copy
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

from talktime.simulate import gateway_objects as objects
from talktime.simulate.gateway_deeds import Means
from talktime.simulate.gateway_objects import Obj, shown

KEPT = 10_000
"""Objects of one kind that the books keep; the oldest ones that are over go first."""
SHELVES = ("checkout.session", "payment_intent", "charge", "refund", "dispute", "customer", "payment_method", "event")
_OVER = {"checkout.session": ("complete", "expired"), "payment_intent": ("succeeded", "canceled")}


class Refusal(Exception):
    """The API's answer to what cannot be done."""

    def __init__(
        self, status: int, message: str, *, code: str = "", param: str = "", kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: Obj = {"message": message, "type": kind}
        self.error.update({name: value for name, value in (("code", code), ("param", param)) if value})


class Books:
    """Stripe's objects, by kind and id, oldest first."""

    def __init__(self, url: str, on_event: Callable[[Obj], None], debit_seconds: float) -> None:
        self.url = url
        self.shelves: dict[str, dict[str, Obj]] = {name: {} for name in SHELVES}
        self.changes = 0
        """Counts what happened, so that whoever keeps the books on disk knows."""
        self._on_event = on_event
        self._debit_seconds = debit_seconds

    def find(self, kind: str, name: str, *, param: str = "") -> Obj:
        """Raises Refusal."""
        found = self.shelves[kind].get(name)
        if found is None:
            # What an address names is missing with 404, what a parameter names with 400.
            raise Refusal(
                400 if param else 404, f"No such {kind}: '{name}'", code="resource_missing", param=param or "id"
            )
        return found

    def keep(self, obj: Obj) -> Obj:
        """Put something new on its shelf."""
        shelf = self.shelves[obj["object"]]
        shelf[obj["id"]] = obj
        self.changes += 1
        while len(shelf) > KEPT:
            oldest = list(itertools.islice(shelf.values(), 100))
            over = _OVER.get(obj["object"], ())
            del shelf[next((each["id"] for each in oldest if each.get("status") in over), oldest[0]["id"])]
        return obj

    def tell(self, kind: str, about: Obj) -> None:
        """Make an event."""
        self.changes += 1
        self._on_event(self.keep(objects.event(kind, copy.deepcopy(shown(about)))))

    # Checkouts.

    def open_session(self, asked: Obj) -> Obj:
        """A new checkout. Raises Refusal."""
        if asked["customer"]:
            asked = {**asked, "email": self.find("customer", asked["customer"], param="customer")["email"]}
        return self.keep(objects.session(self.url, asked))

    def pay(self, session: Obj, how: Means) -> str:
        """Somebody tries to pay: "" when they are through, else the code of why not. Raises Refusal when it is over."""
        self._require_open(session)
        payment, method = self._attempt(session, how)
        if how is Means.DECLINED:
            self._fail(payment, method, "card_declined", "generic_decline")
            return "generic_decline"
        if how is Means.AUTHENTICATION:
            payment.update(status="requires_action", payment_method=method["id"])
            payment["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
            self.tell("payment_intent.requires_action", payment)
            return "authentication_required"
        if how is Means.CARD:
            self._succeed(payment, method)
            self._complete(session, payment, "paid")
            return ""
        payment.update(status="processing", payment_method=method["id"])
        payment["_settles_at"] = time.time() + self._debit_seconds
        payment["_settles_well"] = how is Means.DEBIT
        self._keep_customer(payment, method)
        self.tell("payment_intent.processing", payment)
        self._complete(session, payment, "unpaid")
        return ""

    def authenticate(self, session: Obj, *, agrees: bool) -> str:
        """The card's owner says yes or no to their bank; the same answers as `pay`."""
        self._require_open(session)
        payment = self.shelves["payment_intent"].get(session["_attempt"] or "")
        if payment is None or payment["status"] != "requires_action":
            raise Refusal(400, "There is nothing to authenticate.", code="payment_intent_unexpected_state")
        method = self.find("payment_method", payment["payment_method"])
        payment["next_action"] = None
        if not agrees:
            self._fail(payment, method, "payment_intent_authentication_failure", "")
            return "authentication_failed"
        self._succeed(payment, method)
        self._complete(session, payment, "paid")
        return ""

    def settle(self, payment: Obj, *, succeeds: bool) -> None:
        """A bank debit ends."""
        if payment["status"] != "processing":
            raise Refusal(400, "This payment is not processing.", code="payment_intent_unexpected_state")
        payment["_settles_at"] = None
        method = self.shelves["payment_method"].get(payment["payment_method"] or "") or objects.method("card", None)
        session = self.shelves["checkout.session"].get(payment["_session"] or "")
        if succeeds:
            self._succeed(payment, method)
        else:
            self._fail(payment, method, "payment_method_provider_decline", "insufficient_funds")
        if session is not None:
            session["payment_status"] = "paid" if succeeds else "unpaid"
            self.tell(f"checkout.session.async_payment_{'succeeded' if succeeds else 'failed'}", session)

    def expire(self, session: Obj) -> None:
        """Nobody can pay it any more. Raises Refusal."""
        if session["status"] != "open":
            message = 'Only Checkout Sessions with a status in ["open"] can be expired.'
            raise Refusal(400, f"{message} This Checkout Session has a status of {session['status']}.")
        session.update(status="expired", url=None)
        self.tell("checkout.session.expired", session)

    def pass_time(self, now: float) -> None:
        """Debits and checkouts whose time has come."""
        for payment in list(self.shelves["payment_intent"].values()):
            if payment["_settles_at"] is not None and payment["_settles_at"] <= now:
                self.settle(payment, succeeds=payment["_settles_well"])
        for session in list(self.shelves["checkout.session"].values()):
            if session["status"] == "open" and session["expires_at"] <= now:
                self.expire(session)

    # Saved cards.

    def charge(self, asked: Obj, fate: str) -> Obj:
        """Charge a saved card; `fate` is as in `Faults.saved_card`. Raises Refusal, also for a decline."""
        self.find("customer", asked["customer"], param="customer")
        method = self.find("payment_method", asked["payment_method"], param="payment_method")
        if method["customer"] != asked["customer"]:
            raise Refusal(400, "The PaymentMethod does not belong to the Customer.", param="payment_method")
        payment = self.keep(
            objects.payment(
                asked["amount"], asked["currency"], asked["metadata"], asked["customer"], asked["description"]
            )
        )
        self.tell("payment_intent.created", payment)
        if fate == "processing":
            payment.update(status="processing", payment_method=method["id"])
            payment["_settles_at"] = time.time() + self._debit_seconds
            self.tell("payment_intent.processing", payment)
        elif fate:
            code = fate if fate == "authentication_required" else "card_declined"
            self._fail(payment, method, code, fate)
            refusal = Refusal(402, "Your card was declined.", code=code, kind="card_error")
            refusal.error.update(decline_code=fate, payment_intent=shown(payment), payment_method=shown(method))
            raise refusal
        else:
            self._succeed(payment, method)
        return payment

    # Money back.

    def refund(self, payment: Obj, amount: int | None, status: str, metadata: Obj) -> Obj:
        """Give back so much, or all that is left. Raises Refusal."""
        if payment["status"] != "succeeded":
            raise Refusal(
                400, "This PaymentIntent does not have a successful charge to refund.", param="payment_intent"
            )
        left = payment["amount"] - payment["_refunded"]
        if left == 0:
            raise Refusal(400, "The charge has already been refunded.", code="charge_already_refunded")
        if any(not self._is_decided(dispute) for dispute in self._disputes(payment)):
            raise Refusal(400, "The charge has been charged back.", code="charge_disputed")
        wanted = left if amount is None else amount
        if wanted > left:
            raise Refusal(400, f"Refund amount ({wanted}) is greater than unrefunded amount ({left}).", param="amount")
        refund = self.keep(objects.refund(payment, wanted, status, metadata))
        payment["_refunded"] += wanted
        charge = self.find("charge", payment["latest_charge"])
        charge.update(amount_refunded=payment["_refunded"], refunded=payment["_refunded"] == payment["amount"])
        self.tell("refund.created", refund)
        self.tell("charge.refunded", charge)
        return refund

    def change_refund(self, refund: Obj, status: str) -> None:
        """A refund arrives, fails or is called off."""
        if refund["status"] not in ("pending", "succeeded") or refund["status"] == status:
            raise Refusal(400, f"This refund is {refund['status']}.")
        refund["status"] = status
        if status != "succeeded":
            payment = self.find("payment_intent", refund["payment_intent"])
            payment["_refunded"] -= refund["amount"]
            charge = self.find("charge", payment["latest_charge"])
            charge.update(amount_refunded=payment["_refunded"], refunded=False)
        if status == "failed":
            refund["failure_reason"] = "lost_or_stolen_card"
            self.tell("refund.failed", refund)
        self.tell("refund.updated", refund)

    def open_dispute(self, payment: Obj, amount: int | None, reason: str, *, withdrawn: bool) -> Obj:
        """A bank wants money back. Raises Refusal."""
        if payment["status"] != "succeeded":
            raise Refusal(400, "Only what was paid can be disputed.")
        wanted = payment["amount"] if amount is None else min(amount, payment["amount"])
        dispute = self.keep(objects.dispute(payment, wanted, reason))
        self.find("charge", payment["latest_charge"])["disputed"] = True
        self.tell("charge.dispute.created", dispute)
        if withdrawn:
            self.move_dispute(dispute, "withdrawn", None)
        return dispute

    def move_dispute(self, dispute: Obj, to: str, amount: int | None) -> None:
        """A dispute goes on. Raises Refusal."""
        moved = [each["amount"] for each in dispute["balance_transactions"]]
        if to == "withdrawn":
            if moved:
                raise Refusal(400, "The money was withdrawn already.")
            self._move(dispute, -dispute["amount"], "charge.dispute.funds_withdrawn")
            return
        if to == "reinstated":
            self._give_back(dispute, amount)
            return
        if self._is_decided(dispute):
            raise Refusal(400, f"The dispute is {dispute['status']}.")
        dispute["status"] = to
        self.tell("charge.dispute.closed", dispute)
        if to == "won" and sum(moved) < 0:
            self._give_back(dispute, amount)

    def _give_back(self, dispute: Obj, amount: int | None) -> None:
        taken = -sum(each["amount"] for each in dispute["balance_transactions"])
        if taken <= 0:
            raise Refusal(400, "There is nothing to give back.")
        self._move(dispute, taken if amount is None else min(amount, taken), "charge.dispute.funds_reinstated")

    def _move(self, dispute: Obj, amount: int, told_as: str) -> None:
        dispute["balance_transactions"].append(objects.movement(dispute, amount))
        self.tell(told_as, dispute)

    def _disputes(self, payment: Obj) -> Iterator[Obj]:
        for dispute in self.shelves["dispute"].values():
            if dispute["payment_intent"] == payment["id"]:
                yield dispute

    def _is_decided(self, dispute: Obj) -> bool:
        return dispute["status"] in ("won", "lost")

    # Steps of a payment.

    def _require_open(self, session: Obj) -> None:
        if session["status"] == "open" and session["expires_at"] <= time.time():
            self.expire(session)
        if session["status"] != "open":
            raise Refusal(400, f"This checkout is {session['status']}.", code="checkout_session_unexpected_state")

    def _attempt(self, session: Obj, how: Means) -> tuple[Obj, Obj]:
        """The payment of a checkout, made at the first try, and what it is paid with this time."""
        payment = self.shelves["payment_intent"].get(session["_attempt"] or "")
        if payment is None:
            metadata = dict(session["_payment_metadata"])
            payment = objects.payment(session["amount_total"], session["currency"], metadata, session["customer"])
            payment["_session"] = session["id"]
            payment["setup_future_usage"] = "off_session" if session["_saves_card"] else None
            session["_attempt"] = payment["id"]
            self.keep(payment)
            self.tell("payment_intent.created", payment)
        kind = "sepa_debit" if how in (Means.DEBIT, Means.DEBIT_FAILS) else "card"
        last4 = {Means.DECLINED: "0002", Means.AUTHENTICATION: "3184"}.get(how, "4242")
        return payment, self.keep(objects.method(kind, session["customer_email"], last4=last4))

    def _succeed(self, payment: Obj, method: Obj) -> None:
        self._keep_customer(payment, method)
        if payment["setup_future_usage"] and payment["customer"]:
            method["customer"] = payment["customer"]
        charge = self.keep(objects.charge(payment, method))
        payment.update(
            status="succeeded",
            amount_received=payment["amount"],
            payment_method=method["id"],
            latest_charge=charge["id"],
            last_payment_error=None,
        )
        self.tell("charge.succeeded", charge)
        self.tell("payment_intent.succeeded", payment)

    def _keep_customer(self, payment: Obj, method: Obj) -> None:
        """Whoever pays becomes a customer where the checkout wants one."""
        session = self.shelves["checkout.session"].get(payment["_session"] or "")
        if payment["customer"] is not None or session is None:
            return
        if session["customer_creation"] == "always" or session["_saves_card"]:
            payment["customer"] = self.keep(objects.customer(method["billing_details"]["email"]))["id"]

    def _fail(self, payment: Obj, method: Obj, code: str, decline_code: str) -> None:
        error: dict[str, Any] = {"code": code, "message": "Declined.", "type": "card_error"}
        if decline_code:
            error["decline_code"] = decline_code
        payment.update(
            status="requires_payment_method",
            payment_method=None,
            last_payment_error={**error, "payment_method": shown(method)},
        )
        self.tell("payment_intent.payment_failed", payment)

    def _complete(self, session: Obj, payment: Obj, payment_status: str) -> None:
        session.update(
            status="complete",
            payment_status=payment_status,
            payment_intent=payment["id"],
            customer=payment["customer"],
            url=None,
        )
        self.tell("checkout.session.completed", session)
