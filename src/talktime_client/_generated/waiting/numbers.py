"""Requests of `numbers`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from typing import Literal

from talktime_client._generated.shapes.numbers import Number, ReleasedNumber, SelfTest
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import Id, uuid_written


class NumbersGroup(Group):
    """`client.numbers`"""

    def list(
        self,
        *,
        agent_id: Id | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sort: Literal["number", "-number"] | None = None,
    ) -> Pages[Number]:
        """Lists your numbers, in the order of their digits.

        `GET /v1/numbers`, with the scope `numbers:read`.

        - `agent_id`: Only those that this agent answers.
        """
        return self._pages(Number, "/v1/numbers", {"agent_id": agent_id, "limit": limit, "sort": sort}, cursor)

    def get(self, number_id: Id) -> Number:
        """Gives one number of yours.

        `GET /v1/numbers/{number_id}`, with the scope `numbers:read`.
        """
        return self._ask(Number, "GET", f"/v1/numbers/{uuid_written(number_id)}")

    def update(self, number_id: Id, *, agent_id: Id, if_match: str | None) -> Number:
        """Lets another agent of yours answer a number. Calls that go on stay with the agent they began with.

        `PATCH /v1/numbers/{number_id}`, with the scope `numbers:write`.

        - `agent_id`: One of yours that is not archived.
        """
        return self._ask(
            Number, "PATCH", f"/v1/numbers/{uuid_written(number_id)}", body={"agent_id": agent_id}, if_match=if_match
        )

    def release(self, number_id: Id) -> ReleasedNumber:
        """Gives a number back, at once and for good: it rests for 30 days, then somebody else may get it. Its rent
        ends; what was paid for the month is not given back.

        `POST /v1/numbers/{number_id}/release`, with the scope `numbers:write`.
        """
        return self._ask(ReleasedNumber, "POST", f"/v1/numbers/{uuid_written(number_id)}/release")

    def self_test(self, number_id: Id) -> SelfTest:
        """Calls a number of yours and says which link of the chain is broken. It takes up to half a minute, and
        costs what any call costs. A few times an hour at most.

        `POST /v1/numbers/{number_id}/self-test`, with the scope `numbers:write`.
        """
        return self._ask(SelfTest, "POST", f"/v1/numbers/{uuid_written(number_id)}/self-test")
