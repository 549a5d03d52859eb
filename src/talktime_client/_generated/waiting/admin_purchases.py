"""Requests of `admin_purchases`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_purchases import AdminPurchase
from talktime_client._generated.shapes.purchases import PurchaseState, PurchaseStateName
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import Id


class AdminPurchasesGroup(Group):
    """`client.admin.purchases`"""

    def list(
        self,
        *,
        user_id: Id | None = None,
        state: PurchaseState | PurchaseStateName | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[AdminPurchase]:
        """Lists purchases, the newest first.

        `GET /v1/admin/purchases`, with the scope `admin:read`.

        - `user_id`: Only of this customer.
        - `state`: Only those that stand so.
        """
        return self._pages(
            AdminPurchase, "/v1/admin/purchases", {"user_id": user_id, "state": state, "limit": limit}, cursor
        )
