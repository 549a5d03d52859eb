"""Requests of `admin_refunds`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_refunds import Refund
from talktime_client._group import AsyncGroup
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AsyncAdminRefundsGroup(AsyncGroup):
    """`client.admin.refunds`"""

    async def create(
        self,
        user_id: Id,
        purchase_id: Id,
        *,
        amount_minor: int | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Refund:
        """Gives money back, and takes its credits. What the payment company says of it later comes among the
        reversals.

        `POST /v1/admin/purchases/{user_id}/{purchase_id}/refunds`, with the scope `admin:write`.
        """
        return await self._ask(
            Refund,
            "POST",
            f"/v1/admin/purchases/{uuid_written(user_id)}/{uuid_written(purchase_id)}/refunds",
            body={"amount_minor": amount_minor},
            once=idempotency_key,
        )
