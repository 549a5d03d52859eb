"""Requests of `admin_events`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from datetime import datetime

from talktime_client._generated.shapes.admin_events import (
    OpenedEvent,
    ProviderEvent,
    ProviderEventState,
    ProviderEventStateName,
    Replayed,
)
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AdminEventsGroup(Group):
    """`client.admin.events`"""

    def list(
        self,
        *,
        provider: str | None = None,
        kind: str | None = None,
        state: ProviderEventState | ProviderEventStateName | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[ProviderEvent]:
        """Lists what providers told us, the newest first.

        `GET /v1/admin/events`, with the scope `admin:read`.

        - `provider`: Only of this one.
        - `kind`: Only of this kind.
        - `state`: Only those that stand so.
        - `since`: Came at this moment, or later.
        - `until`: Came before this moment.
        """
        return self._pages(
            ProviderEvent,
            "/v1/admin/events",
            {"provider": provider, "kind": kind, "state": state, "since": since, "until": until, "limit": limit},
            cursor,
        )

    def replay_many(
        self,
        *,
        again: bool | Unset = UNSET,
        kind: str | Unset | None = UNSET,
        provider: str | Unset | None = UNSET,
        since: datetime | Unset | None = UNSET,
        until: datetime | Unset | None = UNSET,
    ) -> Replayed:
        """Has a range of events handled once more, 10,000 at most.

        `POST /v1/admin/events/replay`, with the scope `admin:write`.
        """
        return self._ask(
            Replayed,
            "POST",
            "/v1/admin/events/replay",
            body={"again": again, "kind": kind, "provider": provider, "since": since, "until": until},
        )

    def get(self, event_id: Id) -> OpenedEvent:
        """Gives one event with what it says; names, numbers and words of people are masked.

        `GET /v1/admin/events/{event_id}`, with the scope `admin:read`.
        """
        return self._ask(OpenedEvent, "GET", f"/v1/admin/events/{uuid_written(event_id)}")

    def replay(self, event_id: Id, *, again: bool | Unset = UNSET) -> ProviderEvent:
        """Has one event handled once more, from the beginning.

        `POST /v1/admin/events/{event_id}/replay`, with the scope `admin:write`.
        """
        return self._ask(
            ProviderEvent, "POST", f"/v1/admin/events/{uuid_written(event_id)}/replay", body={"again": again}
        )
