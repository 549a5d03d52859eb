"""Requests of `admin_calls`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from datetime import datetime
from typing import Literal

from talktime_client._generated.shapes.admin_calls import Waived
from talktime_client._generated.shapes.calls import (
    Call,
    CallStatus,
    CallStatusName,
    ListedCall,
    NotCharged,
    NotChargedName,
)
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import Id, uuid_written


class AdminCallsGroup(Group):
    """`client.admin.calls`"""

    def list(
        self,
        user_id: Id,
        *,
        agent_id: Id | None = None,
        number_id: Id | None = None,
        status: CallStatus | CallStatusName | None = None,
        outcome: str | None = None,
        caller: str | None = None,
        started_from: datetime | None = None,
        started_before: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sort: Literal["-started_at", "started_at"] | None = None,
    ) -> Pages[ListedCall]:
        """Lists somebody's calls, the newest first unless sorted otherwise.

        `GET /v1/admin/users/{user_id}/calls`, with the scope `admin:read`.

        - `agent_id`: Answered by this agent.
        - `number_id`: Came to this number.
        - `status`: Where it stands.
        - `outcome`: What came of it.
        - `caller`: From this number, in E.164.
        - `started_from`: Began at this moment, or later.
        - `started_before`: Began before this moment.
        """
        return self._pages(
            ListedCall,
            f"/v1/admin/users/{uuid_written(user_id)}/calls",
            {
                "agent_id": agent_id,
                "number_id": number_id,
                "status": status,
                "outcome": outcome,
                "caller": caller,
                "started_from": started_from,
                "started_before": started_before,
                "limit": limit,
                "sort": sort,
            },
            cursor,
        )

    def get(self, user_id: Id, call_id: Id) -> Call:
        """Gives one of somebody's calls, with all that was said. That it was read stands in the audit log.

        `GET /v1/admin/users/{user_id}/calls/{call_id}`, with the scope `admin:read`.
        """
        return self._ask(Call, "GET", f"/v1/admin/users/{uuid_written(user_id)}/calls/{uuid_written(call_id)}")

    def waive(
        self, user_id: Id, call_id: Id, *, reason: NotCharged | NotChargedName, idempotency_key: str | None = None
    ) -> Waived:
        """Does not charge a call: what it cost is given back.

        `POST /v1/admin/users/{user_id}/calls/{call_id}/waive`, with the scope `admin:write`.
        """
        return self._ask(
            Waived,
            "POST",
            f"/v1/admin/users/{uuid_written(user_id)}/calls/{uuid_written(call_id)}/waive",
            body={"reason": reason},
            once=idempotency_key,
        )
