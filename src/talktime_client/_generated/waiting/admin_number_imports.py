"""Requests of `admin_number_imports`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_number_imports import NumberImport
from talktime_client._group import Group
from talktime_client._values import UNSET, Unset


class AdminNumberImportsGroup(Group):
    """`client.admin.number_imports`"""

    def create(self, *, carrier: str, dry_run: bool | Unset = UNSET) -> NumberImport:
        """Takes the numbers in that the carrier has for us and the pool does not know. Done again, it adds nothing.

        `POST /v1/admin/number-imports`, with the scope `admin:write`.

        - `dry_run`: Only say what would be done.
        """
        return self._ask(
            NumberImport, "POST", "/v1/admin/number-imports", body={"carrier": carrier, "dry_run": dry_run}
        )
