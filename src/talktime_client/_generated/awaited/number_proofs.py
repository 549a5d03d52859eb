"""Requests of `number_proofs`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from typing import Literal

from talktime_client._generated.shapes.number_proofs import NumberProof
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id, uuid_written


class AsyncNumberProofsGroup(AsyncGroup):
    """`client.number_proofs`"""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, sort: Literal["-created_at"] | None = None
    ) -> AsyncPages[NumberProof]:
        """Lists the numbers that you said are yours, the newest first.

        `GET /v1/number-proofs`, with the scope `numbers:read`.
        """
        return self._pages(NumberProof, "/v1/number-proofs", {"limit": limit, "sort": sort}, cursor)

    async def begin(self, *, number: str, idempotency_key: str | None = None) -> NumberProof:
        """Calls a number of your own and says a code of six digits, which you send to `finish` within ten minutes.

        `POST /v1/number-proofs`, with the scope `numbers:write`.

        - `number`: With its country, however it is written.
        """
        return await self._ask(NumberProof, "POST", "/v1/number-proofs", body={"number": number}, once=idempotency_key)

    async def get(self, proof_id: Id) -> NumberProof:
        """Says whether a number is proven.

        `GET /v1/number-proofs/{proof_id}`, with the scope `numbers:read`.
        """
        return await self._ask(NumberProof, "GET", f"/v1/number-proofs/{uuid_written(proof_id)}")

    async def finish(self, proof_id: Id, *, code: str) -> NumberProof:
        """Proves that the number is yours, by the code that the call said. After five wrong ones it is over.

        `POST /v1/number-proofs/{proof_id}/finish`, with the scope `numbers:write`.
        """
        return await self._ask(
            NumberProof, "POST", f"/v1/number-proofs/{uuid_written(proof_id)}/finish", body={"code": code}
        )
