"""Twilio's numbers: IncomingPhoneNumbers, AvailablePhoneNumbers, the Pricing API, and calls that we place ourselves.

The one rule: `POST IncomingPhoneNumbers` and `POST Calls` are sent once and never again from here, whatever comes of
them. (Twilio, "IncomingPhoneNumber resource", "AvailablePhoneNumber resource", "Pricing: Phone Numbers", "Call
resource".)
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any, Protocol
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape  # this makes markup and parses none

from talktime.carriers.contract import Leg
from talktime.carriers.numbers import (
    Doors,
    NotForSale,
    NumberGone,
    NumberKind,
    NumberPrice,
    OfferedNumber,
    OwnedNumber,
    Search,
    SlowDown,
    Spoken,
)
from talktime.carriers.twilio_api import CALL_ID, CURRENCY, E164, TwilioApi, require_success, said_by
from talktime.errors import ProviderError

PRICING_BASE = "https://pricing.twilio.com"
REQUEST_SECONDS_MAX = 15.0
PAGES_MAX = 1000
PAGE_SIZE = 200
_NUMBER_ID = re.compile(r"PN[0-9a-f]{32}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_PRICE = re.compile(r"[0-9]{1,7}(\.[0-9]{1,12})?", re.ASCII)
_NOT_FOR_SALE = {
    21404: "a trial account may have one number only",
    21421: "it is no number that is sold",
    21422: "somebody else has it by now",
    21452: "there is none of this kind at the moment",
    21615: "an address in the area has to be registered first",
    21629: "an identity has to be registered first",
    21631: "an address in the country has to be registered first",
    21649: "papers (a regulatory bundle) have to be handed in first",
    21651: "the address does not meet the rules of the country",
}
"""Twilio's codes for a number that it does not sell to us."""
_RESOURCES = {
    NumberKind.LOCAL: "Local",
    NumberKind.MOBILE: "Mobile",
    NumberKind.NATIONAL: "National",
    NumberKind.TOLL_FREE: "TollFree",
}
_PRICED_AS = {
    NumberKind.LOCAL: "local",
    NumberKind.MOBILE: "mobile",
    NumberKind.NATIONAL: "national",
    NumberKind.TOLL_FREE: "toll free",
}
_AREA_CODES = ("US", "CA")
"""Where `AreaCode` may be asked for."""
_REGIONS = {"de": "de-DE", "en": "en-US"}


class LooksUp(Protocol):
    """What knows how a call stands: the adapter for calls."""

    async def look_up(self, call_id: str) -> Leg | None:
        """None for a call that Twilio does not know."""


class TwilioNumbers:
    """The numbers of one Twilio account."""

    def __init__(self, account_sid: str, api_base: str, api: TwilioApi, calls: LooksUp) -> None:
        base = api_base.rstrip("/")
        # Prices have a host of their own at Twilio; a stand-in for Twilio has but one.
        self._pricing = PRICING_BASE if urlsplit(base).hostname == "api.twilio.com" else base
        self._origin = base
        self._account = f"{base}/2010-04-01/Accounts/{quote(account_sid, safe='')}"
        self._api = api
        self._calls = calls

    async def owned(self) -> list[OwnedNumber]:
        """Every page of the account's numbers."""
        url = f"{self._account}/IncomingPhoneNumbers.json?PageSize={PAGE_SIZE}"
        return [_owned(row) async for row in self._rows(url, "incoming_phone_numbers")]

    async def find(self, number: str) -> OwnedNumber | None:
        """By the whole number. (The filter also takes parts, so what comes is compared.)"""
        _require(E164, number, "an E.164 number")
        url = f"{self._account}/IncomingPhoneNumbers.json?PhoneNumber={quote(number, safe='')}&PageSize=20"
        found = [_owned(row) async for row in self._rows(url, "incoming_phone_numbers")]
        return next((each for each in found if each.number == number), None)

    async def available(self, search: Search) -> list[OfferedNumber]:
        """The first page is enough: it is a sample in any case. A kind that the country does not have gives none."""
        _require(_COUNTRY, search.country, "a country's two letters")
        query: dict[str, str] = {"PageSize": str(max(1, min(search.limit, 100))), "VoiceEnabled": "true"}
        area = search.area.lstrip("0")
        if area and search.country in _AREA_CODES:
            query["AreaCode"] = area
        if search.contains or (area and "AreaCode" not in query):
            query["Contains"] = search.contains or area
        url = f"{self._account}/AvailablePhoneNumbers/{search.country}/{_RESOURCES[search.kind]}.json"
        status, said = await self._send("GET", url, query=query)
        if status == 404:
            return []
        require_success(status, said, "search the number")
        rows = said.get("available_phone_numbers")
        if not isinstance(rows, list):
            raise ProviderError("Twilio's answer shows no numbers")
        offered = [_offered(row, search) for row in rows if isinstance(row, dict)]
        # Of an area and a pattern the API takes one, but in North America; the other is looked at here.
        return [each for each in offered if area in each.number][: search.limit]

    async def price(self, country: str, kind: NumberKind) -> NumberPrice | None:
        """What this account pays now (`current_price`), a month."""
        _require(_COUNTRY, country, "a country's two letters")
        status, said = await self._send("GET", f"{self._pricing}/v1/PhoneNumbers/Countries/{country}")
        if status == 404:
            return None
        require_success(status, said, "price the number")
        currency = str(said.get("price_unit")).upper()
        for row in said.get("phone_number_prices") or ():
            if isinstance(row, dict) and str(row.get("number_type")).lower() == _PRICED_AS[kind]:
                price = str(row.get("current_price"))
                if _PRICE.fullmatch(price) and CURRENCY.fullmatch(currency):
                    micros = (Decimal(price) * 1_000_000).to_integral_value(ROUND_CEILING)
                    return NumberPrice(int(micros), currency)
        return None

    async def buy(self, number: str, doors: Doors) -> OwnedNumber:
        """Order one number, once."""
        _require(E164, number, "an E.164 number")
        form = {"PhoneNumber": number, **_form(doors)}
        status, said = await self._send("POST", f"{self._account}/IncomingPhoneNumbers.json", form)
        if 400 <= status < 500 and said.get("code") in _NOT_FOR_SALE:
            raise NotForSale(_NOT_FOR_SALE[said["code"]])
        require_success(status, said, "sell the number")
        bought = _owned(said)
        if bought.number != number:
            raise ProviderError("Twilio sold another number than was ordered", permanent=True)
        return bought

    async def configure(self, number_id: str, doors: Doors) -> OwnedNumber:
        """Set a number's addresses; an application or a trunk that would stand before them is taken away."""
        _require(_NUMBER_ID, number_id, "the name of a number of Twilio's")
        form = {**_form(doors), "VoiceApplicationSid": "", "TrunkSid": ""}
        status, said = await self._send(
            "POST", f"{self._account}/IncomingPhoneNumbers/{number_id}.json", form, repeatable=True
        )
        if status == 404:
            raise NumberGone
        require_success(status, said, "change the number")
        return _owned(said)

    async def release(self, number_id: str) -> None:
        """Give a number back."""
        _require(_NUMBER_ID, number_id, "the name of a number of Twilio's")
        status, said = await self._send("DELETE", f"{self._account}/IncomingPhoneNumbers/{number_id}.json")
        if status != 404:
            require_success(status, said, "release the number")

    async def place(self, to: str, caller: str, spoken: Spoken) -> str:
        """Place a call, once."""
        _require(E164, to, "an E.164 number")
        _require(E164, caller, "an E.164 number")
        form = {
            "To": to,
            "From": caller,
            "Twiml": markup(spoken),
            "Timeout": str(spoken.ring_seconds_max),
            "TimeLimit": str(spoken.seconds_max),
        }
        status, said = await self._send("POST", f"{self._account}/Calls.json", form)
        require_success(status, said, "place a call to the number")
        call_id = str(said.get("sid"))
        if not CALL_ID.fullmatch(call_id):
            raise ProviderError("Twilio's answer names no call")
        return call_id

    async def look_up(self, call_id: str) -> Leg | None:
        """As for any call."""
        return await self._calls.look_up(call_id)

    async def _rows(self, url: str, name: str) -> AsyncIterator[dict[str, Any]]:
        """What a list holds, page after page, as each names the next."""
        for _ in range(PAGES_MAX):
            status, said = await self._send("GET", url)
            require_success(status, said, "list the number")
            rows = said.get(name)
            if not isinstance(rows, list):
                raise ProviderError("Twilio's answer shows no numbers")
            for row in rows:
                if isinstance(row, dict):
                    yield row
            following = said.get("next_page_uri")
            if not following:
                return
            # A path from the root of the very host that was asked: credentials go nowhere else.
            if not str(following).startswith("/2010-04-01/"):
                raise ProviderError("Twilio's next page is somewhere else")
            url = self._origin + str(following)
        raise ProviderError("Twilio's list has no end")

    async def _send(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> tuple[int, dict[str, Any]]:
        response = await self._api.send(
            method, url, form, query=query, seconds_max=REQUEST_SECONDS_MAX, repeatable=repeatable
        )
        if response.status_code == 429:
            wait = response.headers.get("retry-after", "")
            raise SlowDown(int(wait) if re.fullmatch(r"[0-9]{1,5}", wait) else 0)
        return response.status_code, said_by(response)


def markup(spoken: Spoken) -> str:
    """What our call says, as TwiML."""
    language = _REGIONS.get(spoken.language, spoken.language)
    pause = f'<Pause length="{max(1, spoken.pause_seconds)}"/>'
    said = [f'<Say language="{escape(language)}">{escape(sentence)}</Say>{pause}' for sentence in spoken.sentences]
    return f"<Response>{''.join(said) or pause}<Hangup/></Response>"


def _form(doors: Doors) -> dict[str, str]:
    return {
        "VoiceUrl": doors.voice_url,
        "VoiceMethod": "POST",
        "StatusCallback": doors.status_callback,
        "StatusCallbackMethod": "POST",
    }


def _owned(row: dict[str, Any]) -> OwnedNumber:
    """A number as the API shows it. Raises ProviderError for what is none."""
    number_id, number = str(row.get("sid")), str(row.get("phone_number"))
    if not _NUMBER_ID.fullmatch(number_id) or not E164.fullmatch(number):
        raise ProviderError("Twilio's answer shows something that is no number")
    return OwnedNumber(
        number_id=number_id,
        number=number,
        doors=Doors(str(row.get("voice_url") or ""), str(row.get("status_callback") or "")),
        capabilities=_capabilities(row),
        rings_by_post=not row.get("voice_application_sid")
        and not row.get("trunk_sid")
        and row.get("voice_method") in (None, "POST")
        and row.get("status_callback_method") in (None, "POST"),
    )


def _offered(row: dict[str, Any], search: Search) -> OfferedNumber:
    number = str(row.get("phone_number"))
    if not E164.fullmatch(number):
        raise ProviderError("Twilio's answer shows something that is no number")
    return OfferedNumber(
        number=number,
        country=search.country,
        kind=search.kind,
        place=str(row.get("locality") or row.get("region") or "")[:100],
        capabilities=_capabilities(row),
        needs_address=str(row.get("address_requirements") or "none") != "none",
    )


def _capabilities(row: dict[str, Any]) -> Sequence[str]:
    """`{"voice": true, "SMS": false}` as `("voice",)`; the API writes them in both ways."""
    said = row.get("capabilities")
    return sorted(str(name).lower() for name, can in said.items() if can is True) if isinstance(said, dict) else ()


def _require(form: re.Pattern[str], text: str, what: str) -> None:
    """What is not of its form never leaves."""
    if not form.fullmatch(text):
        raise ProviderError(f"this is not {what}", permanent=True)
