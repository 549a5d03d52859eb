"""Requests of `admin_prices`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from datetime import datetime

from talktime_client._generated.shapes.admin_prices import FollowedList, Price, PriceKind, PriceKindName
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import UNSET, Id, Unset


class AdminPricesGroup(Group):
    """`client.admin.prices`"""

    def list(self, *, at: datetime | None = None) -> Pages[Price]:
        """Lists what holds: everybody's prices, then those that customers have of their own, all of them at once.

        `GET /v1/admin/prices`, with the scope `admin:read`.

        - `at`: What holds at this moment; now by itself.
        """
        return self._pages(Price, "/v1/admin/prices", {"at": at}, None)

    def create(
        self,
        *,
        kind: PriceKind | PriceKindName,
        credits_per_minute: int,
        allow_free: bool | Unset = UNSET,
        connection_fee: int | Unset = UNSET,
        free_seconds: int | Unset = UNSET,
        increment_seconds: int | Unset = UNSET,
        initial_seconds: int | Unset = UNSET,
        user_id: Id | Unset | None = UNSET,
        valid_from: datetime | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Price:
        """Adds a price. Running calls keep the one that they rang at; figures that hold by then anyway change
        nothing.

        `POST /v1/admin/prices`, with the scope `admin:write`.

        - `allow_free`: A rate of zero is meant.
        - `user_id`: Null: everybody's.
        - `valid_from`: Null: from now on.
        """
        return self._ask(
            Price,
            "POST",
            "/v1/admin/prices",
            body={
                "kind": kind,
                "credits_per_minute": credits_per_minute,
                "allow_free": allow_free,
                "connection_fee": connection_fee,
                "free_seconds": free_seconds,
                "increment_seconds": increment_seconds,
                "initial_seconds": initial_seconds,
                "user_id": user_id,
                "valid_from": valid_from,
            },
            once=idempotency_key,
        )

    def follow_list(
        self,
        *,
        user_id: Id,
        kind: PriceKind | PriceKindName,
        valid_from: datetime | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> FollowedList:
        """Ends a customer's own price: from then on everybody's holds for them.

        `POST /v1/admin/prices/follow-list`, with the scope `admin:write`.
        """
        return self._ask(
            FollowedList,
            "POST",
            "/v1/admin/prices/follow-list",
            body={"user_id": user_id, "kind": kind, "valid_from": valid_from},
            once=idempotency_key,
        )

    def history(
        self, *, user_id: Id | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Pages[Price]:
        """Lists every price there was, is and will be, the newest first.

        `GET /v1/admin/prices/history`, with the scope `admin:read`.

        - `user_id`: Whose own; everybody's by itself.
        """
        return self._pages(Price, "/v1/admin/prices/history", {"user_id": user_id, "limit": limit}, cursor)
