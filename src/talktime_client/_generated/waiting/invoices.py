"""Requests of `invoices`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.invoices import Invoice
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import Id, uuid_written


class InvoicesGroup(Group):
    """`client.invoices`"""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Pages[Invoice]:
        """Lists invoices and credit notes, the newest first.

        `GET /v1/invoices`, with the scope `credits:read`.
        """
        return self._pages(Invoice, "/v1/invoices", {"limit": limit}, cursor)

    def get(self, invoice_id: Id) -> Invoice:
        """Gives one document's figures.

        `GET /v1/invoices/{invoice_id}`, with the scope `credits:read`.
        """
        return self._ask(Invoice, "GET", f"/v1/invoices/{uuid_written(invoice_id)}")

    def pdf(self, invoice_id: Id) -> bytes:
        """Gives a document as it was issued.

        `GET /v1/invoices/{invoice_id}.pdf`, with the scope `credits:read`.
        """
        return self._file(f"/v1/invoices/{uuid_written(invoice_id)}.pdf", "application/pdf")
