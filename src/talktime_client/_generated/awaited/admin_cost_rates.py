"""Requests of `admin_cost_rates`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from datetime import datetime

from talktime_client._generated.shapes.admin_cost_rates import CostKind, CostKindName, CostRate
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import UNSET, Unset


class AsyncAdminCostRatesGroup(AsyncGroup):
    """`client.admin.cost_rates`"""

    def list(self) -> AsyncPages[CostRate]:
        """Lists the rates that hold, and those that will, all of them at once.

        `GET /v1/admin/cost-rates`, with the scope `admin:read`.
        """
        return self._pages(CostRate, "/v1/admin/cost-rates", {}, None)

    async def create(
        self,
        *,
        provider: str,
        kind: CostKind | CostKindName,
        units: int,
        amount_micros: int,
        currency: str,
        valid_from: datetime | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> CostRate:
        """Sets what a provider takes from a moment on. Calls that were counted already keep their amounts.

        `POST /v1/admin/cost-rates`, with the scope `admin:write`.

        - `valid_from`: Null: from now on.
        """
        return await self._ask(
            CostRate,
            "POST",
            "/v1/admin/cost-rates",
            body={
                "provider": provider,
                "kind": kind,
                "units": units,
                "amount_micros": amount_micros,
                "currency": currency,
                "valid_from": valid_from,
            },
            once=idempotency_key,
        )
