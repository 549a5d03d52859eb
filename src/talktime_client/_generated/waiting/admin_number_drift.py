"""Requests of `admin_number_drift`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_number_drift import NumberDrifts
from talktime_client._group import Group


class AdminNumberDriftGroup(Group):
    """`client.admin.number_drift`"""

    def list(self, *, carrier: str | None = None) -> NumberDrifts:
        """Asks the carriers what they have, and says where that differs from the pool.

        `GET /v1/admin/number-drift`, with the scope `admin:read`.

        - `carrier`: Only this one is asked.
        """
        return self._ask(NumberDrifts, "GET", "/v1/admin/number-drift", params={"carrier": carrier})
