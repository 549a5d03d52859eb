"""Requests of `admin_numbers`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from typing import Literal

from talktime_client._generated.shapes.admin_numbers import (
    CarrierPhase,
    CarrierPhaseName,
    PhoneStatus,
    PhoneStatusName,
    PoolNumber,
)
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AdminNumbersGroup(Group):
    """`client.admin.numbers`"""

    def list(
        self,
        *,
        status: PhoneStatus | PhoneStatusName | None = None,
        carrier: str | None = None,
        user_id: Id | None = None,
        carrier_phase: CarrierPhase | CarrierPhaseName | None = None,
        begins: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sort: Literal["number", "-number"] | None = None,
    ) -> Pages[PoolNumber]:
        """Lists the pool, in the order of the digits.

        `GET /v1/admin/numbers`, with the scope `admin:read`.

        - `status`: Only those that are there.
        - `carrier`: Only this carrier's.
        - `user_id`: Only this customer's.
        - `carrier_phase`: Only those that stand so with it.
        - `begins`: Only those with these first digits: +49.
        """
        return self._pages(
            PoolNumber,
            "/v1/admin/numbers",
            {
                "status": status,
                "carrier": carrier,
                "user_id": user_id,
                "carrier_phase": carrier_phase,
                "begins": begins,
                "limit": limit,
                "sort": sort,
            },
            cursor,
        )

    def add(
        self, *, number: str, carrier: str, owner_id: Id | Unset | None = UNSET, idempotency_key: str | None = None
    ) -> PoolNumber:
        """Puts a number into the pool by hand; one that is there is answered as it is.

        `POST /v1/admin/numbers`, with the scope `admin:write`.

        - `owner_id`: The customer whose own it is, proven by them.
        """
        return self._ask(
            PoolNumber,
            "POST",
            "/v1/admin/numbers",
            body={"number": number, "carrier": carrier, "owner_id": owner_id},
            once=idempotency_key,
        )

    def get(self, number_id: Id) -> PoolNumber:
        """Gives one number of the pool.

        `GET /v1/admin/numbers/{number_id}`, with the scope `admin:read`.
        """
        return self._ask(PoolNumber, "GET", f"/v1/admin/numbers/{uuid_written(number_id)}")

    def update(
        self,
        number_id: Id,
        *,
        if_match: str | None,
        agent_id: Id | Unset | None = UNSET,
        rent_credits: int | Unset = UNSET,
    ) -> PoolNumber:
        """Changes what an assigned number costs, or which of its customer's agents answers.

        `PATCH /v1/admin/numbers/{number_id}`, with the scope `admin:write`.

        - `agent_id`: Another agent of its customer.
        - `rent_credits`: What it costs its customer from the next month on.
        """
        return self._ask(
            PoolNumber,
            "PATCH",
            f"/v1/admin/numbers/{uuid_written(number_id)}",
            body={"agent_id": agent_id, "rent_credits": rent_credits},
            if_match=if_match,
        )

    def assign(
        self, number_id: Id, *, user_id: Id, agent_id: Id, rent_credits: int | Unset | None = UNSET
    ) -> PoolNumber:
        """Gives a free number to a customer's agent, and charges the first month's rent. The same again changes
        nothing; of two at once the first counts, and the other gets a 409.

        `POST /v1/admin/numbers/{number_id}/assign`, with the scope `admin:write`.

        - `rent_credits`: What it costs them in a month; null is what the installation takes. The first month is
          charged at once.
        """
        return self._ask(
            PoolNumber,
            "POST",
            f"/v1/admin/numbers/{uuid_written(number_id)}/assign",
            body={"user_id": user_id, "agent_id": agent_id, "rent_credits": rent_credits},
        )

    def give_up(self, number_id: Id) -> PoolNumber:
        """Gives a number that nobody has back to its carrier, for good. Done again, nothing changes.

        `POST /v1/admin/numbers/{number_id}/give-up`, with the scope `admin:write`.
        """
        return self._ask(PoolNumber, "POST", f"/v1/admin/numbers/{uuid_written(number_id)}/give-up")

    def release(self, number_id: Id) -> PoolNumber:
        """Takes a number back from its customer: it rests for 30 days, then it is free again.

        `POST /v1/admin/numbers/{number_id}/release`, with the scope `admin:write`.
        """
        return self._ask(PoolNumber, "POST", f"/v1/admin/numbers/{uuid_written(number_id)}/release")

    def tell(self, number_id: Id) -> PoolNumber:
        """Has the carrier told once more what a number needs, whatever it said before.

        `POST /v1/admin/numbers/{number_id}/tell`, with the scope `admin:write`.
        """
        return self._ask(PoolNumber, "POST", f"/v1/admin/numbers/{uuid_written(number_id)}/tell")
