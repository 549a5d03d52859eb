"""What can be asked of the simulated payment company from behind: things that happen at a real one without our doing,
and faults on demand.

The one rule: whatever is asked for, what goes out is of Stripe's form, and what the books say is consistent; only the
telling is bent.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, le=600)]
Amount = Annotated[int, Field(gt=0)]
"""In Stripe's units."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Means(StrEnum):
    """How somebody pays on the page."""

    CARD = "card"
    DECLINED = "declined"
    DEBIT = "debit"
    """A bank debit: completed, unpaid, and paid a little later."""
    DEBIT_FAILS = "debit_fails"
    AUTHENTICATION = "authentication"
    """A card whose bank asks its owner first."""


class Faults(_Value):
    """How events and answers go wrong from now on. Nothing does by default."""

    types: tuple[str, ...] = ()
    """Which events it concerns, by their type; all when there is none here."""
    lost: bool = False
    """The events are never sent; the API's lists still show what happened."""
    copies: Annotated[int, Field(ge=1, le=100)] = 1
    another_id: bool = False
    """Every further copy comes under an event id of its own."""
    delay_seconds: Seconds = 0
    hold: Annotated[int, Field(ge=0, le=1000)] = 0
    """Hold back so many events, then send them in reverse. `Release` sends them before."""
    amount: int | None = None
    currency: str | None = None
    live: bool | None = None
    bad_signature: bool = False
    stale_seconds: Seconds = 0
    """Sign as if it were so long ago."""

    api_status: Annotated[int, Field(ge=400, le=599)] | None = None
    """What the API answers to everything."""
    api_refusals: Annotated[int, Field(ge=0)] | None = None
    """How many times, before it works again; None for always."""
    api_executes: bool = False
    """What was asked for is done all the same: only its answer is lost."""
    api_delay_seconds: Seconds = 0
    """How long an answer takes, after everything is done."""
    saved_card: str = ""
    """What becomes of charges of saved cards: a decline code, `authentication_required`, or `processing`."""


class Pay(_Value):
    """Somebody pays without a browser."""

    do: Literal["pay"] = "pay"
    checkout: str
    how: Means = Means.CARD


class Settle(_Value):
    """A bank debit ends now."""

    do: Literal["settle"] = "settle"
    payment: str
    succeeds: bool = True


class Expire(_Value):
    """A checkout's time is over."""

    do: Literal["expire"] = "expire"
    checkout: str


class MakeRefund(_Value):
    """Somebody refunds in the company's dashboard."""

    do: Literal["refund"] = "refund"
    payment: str
    amount: Amount | None = None
    """None for all that is left."""
    status: Literal["pending", "succeeded"] = "succeeded"


class ChangeRefund(_Value):
    """A refund arrives, or comes back: a failed one gave us the money again."""

    do: Literal["change_refund"] = "change_refund"
    refund: str
    status: Literal["succeeded", "failed", "canceled"]


class OpenDispute(_Value):
    """A buyer's bank wants the money back, and takes it."""

    do: Literal["dispute"] = "dispute"
    payment: str
    amount: Amount | None = None
    reason: str = "fraudulent"
    withdrawn: bool = True


class MoveDispute(_Value):
    """A dispute goes on. `won` also gives back what was taken and not yet given back."""

    do: Literal["move_dispute"] = "move_dispute"
    dispute: str
    to: Literal["withdrawn", "reinstated", "won", "lost"]
    amount: Amount | None = None
    """How much comes back, where it is less than everything."""


class Resend(_Value):
    """An event is sent once more, also one that was lost; under its own id or another."""

    do: Literal["resend"] = "resend"
    event: str
    another_id: bool = False


class Release(_Value):
    """What is held back goes out."""

    do: Literal["release"] = "release"


Deed = Annotated[
    Pay | Settle | Expire | MakeRefund | ChangeRefund | OpenDispute | MoveDispute | Resend | Release,
    Field(discriminator="do"),
]
