"""Requests of `top_up`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.top_up import TopUp
from talktime_client._group import Group
from talktime_client._transport import Transport
from talktime_client._values import UNSET, Id, Unset


class TopUpCardGroup(Group):
    """`client.top_up.card`"""

    def forget(self) -> None:
        """Takes the saved card away, here and at the payment company. Without one it changes nothing.

        `DELETE /v1/top-up/card`, with the scope `credits:write`.
        """
        self._do("DELETE", "/v1/top-up/card")


class TopUpGroup(Group):
    """`client.top_up`"""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.card: TopUpCardGroup = TopUpCardGroup(transport)

    def get(self) -> TopUp:
        """Gives what may be charged to the saved card when the credit runs low.

        `GET /v1/top-up`, with the scope `credits:read`.
        """
        return self._ask(TopUp, "GET", "/v1/top-up")

    def set(
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
        return self._ask(
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
