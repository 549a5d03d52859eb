"""The process dies in the middle of a call from the browser: the page sees its line break, nobody but our own lease is
asked, and what is charged is what is proven.
"""

import asyncio
import uuid
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text

from talktime.calls.models import CallStatus
from talktime.calls.sweep import PROOF_SECONDS
from talktime.cli.demo import CREDITS, ensure_demo
from talktime.cli.running import open_database
from talktime.credits.verify import verify
from tests.browser_call.page import Page, sign_in
from tests.hooks.test_sweep import age_lease, answered_by_the_dead, swept
from tests.house import WHY, House
from tests.people import Person, account_of, charges
from tests.test_kill import RATE, installation, remember_a_call, start


@pytest.mark.xdist_group("kill")
async def test_a_process_that_is_killed_in_mid_call_costs_nobody_more_than_is_proven(tmp_path: Path) -> None:
    async with installation(tmp_path) as settings, open_database(settings) as database:
        demo = await ensure_demo(database)
        await remember_a_call(database, demo)
        program = await start(settings)
        await program.says("is serving at")
        house = House(settings, cast(Any, None), cast(Any, None), database, cast(Any, None))
        person = Person(demo.user_id, await agent_of(database, demo.user_id), "", RATE)
        page = await sign_in(house, person)
        async with page.calling() as line:
            await line.until("turn", speaker="AGENT", seconds_max=30)
            program.process.kill()
            await line.closed()
            assert line.of("ended") == []  # the page says that the connection was lost
        await program.ends()
        await age_lease(house, line.call, 1)
        await swept(house, line.call, {})
        record = await page.record(line.call, seconds_max=1)
        assert (record.call.status, record.call.end_reason) == (CallStatus.FAILED, "lost")
        assert record.receipt is not None and record.call.seconds is not None
        assert record.receipt.charged == RATE.cost(record.call.seconds) <= PROOF_SECONDS
        account = await account_of(database, person)
        assert (account.balance, account.held, account.open_calls) == (CREDITS - record.receipt.charged, 0, 0)
        assert (await verify(database, full=True)).violations == ()


async def agent_of(database: Any, user: uuid.UUID) -> uuid.UUID:
    async with database.transaction(everyone=WHY) as db:
        return cast(uuid.UUID, await db.scalar(text("SELECT id FROM agents WHERE user_id = :user"), {"user": user}))


async def test_a_call_whose_process_is_gone_is_charged_what_is_proven_at_once(
    house: House, page: Page, alice: Person
) -> None:
    begun = await page.begin()
    call = await answered_by_the_dead(house, alice, begun["start"]["call_id"], used_seconds=30)
    await age_lease(house, call, 1)
    await swept(house, call)
    record = await page.record(call, seconds_max=1)
    assert (record.call.seconds, record.call.end_reason, record.call.carrier_seconds) == (45, "lost", None)
    assert await charges(house.database, alice) == [-15]


async def test_a_call_that_never_got_its_line_is_let_go_and_nobody_was_missed(
    house: House, page: Page, alice: Person
) -> None:
    begun = await page.begin()
    call = uuid.UUID(begun["start"]["call"])
    await age_lease(house, call, 1)
    await swept(house, call)
    record = await page.record(call, seconds_max=1)
    assert (record.call.status, record.call.end_reason) == (CallStatus.NO_ANSWER, "never_answered")
    assert await charges(house.database, alice) == []
    account = await account_of(house.database, alice)
    assert (account.held, account.open_calls) == (0, 0)
    async with house.database.transaction(everyone=WHY) as db:
        told = await db.scalar(text("SELECT count(*) FROM notices WHERE user_id = :user"), {"user": alice.id})
        cost = await db.scalar(text("SELECT count(*) FROM call_costs WHERE call_id = :call"), {"call": call})
    assert (told, cost) == (0, 0)


async def test_a_phone_company_is_owed_nothing_for_it(house: House, page: Page) -> None:
    async with page.calling() as line:
        await line.until("turn", speaker="AGENT")
        await line.hang_up()
    await asyncio.sleep(0.2)
    async with house.database.transaction(everyone=WHY) as db:
        providers = await db.scalars(text("SELECT provider FROM call_costs WHERE call_id = :call"), {"call": line.call})
        assert "browser" not in set(providers)
