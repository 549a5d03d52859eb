"""Requests of `statements`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.statements import Month, Statement, StatementLine
from talktime_client._group import Group, part
from talktime_client._paging import Pages


class StatementsGroup(Group):
    """`client.statements`"""

    def list(self) -> Pages[Month]:
        """Lists the months with a statement, the newest first, all of them at once.

        `GET /v1/statements`, with the scope `credits:read`.
        """
        return self._pages(Month, "/v1/statements", {}, None)

    def get(self, month: str, *, limit: int | None = None, cursor: str | None = None) -> Statement:
        """Gives a month of the ledger, in the account's time zone: its balances, its sums, and its lines, oldest
        first.

        `GET /v1/statements/{month}`, with the scope `credits:read`.
        """
        return self._ask(Statement, "GET", f"/v1/statements/{part(month)}", params={"limit": limit, "cursor": cursor})

    def lines(self, month: str, *, limit: int | None = None, cursor: str | None = None) -> Pages[StatementLine]:
        """The lines alone, page after page.

        `GET /v1/statements/{month}`, with the scope `credits:read`.
        """
        return self._pages(StatementLine, f"/v1/statements/{part(month)}", {"limit": limit}, cursor)

    def csv(self, month: str) -> bytes:
        """Gives a month for a spreadsheet, however long it is.

        `GET /v1/statements/{month}.csv`, with the scope `credits:read`.
        """
        return self._file(f"/v1/statements/{part(month)}.csv", "text/csv")

    def pdf(self, month: str) -> bytes:
        """Gives a month as pages to keep; one of more than 10,000 lines as CSV only.

        `GET /v1/statements/{month}.pdf`, with the scope `credits:read`.
        """
        return self._file(f"/v1/statements/{part(month)}.pdf", "application/pdf")
