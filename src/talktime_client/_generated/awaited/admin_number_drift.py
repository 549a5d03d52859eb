"""Requests of `admin_number_drift`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_number_drift import NumberDrifts
from talktime_client._group import AsyncGroup


class AsyncAdminNumberDriftGroup(AsyncGroup):
    """`client.admin.number_drift`"""

    async def list(self, *, carrier: str | None = None) -> NumberDrifts:
        """Asks the carriers what they have, and says where that differs from the pool.

        `GET /v1/admin/number-drift`, with the scope `admin:read`.

        - `carrier`: Only this one is asked.
        """
        return await self._ask(NumberDrifts, "GET", "/v1/admin/number-drift", params={"carrier": carrier})
