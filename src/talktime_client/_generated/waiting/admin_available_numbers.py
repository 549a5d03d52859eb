"""Requests of `admin_available_numbers`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_available_numbers import NumberKind, NumberKindName, OfferedNumbers
from talktime_client._group import Group


class AdminAvailableNumbersGroup(Group):
    """`client.admin.available_numbers`"""

    def list(
        self,
        *,
        carrier: str,
        country: str,
        kind: NumberKind | NumberKindName | None = None,
        area: str | None = None,
        contains: str | None = None,
        limit: int | None = None,
    ) -> OfferedNumbers:
        """Asks the carrier which numbers can be bought, and what each costs in a month.

        `GET /v1/admin/available-numbers`, with the scope `admin:read`.

        - `carrier`: Whose.
        - `country`: Where: DE.
        - `kind`: Which kind.
        - `area`: An area code, such as 030.
        - `contains`: Digits that it must contain; * is any.
        """
        return self._ask(
            OfferedNumbers,
            "GET",
            "/v1/admin/available-numbers",
            params={
                "carrier": carrier,
                "country": country,
                "kind": kind,
                "area": area,
                "contains": contains,
                "limit": limit,
            },
        )
