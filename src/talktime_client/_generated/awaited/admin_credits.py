"""Requests of `admin_credits`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.credits import Credits
from talktime_client._group import AsyncGroup
from talktime_client._values import Id, uuid_written


class AsyncAdminCreditsGroup(AsyncGroup):
    """`client.admin.credits`"""

    async def get(self, user_id: Id) -> Credits:
        """Gives somebody's credits.

        `GET /v1/admin/users/{user_id}/credits`, with the scope `admin:read`.
        """
        return await self._ask(Credits, "GET", f"/v1/admin/users/{uuid_written(user_id)}/credits")
