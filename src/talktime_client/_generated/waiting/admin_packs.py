"""Requests of `admin_packs`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.admin_packs import AdminPack
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AdminPacksGroup(Group):
    """`client.admin.packs`"""

    def list(self) -> Pages[AdminPack]:
        """Lists all packs, also those that are not on sale, all of them at once.

        `GET /v1/admin/packs`, with the scope `admin:read`.
        """
        return self._pages(AdminPack, "/v1/admin/packs", {}, None)

    def create(
        self,
        *,
        name: str,
        credits: int,
        price_minor: int,
        currency: str,
        active: bool | Unset = UNSET,
        position: int | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> AdminPack:
        """Makes a pack.

        `POST /v1/admin/packs`, with the scope `admin:write`.
        """
        return self._ask(
            AdminPack,
            "POST",
            "/v1/admin/packs",
            body={
                "name": name,
                "credits": credits,
                "price_minor": price_minor,
                "currency": currency,
                "active": active,
                "position": position,
            },
            once=idempotency_key,
        )

    def get(self, pack_id: Id) -> AdminPack:
        """Gives one pack.

        `GET /v1/admin/packs/{pack_id}`, with the scope `admin:read`.
        """
        return self._ask(AdminPack, "GET", f"/v1/admin/packs/{uuid_written(pack_id)}")

    def update(
        self,
        pack_id: Id,
        *,
        if_match: str | None,
        active: bool | Unset = UNSET,
        credits: int | Unset = UNSET,
        currency: str | Unset = UNSET,
        name: str | Unset = UNSET,
        position: int | Unset = UNSET,
        price_minor: int | Unset = UNSET,
    ) -> AdminPack:
        """Changes a pack. Purchases that were begun keep what they copied; top-ups that agreed to the old price
        stop.

        `PATCH /v1/admin/packs/{pack_id}`, with the scope `admin:write`.
        """
        return self._ask(
            AdminPack,
            "PATCH",
            f"/v1/admin/packs/{uuid_written(pack_id)}",
            body={
                "active": active,
                "credits": credits,
                "currency": currency,
                "name": name,
                "position": position,
                "price_minor": price_minor,
            },
            if_match=if_match,
        )
