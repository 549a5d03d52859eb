"""Requests of `admin_credits`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.credits import Credits
from talktime_client._group import Group
from talktime_client._values import Id, uuid_written


class AdminCreditsGroup(Group):
    """`client.admin.credits`"""

    def get(self, user_id: Id) -> Credits:
        """Gives somebody's credits.

        `GET /v1/admin/users/{user_id}/credits`, with the scope `admin:read`.
        """
        return self._ask(Credits, "GET", f"/v1/admin/users/{uuid_written(user_id)}/credits")
