"""Requests of `admin_users`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.account import Role, RoleName
from talktime_client._generated.shapes.admin_users import Closed, OpenedPerson, Person, UserStatus, UserStatusName
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import Id, uuid_written


class AdminUsersGroup(Group):
    """`client.admin.users`"""

    def list(
        self,
        *,
        search: str | None = None,
        status: UserStatus | UserStatusName | None = None,
        role: Role | RoleName | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[Person]:
        """Lists people, the newest first.

        `GET /v1/admin/users`, with the scope `admin:read`.

        - `search`: A part of the address or the name.
        - `status`: Only who is this.
        - `role`: Only who is this.
        """
        return self._pages(
            Person, "/v1/admin/users", {"search": search, "status": status, "role": role, "limit": limit}, cursor
        )

    def get(self, user_id: Id) -> OpenedPerson:
        """Gives one person, with what they have. What was said on their calls is not in it.

        `GET /v1/admin/users/{user_id}`, with the scope `admin:read`.
        """
        return self._ask(OpenedPerson, "GET", f"/v1/admin/users/{uuid_written(user_id)}")

    def activate(self, user_id: Id) -> OpenedPerson:
        """Ends a suspension. An account that is active stays so.

        `POST /v1/admin/users/{user_id}/activate`, with the scope `admin:write`.
        """
        return self._ask(OpenedPerson, "POST", f"/v1/admin/users/{uuid_written(user_id)}/activate")

    def close(self, user_id: Id) -> Closed:
        """Closes an account for good: ends its calls, and takes the person out of it. Closed again, it is finished.

        `POST /v1/admin/users/{user_id}/close`, with the scope `admin:write`.
        """
        return self._ask(Closed, "POST", f"/v1/admin/users/{uuid_written(user_id)}/close")

    def reset_second_factor(self, user_id: Id) -> OpenedPerson:
        """Takes the second factor off somebody who has lost it. They are told, and signed out everywhere.

        `POST /v1/admin/users/{user_id}/reset-second-factor`, with the scope `admin:write`.
        """
        return self._ask(OpenedPerson, "POST", f"/v1/admin/users/{uuid_written(user_id)}/reset-second-factor")

    def role(self, user_id: Id, *, role: Role | RoleName) -> OpenedPerson:
        """Makes somebody an operator, or a customer again, and signs them out everywhere.

        `POST /v1/admin/users/{user_id}/role`, with the scope `admin:write`.
        """
        return self._ask(OpenedPerson, "POST", f"/v1/admin/users/{uuid_written(user_id)}/role", body={"role": role})

    def sign_out(self, user_id: Id) -> OpenedPerson:
        """Signs somebody out in every browser. Their keys go on working.

        `POST /v1/admin/users/{user_id}/sign-out`, with the scope `admin:write`.
        """
        return self._ask(OpenedPerson, "POST", f"/v1/admin/users/{uuid_written(user_id)}/sign-out")

    def suspend(self, user_id: Id, *, reason: str) -> OpenedPerson:
        """Lets nobody sign in and no call begin, until the account is active again. Suspending again changes the
        reason.

        `POST /v1/admin/users/{user_id}/suspend`, with the scope `admin:write`.

        - `reason`: For other operators; on one line.
        """
        return self._ask(
            OpenedPerson, "POST", f"/v1/admin/users/{uuid_written(user_id)}/suspend", body={"reason": reason}
        )
