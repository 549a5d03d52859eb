"""What the phone company's books say of one call: its state, its times, and how forms and the API show them.

The one rule: the state moves forward only (ringing, in progress, over), and what is over stays as it is.
"""

import secrets
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from talktime.carriers.contract import LegState

_WIRE = {
    LegState.RINGING: "ringing",
    LegState.IN_PROGRESS: "in-progress",
    LegState.COMPLETED: "completed",
    LegState.BUSY: "busy",
    LegState.NO_ANSWER: "no-answer",
    LegState.CANCELED: "canceled",
    LegState.FAILED: "failed",
}
STATES = {word: state for state, word in _WIRE.items()}
"""The states by the words that go over the wire."""
PRICE_SECONDS = 2.0
"""So long after the end a call gets its price; with the real one it is minutes."""
_MICROS_PER_MINUTE = 8_500
_ANONYMOUS = "+266696687"
"""The word, typed on a telephone's keys: how Twilio shows a withheld number."""


class Record:
    """One call. Times are `time.monotonic()`."""

    def __init__(self, account: str, caller: str, dialled: str, *, parent: str = "", by_api: bool = False) -> None:
        """`parent` names the call that this one was dialled for; `by_api` is one that the account placed itself."""
        self.parent = parent
        self._by_api = by_api
        self.sid = "CA" + secrets.token_hex(16)
        self.state = LegState.RINGING
        self.placed = time.monotonic()
        self.answered: float | None = None
        self._account = account
        self._caller = caller or _ANONYMOUS
        self._dialled = dialled
        self._ended: float | None = None
        self._clock_offset = time.time() - self.placed

    @property
    def status(self) -> str:
        """The state in the vendor's word."""
        return _WIRE[self.state]

    @property
    def seconds(self) -> int:
        """How long the call was, or is, connected."""
        if self.answered is None:
            return 0
        return round((self._ended if self._ended is not None else time.monotonic()) - self.answered)

    def answer(self) -> bool:
        """The call is connected. False when it already was, or is over."""
        if self.state is not LegState.RINGING:
            return False
        self.state, self.answered = LegState.IN_PROGRESS, time.monotonic()
        return True

    def end(self, state: LegState) -> None:
        """The call is over; nothing changes when it already was."""
        assert state.is_over, state
        if not self.state.is_over:
            self.state, self._ended = state, time.monotonic()

    def form(self, account: str) -> dict[str, str]:
        """The fields that every request about this call has; `account` may be a wrong one."""
        return {
            "AccountSid": account,
            "ApiVersion": "2010-04-01",
            "CallSid": self.sid,
            "CallStatus": self.status,
            "Called": self._dialled,
            "Caller": self._caller,
            "Direction": self._direction,
            "From": self._caller,
            "To": self._dialled,
            **({"ParentCallSid": self.parent} if self.parent else {}),
        }

    def shown(self) -> dict[str, Any]:
        """The call as the API shows it."""
        return {
            "sid": self.sid,
            "account_sid": self._account,
            "api_version": "2010-04-01",
            "direction": self._direction,
            "from": self._caller,
            "to": self._dialled,
            "status": self.status,
            "date_created": self._wall(self.placed),
            "start_time": self._wall(self.answered),
            "end_time": self._wall(self._ended),
            "duration": str(self.seconds) if self._ended is not None else None,
            "parent_call_sid": self.parent or None,
            "price": self._price(),
            "price_unit": "USD",
            "uri": f"/2010-04-01/Accounts/{self._account}/Calls/{self.sid}.json",
        }

    @property
    def _direction(self) -> str:
        if self._by_api:
            return "outbound-api"
        return "outbound-dial" if self.parent else "inbound"

    def _price(self) -> str | None:
        """Begun minutes, as a figure below zero."""
        if self._ended is None or not self.seconds or time.monotonic() < self._ended + PRICE_SECONDS:
            return None
        micros = -(-self.seconds // 60) * _MICROS_PER_MINUTE
        return f"-{micros // 1_000_000}.{micros % 1_000_000:06d}"[:-1]

    def _wall(self, moment: float | None) -> str | None:
        return None if moment is None else format_datetime(datetime.fromtimestamp(moment + self._clock_offset, UTC))
