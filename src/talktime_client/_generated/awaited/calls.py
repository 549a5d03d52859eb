"""Requests of `calls`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from datetime import datetime
from typing import Literal

from talktime_client._generated.shapes.calls import (
    Call,
    CallStatus,
    CallStatusName,
    Claim,
    ListedCall,
    NotCharged,
    NotChargedName,
)
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id, uuid_written


class AsyncCallsGroup(AsyncGroup):
    """`client.calls`"""

    def list(
        self,
        *,
        words: str | None = None,
        agent_id: Id | None = None,
        number_id: Id | None = None,
        status: CallStatus | CallStatusName | None = None,
        outcome: str | None = None,
        caller: str | None = None,
        started_from: datetime | None = None,
        started_before: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sort: Literal["-started_at", "started_at"] | None = None,
    ) -> AsyncPages[ListedCall]:
        """Lists calls, the newest first unless sorted otherwise.

        `GET /v1/calls`, with the scope `calls:read`.

        - `words`: On which all these words were said; from three letters on a word is found in longer ones that
          begin with it. Newest first only. A page may be short, and have another one behind it all the same.
        - `agent_id`: Answered by this agent.
        - `number_id`: Came to this number.
        - `status`: Where it stands.
        - `outcome`: What came of it.
        - `caller`: From this number, in E.164.
        - `started_from`: Began at this moment, or later.
        - `started_before`: Began before this moment.
        """
        return self._pages(
            ListedCall,
            "/v1/calls",
            {
                "words": words,
                "agent_id": agent_id,
                "number_id": number_id,
                "status": status,
                "outcome": outcome,
                "caller": caller,
                "started_from": started_from,
                "started_before": started_before,
                "limit": limit,
                "sort": sort,
            },
            cursor,
        )

    async def get(self, call_id: Id) -> Call:
        """Gives a call with all that was said, and its receipt.

        `GET /v1/calls/{call_id}`, with the scope `calls:read`.
        """
        return await self._ask(Call, "GET", f"/v1/calls/{uuid_written(call_id)}")

    async def claim(
        self, call_id: Id, *, reason: NotCharged | NotChargedName, idempotency_key: str | None = None
    ) -> Claim:
        """Says that a call was not a real one. What it cost is given back at once where it was short and this is
        rare; otherwise a person looks at it. Said again it changes nothing.

        `POST /v1/calls/{call_id}/claim`, with the scope `calls:write`.

        - `reason`: `spam`, `wrong_number` or `not_a_call`.
        """
        return await self._ask(
            Claim, "POST", f"/v1/calls/{uuid_written(call_id)}/claim", body={"reason": reason}, once=idempotency_key
        )

    async def receipt_pdf(self, call_id: Id) -> bytes:
        """Gives the receipt of a call that is settled as a page to print.

        `GET /v1/calls/{call_id}/receipt.pdf`, with the scope `calls:read`.
        """
        return await self._file(f"/v1/calls/{uuid_written(call_id)}/receipt.pdf", "application/pdf")
