"""Requests of `admin_number_orders`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from typing import Literal

from talktime_client._generated.shapes.admin_available_numbers import NumberKind, NumberKindName
from talktime_client._generated.shapes.admin_number_orders import NumberOrder, OrderState, OrderStateName
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id, uuid_written


class AsyncAdminNumberOrdersGroup(AsyncGroup):
    """`client.admin.number_orders`"""

    def list(
        self,
        *,
        state: OrderState | OrderStateName | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sort: Literal["-created_at"] | None = None,
    ) -> AsyncPages[NumberOrder]:
        """Lists what was ordered, the newest first.

        `GET /v1/admin/number-orders`, with the scope `admin:read`.

        - `state`: Only those that stand so.
        """
        return self._pages(
            NumberOrder, "/v1/admin/number-orders", {"state": state, "limit": limit, "sort": sort}, cursor
        )

    async def create(
        self,
        *,
        number: str,
        kind: NumberKind | NumberKindName,
        carrier: str,
        amount_micros: int,
        currency: str,
        idempotency_key: str | None = None,
    ) -> NumberOrder:
        """Buys a number, once, at the price that you confirm. It is in the pool as soon as it is BOUGHT.

        `POST /v1/admin/number-orders`, with the scope `admin:write`.
        """
        return await self._ask(
            NumberOrder,
            "POST",
            "/v1/admin/number-orders",
            body={
                "number": number,
                "kind": kind,
                "carrier": carrier,
                "amount_micros": amount_micros,
                "currency": currency,
            },
            once=idempotency_key,
        )

    async def get(self, order_id: Id) -> NumberOrder:
        """Says what became of an order.

        `GET /v1/admin/number-orders/{order_id}`, with the scope `admin:read`.
        """
        return await self._ask(NumberOrder, "GET", f"/v1/admin/number-orders/{uuid_written(order_id)}")
