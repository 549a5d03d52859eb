"""What the operator watches: events, jobs, the audit log, calls not billed, providers, settings, the whole."""

import re
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from talktime import inbox
from talktime.credits import money
from talktime.credits.models import NotCharged
from talktime.db.session import Database
from talktime.inbox import Incoming
from talktime.settings import Settings
from talktime.web.operator import desk
from tests.db.everything import become_owner
from tests.people import WHY, Person, new_person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.operator.conftest import acts_on, one
from tests.web.stage import SITE, Stage, answer, finish
from tests.web.test_pages import words_of

SAID = b'{"id": "evt_1", "type": "payment", "customer_email": "secret.person@example.org", "phone": 4930123456}'


async def an_event(database: Database, provider: str = "stripe", *, gave_up: bool = False) -> uuid.UUID:
    name = f"evt_{uuid.uuid4().hex}"
    async with database.transaction(everyone=WHY) as db:
        await inbox.store(db, Incoming(provider, "live", name, "payment.told", SAID, {}))
    event = await one(database, "SELECT id FROM provider_events WHERE event_id = :name", name=name)
    if gave_up:
        await change_event(database, event, "gave_up_at = now(), error = 'it failed', tries = 8")
    return event


async def change_event(database: Database, event: uuid.UUID, how: str) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text(f"UPDATE provider_events SET {how} WHERE id = :event"), {"event": event})


async def waits(database: Database, event: uuid.UUID) -> bool:
    async with database.transaction(everyone=WHY) as db:
        return bool(
            await db.scalar(
                text("SELECT gave_up_at IS NULL AND handled_at IS NULL FROM provider_events WHERE id = :event"),
                {"event": event},
            )
        )


async def test_an_event_is_shown_without_the_people_in_it_until_somebody_asks_by_name(
    as_ada: Browser, database: Database, ada: Person
) -> None:
    event = await an_event(database)
    page = (await as_ada.get(f"/operator/events/{event}")).text
    assert "evt_1" in page and "secret.person" not in page and "4930123456" not in page
    assert await acts_on(database, ada) == []
    revealed = (await as_ada.post(f"/operator/events/{event}/reveal")).text
    assert "secret.person@example.org" in revealed
    assert await acts_on(database, ada) == [("event.revealed", ada.id)]
    assert (await as_ada.post(f"/operator/events/{uuid.uuid4()}/reveal")).status_code == 404


async def test_an_event_that_was_given_up_is_handled_again_and_a_handled_one_only_when_that_is_said(
    as_ada: Browser, database: Database, ada: Person
) -> None:
    event = await an_event(database, gave_up=True)
    path = f"/operator/events/{event}"
    assert "given up" in words_of((await as_ada.get(path)).text)
    for _ in range(2):
        assert (await as_ada.post(f"{path}/replay")).headers["location"] == f"{path}?done=replayed"
    assert await waits(database, event)
    assert "within seconds" in (await as_ada.get(f"{path}?done=replayed")).text
    await change_event(database, event, "handled_at = now(), verdict = 'granted'")
    assert (await as_ada.post(f"{path}/replay")).status_code == 422
    assert (await as_ada.post(f"{path}/replay", data={"again": "yes"})).status_code == 303
    assert {act for act, _ in await acts_on(database, ada)} == {"event.handled_again"}
    assert (await as_ada.post(f"/operator/events/{uuid.uuid4()}/replay")).status_code == 404


async def test_all_that_one_provider_gave_up_is_handled_again(as_ada: Browser, database: Database) -> None:
    name = f"company{uuid.uuid4().hex[:6]}"
    mine, other = await an_event(database, name, gave_up=True), await an_event(database, "other", gave_up=True)
    page = (await as_ada.get(f"/operator/events?state=given_up&provider={name}")).text
    assert str(mine) in page and str(other) not in page and "Handle all of these again" in page
    assert "Handle all of these" not in (await as_ada.get("/operator/events")).text
    assert (await as_ada.post("/operator/events/replay", data={"provider": name})).status_code == 303
    assert (await waits(database, mine), await waits(database, other)) == (True, False)


async def test_events_are_filtered_by_day_and_go_on_where_they_ended(
    as_ada: Browser, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SHOWN", 2)
    name = f"company{uuid.uuid4().hex[:6]}"
    events = [str(await an_event(database, name)) for _ in range(3)]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    page = (await as_ada.get(f"/operator/events?provider={name}&since=2020-01-01")).text
    [older] = re.findall(r'href="([^"]+)" rel="next"', page)
    rest = (await as_ada.get(older.replace("&amp;", "&"))).text
    assert [each in page for each in events] == [False, True, True] and events[0] in rest
    assert "No event is found" in (await as_ada.get(f"/operator/events?provider={name}&until=2020-01-01")).text
    assert "No event is found" not in (await as_ada.get(f"/operator/events?provider={name}&until=9999-12-31")).text
    assert (await as_ada.get(f"/operator/events?provider={name}&until={today}x")).status_code == 200


async def a_job(database: Database, state: str) -> int:
    async with database.transaction(everyone=WHY) as db:
        job = await db.scalar(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts)"
                " VALUES ('default', :name, '{\"email\": \"secret.person@example.org\"}',"
                " CAST(:state AS procrastinate_job_status), 8) RETURNING id"
            ),
            {"name": f"test.{uuid.uuid4().hex[:8]}", "state": state},
        )
    assert isinstance(job, int)
    return job


async def test_a_job_that_was_given_up_is_done_again_once_and_no_argument_is_shown(
    as_ada: Browser, database: Database, ada: Person
) -> None:
    job, waiting = await a_job(database, "failed"), await a_job(database, "todo")
    page = (await as_ada.get("/operator/jobs")).text
    assert f"/operator/jobs/{job}/again" in page and "secret.person" not in page
    assert f"/operator/jobs/{waiting}/again" not in page
    assert (await as_ada.post(f"/operator/jobs/{job}/again")).headers["location"] == "/operator/jobs?done=again"
    assert (await as_ada.post(f"/operator/jobs/{job}/again")).status_code == 409
    assert (await as_ada.post(f"/operator/jobs/{waiting}/again")).status_code == 409
    assert (await as_ada.post("/operator/jobs/999999999/again")).status_code == 404
    assert (await as_ada.post(f"/operator/jobs/{2**70}/again")).status_code == 422
    assert await acts_on(database, ada) == [("job.done_again", ada.id)]


@pytest.mark.parametrize("state", ["waiting", "later", "running", "failed", "done", "none"])
async def test_the_queue_is_shown_by_state(as_ada: Browser, state: str) -> None:
    page = await as_ada.get(f"/operator/jobs?state={state}")
    assert page.status_code == 200 and page.text.count('aria-current="page"') == 2


async def test_the_audit_log_is_filtered_by_who_whom_what_and_when(
    as_ada: Browser, database: Database, alice: Person, ada: Person
) -> None:
    carol = await new_person(database, f"Carol{uuid.uuid4().hex[:6]}", credits=0)
    await as_ada.post(f"/operator/users/{carol.id}/suspend", data={"reason": "a test"})
    for query in (
        f"about={carol.id}", "act=user.", f"about={carol.id}&act=user.suspended&since=2020-01-01",
        f"by=ada.{ada.id.hex}@example.org",
    ):  # fmt: skip
        words = words_of((await as_ada.get(f"/operator/audit?{query}")).text)
        assert "user.suspended" in words and "status: ACTIVE → SUSPENDED" in words, query
    for query in (f"about={alice.id}&act=user.", "until=2020-01-01", f"about={carol.id}&by={alice.id}"):
        assert "Nothing is found" in words_of((await as_ada.get(f"/operator/audit?{query}")).text), query
    for wrong, field in (("about=nobody at all", "about"), ("act=DROP TABLE", "act"), ("by=%25", "by")):
        page = await as_ada.get(f"/operator/audit?{wrong}")
        assert page.status_code == 422 and f'id="{field}-about"' in page.text, wrong


async def test_the_audit_log_goes_on_where_it_ended(
    as_ada: Browser, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SHOWN", 1)
    carol = await new_person(database, "Carol", credits=0)
    for reason in ("one", "two"):
        await as_ada.post(f"/operator/users/{carol.id}/suspend", data={"reason": reason})
    await as_ada.post(f"/operator/users/{carol.id}/activate")
    address, acts = f"/operator/audit?about={carol.id}&act=user.", []
    for _ in range(5):
        page = (await as_ada.get(address)).text
        acts += re.findall(r'<span class="small faint">(user\.\w+)', page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        if older is None:
            break
        address = older[1].replace("&amp;", "&")
    assert acts == ["user.activated", "user.suspended", "user.suspended"]


async def test_somebodys_chain_is_proven_entry_by_entry(as_ada: Browser, database: Database) -> None:
    carol = await new_person(database, "Carol", credits=0)
    for _ in range(2):
        await as_ada.post(f"/operator/users/{carol.id}/suspend", data={"reason": "a test"})
    words = words_of((await as_ada.get(f"/operator/audit/{carol.id}/proof")).text)
    assert "Nothing was changed. Entries proven: 2." in words
    async with database.transaction(everyone=WHY) as db:
        await become_owner(db)
        await db.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
        await db.execute(text("UPDATE audit_entries SET act = 'user.made' WHERE user_id = :id"), {"id": carol.id})
        await db.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER USER"))
    words = words_of((await as_ada.get(f"/operator/audit/{carol.id}/proof")).text)
    assert "The chain was changed." in words and "changed" in words


async def test_calls_that_were_not_billed_say_why_and_the_list_goes_on(
    as_ada: Browser, database: Database, alice: Person, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SHOWN", 2)
    calls = []
    for _ in range(3):
        call = await answer(database, alice)
        await finish(database, alice, call, 40)
        async with database.transaction(everyone=WHY) as db:
            await money.waive(db, alice.id, call, NotCharged.SPAM, ada.id)
        calls.append(str(call))
    page = (await as_ada.get("/operator/unbilled")).text
    assert "Forgiven: Spam" in words_of(page) and [each in page for each in calls] == [False, True, True]
    [older] = re.findall(r'href="([^"]+)" rel="next"', page)
    assert calls[0] in (await as_ada.get(older.replace("&amp;", "&"))).text


async def test_no_secret_stands_on_the_page_of_the_settings(
    open_browser: OpenBrowser, database: Database, ada: Person
) -> None:
    secrets = {
        "smtp_url": "smtp://user:hunter2hunter2@mail.example.org:587",
        "openai_api_key": "sk-hunter2hunter2hunter2",
        "database_url": "postgresql://talktime:hunter2hunter2@db.example.org/talktime",
        "otlp_endpoint": "https://hunter2hunter2.example.org",
        "openai_base_url": "https://hunter2hunter2.example.net/v1",
    }
    settings = Settings.model_validate({"public_url": SITE, "number_rent": 42, **secrets})
    as_ada = await signed_in(open_browser(Stage(settings, database)), database, ada)
    page = (await as_ada.get("/operator/settings")).text
    assert "hunter2" not in page and "a secret of the tests" not in page
    words = words_of(page)
    assert "OPENAI_API_KEY set set" in words and "DEEPGRAM_API_KEY not set by itself" in words
    assert "TALKTIME_NUMBER_RENT 42 set" in words and "TALKTIME_AGENTS_MAX 20 by itself" in words


async def test_every_setting_stands_on_the_page_once(as_ada: Browser) -> None:
    page = (await as_ada.get("/operator/settings")).text.replace("<wbr>", "")
    names = re.findall(r'<td class="setting">([^<]+)</td>', page)
    assert len(names) == len(set(names)) == len(Settings.model_fields)


async def test_what_goes_on_is_said_in_figures_and_as_a_table(
    as_ada: Browser, database: Database, alice: Person
) -> None:
    live = await answer(database, alice)
    over = await answer(database, alice)
    await finish(database, alice, over, 120)
    words = words_of((await as_ada.get("/operator")).text)
    assert re.search(r"Live calls [1-9]", words) and "Minutes a day" in (await as_ada.get("/operator")).text
    assert "Day Calls Minutes" in words and "The books were never verified" in words
    assert (await as_ada.get("/operator?days=90")).text.count('aria-current="page"') == 2
    assert (await as_ada.get("/operator?days=x")).status_code == 200
    await finish(database, alice, live, 1)


async def test_how_companies_are_is_said_by_what_failed(as_ada: Browser, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 30)
    words = words_of((await as_ada.get("/operator/health")).text)
    assert "simulated Phone company" in words
