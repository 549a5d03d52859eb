"""Requests of `admin_reversals`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_reversals import Reversal, ReversalKind, ReversalKindName
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id


class AsyncAdminReversalsGroup(AsyncGroup):
    """`client.admin.reversals`"""

    def list(
        self,
        *,
        user_id: Id | None = None,
        kind: ReversalKind | ReversalKindName | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[Reversal]:
        """Lists refunds and disputes, the newest first.

        `GET /v1/admin/reversals`, with the scope `admin:read`.

        - `user_id`: Only of this customer.
        - `kind`: Only refunds, or only disputes.
        """
        return self._pages(Reversal, "/v1/admin/reversals", {"user_id": user_id, "kind": kind, "limit": limit}, cursor)
