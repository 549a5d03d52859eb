"""Requests of `about`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from typing import Any

from talktime_client._group import AsyncGroup


class AsyncAboutGroup(AsyncGroup):
    """`client.about`"""

    async def openapi(self) -> Any:
        """Gives this description.

        `GET /v1/openapi.json`.
        """
        return await self._json("/v1/openapi.json")
