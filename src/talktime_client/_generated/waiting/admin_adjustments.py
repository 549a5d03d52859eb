"""Requests of `admin_adjustments`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_adjustments import Adjustment
from talktime_client._group import Group
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AdminAdjustmentsGroup(Group):
    """`client.admin.adjustments`"""

    def create(
        self,
        user_id: Id,
        *,
        reference: str,
        amount: int,
        reason: str,
        as_debt: bool | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> Adjustment:
        """Gives or takes credits by hand. Above the installation's limit for a day nothing is posted before a second
        operator approves it.

        `POST /v1/admin/users/{user_id}/adjustments`, with the scope `admin:write`.

        - `reference`: Your own name for it: used once, so it happens once.
        - `reason`: It stands on the customer's statement.
        - `as_debt`: Take more than is free; the rest is owed.
        """
        return self._ask(
            Adjustment,
            "POST",
            f"/v1/admin/users/{uuid_written(user_id)}/adjustments",
            body={"reference": reference, "amount": amount, "reason": reason, "as_debt": as_debt},
            once=idempotency_key,
        )
