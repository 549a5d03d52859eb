"""What Talktime asks of a payment company: take money on a page of its own, charge a card it keeps, tell us what
happened, prove that it was the company who told, and show what it knows when we ask.

Adapters translate a vendor's words into these values and know nothing else of Talktime. Amounts are minor units as ISO
4217 has them (`currencies.py`). The one rule: a notice is only what the company says. Whose purchase it is about, and
whether amount, currency and mode are right, has to be found in our own books before anything is credited.
"""

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class BadSignature(Exception):
    """The request was not signed by the payment company: nothing of it may be believed or stored."""


class BadMessage(Exception):
    """The message is not of the company's form; the text says in what."""


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """What somebody is about to buy."""

    purchase_id: uuid.UUID
    """Also the idempotency key: the same order twice is one checkout."""
    user_id: uuid.UUID
    name: str
    """What is bought and how much of it, as the buyer reads it, in their language."""
    price_minor: int
    currency: str
    success_url: str
    """`{CHECKOUT_SESSION_ID}` in it becomes the checkout's id."""
    cancel_url: str
    email: str = ""
    customer_id: str = ""
    """The company's name of a buyer that it knows already."""
    save_card: bool = False
    """Keep the card for charges while the buyer is away; makes a customer where there is none."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A page where one order can be paid."""

    id: str
    url: str
    payment_id: str | None
    """Often not known before somebody pays."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ChargeOrder:
    """What a saved card is to pay, while nobody is there."""

    purchase_id: uuid.UUID
    """Also the idempotency key: the same order twice is one charge, and a decline stays one."""
    user_id: uuid.UUID
    name: str
    price_minor: int
    currency: str
    customer_id: str
    payment_method_id: str


class ChargeStatus(StrEnum):
    """What became of a charge. A decline is an answer, not an error."""

    SUCCEEDED = "SUCCEEDED"
    PROCESSING = "PROCESSING"
    """A notice tells how it ends."""
    DECLINED = "DECLINED"
    NEEDS_AUTHENTICATION = "NEEDS_AUTHENTICATION"
    """Its owner has to be there: let them pay on a page."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge of a saved card."""

    payment_id: str
    """"" when the company refused before it made a payment."""
    status: ChargeStatus
    reason: str
    """The company's code for a decline, such as `insufficient_funds`; "" otherwise."""


@dataclass(frozen=True, slots=True)
class SavedCard:
    """A card that can be charged again."""

    customer_id: str
    payment_method_id: str
    brand: str
    """As the company writes it: `visa`. Other means of payment have their name here, and nothing below."""
    last4: str
    expires_month: int | None
    expires_year: int | None


class RefundStatus(StrEnum):
    """How far a refund came. Only SUCCEEDED has certainly reached the buyer; FAILED and CANCELED gave the money back
    to us."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back to a buyer."""

    id: str
    payment_id: str
    status: RefundStatus
    amount_minor: int
    currency: str


class NoticeKind(StrEnum):
    """What a notice says."""

    OPEN = "OPEN"
    """The checkout waits for its buyer. Never an event; `fetch_checkout` says so."""
    PAID = "PAID"
    """A checkout was paid: at once, or in the end."""
    COMPLETED_UNPAID = "COMPLETED_UNPAID"
    """The buyer is through, the money is not there: nothing may be credited yet."""
    PAYMENT_FAILED = "PAYMENT_FAILED"
    """The money of a completed checkout will not come."""
    EXPIRED = "EXPIRED"
    CHARGE_PAID = "CHARGE_PAID"
    """A charge of a saved card succeeded."""
    CHARGE_FAILED = "CHARGE_FAILED"
    REFUND = "REFUND"
    """A refund was made or changed; `refund_status` says how it stands."""
    DISPUTE_OPENED = "DISPUTE_OPENED"
    """Somebody should look; no money has moved by this."""
    DISPUTE_WITHDRAWN = "DISPUTE_WITHDRAWN"
    """The disputed money was taken from us."""
    DISPUTE_REINSTATED = "DISPUTE_REINSTATED"
    """It came back."""
    DISPUTE_CLOSED = "DISPUTE_CLOSED"
    """Decided; `dispute_won` says how. No money has moved by this."""
    HINT = "HINT"
    """Something that another notice tells properly."""
    OTHER = "OTHER"
    """Nothing to us."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the company says happened."""

    event_id: str
    """Unique per company. The same fact can come under several, so it is no key for crediting."""
    kind: NoticeKind
    type: str
    """The company's own word for it."""
    live: bool
    """Whether real money moved; to be compared with the gateway's own `live`."""
    created_at: datetime
    checkout_id: str | None = None
    payment_id: str | None = None
    """Refunds and disputes are found by it."""
    purchase_id: uuid.UUID | None = None
    """What the company was once told, or anybody else with access to it: to be matched, never believed."""
    user_id: uuid.UUID | None = None
    """The same."""
    customer_id: str | None = None
    amount_minor: int | None = None
    """None where there is none, or where it is no whole number of our minor units; such a one matches nothing."""
    currency: str = ""
    """In capitals."""
    refund_id: str | None = None
    refund_status: RefundStatus | None = None
    dispute_id: str | None = None
    dispute_won: bool | None = None
    reason: str = ""
    """The company's code for why something failed or is disputed."""


class Gateway(Protocol):
    """One account with a payment company. Every verb that calls out raises ProviderError when the company fails, and
    may be repeated."""

    name: str
    live: bool
    """Whether real money moves."""

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """What a request says, once it is proven that the company sent it. `headers` have names in lower case, `body`
        is as it came. Raises BadSignature, or BadMessage for what is signed and makes no sense."""

    def parse(self, body: bytes) -> Notice:
        """The same for a body that was verified when it came. Raises BadMessage."""

    async def create_checkout(self, order: CheckoutOrder) -> Checkout:
        """Raises BadInput for an amount that the company cannot take."""

    async def fetch_checkout(self, checkout_id: str) -> Notice | None:
        """How a checkout stands now; None when the company does not know it."""

    async def expire_checkout(self, checkout_id: str) -> Notice:
        """Let nobody pay it any more, and say how it stands: it may have been paid a moment before."""

    async def charge_saved_card(self, order: ChargeOrder) -> Charge:
        """Raises BadInput for an amount that the company cannot take."""

    async def saved_card(self, payment_id: str) -> SavedCard | None:
        """The card that a payment left behind for later; None when it left none."""

    async def forget_card(self, payment_method_id: str) -> None:
        """Let nobody charge it any more; one that is unknown is forgotten already."""

    async def refund(self, payment_id: str, *, amount_minor: int | None, currency: str, idempotency_key: str) -> Refund:
        """Give money back: so much, or with None all that is left. Raises BadInput for an amount that cannot be."""

    def list_payments(self, since: datetime, until: datetime) -> AsyncIterator[Notice]:
        """All that the company knows of checkouts, charges, refunds and disputes made from `since` to before `until`.

        They are chosen by when they were made, not by when they changed: ask from well before what is still open. What
        stands the same gets the same event id each time. Checkouts that nobody has completed are left out.
        """

    async def close(self) -> None:
        """Let go of connections."""
