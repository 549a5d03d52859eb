"""Requests of `admin_margins`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from datetime import datetime

from talktime_client._generated.shapes.admin_margins import Margin, MarginsBy, MarginsByName
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id, uuid_written


class AsyncAdminMarginsGroup(AsyncGroup):
    """`client.admin.margins`"""

    def list(
        self, *, since: datetime, until: datetime, by: MarginsBy | MarginsByName | None = None
    ) -> AsyncPages[Margin]:
        """Says what calls brought in and what they cost; days are those of the operator's time zone.

        `GET /v1/admin/margins`, with the scope `admin:read`.

        - `since`: Calls that began then, or later.
        - `until`: Calls that began before.
        - `by`: What a line is of.
        """
        return self._pages(Margin, "/v1/admin/margins", {"since": since, "until": until, "by": by}, None)

    async def get(self, user_id: Id, call_id: Id) -> Margin:
        """Says what one call brought in and what it cost.

        `GET /v1/admin/margins/{user_id}/{call_id}`, with the scope `admin:read`.
        """
        return await self._ask(Margin, "GET", f"/v1/admin/margins/{uuid_written(user_id)}/{uuid_written(call_id)}")
