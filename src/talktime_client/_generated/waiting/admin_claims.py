"""Requests of `admin_claims`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_claims import AdminClaim, Decided
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AdminClaimsGroup(Group):
    """`client.admin.claims`"""

    def list(
        self, *, every: bool | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Pages[AdminClaim]:
        """Lists what customers say of calls and nobody has decided, the oldest first.

        `GET /v1/admin/claims`, with the scope `admin:read`.

        - `every`: Also those that are decided.
        """
        return self._pages(AdminClaim, "/v1/admin/claims", {"every": every, "limit": limit}, cursor)

    def decide(self, user_id: Id, call_id: Id, *, grant: bool, note: str | Unset | None = UNSET) -> Decided:
        """Gives back what a call had cost, or leaves it. Decided again it stays as it was.

        `POST /v1/admin/claims/{user_id}/{call_id}/decide`, with the scope `admin:write`.
        """
        return self._ask(
            Decided,
            "POST",
            f"/v1/admin/claims/{uuid_written(user_id)}/{uuid_written(call_id)}/decide",
            body={"grant": grant, "note": note},
        )
