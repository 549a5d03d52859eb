"""The client and the application as it is: reading, writing, pages, and every kind of no."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest

from talktime.accounts.keys import Scope
from talktime.credits import money
from talktime.db.session import Database
from talktime_client import (
    ANY,
    ApiError,
    AsyncClient,
    Client,
    InvalidRequest,
    KeyRefused,
    KeyReused,
    MissingScope,
    NoEtag,
    NotFound,
    Retry,
    StaleVersion,
)
from talktime_client.models import Contact, Hours, KnowledgeEntry, TransactionType
from tests.api.program import key_of
from tests.client.conftest import client_on, port_of
from tests.people import WHY, Person
from tests.web.stage import SITE, Stage, answer, finish, say


async def test_an_agent_is_made_written_published_and_rolled_back(as_alice: AsyncClient) -> None:
    agent = await as_alice.agents.create(name="Praxis", business="Zahnarzt Rosen", template="dentist", language="de")
    assert (agent.active, agent.published_version) == (True, None)
    draft = await as_alice.agents.draft.get(agent.id)
    saved = await as_alice.agents.draft.save(
        agent.id,
        if_match=draft.etag,
        greeting="Zahnarzt Rosen, hier spricht der Assistent.",
        hours=Hours(week={"monday": [["09:00", "18:00"]]}, special={"2026-12-25": []}),
        knowledge=[KnowledgeEntry(key="parken", questions=["Wo parke ich?"], answer="Im Hof.")],
        people=[Contact(name="Empfang", number="+493023125000")],
    )
    assert saved.content.knowledge[0].questions == ("Wo parke ich?",)
    assert saved.content.hours is not None
    assert saved.content.hours.week["monday"] == (("09:00", "18:00"),)
    assert saved.content.hours.special == {"2026-12-25": ()}
    first = await as_alice.agents.publish(agent.id, revision=saved.revision)
    assert (first.version_no, first.is_published) == (1, True)
    # What was read can be sent as it is.
    again = await as_alice.agents.draft.save(
        agent.id, if_match=ANY, hours=first.content.hours, turn_settings=first.content.turn_settings, greeting="Hallo."
    )
    await as_alice.agents.publish(agent.id, revision=again.revision)
    assert [each.version_no async for each in as_alice.agents.versions.list(agent.id, limit=1)] == [2, 1]
    diff = await as_alice.agents.diff(agent.id, older="1", newer="2")
    assert [each.field for each in diff.changes] == ["greeting"]
    back = await as_alice.agents.versions.roll_back(agent.id, 1)
    assert back.copied_from == 1
    assert "Im Hof" in (await as_alice.agents.prompt(agent.id)).text


async def test_two_who_change_one_thing_do_not_lose_each_others_change(as_alice: AsyncClient, alice: Person) -> None:
    mine, yours = [await as_alice.agents.get(alice.agent) for _ in range(2)]
    assert mine == yours
    changed = await as_alice.agents.update(mine.id, name="Front desk", if_match=mine.etag)
    with pytest.raises(StaleVersion):
        await as_alice.agents.update(yours.id, name="Back office", if_match=yours.etag)
    await as_alice.agents.update(yours.id, active=False, if_match=changed.etag)
    found = await as_alice.agents.get(alice.agent)
    assert (found.name, found.active) == ("Front desk", False)
    await as_alice.agents.update(alice.agent, active=True, if_match=ANY)


async def test_a_row_of_a_list_changes_nothing_by_mistake(as_alice: AsyncClient, alice: Person) -> None:
    [row] = [each async for each in as_alice.agents.list()]
    assert row.etag is None
    with pytest.raises(NoEtag, match="get it by its id"):
        await as_alice.agents.update(row.id, name="Lost", if_match=row.etag)
    assert (await as_alice.agents.get(alice.agent)).name == "Reception"


async def test_null_takes_a_limit_away_and_what_is_not_said_stays(as_alice: AsyncClient) -> None:
    await as_alice.credits.settings.update(if_match=ANY, day_limit=500, low_balance=20)
    found = await as_alice.credits.settings.update(if_match=ANY, day_limit=None)
    assert (found.day_limit, found.low_balance) == (None, 20)


async def test_a_list_is_walked_to_its_end_and_no_page_is_asked_for_before_it_is_needed(
    as_alice: AsyncClient, as_bob: AsyncClient, database: Database, alice: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        for number in range(6):
            await money.adjust(db, alice.id, reference=f"r{number}", amount=1, reason="one more", actor=alice.id)
    lines = as_alice.transactions.list(limit=3)
    assert [line.seq async for line in lines] == [7, 6, 5, 4, 3, 2, 1]
    # It is a list, not a stream: it can be gone through again.
    assert [line.seq async for line in lines][:2] == [7, 6]
    pages = [page async for page in lines.pages()]
    assert [len(page.data) for page in pages] == [3, 3, 1]
    assert [page.has_more for page in pages] == [True, True, False]
    on = as_alice.transactions.list(limit=2, cursor=pages[0].next_cursor)
    assert [line.seq for line in (await on.first_page()).data] == [4, 3]
    rest = as_alice.transactions.list(type="ADMIN_ADJUSTMENT", limit=100)
    assert {line.type async for line in rest} == {TransactionType.ADMIN_ADJUSTMENT}
    with pytest.raises(InvalidRequest) as failed:
        await as_bob.transactions.list(cursor=pages[0].next_cursor).first_page()
    assert [each.field for each in failed.value.errors] == ["cursor"]
    async for line in as_alice.transactions.list(limit=3):
        if line.seq == 6:
            break


async def test_a_statement_comes_with_its_sums_and_its_lines_page_by_page(
    as_alice: AsyncClient, database: Database, alice: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        for number in range(4):
            await money.adjust(db, alice.id, reference=f"r{number}", amount=-10, reason="less", actor=alice.id)
    [month] = [each async for each in as_alice.statements.list()]
    found = await as_alice.statements.get(month.month, limit=2)
    assert (found.closing_balance, found.totals, found.has_more) == (960, {"ADMIN_ADJUSTMENT": 960}, True)
    assert [line.seq async for line in as_alice.statements.lines(month.month, limit=2)] == [1, 2, 3, 4, 5]
    assert (await as_alice.statements.pdf(month.month)).startswith(b"%PDF")
    assert (await as_alice.statements.csv(month.month)).count(b"\n") == 6


async def test_a_call_comes_with_its_turns_and_its_receipt(
    as_alice: AsyncClient, as_bob: AsyncClient, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await say(database, alice, call, 1, "Good morning.")
    await finish(database, alice, call, 95)
    found = await as_alice.calls.get(call)
    assert (found.status, found.seconds, found.credits) == ("COMPLETED", 95, 15)
    assert [turn.text for turn in found.turns] == ["Good morning."]
    assert found.receipt is not None
    assert found.receipt.lines[0].amount == -15
    assert found.started_at.tzinfo is UTC
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert [each.id async for each in as_alice.calls.list(status="COMPLETED", started_from=since)] == [call]
    with pytest.raises(NotFound):
        await as_bob.calls.get(call)
    assert (await as_alice.calls.receipt_pdf(call)).startswith(b"%PDF")


async def test_the_same_deed_under_the_same_key_is_done_once(as_alice: AsyncClient) -> None:
    first, again = [
        await as_alice.keys.create(name="CRM", scopes=["calls:read"], idempotency_key="order-1") for _ in range(2)
    ]
    assert first == again
    with pytest.raises(KeyReused):
        await as_alice.keys.create(name="Other", scopes=["calls:read"], idempotency_key="order-1")
    second = await as_alice.keys.create(name="CRM", scopes=["calls:read"])
    assert second.key.id != first.key.id
    assert first.secret not in repr(first)
    await as_alice.keys.revoke(second.key.id)
    assert (await as_alice.keys.get(second.key.id)).revoked_at is not None


async def test_what_is_wrong_is_said_by_field_and_by_scope(stage: Stage, alice: Person, as_alice: AsyncClient) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        await as_alice.webhooks.create(url="ftp://example.org", events=["call.exploded"])
    assert [each.field for each in wrong.value.errors] == ["url"]
    with pytest.raises(InvalidRequest) as unknown:
        await as_alice.request("PATCH", "/v1/account", json={"nickname": "A", "age": 7}, headers={"if-match": "*"})
    assert unknown.value.type == "/problems/invalid-request"
    assert {each.field for each in unknown.value.errors} == {"nickname", "age"}
    assert wrong.value.request_id is not None
    assert wrong.value.request_id in str(wrong.value)
    async with client_on(stage, await key_of(stage.database, alice, [Scope.CREDITS_READ])) as reader:
        assert (await reader.credits.get()).balance == 1000
        with pytest.raises(MissingScope, match="credits:write"):
            await reader.credits.settings.update(if_match=ANY, day_limit=5)
    async with client_on(stage, "tt_live_nobody") as nobody:
        with pytest.raises(KeyRefused):
            await nobody.me.get()


async def test_what_there_is_no_name_for_is_asked_by_its_address(as_alice: AsyncClient, alice: Person) -> None:
    answered = await as_alice.request("GET", "/v1/agents", params={"limit": 1})
    assert answered.status == 200
    assert answered.json()["data"][0]["id"] == str(alice.agent)
    known = (await as_alice.agents.get(alice.agent)).etag
    assert known is not None
    news = await as_alice.request("GET", f"/v1/agents/{alice.agent}", headers={"If-None-Match": known})
    assert (news.status, news.body) == (304, b"")
    with pytest.raises(ApiError) as failed:
        await as_alice.request("GET", "/v1/agents", params={"no_such": True})
    assert [each.field for each in failed.value.errors] == ["no_such"]
    for path in ("/agents", "/v1/../settings", "/v1/%2e%2E/settings", "//elsewhere.example/v1/me", "/v1/me?x=1",
                 "/v1/a//b", "https://elsewhere.example/v1/me", "/v1/me#x", "/v1/.", "/v1/\nx"):  # fmt: skip
        with pytest.raises(ValueError, match="A path begins"):
            await as_alice.request("GET", path)
    with pytest.raises(ValueError, match="header"):
        await as_alice.request("GET", "/v1/me", headers={"x-a": "a\r\nx-b: b"})


async def test_operators_do_what_operators_do(as_ada: AsyncClient, as_alice: AsyncClient, alice: Person) -> None:
    [found] = [each async for each in as_ada.admin.users.list(search=alice.id.hex)]
    assert found.id == alice.id
    given = await as_ada.admin.adjustments.create(alice.id, reference=uuid.uuid4().hex, amount=50, reason="a gift")
    assert given.posting is not None
    assert given.posting.balance_after == 1050
    assert (await as_ada.admin.credits.get(str(alice.id))).balance == 1050
    with pytest.raises(MissingScope):
        await as_alice.admin.users.get(alice.id)
    async for entry in as_ada.admin.audit.list(about=alice.id):
        assert entry.user_id == alice.id
        break


async def test_a_program_that_waits_does_the_same_on_a_real_port(stage: Stage, alice: Person) -> None:
    key = await key_of(stage.database, alice)

    def work(url: str) -> tuple[str, list[str], str]:
        with Client(url, key=key, retry=Retry(tries_max=1)) as client:
            agent = client.agents.create(name="Nights", business="Alice's shop")
            agent = client.agents.get(agent.id)
            agent = client.agents.update(agent.id, name="Days", if_match=agent.etag)
            names = [each.name for each in client.agents.list(limit=1)]
            pages = client.agents.list(limit=1)
            assert len(list(pages.pages())) == 2
            assert pages.first_page().has_more
            with pytest.raises(NotFound):
                client.agents.get(uuid.uuid4())
            assert client.about.openapi()["openapi"].startswith("3.1")
            return agent.name, names, client.request("GET", "/v1/me").json()["zone"]

    async with port_of(stage) as port:
        name, names, zone = await asyncio.to_thread(work, f"http://127.0.0.1:{port}/v1/")
    assert (name, names, zone) == ("Days", ["Days", "Reception"], "Europe/Berlin")


def test_ids_and_names_that_would_lead_elsewhere_are_refused() -> None:
    with Client(SITE, key="tt_live_x") as client:
        for nonsense in ("..", "", "a/b", "../keys", "0199c8f4"):
            with pytest.raises(ValueError, match="badly formed"):
                client.calls.get(nonsense)
        for nonsense in ("..", ".", ""):
            with pytest.raises(ValueError, match="name in an address"):
                client.agent_templates.get(nonsense)
