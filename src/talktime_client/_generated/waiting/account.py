"""Requests of `account`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from typing import Literal

from talktime_client._generated.shapes.account import Account
from talktime_client._group import Group
from talktime_client._values import UNSET, Unset


class AccountGroup(Group):
    """`client.account`"""

    def get(self) -> Account:
        """Gives the customer whose key this is.

        `GET /v1/account`, with the scope `account:read`.
        """
        return self._ask(Account, "GET", "/v1/account")

    def update(
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
        return self._ask(
            Account, "PATCH", "/v1/account", body={"locale": locale, "name": name, "zone": zone}, if_match=if_match
        )
