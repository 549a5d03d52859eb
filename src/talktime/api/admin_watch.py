"""`/v1/admin`: what the operator must see: alerts, and the audit log.

The rule: an alert and an entry hold ids and sums, never personal data.
"""

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from talktime.accounts import audit_log
from talktime.accounts.audit_log import Entry, Filter
from talktime.accounts.keys import Scope
from talktime.alerts import board
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, When, example

WHY = "the operator looks at what went wrong for anybody"

alerts = api_router("/admin/alerts", "Operator: watching")
audit = api_router("/admin/audit", "Operator: watching")


class Alert(Resource):
    """What a person must see, until somebody acknowledges it."""

    model_config = example(
        id="0199c920-0000-7000-8000-000000000001",
        kind="paid_twice",
        sentence="A purchase was paid twice: give one of the payments back.",
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        detail={"payment_id": "pi_2"},
        created_at="2026-11-20T09:02:00Z",
        acknowledged_at=None,
        acknowledged_by=None,
        note=None,
    )

    id: uuid.UUID
    kind: str
    sentence: str
    """What happened, and what to do."""
    user_id: uuid.UUID | None
    detail: dict[str, Any]
    created_at: Moment
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    """The name of who did."""
    note: str | None

    @classmethod
    def of(cls, found: board.Shown) -> "Alert":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class Acknowledgement(Fields):
    """What is to be remembered."""

    model_config = example(note="given back")

    note: str = Field(default="", max_length=1000)


class AuditEntry(Resource):
    """Who did what to whom, and from where."""

    model_config = example(
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        seq=17,
        at="2026-11-20T09:02:00Z",
        actor_id="0199c8f2-0000-7000-8000-000000000009",
        act="user.suspended",
        before={"status": "ACTIVE"},
        after={"status": "SUSPENDED"},
        door="api",
        network="198.51.100.0/24",
        hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    )

    user_id: uuid.UUID
    """Whom it is about."""
    seq: int
    """Its number in their chain."""
    at: Moment
    actor_id: uuid.UUID | None
    """Who did it; null for the installation itself."""
    act: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    door: str
    network: str | None
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> "AuditEntry":
        said = {name: getattr(entry, name) for name in set(cls.model_fields) - {"before", "after", "hash"}}
        return cls(
            **said,
            before=None if entry.before is None else dict(entry.before),
            after=None if entry.after is None else dict(entry.after),
            hash=entry.hash.hex(),
        )


class AuditProof(Resource):
    """What a proof of somebody's chain found."""

    model_config = example(entries=17, is_clean=True, violations=[])

    entries: int
    is_clean: bool
    violations: list["Violation"]


class Violation(Resource):
    """What is wrong with a chain, and where."""

    seq: int
    problem: str
    """`changed`, `missing` (before this one), `cut short`, `beyond the end`."""


@alerts.get("")
async def admin_alerts_list(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    is_open: Annotated[bool | None, Query(alias="open", description="Only those that nobody acknowledged.")] = None,
    kind: Annotated[str | None, Query(max_length=100, description="Only of this kind.")] = None,
) -> Page[Alert]:
    """Lists alerts, the newest first."""
    async with caller.everyone(WHY) as db:
        rows = await board.page(db, is_open=is_open, kind=kind, before=page.moment_and_id, limit=page.limit + 1)
    return page.of(rows, key=lambda row: (row.created_at, row.id), show=Alert.of)


@alerts.post("/{alert_id}/acknowledge")
async def admin_alerts_acknowledge(
    caller: Annotated[Caller, needs(Scope.ADMIN_WRITE)], alert_id: uuid.UUID, body: Acknowledgement
) -> Alert:
    """Says that you have seen it, and will see to it. Said again it changes nothing; of two people the first counts."""
    async with caller.everyone(WHY) as db:
        return Alert.of(await board.acknowledge(db, alert_id, caller.user, body.note))


@audit.get("")
async def admin_audit_list(
    *,
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    page: Annotated[Paging, pages()],
    about: Annotated[uuid.UUID | None, Query(description="Whom it is about.")] = None,
    by: Annotated[uuid.UUID | None, Query(description="Who did it.")] = None,
    act: Annotated[str | None, Query(max_length=80, description="What the act begins with, such as `key.`.")] = None,
    since: Annotated[When | None, Query(description="At this moment, or later.")] = None,
    until: Annotated[When | None, Query(description="Before this moment.")] = None,
) -> Page[AuditEntry]:
    """Lists entries of the audit log, the newest first."""
    async with caller.everyone(audit_log.WHY) as db:
        before = page.place(datetime, uuid.UUID, int)
        found = await audit_log.page(db, Filter(about, by, act, since, until), before=before, limit=page.limit)
    return page.to([AuditEntry.of(entry) for entry in found.entries], found.older)


@audit.get("/verify")
async def admin_audit_verify(
    caller: Annotated[Caller, needs(Scope.ADMIN_READ)],
    about: Annotated[uuid.UUID, Query(description="Whose chain; everybody's are proven every night.")],
) -> AuditProof:
    """Proves the chain of one person: each entry against the one before, and its end against what is kept of it."""
    verdict = await audit_log.verify(caller.database, about)
    return AuditProof(
        entries=verdict.entries,
        is_clean=verdict.is_clean,
        violations=[Violation(seq=each.seq, problem=each.problem) for each in verdict.violations],
    )
