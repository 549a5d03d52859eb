"""Lists of calls: each row once, whatever the page and the filter, nobody else's, and by an index.

The plans are looked at in a database that `talktime db fill` made, with the role and the policies of a customer.
"""

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

from talktime.calls import history
from talktime.calls.history import CallFilter, ListedCall, Place
from talktime.calls.models import Call, CallStatus
from talktime.cli.fill import fill
from talktime.db.session import Database, connect
from tests.db.everything import become_owner
from tests.people import WHY

CALLS = 12_000


@dataclass(frozen=True)
class Full:
    """A filled database, and the customer with a fifth of its calls."""

    database: Database
    user: uuid.UUID
    other: uuid.UUID


@pytest.fixture(scope="module")
async def full(new_database_url: Callable[[], str]) -> AsyncIterator[Full]:
    url = new_database_url()
    fill(url, 20, CALLS, add=False, connections=1, say=lambda _: None)
    database = connect(url)
    async with database.transaction(everyone=WHY) as db:
        most = await db.scalars(text("SELECT user_id FROM calls GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 2"))
        user, other = most.all()
    yield Full(database, user, other)
    await database.close()


async def all_pages(
    full: Full, which: CallFilter | None = None, *, limit: int = 50, oldest_first: bool = False
) -> list[ListedCall]:
    found: list[ListedCall] = []
    while True:
        async with full.database.transaction(user=full.user) as db:
            after = found[-1].place if found else None
            page = await history.page(db, full.user, which, limit=limit, after=after, oldest_first=oldest_first)
        if not page:
            return found
        assert len(page) <= limit
        found += page


async def calls_of(full: Full) -> list[Call]:
    async with full.database.transaction(user=full.user) as db:
        calls = await db.scalars(select(Call).where(Call.user_id == full.user))
        return sorted(calls, key=lambda call: (call.started_at, call.id), reverse=True)


@pytest.mark.parametrize("limit", [37, 100, 10_000])
@pytest.mark.parametrize("oldest_first", [False, True])
async def test_pages_show_every_call_once_and_in_order(full: Full, limit: int, oldest_first: bool) -> None:
    expected = [call.id for call in await calls_of(full)]
    found = [call.id for call in await all_pages(full, limit=limit, oldest_first=oldest_first)]
    assert found == (expected[::-1] if oldest_first else expected)
    assert len(found) > 500


async def test_calls_that_began_in_the_same_moment_are_each_shown_once(full: Full) -> None:
    calls = await calls_of(full)
    async with full.database.transaction(everyone=WHY) as db:
        await become_owner(db)
        moment = text("UPDATE calls SET started_at = :at WHERE id = ANY(:calls)")
        await db.execute(moment, {"at": calls[20].started_at, "calls": [call.id for call in calls[10:20]]})
    assert sorted(call.id for call in await all_pages(full, limit=13)) == sorted(call.id for call in calls)


async def test_each_filter_shows_what_it_says_and_all_of_it(full: Full) -> None:
    calls = await calls_of(full)
    one, middle = calls[5], calls[len(calls) // 2].started_at
    filters: list[tuple[CallFilter, Callable[[Call], bool]]] = [
        (CallFilter(agent=one.agent_id), lambda call: call.agent_id == one.agent_id),
        (CallFilter(number=one.number_id), lambda call: call.number_id == one.number_id),
        (CallFilter(outcome="message"), lambda call: call.outcome == "message"),
        (
            CallFilter(end_reasons=("line_dead", "after_hours")),
            lambda call: call.end_reason in ("line_dead", "after_hours"),
        ),
        (CallFilter(end_reasons=("caller_hung_up",)), lambda call: call.end_reason == "caller_hung_up"),
        (CallFilter(began_from=middle), lambda call: call.started_at >= middle),
        (CallFilter(began_before=middle), lambda call: call.started_at < middle),
        (CallFilter(status=CallStatus.COMPLETED), lambda call: call.status == CallStatus.COMPLETED),
        (CallFilter(status=CallStatus.FAILED), lambda call: call.status == CallStatus.FAILED),
        (CallFilter(status=CallStatus.NO_ANSWER), lambda call: call.status == CallStatus.NO_ANSWER),
        (
            CallFilter(agent=one.agent_id, status=CallStatus.COMPLETED, began_before=middle),
            lambda call: (
                call.agent_id == one.agent_id and call.status == CallStatus.COMPLETED and call.started_at < middle
            ),
        ),
    ]
    for which, fits in filters:
        expected = [call.id for call in calls if fits(call)]
        assert expected, which
        assert [call.id for call in await all_pages(full, which)] == expected, which
    assert await all_pages(full, CallFilter(status=CallStatus.RINGING)) == []
    assert await all_pages(full, CallFilter(agent=uuid.uuid4())) == []


async def test_a_row_says_what_the_call_cost(full: Full) -> None:
    listed = {call.id: call for call in await all_pages(full)}
    async with full.database.transaction(user=full.user) as db:
        lines = await db.execute(text("SELECT call_id, -sum(amount) FROM credit_transactions GROUP BY 1"))
        cost = {call: int(amount) for call, amount in lines if call is not None}
    assert {call.id: call.charged for call in listed.values() if call.charged} == cost
    talked = next(call for call in listed.values() if call.charged)
    assert talked.agent_name == "Reception 1"
    assert (talked.held, talked.status) == (0, CallStatus.COMPLETED) or talked.status == CallStatus.FAILED


async def test_nobody_is_shown_somebody_elses_calls(full: Full) -> None:
    async with full.database.transaction(user=full.other) as db:
        assert await history.page(db, full.user) == []
        assert {call.id for call in await history.page(db, full.other, limit=1000)}.isdisjoint(
            call.id for call in await calls_of(full)
        )


SOMEBODY = uuid.UUID(int=7)
A_DAY = datetime.fromisoformat("2026-05-01T00:00:00+00:00")
LISTS = {
    "all": (CallFilter(), "ix_calls_user_id_started_at"),
    "agent": (CallFilter(agent=SOMEBODY), "ix_calls_user_id_agent_id"),
    "number": (CallFilter(number=SOMEBODY), "ix_calls_user_id_number_id"),
    "failed": (CallFilter(status=CallStatus.FAILED), "ix_calls_failed"),
    "not answered": (CallFilter(status=CallStatus.NO_ANSWER), "ix_calls_no_answer"),
    "ringing": (CallFilter(status=CallStatus.RINGING), "ix_calls_open"),
    "outcome": (CallFilter(outcome="message"), "ix_calls_user_id_outcome"),
    "end reasons": (CallFilter(end_reasons=("after_hours",)), "ix_calls_user_id_end_reason"),
    "caller": (CallFilter(caller="+4915112345678"), "ix_calls_user_id_caller"),
}
"""Each filter, and the index that it reads. Nearly every call is COMPLETED: then all are read, and few passed over."""


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("is_kept", [False, True])
async def test_each_filter_reads_its_index_from_the_place_where_the_page_begins(
    full: Full, name: str, oldest_first: bool, is_kept: bool
) -> None:
    """Also with a plan that was kept from another page."""
    which, index = LISTS[name]
    for within in (which, replace(which, began_from=A_DAY, began_before=A_DAY + timedelta(days=30))):
        plan = await plan_of(full, within, oldest_first=oldest_first, is_kept=is_kept)
        scan = next(node for node in nodes(plan) if node.get("Relation Name") == "calls")
        assert scan["Node Type"] == "Index Scan", plan
        assert scan["Index Name"] == index, plan
        # Only what stands there is skipped without being read: the page's place, and what is filtered for.
        assert "started_at" in scan["Index Cond"]
        for column, value in (
            ("agent_id", which.agent),
            ("number_id", which.number),
            ("outcome", which.outcome),
            ("caller", which.caller),
        ):
            assert (f"{column} = " in scan["Index Cond"]) == (value is not None), plan
        # The order comes from the index: at most calls of the same moment are sorted among themselves.
        assert "Sort" not in {node["Node Type"] for node in nodes(plan)}, plan


async def plan_of(full: Full, which: CallFilter, *, oldest_first: bool, is_kept: bool) -> dict[str, Any]:
    """How a page far from the first is found, were the table too large to be read or sorted."""
    query = history.page_query(
        full.user, which, limit=50, after=Place(A_DAY + timedelta(days=10), uuid.UUID(int=1)), oldest_first=oldest_first
    ).compile(
        dialect=asyncpg.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
        compile_kwargs={"render_postcompile": True},
    )
    assert isinstance(query, SQLCompiler)
    values = ", ".join(f"'{query.params[name]}'" for name in query.positiontup or ())
    async with full.database.transaction(user=full.user) as db:
        for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            await db.execute(text(f"SET LOCAL {setting} = off"))
        mode = "force_generic_plan" if is_kept else "force_custom_plan"
        await db.execute(text(f"SET LOCAL plan_cache_mode = {mode}"))
        connection = await db.connection()
        name = f"list_{uuid.uuid4().hex}"
        await connection.exec_driver_sql(f"PREPARE {name} AS {query}")
        found = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) EXECUTE {name} ({values})")
        await connection.exec_driver_sql(f"DEALLOCATE {name}")
        plan: dict[str, Any] = found.scalar_one()[0]["Plan"]
        return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in nodes(part))]
