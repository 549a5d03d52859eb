"""Requests of `invoices`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.invoices import Invoice
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id, uuid_written


class AsyncInvoicesGroup(AsyncGroup):
    """`client.invoices`"""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[Invoice]:
        """Lists invoices and credit notes, the newest first.

        `GET /v1/invoices`, with the scope `credits:read`.
        """
        return self._pages(Invoice, "/v1/invoices", {"limit": limit}, cursor)

    async def get(self, invoice_id: Id) -> Invoice:
        """Gives one document's figures.

        `GET /v1/invoices/{invoice_id}`, with the scope `credits:read`.
        """
        return await self._ask(Invoice, "GET", f"/v1/invoices/{uuid_written(invoice_id)}")

    async def pdf(self, invoice_id: Id) -> bytes:
        """Gives a document as it was issued.

        `GET /v1/invoices/{invoice_id}.pdf`, with the scope `credits:read`.
        """
        return await self._file(f"/v1/invoices/{uuid_written(invoice_id)}.pdf", "application/pdf")
