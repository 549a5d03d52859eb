"""Requests of `keys`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Sequence

from talktime_client._generated.shapes.keys import Key, MadeKey, Scope, ScopeName
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AsyncKeysGroup(AsyncGroup):
    """`client.keys`"""

    def list(self) -> AsyncPages[Key]:
        """Lists the keys that work, the newest first, all of them at once: there are never many.

        `GET /v1/keys`, with the scope `keys:read`.
        """
        return self._pages(Key, "/v1/keys", {}, None)

    async def create(
        self, *, name: str, scopes: Sequence[Scope | ScopeName], idempotency_key: str | None = None
    ) -> MadeKey:
        """Makes a key. Its secret stands in this answer, and nowhere ever after.

        `POST /v1/keys`, with the scope `keys:write`.

        - `scopes`: What it may do: of what the key may that makes it.
        """
        return await self._ask(MadeKey, "POST", "/v1/keys", body={"name": name, "scopes": scopes}, once=idempotency_key)

    async def get(self, key_id: Id) -> Key:
        """Gives one key, also one that was revoked.

        `GET /v1/keys/{key_id}`, with the scope `keys:read`.
        """
        return await self._ask(Key, "GET", f"/v1/keys/{uuid_written(key_id)}")

    async def revoke(self, key_id: Id) -> None:
        """Revokes a key for good, from now on; also the one that asks. Revoked again, it stays as it is.

        `DELETE /v1/keys/{key_id}`, with the scope `keys:write`.
        """
        await self._do("DELETE", f"/v1/keys/{uuid_written(key_id)}")

    async def rotate(
        self, key_id: Id, *, old_works_seconds: int | Unset = UNSET, idempotency_key: str | None = None
    ) -> MadeKey:
        """Makes a key in the place of another, with its name and scopes; the old one works on for as long as you
        say.

        `POST /v1/keys/{key_id}/rotate`, with the scope `keys:write`.
        """
        return await self._ask(
            MadeKey,
            "POST",
            f"/v1/keys/{uuid_written(key_id)}/rotate",
            body={"old_works_seconds": old_works_seconds},
            once=idempotency_key,
        )
