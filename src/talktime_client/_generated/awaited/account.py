"""Requests of `account`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from typing import Literal

from talktime_client._generated.shapes.account import Account, MailChoices
from talktime_client._group import AsyncGroup
from talktime_client._values import UNSET, Unset


class AsyncAccountGroup(AsyncGroup):
    """`client.account`"""

    async def get(self) -> Account:
        """Gives the customer whose key this is.

        `GET /v1/account`, with the scope `account:read`.
        """
        return await self._ask(Account, "GET", "/v1/account")

    async def update(
        self,
        *,
        if_match: str | None,
        locale: Literal["en", "de"] | Unset = UNSET,
        name: str | Unset = UNSET,
        zone: str | Unset = UNSET,
    ) -> Account:
        """Changes the name, the language or the time zone. A new time zone counts from the next day that begins in
        it.

        `PATCH /v1/account`, with the scope `account:write`.

        - `zone`: A name of the IANA list, such as `Europe/Berlin`.
        """
        return await self._ask(
            Account, "PATCH", "/v1/account", body={"locale": locale, "name": name, "zone": zone}, if_match=if_match
        )

    async def mails_read(self) -> MailChoices:
        """Gives what the customer is told by mail.

        `GET /v1/account/mails`, with the scope `account:read`.
        """
        return await self._ask(MailChoices, "GET", "/v1/account/mails")

    async def mails_change(
        self,
        *,
        if_match: str | None,
        digest: bool | Unset = UNSET,
        messages: bool | Unset = UNSET,
        missed_calls: bool | Unset = UNSET,
        summaries: bool | Unset = UNSET,
    ) -> MailChoices:
        """Switches mails on or off. What is about money, and about how somebody comes in, is told in any case.

        `PATCH /v1/account/mails`, with the scope `account:write`.
        """
        return await self._ask(
            MailChoices,
            "PATCH",
            "/v1/account/mails",
            body={"digest": digest, "messages": messages, "missed_calls": missed_calls, "summaries": summaries},
            if_match=if_match,
        )
