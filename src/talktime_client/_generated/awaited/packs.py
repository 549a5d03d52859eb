"""Requests of `packs`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.packs import Pack
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages


class AsyncPacksGroup(AsyncGroup):
    """`client.packs`"""

    def list(self) -> AsyncPages[Pack]:
        """Lists the packs of credits that are on sale, all of them at once, in the order in which pages show them.

        `GET /v1/packs`, with the scope `credits:read`.
        """
        return self._pages(Pack, "/v1/packs", {}, None)
