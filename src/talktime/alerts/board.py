"""Raising alerts, looking at them, and acknowledging them by name.

The rule: an alert is raised in the transaction of the fact, so that neither is there without the other.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, insert, select, text, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.accounts.models import User
from talktime.accounts.operators import require_operator
from talktime.alerts.kinds import sentence
from talktime.alerts.models import Alert
from talktime.db.base import new_id
from talktime.errors import BadInput, Conflict, NotFound

Detail = Mapping[str, str | int | bool | None]


class AlreadyAcknowledged(Conflict):
    """Somebody else acknowledged this alert first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert as a person reads it."""

    id: uuid.UUID
    kind: str
    sentence: str
    """What happened, and what to do."""
    user_id: uuid.UUID | None
    detail: Detail
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    """The name of who did; None also where nothing was left to do, and it went by itself."""
    note: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """How many alerts of one kind there are."""

    kind: str
    open: int
    ever: int
    unmailed: int


async def raise_alert(
    db: AsyncSession, kind: str, user: uuid.UUID | None, detail: Detail, *, once: bool = False
) -> None:
    """Put up an alert in the caller's transaction; the detail holds ids and sums only.

    In a transaction of one user it can only be about that user. With `once`, which looks at the others and so needs a
    transaction that sees everyone, nothing is added while one that says the same is still open.
    """
    values = {"id": new_id(), "kind": kind, "user_id": user, "detail": dict(detail)}
    if once:
        # Two processes that find the same at the same moment say it once.
        await db.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"alert {kind} {user}"}
        )
        said = await db.execute(
            text(
                "SELECT true FROM alerts WHERE acknowledged_at IS NULL AND kind = :kind AND detail = :detail"
                " AND user_id IS NOT DISTINCT FROM CAST(:user AS uuid)"
            ).bindparams(bindparam("detail", dict(detail), JSONB)),
            {"kind": kind, "user": user},
        )
        if said.first() is not None:
            return
    await db.execute(insert(Alert).values(values))


async def amend_alerts(db: AsyncSession, kind: str, *, about: Detail, more: Detail) -> int:
    """Let the alerts of a kind whose detail says all that `about` says, say `more`; gives how many do.

    Acknowledged ones, too: they are looked up again. Needs a transaction that sees everyone.
    """
    assert about, "this would change every alert of a kind"
    changed = await db.execute(
        text(
            "UPDATE alerts SET detail = detail || :more WHERE kind = :kind AND detail @> :about RETURNING id"
        ).bindparams(bindparam("more", dict(more), JSONB), bindparam("about", dict(about), JSONB)),
        {"kind": kind},
    )
    return len(changed.all())


async def put_away(
    db: AsyncSession,
    kind: str,
    *,
    about: Detail,
    without: Sequence[str] = (),
    decided_by: uuid.UUID | None,
    note: str,
) -> int:
    """What the open alerts of a kind asked for is done, by whoever decided it (None: by itself), so nobody has to look
    at them any more; gives how many there were.

    In the transaction of the deed, whose own entry in the audit log is all that is written down. `about` is as for
    `amend_alerts`; one whose detail names anything of `without` is about something else. Needs a transaction that sees
    everyone.
    """
    assert about, "this would put away every alert of a kind"
    done = await db.execute(
        text(
            "UPDATE alerts SET acknowledged_at = now(), acknowledged_by = :by, note = :note"
            " WHERE kind = :kind AND detail @> :about AND NOT jsonb_exists_any(detail, CAST(:without AS text[]))"
            " AND acknowledged_at IS NULL RETURNING id"
        ).bindparams(bindparam("about", dict(about), JSONB)),
        {"kind": kind, "by": decided_by, "note": note, "without": list(without)},
    )
    return len(done.all())


async def open_alerts(db: AsyncSession, *, limit: int = 200) -> Sequence[Shown]:
    """What nobody has acknowledged, oldest first: what waited longest is looked at first."""
    unseen = _SHOWN.where(Alert.acknowledged_at.is_(None))
    return await _shown(db, unseen.order_by(Alert.created_at, Alert.id).limit(limit))


async def newest_alerts(db: AsyncSession, *, limit: int = 200) -> Sequence[Shown]:
    """Open or not, newest first."""
    return await _shown(db, _SHOWN.order_by(Alert.created_at.desc(), Alert.id.desc()).limit(limit))


async def page(
    db: AsyncSession,
    *,
    is_open: bool | None = None,
    kind: str | None = None,
    before: tuple[datetime, uuid.UUID] | None = None,
    limit: int,
) -> Sequence[Shown]:
    """The newest, or those before one; open or acknowledged, of one kind, or (None) whichever."""
    chosen = _SHOWN
    if is_open is not None:
        chosen = chosen.where(Alert.acknowledged_at.is_(None) if is_open else Alert.acknowledged_at.is_not(None))
    if kind is not None:
        chosen = chosen.where(Alert.kind == kind)
    if before is not None:
        chosen = chosen.where(tuple_(Alert.created_at, Alert.id) < before)
    return await _shown(db, chosen.order_by(Alert.created_at.desc(), Alert.id.desc()).limit(limit))


async def acknowledge(db: AsyncSession, alert: uuid.UUID, by: uuid.UUID, note: str = "") -> Shown:
    """Somebody has seen it and will see to it. Saying so twice changes nothing; of two people the first counts.

    Raises NotAnOperator, NotFound, AlreadyAcknowledged, BadInput.
    """
    if len(note) > 1000:
        raise BadInput("A note is 1,000 characters at most.")
    await require_operator(db, by)
    done = await db.execute(
        text(
            "UPDATE alerts SET acknowledged_at = now(), acknowledged_by = :by, note = nullif(:note, '')"
            " WHERE id = :alert AND acknowledged_at IS NULL RETURNING kind, user_id"
        ),
        {"alert": alert, "by": by, "note": note.strip()},
    )
    first = done.first()
    is_first = first is not None
    if first is not None:
        about = first.user_id or by
        await audit.record(db, about, by, "alert.acknowledged", after={"alert_id": str(alert), "kind": first.kind})
    found = await _shown(db, _SHOWN.where(Alert.id == alert))
    if not found:
        raise NotFound("There is no alert with this id.")
    if not is_first and await db.scalar(
        text("SELECT acknowledged_by <> :by FROM alerts WHERE id = :alert"), {"alert": alert, "by": by}
    ):
        raise AlreadyAcknowledged(f"{found[0].acknowledged_by} acknowledged this alert first.")
    return found[0]


async def counts(db: AsyncSession) -> Sequence[Count]:
    """How many there are of each kind that ever came up."""
    rows = await db.execute(
        text(
            "SELECT kind, count(*) AS ever, count(*) FILTER (WHERE acknowledged_at IS NULL) AS open,"
            " count(*) FILTER (WHERE acknowledged_at IS NULL AND mailed_at IS NULL) AS unmailed"
            " FROM alerts GROUP BY kind ORDER BY kind"
        )
    )
    return [Count(row.kind, row.open, row.ever, row.unmailed) for row in rows]


async def ledger_violations(db: AsyncSession) -> int:
    """How much was found wrong in the books and acknowledged by nobody: each alert's `violations`, else one."""
    found = await db.scalar(
        text(
            "SELECT coalesce(sum(CASE WHEN jsonb_typeof(detail -> 'violations') = 'number'"
            " THEN greatest(1, (detail ->> 'violations')::numeric) ELSE 1 END), 0)::bigint"
            " FROM alerts WHERE acknowledged_at IS NULL AND kind = 'ledger_wrong'"
        )
    )
    return int(found or 0)


async def _shown(db: AsyncSession, which: Select[Alert, str | None]) -> Sequence[Shown]:
    return [
        Shown(
            id=alert.id,
            kind=alert.kind,
            sentence=sentence(alert.kind),
            user_id=alert.user_id,
            detail=alert.detail,
            created_at=alert.created_at,
            acknowledged_at=alert.acknowledged_at,
            acknowledged_by=name,
            note=alert.note,
        )
        # A session that raised or saw one before is not to answer from memory.
        for alert, name in await db.execute(which, execution_options={"populate_existing": True})
    ]


_SHOWN = select(Alert, User.name).outerjoin(User, User.id == Alert.acknowledged_by)
