"""Requests of `me`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.me import Me
from talktime_client._group import AsyncGroup


class AsyncMeGroup(AsyncGroup):
    """`client.me`"""

    async def get(self) -> Me:
        """Says whose key this is and what it may do: a good first request, and a check that a key still works.

        `GET /v1/me`.
        """
        return await self._ask(Me, "GET", "/v1/me")
