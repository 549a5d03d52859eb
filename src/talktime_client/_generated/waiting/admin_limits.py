"""Requests of `admin_limits`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_limits import Limits
from talktime_client._group import Group
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AdminLimitsGroup(Group):
    """`client.admin.limits`"""

    def get(self, user_id: Id) -> Limits:
        """Gives how far an account may go.

        `GET /v1/admin/users/{user_id}/limits`, with the scope `admin:read`.
        """
        return self._ask(Limits, "GET", f"/v1/admin/users/{uuid_written(user_id)}/limits")

    def update(
        self,
        user_id: Id,
        *,
        if_match: str | None,
        grace_limit: int | Unset = UNSET,
        max_open_calls: int | Unset = UNSET,
    ) -> Limits:
        """Changes how far an account may go. Lowered limits end nothing that runs.

        `PATCH /v1/admin/users/{user_id}/limits`, with the scope `admin:write`.
        """
        return self._ask(
            Limits,
            "PATCH",
            f"/v1/admin/users/{uuid_written(user_id)}/limits",
            body={"grace_limit": grace_limit, "max_open_calls": max_open_calls},
            if_match=if_match,
        )
