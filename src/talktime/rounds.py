"""What a worker does by itself, again and again: mail what is to be told, prove the books, say which jobs gave up.

The rule: any number of workers may go round at once. What a round finds it says once; one that fails says so in the log
and goes on with the next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from talktime import inbox, log
from talktime.accounts import audit_log, idempotency, links, people, sessions, throttle
from talktime.alerts import marks, raise_alert
from talktime.alerts.board import Detail
from talktime.alerts.digest import mail_alerts
from talktime.calls import mails, operating, retention, usage
from talktime.calls.retention import Keep
from talktime.credits import verify
from talktime.db.session import Database
from talktime.jobs import Jobs, forget_runs
from talktime.mail.send import Mailer
from talktime.notices.send import Gather, send_notices
from talktime.privacy import closing
from talktime.webhooks import deliveries

WHY = "what went wrong in anybody's name is put before the operator"
VERIFY_JOB = "ledger.verify"
VERIFY_FULL_JOB = "ledger.verify_full"
VERIFY_AUDIT_JOB = "audit.verify"
VISITS_JOB = "audit.visits"
PRUNE_JOB = "inbox.prune"
PRUNE_ACCOUNTS_JOB = "accounts.prune"
RETAIN_JOB = "calls.retain"
PRUNE_WEBHOOKS_JOB = "webhooks.prune"
DIGEST_JOB = "notices.digests"
COUNT_USE_JOB = "calls.count_use"
COUNT_QUARTERS_JOB = "operating.count"
COUNT_QUARTERS_AT_NIGHT_JOB = "operating.count_at_night"
FINISH_CLOSING_JOB = "privacy.finish_left_over"
PRUNE_WHY = "what nobody can use any more is forgotten, whoever's it was"
_MAIL_SECONDS = 15.0
_NAMED_MAX = 20
"""So many violations become alerts of their own; the rest is a number."""
_LOGGER = log.get(__name__)


async def every(seconds: float, what: str, step: Callable[[], Awaitable[object]]) -> None:
    """Do a step again and again until cancelled; what the database or a provider spoils is tried at the next."""
    while True:
        try:
            await step()
        except (SQLAlchemyError, OSError) as error:
            _LOGGER.warning("a round did not come to its end", round=what, error=type(error).__name__)
        await asyncio.sleep(seconds)


async def tell(
    database: Database,
    mailer: Mailer,
    alerts_to: Sequence[str],
    base_url: str,
    *,
    gatherers: Mapping[str, Gather] | None = None,
    secret: bytes | None = None,
) -> None:
    """Mail customers what they are to know and the operator what a person must see, until cancelled."""

    async def step() -> None:
        await note_failed_jobs(database)
        await send_notices(database, mailer, base_url=base_url, gatherers=gatherers, secret=secret)
        await mail_alerts(database, mailer, alerts_to, base_url=base_url)

    await every(_MAIL_SECONDS, "mail", step)


def prove_regularly(jobs: Jobs, database: Database) -> None:
    """Every quarter of an hour what is new in the books, every night the whole of them, and of the audit log. In that
    stands, minutes after it, too, that an operator's time as somebody else ran out."""

    async def visits() -> None:
        async with database.transaction(everyone=WHY) as db:
            await people.note_ended_visits(db)

    jobs.handle_regularly("*/15 * * * *", VERIFY_JOB, partial(prove, database, full=False))
    jobs.handle_regularly("0 3 * * *", VERIFY_FULL_JOB, partial(prove, database, full=True))
    jobs.handle_regularly("20 3 * * *", VERIFY_AUDIT_JOB, partial(prove_audit, database))
    jobs.handle_regularly("*/5 * * * *", VISITS_JOB, visits)


def tell_days_regularly(jobs: Jobs, database: Database) -> None:
    """Every few minutes, because somewhere it is morning: who wants it is told what their day before brought."""
    jobs.handle_regularly("*/10 * * * *", DIGEST_JOB, partial(mails.have_days_told, database))


def count_regularly(jobs: Jobs, database: Database) -> None:
    """What the dashboard shows of days that are over, so that nobody waits for a year to be counted."""
    # Somewhere a day ends at every quarter of an hour; ten minutes later its last call is committed.
    jobs.handle_regularly("12,27,42,57 * * * *", COUNT_USE_JOB, partial(usage.count_days, database))
    jobs.handle_regularly("1,16,31,46 * * * *", COUNT_QUARTERS_JOB, partial(operating.count_quarters, database))
    jobs.handle_regularly(
        "35 4 * * *", COUNT_QUARTERS_AT_NIGHT_JOB, partial(operating.count_quarters_at_night, database)
    )


def forget_regularly(
    jobs: Jobs,
    database: Database,
    home: Path,
    keep: Keep | None = None,
    *,
    events_days: int = inbox.KEPT_DAYS,
    deliveries_days: int = deliveries.KEPT_DAYS,
) -> None:
    """Every night what need not be kept any longer."""
    jobs.handle_regularly("30 3 * * *", PRUNE_JOB, partial(inbox.prune, database, events_days))
    jobs.handle_regularly("40 3 * * *", PRUNE_ACCOUNTS_JOB, partial(prune_accounts, database))
    jobs.handle_regularly("50 3 * * *", FINISH_CLOSING_JOB, partial(closing.finish_left_over, database, home))
    jobs.handle_regularly("10 4 * * *", RETAIN_JOB, partial(retention.forget_old, database, keep or Keep()))
    jobs.handle_regularly("20 4 * * *", PRUNE_WEBHOOKS_JOB, partial(deliveries.prune, database, deliveries_days))


async def prune_accounts(database: Database) -> int:
    """Forget sessions that ended, links that ran out, empty buckets, and how jobs ended; gives how many."""
    gone = 0
    # First visits, which are written down before they are forgotten.
    for prune in (
        people.note_ended_visits,
        sessions.prune,
        links.prune,
        throttle.prune,
        idempotency.prune,
        forget_runs,
    ):
        # Each by itself: none of them waits with rows locked for what another one finds.
        async with database.transaction(everyone=PRUNE_WHY) as db:
            gone += await prune(db)
    return gone


async def prove(database: Database, *, full: bool) -> int:
    """Verify the books and put what is wrong before the operator; gives how much that is."""
    verdict = await verify.verify(database, full=full)
    async with database.transaction(everyone=WHY) as db:
        found = {"violations": len(verdict.violations), "lines": verdict.lines}
        await marks.note(db, VERIFY_FULL_JOB if full else VERIFY_JOB, found)
    if not verdict.is_clean:
        _LOGGER.critical("the books are wrong", violations=len(verdict.violations))
        await _put_before_operator(database, "ledger_wrong", verdict.violations)
    return len(verdict.violations)


async def prove_audit(database: Database) -> int:
    """Verify the audit log and put what is wrong before the operator; gives how much that is."""
    verdict = await audit_log.verify(database)
    async with database.transaction(everyone=WHY) as db:
        await marks.note(db, VERIFY_AUDIT_JOB, {"violations": len(verdict.violations)})
    if not verdict.is_clean:
        _LOGGER.critical("the audit log is wrong", violations=len(verdict.violations))
        await _put_before_operator(database, "audit_wrong", verdict.violations)
    return len(verdict.violations)


async def _put_before_operator(
    database: Database, kind: str, violations: Sequence[verify.Violation] | Sequence[audit_log.Violation]
) -> None:
    async with database.transaction(everyone=WHY) as db:
        for violation in violations[:_NAMED_MAX]:
            detail: Detail = {"seq": violation.seq, "problem": violation.problem}
            await raise_alert(db, kind, violation.user_id, detail, once=True)
        rest = len(violations) - _NAMED_MAX
        if rest > 0:
            await raise_alert(db, kind, None, {"violations": rest}, once=True)


async def note_failed_jobs(database: Database) -> None:
    """A job that was tried to the end and failed becomes an alert, once."""
    async with database.transaction(everyone=WHY) as db:
        # One worker at a time looks and says; whoever comes meanwhile has nothing to add.
        if not await db.scalar(text("SELECT pg_try_advisory_xact_lock(hashtextextended('job_failed', 0))")):
            return
        failed = await db.execute(
            text(
                "SELECT j.id, j.task_name FROM procrastinate_jobs j WHERE j.status = 'failed' AND NOT EXISTS ("
                " SELECT FROM alerts a WHERE a.kind = 'job_failed' AND a.detail ->> 'job_id' = j.id::text)"
                " ORDER BY j.id LIMIT 50"
            )
        )
        for row in failed:
            await raise_alert(db, "job_failed", None, {"job_id": str(row.id), "task": row.task_name})
