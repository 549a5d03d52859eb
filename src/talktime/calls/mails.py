"""What mails say of calls, put together when they are sent: a message that was taken, calls that nobody talked to, how
a call went, and what a day brought.

The rule: who was forgotten is in none of them, because nothing is read from anywhere but the calls as they are now.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from sqlalchemy import text

from talktime.db.session import Database
from talktime.notices.send import Gather, Gathered, Occasion
from talktime.numbers.shown import international

DIGEST_HOUR = 8
"""When the day before is told, where the customer lives."""
DIGEST_WHY = "every morning each customer is told of their own calls"
_NAMED_MAX = 20
"""So many missed calls are named; the rest is a number."""


def gatherers() -> Mapping[str, Gather]:
    """Who puts together which kind of mail."""
    return {
        "message_taken": _one_call,
        "call_summary": _one_call,
        "missed_calls": _missed_calls,
        "daily_digest": _day,
    }


async def have_days_told(database: Database) -> int:
    """Have everybody told of their day before, once, whose morning has come, who wants it, and who had a call; gives
    how many that are."""
    async with database.transaction(everyone=DIGEST_WHY) as db:
        written = await db.execute(_DIGESTS, {"hour": DIGEST_HOUR})
        return len(written.all())


async def _one_call(database: Database, about: Occasion) -> Gathered | None:
    """One call that was talked to; None when whoever called was forgotten meanwhile."""
    async with database.transaction(user=about.user_id) as db:
        found = await db.execute(_CALL, {"user": about.user_id, "call": uuid.UUID(str(about.detail["call_id"]))})
        call = found.first()
    if call is None or call.forgotten_at is not None:
        return None
    return Gathered(
        {
            "caller": spoken(call.caller),
            "at": _moment(call.started_at, about),
            "agent": call.agent,
            "seconds": call.seconds,
            "summary": (call.summary or "").rstrip(" .!?…") or None,
            "charged": call.charged,
        }
    )


async def _missed_calls(database: Database, about: Occasion) -> Gathered | None:
    """What nobody talked to since the mail was begun; the next mail has what came after it."""
    values = {"user": about.user_id, "since": about.created_at}
    async with database.transaction(user=about.user_id) as db:
        missed = (await db.execute(_MISSED, {**values, "most": _NAMED_MAX})).all()
    if not missed:
        return None
    withheld = "unbekannte Nummer" if about.language == "de" else "unknown number"
    said = [f"{_moment(call.started_at, about)}: {spoken(call.caller) or withheld}" for call in missed]
    return Gathered({"calls": said, "more": missed[0].found - len(missed)})


async def _day(database: Database, about: Occasion) -> Gathered | None:
    """A day's calls in figures, also of callers who were forgotten; None when there were none."""
    began, ended = bounds(date.fromisoformat(str(about.detail["on"])), about.zone)
    async with database.transaction(user=about.user_id) as db:
        found = (await db.execute(_FIGURES, {"user": about.user_id, "since": began, "until": ended})).one()
    if not found.calls:
        return None
    return Gathered(
        {
            "calls": found.calls,
            "missed": found.missed,
            # Begun minutes count, as a person would say it.
            "minutes": -(-int(found.seconds) // 60),
            "messages": found.messages,
            "used": int(found.used),
            "left": max(0, int(found.left)),
        }
    )


def bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """When a day begins and ends somewhere; twice a year it has another length."""
    began, ended = (datetime.combine(each, time(), ZoneInfo(zone)) for each in (day, day + timedelta(days=1)))
    return began.astimezone(UTC), ended.astimezone(UTC)


def spoken(number: str | None) -> str | None:
    """A number as people write it; as it is when it is none that anybody knows."""
    return international(number) if number is not None else None


def _moment(at: datetime, about: Occasion) -> str:
    """`23 Nov 2026, 10:05`, where the reader lives."""
    return str(
        format_datetime(at, "d MMM y, HH:mm" if about.language == "en" else "d. MMM y, HH:mm",
                        tzinfo=ZoneInfo(about.zone), locale=about.language)
    )  # fmt: skip


_CALL = text(
    "SELECT c.caller, c.started_at, c.seconds, c.summary, c.forgotten_at, a.name AS agent,"
    " CASE WHEN h.state = 'SETTLED' THEN h.charged + h.corrected END AS charged"
    " FROM calls c LEFT JOIN agents a ON a.user_id = c.user_id AND a.id = c.agent_id"
    " LEFT JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id"
    " WHERE c.user_id = :user AND c.id = :call"
)
# Whoever hung on for more than two hours before nobody answered is not among them: the stretch of the index is bounded.
_MISSED = text(
    "SELECT c.caller, c.started_at, count(*) OVER () AS found FROM calls c"
    " WHERE c.user_id = :user AND c.started_at >= CAST(:since AS timestamptz) - interval '2 hours'"
    " AND c.ended_at >= :since AND c.answered_at IS NULL AND c.direction = 'INBOUND' AND c.forgotten_at IS NULL"
    " AND c.carrier <> 'browser'"
    " AND c.outcome IS DISTINCT FROM 'message'"
    " AND c.ended_at < coalesce((SELECT min(n.created_at) FROM notices n WHERE n.user_id = :user"
    " AND n.kind = 'missed_calls' AND n.created_at > :since), 'infinity')"
    " ORDER BY c.started_at, c.id LIMIT :most"
)
_FIGURES = text(
    "SELECT count(*) AS calls, count(*) FILTER (WHERE c.answered_at IS NULL AND c.carrier <> 'browser') AS missed,"
    " coalesce(sum(c.seconds), 0) AS seconds, count(*) FILTER (WHERE c.outcome = 'message') AS messages,"
    " coalesce(sum(h.charged + h.corrected), 0) AS used,"
    " coalesce((SELECT a.balance - a.held FROM credit_accounts a WHERE a.user_id = :user), 0) AS left"
    " FROM calls c LEFT JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id"
    " WHERE c.user_id = :user AND c.started_at >= :since AND c.started_at < :until AND c.direction = 'INBOUND'"
)
_DIGESTS = text(
    """
    INSERT INTO notices (user_id, id, kind, subject, detail)
    SELECT d.id, gen_random_uuid(), 'daily_digest', d.day::text, jsonb_build_object('on', d.day)
    FROM (
        SELECT u.id, u.zone, (now() AT TIME ZONE u.zone)::date - 1 AS day FROM users u
        LEFT JOIN mail_choices m ON m.user_id = u.id
        WHERE u.status = 'ACTIVE' AND coalesce(m.digest, true) AND extract(hour FROM now() AT TIME ZONE u.zone) >= :hour
        OFFSET 0
    ) d
    WHERE NOT EXISTS (
            SELECT FROM notices n WHERE n.user_id = d.id AND n.kind = 'daily_digest' AND n.subject = d.day::text
        ) AND EXISTS (
            SELECT FROM calls c WHERE c.user_id = d.id AND c.direction = 'INBOUND'
                AND c.started_at >= d.day::timestamp AT TIME ZONE d.zone
                AND c.started_at < (d.day + 1)::timestamp AT TIME ZONE d.zone
        )
    ON CONFLICT DO NOTHING RETURNING id
    """
)
