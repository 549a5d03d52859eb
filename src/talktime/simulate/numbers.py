"""The phone company's books of numbers: what it sells, what the account has, and what goes wrong on demand.

The one rule: a number is sold once. Whoever orders it again, also the account that has it, is told that it is not for
sale; so a count of orders says how often somebody bought.
"""

import asyncio
import itertools
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from talktime.simulate.orders import NumberFault

Resource = Literal["Local", "Mobile", "National", "TollFree"]


@dataclass(frozen=True, slots=True)
class _Block:
    """A hundred or a thousand numbers in a row, from the ranges that regulators keep for stories."""

    country: str
    resource: Resource
    begin: str
    digits: int
    place: str
    address: str = "none"


_BLOCKS = (
    _Block("US", "Local", "+121255501", 2, "New York"),
    _Block("US", "Local", "+141555501", 2, "San Francisco"),
    _Block("US", "TollFree", "+180055501", 2, ""),
    _Block("GB", "Local", "+442079460", 3, "London"),
    _Block("GB", "Local", "+441614960", 3, "Manchester"),
    _Block("GB", "Mobile", "+447700900", 3, ""),
    _Block("GB", "TollFree", "+448081570", 3, ""),
    _Block("DE", "Local", "+493023125", 3, "Berlin", "local"),
    _Block("DE", "Local", "+498999998", 3, "München", "local"),
    _Block("DE", "Mobile", "+4917139200", 2, "", "any"),
)
_PRICES: Mapping[str, Mapping[str, str]] = {
    "US": {"local": "1.15", "toll free": "2.15"},
    "GB": {"local": "1.15", "mobile": "1.15", "toll free": "2.15"},
    "DE": {"local": "1.15", "mobile": "15.00"},
}
_COUNTRIES = {"US": "United States", "GB": "United Kingdom", "DE": "Germany"}
SHOWN_MAX = 50


@dataclass(slots=True)
class Owned:
    """A number of the account."""

    number: str
    sid: str = field(default_factory=lambda: "PN" + secrets.token_hex(16))
    voice_url: str = ""
    status_callback: str = ""
    voice_method: str = "POST"
    status_callback_method: str = "POST"
    voice_application_sid: str = ""
    trunk_sid: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    def change(self, form: Mapping[str, str]) -> None:
        """What a form says; names that are not known here are left, as Twilio has many more."""
        for name, attribute in _FIELDS.items():
            if name in form:
                setattr(self, attribute, form[name])

    def shown(self, account: str) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "sid": self.sid,
            "account_sid": account,
            "api_version": "2010-04-01",
            "phone_number": self.number,
            "friendly_name": self.number,
            "capabilities": {"voice": True, "sms": False, "mms": False, "fax": False},
            "voice_url": self.voice_url,
            "voice_method": self.voice_method,
            "voice_fallback_url": None,
            "voice_application_sid": self.voice_application_sid or None,
            "status_callback": self.status_callback,
            "status_callback_method": self.status_callback_method,
            "trunk_sid": self.trunk_sid or None,
            "address_requirements": "none",
            "beta": False,
            "origin": "twilio",
            "status": "in-use",
            "date_created": format_datetime(self.created),
            "date_updated": format_datetime(self.created),
            "uri": f"/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{self.sid}.json",
        }


_FIELDS = {
    "VoiceUrl": "voice_url",
    "StatusCallback": "status_callback",
    "VoiceMethod": "voice_method",
    "StatusCallbackMethod": "status_callback_method",
    "VoiceApplicationSid": "voice_application_sid",
    "TrunkSid": "trunk_sid",
}


class NumberBooks:
    """One account's numbers."""

    def __init__(self, kept_in: Path | None = None) -> None:
        """`kept_in` is a file where what the account has outlives the company."""
        self._kept_in = kept_in
        self.orders = 0
        """How many numbers were ever sold."""
        self.changes = 0
        """How often a number was changed."""
        self._owned: dict[str, Owned] = {}
        self._taken: set[str] = set()
        self._faults: list[NumberFault] = []
        if kept_in is not None and kept_in.exists():
            for row in orjson.loads(kept_in.read_bytes()):
                owned = Owned(**{**row, "created": datetime.fromisoformat(row["created"])})
                self._owned[owned.sid] = owned

    # What a test, or the control door, does behind everybody's back.

    def put(self, number: str, **changes: str) -> Owned:
        """The account has this number, so configured, however it came by it."""
        owned = self.by_number(number) or Owned(number)
        for name, value in changes.items():
            assert name in Owned.__slots__, name
            setattr(owned, name, value)
        self._owned[owned.sid] = owned
        self.keep()
        return owned

    def drop(self, number: str) -> None:
        """The account has it no more."""
        owned = self.by_number(number)
        if owned is not None:
            del self._owned[owned.sid]
            self.keep()

    def take(self, number: str) -> None:
        """Somebody else bought it."""
        self._taken.add(number)

    def go_wrong(self, fault: NumberFault) -> None:
        """Let the next request of this kind go wrong."""
        self._faults += [fault] * fault.times

    # What the doors ask.

    async def fault(self, what: str, *, done: bool) -> NumberFault | None:
        """What goes wrong with a request of this kind, before or after it was done; it has been waited for."""
        fault = next((each for each in self._faults if each.what == what and each.after == done), None)
        if fault is not None:
            self._faults.remove(fault)
            await asyncio.sleep(fault.delay_seconds)
        return fault

    def all(self) -> list[Owned]:
        """In the order in which they came."""
        return list(self._owned.values())

    def get(self, sid: str) -> Owned | None:
        return self._owned.get(sid)

    def by_number(self, number: str) -> Owned | None:
        return next((owned for owned in self._owned.values() if owned.number == number), None)

    def offered(self, country: str, resource: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """What is for sale; `AreaCode` and `Contains` as the API takes them."""
        size = int(query["PageSize"]) if query.get("PageSize", "").isdecimal() else SHOWN_MAX
        pattern = re.compile(re.escape(query.get("Contains", "").lstrip("+")).replace(r"\*", "[0-9]"))
        area = query.get("AreaCode", "")
        found = (
            {
                "friendly_name": number,
                "phone_number": number,
                "locality": block.place or None,
                "region": None,
                "iso_country": country,
                "address_requirements": block.address,
                "beta": False,
                "capabilities": {"voice": True, "SMS": False, "MMS": False},
            }
            for block, number in self._for_sale()
            if (block.country, block.resource) == (country, resource)
            and pattern.search(number)
            and (not area or number.startswith(f"+1{area}"))
        )
        return list(itertools.islice(found, min(size, SHOWN_MAX)))

    def sells(self, country: str, resource: str) -> bool:
        """Whether there are numbers of this kind in the country at all."""
        return any((block.country, block.resource) == (country, resource) for block in _BLOCKS)

    def is_for_sale(self, number: str) -> bool:
        return any(offered == number for _, offered in self._for_sale())

    def sell(self, number: str, form: Mapping[str, str]) -> Owned:
        """The account has it from now on, and pays."""
        owned = Owned(number)
        owned.change(form)
        self._owned[owned.sid] = owned
        self.orders += 1
        self.keep()
        return owned

    def change(self, owned: Owned, form: Mapping[str, str]) -> None:
        """Its addresses are others from now on."""
        owned.change(form)
        self.changes += 1
        self.keep()

    def remove(self, sid: str) -> None:
        """It was given back, and rests with the company."""
        self._taken.add(self._owned.pop(sid).number)
        self.keep()

    def keep(self) -> None:
        """Write down what the account has."""
        if self._kept_in is not None:
            self._kept_in.parent.mkdir(parents=True, exist_ok=True)
            draft = self._kept_in.with_suffix(".draft")
            draft.write_bytes(orjson.dumps([asdict(owned) for owned in self.all()]))
            draft.replace(self._kept_in)

    def priced(self, country: str) -> dict[str, Any] | None:
        """The prices of a country, as the Pricing API shows them."""
        if country not in _PRICES:
            return None
        rows = [
            {"number_type": kind, "base_price": price, "current_price": price}
            for kind, price in _PRICES[country].items()
        ]
        return {
            "country": _COUNTRIES[country],
            "iso_country": country,
            "phone_number_prices": rows,
            "price_unit": "USD",
            "url": f"https://pricing.twilio.com/v1/PhoneNumbers/Countries/{country}",
        }

    def _for_sale(self) -> Iterator[tuple[_Block, str]]:
        for block in _BLOCKS:
            for number in range(10**block.digits):
                digits = f"{block.begin}{number:0{block.digits}d}"
                if digits not in self._taken and self.by_number(digits) is None:
                    yield block, digits
