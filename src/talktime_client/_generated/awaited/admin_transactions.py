"""Requests of `admin_transactions`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.statements import TransactionType, TransactionTypeName
from talktime_client._generated.shapes.transactions import Transaction
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id, uuid_written


class AsyncAdminTransactionsGroup(AsyncGroup):
    """`client.admin.transactions`"""

    def list(
        self,
        user_id: Id,
        *,
        type: TransactionType | TransactionTypeName | None = None,
        call_id: Id | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[Transaction]:
        """Lists the lines of somebody's ledger, the newest first. With a type a page may have few lines, or none.

        `GET /v1/admin/users/{user_id}/transactions`, with the scope `admin:read`.

        - `type`: Only of this type.
        - `call_id`: Only of this call.
        """
        return self._pages(
            Transaction,
            f"/v1/admin/users/{uuid_written(user_id)}/transactions",
            {"type": type, "call_id": call_id, "limit": limit},
            cursor,
        )
