"""Requests of `transactions`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.statements import TransactionType, TransactionTypeName
from talktime_client._generated.shapes.transactions import Transaction
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id


class AsyncTransactionsGroup(AsyncGroup):
    """`client.transactions`"""

    def list(
        self,
        *,
        type: TransactionType | TransactionTypeName | None = None,
        call_id: Id | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[Transaction]:
        """Lists the lines of the ledger, the newest first. With a type a page may have few lines, or none, and be
        followed by others all the same: go on while `has_more`.

        `GET /v1/transactions`, with the scope `credits:read`.

        - `type`: Only of this type.
        - `call_id`: Only of this call.
        """
        return self._pages(Transaction, "/v1/transactions", {"type": type, "call_id": call_id, "limit": limit}, cursor)

    async def get(self, seq: int) -> Transaction:
        """Gives one line of the ledger.

        `GET /v1/transactions/{seq}`, with the scope `credits:read`.
        """
        return await self._ask(Transaction, "GET", f"/v1/transactions/{seq}")
