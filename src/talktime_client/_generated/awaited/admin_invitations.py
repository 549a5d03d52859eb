"""Requests of `admin_invitations`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from typing import Literal

from talktime_client._generated.shapes.account import Role, RoleName
from talktime_client._generated.shapes.admin_invitations import Invitation
from talktime_client._group import AsyncGroup
from talktime_client._values import UNSET, Unset


class AsyncAdminInvitationsGroup(AsyncGroup):
    """`client.admin.invitations`"""

    async def create(
        self,
        *,
        email: str | Unset | None = UNSET,
        locale: Literal["en", "de"] | Unset = UNSET,
        role: Role | RoleName | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> Invitation:
        """Makes a link that makes an account, also where signing up is switched off.

        `POST /v1/admin/invitations`, with the scope `admin:write`.

        - `email`: Null: whoever has the link.
        """
        return await self._ask(
            Invitation,
            "POST",
            "/v1/admin/invitations",
            body={"email": email, "locale": locale, "role": role},
            once=idempotency_key,
        )
