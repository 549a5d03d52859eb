"""The list, a new agent, and whether one answers: switched off and on, put away and brought back."""

import uuid

import pytest

from talktime.agents import reading
from talktime.agents.models import Agent
from talktime.db.session import Database
from tests.agents.writing import WHOLE, draft_of, new_agent, publish_draft, write
from tests.people import Person
from tests.web.agents.pages import Editing, fields_of
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import Stage, answer, finish
from tests.web.test_pages import words_of

NEW = {"trade": "restaurant", "business": "Casa Verde", "name": "Dinner", "language": "de", "zone": "Europe/Berlin"}


async def agent_of(database: Database, person: Person, agent: uuid.UUID) -> Agent:
    async with database.transaction(user=person.id) as db:
        return await reading.agent_of(db, person.id, agent)


async def test_each_agent_stands_in_the_list_with_what_it_does(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 30)
    await new_agent(database, alice, name="Tea line")
    open_one = await new_agent(database, alice, name="Cake line")
    await write(database, alice, open_one, **WHOLE)
    await publish_draft(database, alice, open_one)
    await write(database, alice, open_one, tone="Brief.")
    page = words_of((await as_alice.get("/agents")).text)
    assert "Reception Alice&#39;s shop Answers calls" in page
    assert "+1 555" in page
    assert "Tea line Wonderland Tea Not published yet none yet 0 not yet" in page
    assert "Changes not published" in page
    assert "Tea line" not in (await as_bob.get("/agents")).text


async def test_who_has_no_agent_is_led_to_the_templates(as_alice: Browser, database: Database, alice: Person) -> None:
    await as_alice.post(f"/agents/{alice.agent}/archive")
    page = (await as_alice.get("/agents")).text
    assert "Nobody answers your calls yet" in page and 'href="/agents/new"' in page and "1 archived agent" in page


async def test_a_template_becomes_a_draft_that_is_looked_through(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    page = (await as_alice.get("/agents/new")).text
    assert page.count('name="trade"') == 9 and "Dental practice" in page
    fields = fields_of(page, "/agents/new")
    assert (fields["language"], fields["zone"]) == ("en", "Europe/Berlin")
    made = await as_alice.post("/agents/new", data=NEW)
    address, _, done = made.headers["location"].partition("?")
    assert (made.status_code, done) == (303, "done=made")
    draft = await draft_of(database, alice, uuid.UUID(address.rpartition("/")[2]))
    assert draft.content.greeting.startswith("Guten Tag, hier ist Casa Verde.") and draft.content.knowledge
    page = words_of((await as_alice.get(made.headers["location"])).text)
    assert "Your agent is ready to be tried." in page and "Not published yet" in page


async def test_a_business_of_no_trade_gets_an_agent_too_called_like_itself(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    made = await as_alice.post("/agents/new", data={**NEW, "trade": "other", "name": " "})
    agent = uuid.UUID(made.headers["location"].partition("?")[0].rpartition("/")[2])
    assert (await agent_of(database, alice, agent)).name == "Casa Verde"
    assert (await draft_of(database, alice, agent)).content.greeting.startswith("Guten Tag")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("trade", "", "Choose what comes nearest to your business."),
        ("trade", "witch", "There is no such template."),
        ("business", " ", "Write what the business is called."),
        ("business", "x" * 201, "Write at most 200 characters; these are 201."),
        ("name", "x" * 201, "Write at most 200 characters; these are 201."),
        ("language", "fr", "No voice here speaks this language."),
        ("zone", "Mars/Olympus", "Choose one of the time zones"),
    ],
)
async def test_what_is_wrong_with_a_new_one_stands_beside_its_field(
    *, as_alice: Browser, database: Database, alice: Person, field: str, value: str, said: str
) -> None:
    sent = await as_alice.post("/agents/new", data={**NEW, field: value})
    assert sent.status_code == 422
    assert f'id="{field}-about">{said}' in sent.text
    if field not in ("business", "zone"):
        assert 'value="Casa Verde"' in sent.text
    async with database.transaction(user=alice.id) as db:
        assert await reading.count(db, alice.id) == 1


async def test_as_many_agents_as_there_may_be_and_no_more(
    open_browser: OpenBrowser, stage: Stage, database: Database, alice: Person
) -> None:
    few = Stage(stage.settings.model_copy(update={"agents_max": 2}), database)
    browser = await signed_in(open_browser(few), database, alice)
    assert (await browser.post("/agents/new", data=NEW)).status_code == 303
    sent = await browser.post("/agents/new", data=NEW)
    assert sent.status_code == 409
    assert "You have 2 agents, which is as many as you may have" in sent.text and 'value="Casa Verde"' in sent.text
    await browser.post(f"/agents/{alice.agent}/archive")
    assert (await browser.post("/agents/new", data=NEW)).status_code == 303
    back = await browser.post(f"/agents/{alice.agent}/restore")
    assert back.status_code == 409 and "archive one of them first" in back.text


async def test_an_agent_is_switched_off_and_the_toast_takes_it_back(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    address = f"/agents/{alice.agent}"
    for _ in range(2):
        sent = await as_alice.post(f"{address}/switch", data={"to": "off"})
        assert sent.headers["location"] == f"{address}?done=off"
    assert not (await agent_of(database, alice, alice.agent)).active
    page = (await as_alice.get(f"{address}?done=off")).text
    assert 'class="toast"' in page and 'name="to" value="on">Undo' in page and "Switched off" in page
    await as_alice.post(f"{address}/switch", data={"to": "on"})
    assert (await agent_of(database, alice, alice.agent)).active
    # Whatever the address says, nothing is offered to be undone that is not so.
    assert 'class="toast"' not in (await as_alice.get(f"{address}?done=off")).text


async def test_an_agent_is_put_away_and_the_toast_brings_it_back(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    shown = (await as_alice.post(f"/agents/{alice.agent}/archive")).headers["location"]
    assert shown == f"/agents?agent={alice.agent}&was=on&done=archived"
    assert (await as_alice.post(f"/agents/{alice.agent}/archive")).status_code == 303, "twice is once"
    page = (await as_alice.get(shown)).text
    assert "Reception is archived." in page and f'action="/agents/{alice.agent}/restore"' in page
    assert "Reception is archived." not in (await as_bob.get(shown)).text
    assert 'class="toast"' not in (await as_alice.get("/agents?done=archived&agent=x")).text
    listed = (await as_alice.get("/agents/archived")).text
    assert "Reception" in listed and "Bring it back" in listed
    for _ in range(2):
        back = await as_alice.post(f"/agents/{alice.agent}/restore")
        assert back.headers["location"] == f"/agents/{alice.agent}?done=restored"
    agent = await agent_of(database, alice, alice.agent)
    assert agent.archived_at is None and not agent.active
    # Taken back from the toast, it is as it was.
    await as_alice.post(f"/agents/{alice.agent}/archive")
    back = await as_alice.post(
        f"/agents/{alice.agent}/restore", data=fields_of(page, f"/agents/{alice.agent}/restore") | {"to": "on"}
    )
    assert back.headers["location"] == f"/agents/{alice.agent}?done=on"
    assert (await agent_of(database, alice, alice.agent)).active


async def test_an_archived_agent_is_shown_and_not_changed(as_alice: Browser, database: Database, alice: Person) -> None:
    await as_alice.post(f"/agents/{alice.agent}/archive")
    editing = Editing(as_alice, alice.agent)
    page = await editing.page("/says")
    assert "This agent is archived" in page and ">Save<" not in page and f"{editing.address}/call" not in page
    sent = await editing.send("/says", await editing.fields("/says") | {"tone": "Mine."})
    assert sent.status_code == 409
    assert "This agent was archived: restore it first." in sent.text and "Mine." in sent.text
    for place in ("/switch", "/hours/days", "/answer/remove"):
        sent = await editing.send(place, {"to": "off", "day": "2027-01-01", "kind": "closed", "key": "x"})
        assert sent.status_code == 409, place


async def test_archived_agents_are_paged(as_alice: Browser, database: Database, alice: Person) -> None:
    for number in range(51):
        made = await new_agent(database, alice, name=f"Old {number:02}", agents_max=100)
        await as_alice.post(f"/agents/{made}/archive")
    first = (await as_alice.get("/agents/archived")).text
    assert first.count("row-link") == 50 and "Old 00" not in first
    older = first.partition('href="/agents/archived?after=')[2].partition('"')[0]
    second = (await as_alice.get(f"/agents/archived?after={older}")).text
    assert second.count("row-link") == 1 and "Old 00" in second
    assert (await as_alice.get(f"/agents/archived?after={uuid.uuid4()}")).status_code == 404
