"""Requests of `purchases`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.purchases import Purchase, PurchaseState, PurchaseStateName
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AsyncPurchasesGroup(AsyncGroup):
    """`client.purchases`"""

    def list(
        self,
        *,
        state: PurchaseState | PurchaseStateName | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[Purchase]:
        """Lists purchases, the newest first.

        `GET /v1/purchases`, with the scope `credits:read`.

        - `state`: Where it stands.
        """
        return self._pages(Purchase, "/v1/purchases", {"state": state, "limit": limit}, cursor)

    async def create(
        self,
        *,
        pack_id: Id,
        cancel_url: str | Unset | None = UNSET,
        save_card: bool | Unset = UNSET,
        success_url: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Purchase:
        """Begins a purchase: send the buyer to its `checkout_url`. Nothing is charged before they pay there.

        `POST /v1/purchases`, with the scope `credits:write`.

        - `save_card`: Let the payment company keep the card, so that topping up can be switched on.
        - `success_url`: Where the buyer goes after paying; null is our own page.
        """
        return await self._ask(
            Purchase,
            "POST",
            "/v1/purchases",
            body={"pack_id": pack_id, "cancel_url": cancel_url, "save_card": save_card, "success_url": success_url},
            once=idempotency_key,
        )

    async def get(self, purchase_id: Id) -> Purchase:
        """Gives one purchase.

        `GET /v1/purchases/{purchase_id}`, with the scope `credits:read`.
        """
        return await self._ask(Purchase, "GET", f"/v1/purchases/{uuid_written(purchase_id)}")
