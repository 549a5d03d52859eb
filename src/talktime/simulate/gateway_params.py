"""The parameters of the simulated payment company's API, and what Stripe's own rules refuse about them.

The one rule: what is not known here is an error, as it is at Stripe.
"""

import time
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from talktime.simulate.gateway_books import Refusal
from talktime.simulate.gateway_objects import Obj

T = TypeVar("T", bound="Params")
Short = Annotated[str, StringConstraints(min_length=1, max_length=250)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=5000)]
Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=40)], Annotated[str, StringConstraints(max_length=500)]],
    Field(max_length=50),
]
Currency = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]
Amount = Annotated[int, Field(ge=1, le=99_999_999)]

_THREE_DECIMALS = ("bhd", "jod", "kwd", "omr", "tnd")
_WHOLE_ONLY = ("isk", "ugx")
_AMOUNT_MIN = {"eur": 50, "usd": 50, "chf": 50, "gbp": 30}


class Invalid(Refusal):
    """Refused by what was sent alone, before anything was begun."""


class Params(BaseModel):
    """Parameters of one request."""

    model_config = ConfigDict(extra="forbid")

    @staticmethod
    def read(kind: "type[T]", given: dict[str, Any]) -> T:
        """Raises Invalid, which names the parameter."""
        try:
            return kind.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = [str(part) for part in first["loc"]]
            param = place[0] + "".join(f"[{part}]" for part in place[1:])
            code = {"extra_forbidden": "parameter_unknown", "missing": "parameter_missing"}.get(first["type"], "")
            raise Invalid(400, f"Invalid {param}: {first['msg']}", code=code, param=param) from None


class Nothing(Params):
    """No parameters."""


class Retrieving(Params):
    expand: list[str] = []


class Between(Params):
    gte: int | None = None
    gt: int | None = None
    lte: int | None = None
    lt: int | None = None


class Listing(Retrieving):
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    starting_after: str | None = None
    created: Between = Between()
    payment_intent: str | None = None
    customer: str | None = None

    def chooses(self, obj: Obj) -> bool:
        """Whether an object belongs to the list."""
        made, bounds = obj["created"], self.created
        return (
            (bounds.gte is None or made >= bounds.gte)
            and (bounds.gt is None or made > bounds.gt)
            and (bounds.lte is None or made <= bounds.lte)
            and (bounds.lt is None or made < bounds.lt)
            and (self.payment_intent is None or obj.get("payment_intent") == self.payment_intent)
            and (self.customer is None or obj.get("customer") == self.customer)
        )


class ProductData(Params):
    name: Short
    description: str | None = None


class PriceData(Params):
    currency: Currency
    unit_amount: Amount
    product_data: ProductData


class LineItem(Params):
    quantity: Annotated[int, Field(ge=1, le=999_999)]
    price_data: PriceData


class PaymentIntentData(Params):
    metadata: Metadata = {}
    setup_future_usage: Literal["off_session", "on_session"] | None = None
    description: str | None = None


class CheckoutParams(Params):
    """What a checkout can be asked for."""

    mode: Literal["payment"]
    line_items: Annotated[list[LineItem], Field(min_length=1, max_length=100)]
    client_reference_id: Annotated[str, StringConstraints(max_length=200)] | None = None
    metadata: Metadata = {}
    payment_intent_data: PaymentIntentData = PaymentIntentData()
    success_url: Address
    cancel_url: Address | None = None
    customer: Short | None = None
    customer_email: Annotated[str, StringConstraints(max_length=800, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    customer_creation: Literal["always", "if_required"] | None = None
    expires_at: int | None = None
    locale: str | None = None

    def order(self) -> Obj:
        """What the books keep of it. Raises Invalid."""
        if self.customer and self.customer_email:
            raise Invalid(400, "You may only specify one of these parameters: customer, customer_email.")
        if self.customer and self.customer_creation:
            raise Invalid(400, "`customer_creation` can't be used together with `customer`.", param="customer_creation")
        currencies = {item.price_data.currency for item in self.line_items}
        if len(currencies) > 1:
            raise Invalid(400, "All prices must have the same currency.", param="line_items")
        currency = currencies.pop()
        amount = sum(item.quantity * item.price_data.unit_amount for item in self.line_items)
        require_amount(amount, currency, "line_items[0][price_data][unit_amount]")
        for name in ("success_url", "cancel_url"):
            _require_address(getattr(self, name), name)
        if self.expires_at is not None and not 1800 <= self.expires_at - time.time() + 5 <= 24 * 3600 + 10:
            raise Invalid(
                400, "The `expires_at` timestamp must be from 30 minutes to 24 hours ahead.", param="expires_at"
            )
        return {
            "amount": amount,
            "currency": currency,
            "name": ", ".join(item.price_data.product_data.name for item in self.line_items),
            "client_reference_id": self.client_reference_id,
            "metadata": dict(self.metadata),
            "payment_metadata": dict(self.payment_intent_data.metadata),
            "saves_card": self.payment_intent_data.setup_future_usage == "off_session",
            "success_url": self.success_url,
            "cancel_url": self.cancel_url,
            "customer": self.customer,
            "customer_creation": self.customer_creation,
            "email": self.customer_email,
            "expires_at": self.expires_at,
            "locale": self.locale,
        }


class Charging(Params):
    """A charge of a saved card, in one step."""

    amount: Amount
    currency: Currency
    customer: Short
    payment_method: Short
    off_session: Literal["true"]
    confirm: Literal["true"]
    description: Annotated[str, StringConstraints(max_length=1000)] | None = None
    metadata: Metadata = {}

    def order(self) -> Obj:
        """Raises Invalid."""
        require_amount(self.amount, self.currency, "amount")
        return self.model_dump(include={"amount", "currency", "customer", "payment_method", "description", "metadata"})


class RefundParams(Params):
    payment_intent: Short
    amount: Amount | None = None
    metadata: Metadata = {}
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None


def require_amount(amount: int, currency: str, param: str) -> None:
    """Raise Invalid for an amount that Stripe does not take."""
    if currency in _THREE_DECIMALS and amount % 10:
        raise Invalid(400, "Invalid amount: the last digit must be 0.", code="invalid_amount", param=param)
    if currency in _WHOLE_ONLY and amount % 100:
        raise Invalid(400, "Invalid amount: it must be divisible by 100.", code="invalid_amount", param=param)
    if amount < _AMOUNT_MIN.get(currency, 1):
        raise Invalid(400, "The amount is below the least that can be charged.", code="amount_too_small", param=param)


def _require_address(url: str | None, param: str) -> None:
    if url is None:
        return
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and not set(url) & set(" \r\n\"'<>;,")
    except ValueError:
        right = False
    if not right:
        raise Invalid(400, "Not a valid URL", code="url_invalid", param=param)
