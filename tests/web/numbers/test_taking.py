"""Another number, chosen from the pool: what it costs stands there before, it is taken once, and nobody empties the
pool."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text

from talktime.agents.models import Agent
from talktime.credits.account import funds_of
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.numbers import pool as verbs
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.settings import Settings
from tests.people import WHY, Person, charges, new_person
from tests.web.account import acts_about, as_visitor
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import SECRET, SITE, Stage
from tests.web.test_pages import words_of

PAGE = "/numbers/new"


@pytest.fixture
async def pool(own_database: Database) -> AsyncIterator[list[PhoneNumber]]:
    """Three numbers that nobody has; gone afterwards, for the tests of an empty pool."""
    digits = uuid.uuid4().int % 10**5
    async with own_database.transaction(everyone=WHY) as db:
        numbers = (f"+4930231{digits:05d}", f"+4930232{digits:05d}", f"+4930233{digits:05d}")
        rows = [PhoneNumber(number=number, carrier="simulated") for number in numbers]
        db.add_all(rows)
    yield rows
    async with own_database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE phone_numbers SET status = 'RETURNED' WHERE status = CAST(:free AS phone_status)"),
            {"free": PhoneStatus.AVAILABLE.value},
        )


@pytest.fixture
async def carol(own_database: Database) -> Person:
    """Somebody with one number, which her only agent answers."""
    return await new_person(own_database, "Carol", credits=1000)


@pytest.fixture
async def as_carol(open_browser: OpenBrowser, own_database: Database, carol: Person) -> Browser:
    return await at(open_browser, own_database, carol)


async def at(open_browser: OpenBrowser, database: Database, person: Person, **settings: object) -> Browser:
    chosen = Settings(public_url=SITE, secret_key=SECRET, **settings)  # type: ignore[arg-type]  # one at a time
    return await signed_in(open_browser(Stage(chosen, database)), database, person)


async def numbers_of(database: Database, person: Person) -> list[PhoneNumber]:
    async with database.transaction(everyone=WHY) as db:
        query = select(PhoneNumber).where(PhoneNumber.user_id == person.id).order_by(PhoneNumber.assigned_at)
        return list(await db.scalars(query))


def said_of(page: str, field: str = "number") -> str:
    """What is wrong with a field, as it stands beside it."""
    found = re.search(rf'id="{field}-about">([^<]+)<', page)
    return found[1] if found else ""


async def test_a_second_number_is_chosen_with_the_agent_that_answers_it(
    as_carol: Browser, own_database: Database, carol: Person, pool: list[PhoneNumber]
) -> None:
    assert 'href="/numbers/new"' in (await as_carol.get("/numbers")).text
    page = (await as_carol.get(PAGE)).text
    assert all(str(number.id) in page for number in pool) and f'value="{carol.agent}"' in page
    taken = await as_carol.post(PAGE, data={"number": str(pool[1].id), "agent": str(carol.agent)})
    assert (taken.status_code, taken.headers["location"]) == (303, f"/numbers/{pool[1].id}?done=taken")
    assert "The number is yours." in words_of((await as_carol.get(taken.headers["location"])).text)
    found = {number.id: number for number in await numbers_of(own_database, carol)}
    assert len(found) == 2 and found[pool[1].id].agent_id == carol.agent
    entry = (await acts_about(own_database, carol))[-1]
    assert (entry.act, entry.actor_id) == ("number.assigned", carol.id)
    assert await charges(own_database, carol) == []


async def test_sent_twice_it_is_one_number_and_one_rent(
    open_browser: OpenBrowser, own_database: Database, carol: Person, pool: list[PhoneNumber]
) -> None:
    browser = await at(open_browser, own_database, carol, number_rent=300)
    assert "It costs 300 credits a month, the first of them now." in words_of((await browser.get(PAGE)).text)
    wanted = {"number": str(pool[0].id), "agent": str(carol.agent)}
    answers = await asyncio.gather(*(browser.post(PAGE, data=wanted) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(await numbers_of(own_database, carol)) == 2
    async with own_database.transaction(user=carol.id) as db:
        assert (await funds_of(db, carol.id)).balance == 700


async def test_two_others_at_once_are_one_more_and_not_two(
    as_carol: Browser, own_database: Database, carol: Person, pool: list[PhoneNumber]
) -> None:
    answers = await asyncio.gather(
        *(as_carol.post(PAGE, data={"number": str(each.id), "agent": str(carol.agent)}) for each in pool[:2])
    )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert len(await numbers_of(own_database, carol)) == 2
    page = (await as_carol.get(PAGE)).text
    assert "You have as many numbers as you can choose by yourself." in words_of(page) and "<form" not in _main(page)
    assert 'href="/numbers/new"' not in (await as_carol.get("/numbers")).text
    refused = await as_carol.post(PAGE, data={"number": str(pool[2].id), "agent": str(carol.agent)})
    assert refused.status_code == 409 and len(await numbers_of(own_database, carol)) == 2


async def test_taken_and_given_back_again_and_again_it_comes_to_an_end(
    as_carol: Browser, own_database: Database, carol: Person, pool: list[PhoneNumber]
) -> None:
    for number, status in zip(pool, (303, 303, 429), strict=True):
        answer = await as_carol.post(PAGE, data={"number": str(number.id), "agent": str(carol.agent)})
        assert answer.status_code == status
        if status == 303:
            await as_carol.post(f"/numbers/{number.id}/release")
    assert "too often of late" in said_of(answer.text)


async def test_somebody_elses_number_or_agent_is_not_taken_and_not_told_of(
    as_carol: Browser, own_database: Database, carol: Person, pool: list[PhoneNumber]
) -> None:
    bob = await new_person(own_database, "Bob", credits=100)
    [his] = await numbers_of(own_database, bob)
    async with own_database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE phone_numbers SET owner_id = :b WHERE id = :id"), {"b": bob.id, "id": pool[0].id})
    assert str(pool[0].id) not in (await as_carol.get(PAGE)).text, "it is his own, though nobody answers it"
    for number in (his.id, pool[0].id, uuid.uuid4()):
        refused = await as_carol.post(PAGE, data={"number": str(number), "agent": str(carol.agent)})
        assert refused.status_code == 409 and "Somebody else just took this number." in said_of(refused.text)
        assert bob.number not in refused.text and "Bob" not in refused.text
    not_hers = await as_carol.post(PAGE, data={"number": str(pool[1].id), "agent": str(bob.agent)})
    assert not_hers.status_code == 404
    assert [len(await numbers_of(own_database, each)) for each in (carol, bob)] == [1, 1]


@pytest.mark.parametrize("typed", ["", "x"])
async def test_what_is_no_number_and_no_agent_is_said_beside_both_and_the_rest_is_kept(
    as_carol: Browser, carol: Person, pool: list[PhoneNumber], typed: str
) -> None:
    wrong = await as_carol.post(PAGE, data={"number": typed, "agent": typed})
    assert wrong.status_code == 422
    assert said_of(wrong.text) == "Choose one of these numbers."
    assert said_of(wrong.text, "agent") == "Choose one of your agents."
    kept = await as_carol.post(PAGE, data={"number": str(pool[2].id), "agent": typed})
    assert re.search(rf'value="{pool[2].id}" checked', kept.text)


async def test_an_archived_agent_is_not_offered_and_gets_nothing(
    as_carol: Browser, own_database: Database, carol: Person, pool: list[PhoneNumber]
) -> None:
    old = new_id()
    async with own_database.transaction(everyone=WHY) as db:
        db.add(Agent(user_id=carol.id, id=old, name="Old desk", business="Shop", language="en", active=False))
        await db.flush()
        await db.execute(text("UPDATE agents SET archived_at = now() WHERE id = :id"), {"id": old})
    assert "Old desk" not in (await as_carol.get(PAGE)).text
    refused = await as_carol.post(PAGE, data={"number": str(pool[0].id), "agent": str(old)})
    assert refused.status_code == 409 and "archived" in said_of(refused.text, "agent")
    assert len(await numbers_of(own_database, carol)) == 1


async def test_without_credits_without_an_agent_or_with_an_empty_pool_it_says_what_to_do(
    open_browser: OpenBrowser, own_database: Database, carol: Person
) -> None:
    browser = await at(open_browser, own_database, carol, support_email="desk@talktime.example")
    page = (await browser.get(PAGE)).text
    assert "No number is free" in words_of(page) and 'href="mailto:desk@talktime.example"' in page
    taken = await browser.post(PAGE, data={"number": str(uuid.uuid4()), "agent": str(carol.agent)})
    assert taken.status_code == 409 and "<form" not in _main(taken.text)
    poor = await new_person(own_database, "Paula", credits=0)
    page = (await (await at(open_browser, own_database, poor)).get(PAGE)).text
    assert "Buy credits first" in words_of(page) and 'href="/credits"' in page
    async with own_database.transaction(everyone=WHY) as db:
        await verbs.release(db, poor.number)
        await db.execute(
            text("UPDATE agents SET active = false, archived_at = now() WHERE id = :id"), {"id": poor.agent}
        )
    page = (await (await at(open_browser, own_database, poor)).get(PAGE)).text
    assert "Make an agent, then let it answer this number." in words_of(page) and 'href="/agents"' in page


async def test_a_rent_that_cannot_be_paid_is_said_beside_the_number(
    open_browser: OpenBrowser, own_database: Database, carol: Person, pool: list[PhoneNumber]
) -> None:
    browser = await at(open_browser, own_database, carol, number_rent=1001)
    refused = await browser.post(PAGE, data={"number": str(pool[0].id), "agent": str(carol.agent)})
    assert refused.status_code == 402 and said_of(refused.text)
    assert len(await numbers_of(own_database, carol)) == 1


async def test_an_operator_in_her_place_takes_it_in_their_own_name(
    open_browser: OpenBrowser, own_database: Database, carol: Person, pool: list[PhoneNumber]
) -> None:
    ada = await new_person(own_database, "Ada", credits=0, admin=True)
    stage = Stage(Settings(public_url=SITE, secret_key=SECRET), own_database)
    browser = await as_visitor(open_browser(stage), own_database, ada, carol)
    taken = await browser.post(PAGE, data={"number": str(pool[0].id), "agent": str(carol.agent)})
    assert taken.status_code == 303
    entry = (await acts_about(own_database, carol))[-1]
    assert (entry.act, entry.actor_id) == ("number.assigned", ada.id)


async def test_the_page_speaks_german(as_carol: Browser, carol: Person, pool: list[PhoneNumber]) -> None:
    await as_carol.post("/settings", data={"name": "Carol", "locale": "de", "zone": "Europe/Berlin"})
    words = words_of((await as_carol.get(PAGE)).text)
    assert "Noch eine Nummer" in words and "Diese Nummer nehmen" in words and pool
    for _time in range(2):
        await as_carol.post(PAGE, data={"number": str(pool[0].id), "agent": str(carol.agent)})
    assert "Sie haben genug Nummern" in words_of((await as_carol.get(PAGE)).text)


def _main(page: str) -> str:
    """The page without what stands around it."""
    return page.partition("<main")[2]
