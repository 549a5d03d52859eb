"""Requests of `credits`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.credits import Credits, CreditSettings
from talktime_client._group import Group
from talktime_client._transport import Transport
from talktime_client._values import UNSET, Unset


class CreditsSettingsGroup(Group):
    """`client.credits.settings`"""

    def get(self) -> CreditSettings:
        """Gives the spend guards, and the balance below which the customer is told.

        `GET /v1/credits/settings`, with the scope `credits:read`.
        """
        return self._ask(CreditSettings, "GET", "/v1/credits/settings")

    def update(
        self,
        *,
        if_match: str | None,
        call_limit: int | Unset | None = UNSET,
        caller_limit: int | Unset | None = UNSET,
        day_limit: int | Unset | None = UNSET,
        low_balance: int | Unset | None = UNSET,
    ) -> CreditSettings:
        """Changes the spend guards, and the balance below which the customer is told. Running calls go on as
        granted.

        `PATCH /v1/credits/settings`, with the scope `credits:write`.
        """
        return self._ask(
            CreditSettings,
            "PATCH",
            "/v1/credits/settings",
            body={
                "call_limit": call_limit,
                "caller_limit": caller_limit,
                "day_limit": day_limit,
                "low_balance": low_balance,
            },
            if_match=if_match,
        )


class CreditsGroup(Group):
    """`client.credits`"""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.settings: CreditsSettingsGroup = CreditsSettingsGroup(transport)

    def get(self) -> Credits:
        """Gives the balance, what is set aside of it, and how long it lasts.

        `GET /v1/credits`, with the scope `credits:read`.
        """
        return self._ask(Credits, "GET", "/v1/credits")
