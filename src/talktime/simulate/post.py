"""What the phone company posts to our server: signed forms.

The one rule: the signature covers exactly the bytes that are sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx

from talktime.carriers import twilio_signature
from talktime.simulate.orders import Faults

POST_SECONDS_MAX = 15.0
"""As long as Twilio waits for an answer."""


@dataclass(frozen=True, slots=True)
class Post:
    """One account's way to reach our server."""

    account: str
    token: str
    client: httpx.AsyncClient

    def account_shown(self, faults: Faults) -> str:
        """The account that requests name."""
        return "AC" + "0" * 32 if faults.wrong_account else self.account

    def signature(self, url: str, fields: Mapping[str, str], faults: Faults) -> str:
        """Of a form, or of a web socket's handshake, which has no fields."""
        token = self.token[::-1] + "x" if faults.bad_signature else self.token
        return twilio_signature.sign(token, url, {name: [value] for name, value in fields.items()})

    async def send(
        self, url: str, fields: Mapping[str, str], faults: Faults, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Raises httpx.HTTPError."""
        return await self.client.post(
            url,
            content=urlencode(fields).encode(),
            headers={
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                "User-Agent": "TwilioProxy/1.1",
                "Accept": "*/*",
                twilio_signature.HEADER: self.signature(url, fields, faults),
                **(headers or {}),
            },
            timeout=POST_SECONDS_MAX,
        )
