"""Requests of `admin_alerts`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_alerts import Alert
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AsyncAdminAlertsGroup(AsyncGroup):
    """`client.admin.alerts`"""

    def list(
        self, *, open: bool | None = None, kind: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[Alert]:
        """Lists alerts, the newest first.

        `GET /v1/admin/alerts`, with the scope `admin:read`.

        - `open`: Only those that nobody acknowledged.
        - `kind`: Only of this kind.
        """
        return self._pages(Alert, "/v1/admin/alerts", {"open": open, "kind": kind, "limit": limit}, cursor)

    async def acknowledge(self, alert_id: Id, *, note: str | Unset = UNSET) -> Alert:
        """Says that you have seen it, and will see to it. Said again it changes nothing; of two people the first
        counts.

        `POST /v1/admin/alerts/{alert_id}/acknowledge`, with the scope `admin:write`.
        """
        return await self._ask(
            Alert, "POST", f"/v1/admin/alerts/{uuid_written(alert_id)}/acknowledge", body={"note": note}
        )
