"""Requests of `admin_audit`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from datetime import datetime

from talktime_client._generated.shapes.admin_audit import AuditEntry, AuditProof
from talktime_client._group import AsyncGroup
from talktime_client._paging import AsyncPages
from talktime_client._values import Id


class AsyncAdminAuditGroup(AsyncGroup):
    """`client.admin.audit`"""

    def list(
        self,
        *,
        about: Id | None = None,
        by: Id | None = None,
        act: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[AuditEntry]:
        """Lists entries of the audit log, the newest first.

        `GET /v1/admin/audit`, with the scope `admin:read`.

        - `about`: Whom it is about.
        - `by`: Who did it.
        - `act`: What the act begins with, such as `key.`.
        - `since`: At this moment, or later.
        - `until`: Before this moment.
        """
        return self._pages(
            AuditEntry,
            "/v1/admin/audit",
            {"about": about, "by": by, "act": act, "since": since, "until": until, "limit": limit},
            cursor,
        )

    async def verify(self, *, about: Id) -> AuditProof:
        """Proves the chain of one person: each entry against the one before, and its end against what is kept of it.

        `GET /v1/admin/audit/verify`, with the scope `admin:read`.

        - `about`: Whose chain; everybody's are proven every night.
        """
        return await self._ask(AuditProof, "GET", "/v1/admin/audit/verify", params={"about": about})
