"""Requests of `admin_ungranted_payments`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_ungranted_payments import UngrantedPayment
from talktime_client._group import Group
from talktime_client._paging import Pages


class AdminUngrantedPaymentsGroup(Group):
    """`client.admin.ungranted_payments`"""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Pages[UngrantedPayment]:
        """Lists payments that granted nothing, the newest first.

        `GET /v1/admin/ungranted-payments`, with the scope `admin:read`.
        """
        return self._pages(UngrantedPayment, "/v1/admin/ungranted-payments", {"limit": limit}, cursor)
