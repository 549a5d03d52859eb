"""Requests of `top_up`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.top_up import TopUp
from talktime_client._group import AsyncGroup
from talktime_client._transport import AsyncTransport
from talktime_client._values import UNSET, Id, Unset


class AsyncTopUpCardGroup(AsyncGroup):
    """`client.top_up.card`"""

    async def forget(self) -> None:
        """Takes the saved card away, here and at the payment company. Without one it changes nothing.

        `DELETE /v1/top-up/card`, with the scope `credits:write`.
        """
        await self._do("DELETE", "/v1/top-up/card")


class AsyncTopUpGroup(AsyncGroup):
    """`client.top_up`"""

    def __init__(self, transport: AsyncTransport) -> None:
        super().__init__(transport)
        self.card: AsyncTopUpCardGroup = AsyncTopUpCardGroup(transport)

    async def get(self) -> TopUp:
        """Gives what may be charged to the saved card when the credit runs low.

        `GET /v1/top-up`, with the scope `credits:read`.
        """
        return await self._ask(TopUp, "GET", "/v1/top-up")

    async def set(
        self,
        *,
        enabled: bool,
        if_match: str | None,
        ceiling_minor: int | Unset | None = UNSET,
        pack_id: Id | Unset | None = UNSET,
        price_minor: int | Unset | None = UNSET,
        threshold: int | Unset | None = UNSET,
    ) -> TopUp:
        """Switches topping up on, off, or changes what is agreed to.

        `PUT /v1/top-up`, with the scope `credits:write`.

        - `price_minor`: The price that was seen: if it has changed since, nothing is switched on.
        """
        return await self._ask(
            TopUp,
            "PUT",
            "/v1/top-up",
            body={
                "enabled": enabled,
                "ceiling_minor": ceiling_minor,
                "pack_id": pack_id,
                "price_minor": price_minor,
                "threshold": threshold,
            },
            if_match=if_match,
        )
