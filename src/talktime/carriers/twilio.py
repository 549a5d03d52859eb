"""Twilio: prove its requests, read its forms, answer in its markup, and end, limit, forward, look up calls by its API.

The one rule: no request is read before `verify` has passed, and a request of another account never passes, whoever
signed it. Every verb may be repeated but `forward`, which rings somebody, and which nothing here repeats
(`twilio_api.py`).
"""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Any
from urllib.parse import quote

import httpx

from talktime.carriers import twilio_signature
from talktime.carriers.contract import (
    Answer,
    BadMessage,
    BadSignature,
    Charge,
    Forward,
    Forwarded,
    Leg,
    LegState,
    Reply,
    Report,
    Request,
    Ring,
    first_of,
)
from talktime.carriers.twilio_answer import markup
from talktime.carriers.twilio_api import CALL_ID, CURRENCY, E164, TwilioApi, require_success, said_by
from talktime.carriers.twilio_media import TwilioMedia
from talktime.carriers.twilio_numbers import TwilioNumbers
from talktime.errors import ProviderError

API_BASE = "https://api.twilio.com"
REQUEST_SECONDS_MAX = 10.0
_LEGS_MAX = 20
_SECONDS = re.compile(r"[0-9]{1,7}", re.ASCII)
_PRICE = re.compile(r"-[0-9]{1,7}(\.[0-9]{1,12})?|0(\.0{1,12})?", re.ASCII)
"""What is charged stands below zero: `-0.00850`."""
_ALREADY_GONE = (20404, 21220)
"""Twilio's codes for a call that it no longer knows, and for one that is no longer in progress."""

# What a withheld number looks like: these words, typed on a telephone's keys.
_WITHHELD = {"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"}  # ANONYMOUS, RESTRICTED, BLOCKED, …

_STATES = {
    "queued": LegState.RINGING,
    "initiated": LegState.RINGING,
    "ringing": LegState.RINGING,
    "in-progress": LegState.IN_PROGRESS,
    "completed": LegState.COMPLETED,
    "busy": LegState.BUSY,
    "no-answer": LegState.NO_ANSWER,
    "canceled": LegState.CANCELED,
    "failed": LegState.FAILED,
}


class Twilio:
    """One Twilio account."""

    name = "twilio"

    def __init__(
        self, account_sid: str, auth_token: str, api_base: str = API_BASE, client: httpx.AsyncClient | None = None
    ) -> None:
        if not account_sid or not auth_token.strip():
            raise ValueError("Twilio needs an account SID and an auth token: an empty token would prove nothing")
        self.account_sid = account_sid
        self._token = auth_token
        self._calls_url = f"{api_base.rstrip('/')}/2010-04-01/Accounts/{quote(account_sid, safe='')}/Calls"
        self._client = client or httpx.AsyncClient(timeout=httpx.Timeout(5.0, connect=3.0))
        self._owns_client = client is None
        self._api = TwilioApi(account_sid, auth_token, self._client)
        self.numbers = TwilioNumbers(account_sid, api_base, self._api, self)
        """What can be done with the account's numbers (`carriers/numbers.py`)."""

    def verify(self, request: Request) -> None:
        """Raise BadSignature unless Twilio signed this very request, for our account.

        A web socket's handshake names no account; its first message does (`Started.account`).
        """
        fields = twilio_signature.check(self._token, request)
        accounts = set(fields.get("AccountSid", ()))
        if accounts - {self.account_sid}:
            raise BadSignature("the request is of another account")
        if not accounts and request.method != "GET" and "bodySHA256=" not in request.url:
            raise BadSignature("the request names no account")

    def read_ring(self, request: Request) -> Ring:
        """Raises BadMessage."""
        fields = _fields(request)
        dialled = first_of(fields, "To")
        if not E164.fullmatch(dialled):
            raise BadMessage("the dialled number is not E.164")
        caller = next(iter(fields.get("From", ())), "")
        return Ring(
            account=first_of(fields, "AccountSid"),
            call_id=_call_id(fields),
            caller=caller if E164.fullmatch(caller) and caller not in _WITHHELD else "",
            dialled=dialled,
        )

    def read_report(self, request: Request) -> Report:
        """Raises BadMessage. `CallDuration` is in seconds; `Duration`, which stands beside it, is billed minutes."""
        fields = _fields(request)
        call_id, status = _call_id(fields), first_of(fields, "CallStatus")
        state = _STATES.get(status)
        if state is None:
            raise BadMessage("the call has a status that Twilio does not name")
        # Without a number of its own a report stands where its state does.
        order = 2 if state.is_over else 1 if state is LegState.IN_PROGRESS else 0
        sequence = _number(fields.get("SequenceNumber", [str(order)])[0], "SequenceNumber")
        seconds = fields.get("CallDuration", [""])[0]
        return Report(
            account=first_of(fields, "AccountSid"),
            call_id=call_id,
            event_id=f"{call_id}:{sequence}:{status}",
            state=state,
            sequence=sequence,
            seconds=_number(seconds, "CallDuration") if seconds and state.is_over else None,
        )

    def read_forwarded(self, request: Request) -> Forwarded:
        """What `<Dial action=…>` asks. Raises BadMessage."""
        fields = _fields(request)
        return Forwarded(
            account=first_of(fields, "AccountSid"),
            call_id=_call_id(fields),
            answered=first_of(fields, "DialCallStatus") in ("completed", "answered"),
        )

    def reply(self, answer: Answer) -> Reply:
        """The answer to a ring as TwiML."""
        return markup(answer)

    def media(self) -> TwilioMedia:
        """A translator for one media socket."""
        return TwilioMedia()

    async def hang_up(self, call_id: str) -> None:
        """End a call; one that is already gone is success. Raises ProviderError."""
        status, said = await self._ask("POST", call_id, {"Status": "completed"}, repeatable=True)
        if status != 404 and said.get("code") not in _ALREADY_GONE:
            require_success(status, said, "hang up the call")

    async def limit(self, call_id: str, seconds: int) -> None:
        """Let Twilio end the call `seconds` after it began. Raises ProviderError."""
        assert seconds > 0, seconds
        status, said = await self._ask("POST", call_id, {"TimeLimit": str(seconds)}, repeatable=True)
        require_success(status, said, "limit the call")

    async def forward(self, call_id: str, forward: Forward, limit_seconds: int) -> None:
        """Replace the live call's markup by a `<Dial>`; its media socket closes. Raises ProviderError."""
        assert limit_seconds > 0, limit_seconds
        update = {"Twiml": markup(forward).body.decode(), "TimeLimit": str(limit_seconds)}
        status, said = await self._ask("POST", call_id, update)
        require_success(status, said, "forward the call")

    async def look_up(self, call_id: str) -> Leg | None:
        """How the call stands; None when Twilio does not know it. Raises ProviderError."""
        status, said = await self._ask("GET", call_id)
        if status == 404:
            return None
        require_success(status, said, "look up the call")
        leg = _leg(said)
        if leg is None or leg.call_id != call_id:
            raise ProviderError("Twilio's answer shows no such call, or one in no known state")
        return leg

    async def forwarded_to(self, call_id: str) -> list[Leg]:
        """The calls whose parent this one is, newest first. Raises ProviderError."""
        if not CALL_ID.fullmatch(call_id):
            raise ProviderError("this is no name of a Twilio call", permanent=True)
        status, said = await self._send("GET", f"{self._calls_url}.json?ParentCallSid={call_id}&PageSize={_LEGS_MAX}")
        require_success(status, said, "look up the legs of the call")
        rows = said.get("calls")
        legs = [_leg(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else [None]
        if any(leg is None for leg in legs):
            raise ProviderError("Twilio's answer shows no calls, or one in no known state")
        return [leg for leg in legs if leg is not None]

    async def close(self) -> None:
        """Let go of connections; a client that was given stays open."""
        if self._owns_client:
            await self._client.aclose()

    async def _ask(
        self, method: str, call_id: str, form: dict[str, str] | None = None, *, repeatable: bool = False
    ) -> tuple[int, dict[str, Any]]:
        if not CALL_ID.fullmatch(call_id):
            raise ProviderError("this is no name of a Twilio call", permanent=True)
        return await self._send(method, f"{self._calls_url}/{call_id}.json", form, repeatable=repeatable)

    async def _send(
        self, method: str, url: str, form: dict[str, str] | None = None, *, repeatable: bool = False
    ) -> tuple[int, dict[str, Any]]:
        response = await self._api.send(method, url, form, seconds_max=REQUEST_SECONDS_MAX, repeatable=repeatable)
        return response.status_code, said_by(response)


def _leg(said: dict[str, Any]) -> Leg | None:
    """A call as the API shows it; None when that makes no sense."""
    state, call_id, seconds = _STATES.get(str(said.get("status"))), str(said.get("sid")), said.get("duration")
    if state is None or not CALL_ID.fullmatch(call_id):
        return None
    known = state.is_over and seconds is not None and _SECONDS.fullmatch(str(seconds))
    return Leg(call_id, state, int(str(seconds)) if known else None, charge_of(said))


def charge_of(said: dict[str, Any]) -> Charge | None:
    """What the call cost, rounded up to a millionth; None before Twilio knows, or when it is no charge."""
    price, currency = str(said.get("price")), str(said.get("price_unit")).upper()
    if not _PRICE.fullmatch(price) or not CURRENCY.fullmatch(currency):
        return None
    return Charge(int((-Decimal(price) * 1_000_000).to_integral_value(ROUND_CEILING)), currency)


def _fields(request: Request) -> twilio_signature.Fields:
    try:
        return twilio_signature.fields_of(request)
    except (ValueError, BadSignature) as error:
        raise BadMessage("the request is no form") from error


def _call_id(fields: twilio_signature.Fields) -> str:
    call_id = first_of(fields, "CallSid")
    if not CALL_ID.fullmatch(call_id):
        raise BadMessage("the CallSid is not of Twilio's form")
    return call_id


def _number(text: str, name: str) -> int:
    if not _SECONDS.fullmatch(text):
        raise BadMessage(f"{name} is not a number")
    return int(text)
