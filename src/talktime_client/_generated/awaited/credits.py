"""Requests of `credits`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.credits import Credits, CreditSettings
from talktime_client._group import AsyncGroup
from talktime_client._transport import AsyncTransport
from talktime_client._values import UNSET, Unset


class AsyncCreditsSettingsGroup(AsyncGroup):
    """`client.credits.settings`"""

    async def get(self) -> CreditSettings:
        """Gives the spend guards, and the balance below which the customer is told.

        `GET /v1/credits/settings`, with the scope `credits:read`.
        """
        return await self._ask(CreditSettings, "GET", "/v1/credits/settings")

    async def update(
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
        return await self._ask(
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


class AsyncCreditsGroup(AsyncGroup):
    """`client.credits`"""

    def __init__(self, transport: AsyncTransport) -> None:
        super().__init__(transport)
        self.settings: AsyncCreditsSettingsGroup = AsyncCreditsSettingsGroup(transport)

    async def get(self) -> Credits:
        """Gives the balance, what is set aside of it, and how long it lasts.

        `GET /v1/credits`, with the scope `credits:read`.
        """
        return await self._ask(Credits, "GET", "/v1/credits")
