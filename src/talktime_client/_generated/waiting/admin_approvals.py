"""Requests of `admin_approvals`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_adjustments import Approval, ApprovalState, ApprovalStateName, Posting
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import Id, uuid_written


class AdminApprovalsGroup(Group):
    """`client.admin.approvals`"""

    def list(
        self,
        *,
        state: ApprovalState | ApprovalStateName | None = None,
        user_id: Id | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[Approval]:
        """Lists what operators asked of each other, the newest first.

        `GET /v1/admin/approvals`, with the scope `admin:read`.

        - `state`: Only those that stand so.
        - `user_id`: Only for this customer.
        """
        return self._pages(
            Approval, "/v1/admin/approvals", {"state": state, "user_id": user_id, "limit": limit}, cursor
        )

    def approve(self, approval_id: Id) -> Posting:
        """Says yes as the second person: then it is posted, once.

        `POST /v1/admin/approvals/{approval_id}/approve`, with the scope `admin:write`.
        """
        return self._ask(Posting, "POST", f"/v1/admin/approvals/{uuid_written(approval_id)}/approve")

    def refuse(self, approval_id: Id) -> Approval:
        """Says no as the second person: it is never posted.

        `POST /v1/admin/approvals/{approval_id}/refuse`, with the scope `admin:write`.
        """
        return self._ask(Approval, "POST", f"/v1/admin/approvals/{uuid_written(approval_id)}/refuse")
