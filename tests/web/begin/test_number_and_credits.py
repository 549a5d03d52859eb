"""The last two steps: a number out of the pool and publishing in one go, and credits bought on the way."""

import asyncio
import re
import uuid

import pytest
from sqlalchemy import text

from talktime.agents import drafts
from talktime.credits.models import CreditPack
from talktime.db.session import Database
from talktime.gateways.simulated import Simulated
from talktime.gateways.simulated_account import SimulatedGatewayAccount
from talktime.numbers import choosing
from talktime.numbers import pool as numbers
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.payments import checkout
from talktime.settings import Settings
from talktime.simulate.gateway_deeds import Means
from tests.house import free_ports
from tests.payments.counter import CONTROL, KEY, WEBHOOK, Counter
from tests.people import WHY, new_person
from tests.web.begin.conftest import BUSINESS, Newcomer, sign_up
from tests.web.conftest import OpenBrowser
from tests.web.stage import SECRET, SITE, Stage
from tests.web.test_pages import words_of


async def drafted(newcomer: Newcomer, credits: int = 0) -> Newcomer:
    """Somebody with a draft, and perhaps credits."""
    await newcomer.tell("/begin/business", **BUSINESS)
    await newcomer.tell("/begin/knowledge", address="Mill Street 12")
    if credits:
        await newcomer.gets(credits)
    return newcomer


async def test_without_credits_there_is_no_number(hanna: Newcomer, pool: list[PhoneNumber]) -> None:
    await drafted(hanna)
    page = words_of(await hanna.page("/begin/number"))
    assert "First some credits" in page and "Choose one of these" not in page
    refused = await hanna.browser.post("/begin/number", data={"number": str(pool[0].id)})
    assert refused.status_code == 409 and "Buy credits first" in refused.text
    [agent] = await hanna.agents()
    assert await hanna.numbers() == [] and agent.published_version is None, "both or neither"


async def test_of_two_who_take_the_same_number_one_gets_it_and_the_other_is_told(
    hanna: Newcomer, pool: list[PhoneNumber], open_browser: OpenBrowser, begin_stage: Stage
) -> None:
    bob = await sign_up(open_browser(begin_stage), begin_stage.database)
    for each in (hanna, bob):
        await drafted(each, credits=100)
    wanted = {"number": str(pool[0].id)}
    answers = await asyncio.gather(*(each.browser.post("/begin/number", data=wanted) for each in (hanna, bob)))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    lost = next(answer for answer in answers if answer.status_code == 409)
    assert "Somebody else just took this number." in lost.text and str(pool[1].id) in lost.text
    assert lost.text.count(" autofocus") == 1
    assert sorted([len(await hanna.numbers()), len(await bob.numbers())]) == [0, 1]


async def test_sent_twice_it_is_one_number_and_one_version(hanna: Newcomer, pool: list[PhoneNumber]) -> None:
    await drafted(hanna, credits=100)
    wanted = {"number": str(pool[0].id)}
    answers = await asyncio.gather(*(hanna.browser.post("/begin/number", data=wanted) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [303, 303]
    await hanna.tell("/begin/number", number=str(pool[1].id))
    [number] = await hanna.numbers()
    [agent] = await hanna.agents()
    assert (number.id, agent.published_version) == (pool[0].id, 1)


async def test_a_customer_chooses_one_number_and_does_not_empty_the_pool(
    hanna: Newcomer, pool: list[PhoneNumber]
) -> None:
    await drafted(hanna, credits=100)
    [agent] = await hanna.agents()

    async def take(number: PhoneNumber) -> None:
        async with hanna.database.transaction(everyone=WHY) as db:
            await choosing.take(db, hanna.id, number.id, agent=agent.id, rent_credits=0)

    async def give_back(number: PhoneNumber) -> None:
        async with hanna.database.transaction(everyone=WHY) as db:
            await numbers.release(db, number.id, user=hanna.id, actor=hanna.id)

    await take(pool[0])
    await take(pool[0])
    with pytest.raises(choosing.HasNumber):
        await take(pool[1])
    await give_back(pool[0])
    with pytest.raises(choosing.NoLongerFree):
        await take(pool[0])
    await take(pool[1])
    await give_back(pool[1])
    with pytest.raises(choosing.ChosenTooOften):
        await take(pool[2])


@pytest.mark.parametrize("number", ["", "x", "00000000-0000-0000-0000-000000000000"])
async def test_a_number_that_is_none_is_not_taken(hanna: Newcomer, pool: list[PhoneNumber], number: str) -> None:
    await drafted(hanna, credits=100)
    refused = await hanna.browser.post("/begin/number", data={"number": number})
    assert refused.status_code in (409, 422) and "number" in refused.text and pool
    assert re.search(r'id="number-about">[^<]+<', refused.text)
    assert await hanna.numbers() == []


async def test_nobody_takes_somebody_elses_number_or_sees_it(hanna: Newcomer, pool: list[PhoneNumber]) -> None:
    await drafted(hanna, credits=100)
    bob = await new_person(hanna.database, "Bob", credits=100)
    async with hanna.database.transaction(everyone=WHY) as db:
        found = await db.scalar(text("SELECT id FROM phone_numbers WHERE user_id = :user"), {"user": bob.id})
    assert bob.number not in (await hanna.page("/begin/number")) and pool
    refused = await hanna.browser.post("/begin/number", data={"number": str(found)})
    assert refused.status_code == 409 and bob.number not in refused.text and "Bob" not in refused.text
    assert await hanna.numbers() == []


async def test_with_an_empty_pool_it_says_what_to_do_and_the_agent_can_be_published(
    open_browser: OpenBrowser, own_database: Database, begin_stage: Stage
) -> None:
    stage = Stage(Settings(public_url=SITE, secret_key=SECRET, support_email="help@talktime.example"), own_database)
    hanna = await drafted(await sign_up(open_browser(stage), own_database), credits=100)
    page = await hanna.page("/begin/number")
    assert "There is no free number at the moment." in page and "mailto:help@talktime.example" in page
    assert await hanna.tell("/begin/number", do="publish") == "/begin/number?done=published"
    assert await hanna.tell("/begin/number", do="publish") == "/begin/number?done=published"
    [agent] = await hanna.agents()
    assert agent.published_version == 1
    assert await hanna.at() == "/begin/call" and "mailto:" in await hanna.page("/begin/number")


async def test_a_number_that_another_agent_of_theirs_answers_can_be_moved(
    hanna: Newcomer, pool: list[PhoneNumber]
) -> None:
    await drafted(hanna, credits=100)
    await hanna.tell("/begin/number", number=str(pool[0].id))
    async with hanna.database.transaction(user=hanna.id) as db:
        await db.execute(
            text("UPDATE agents SET active = false, archived_at = now() WHERE user_id = :u"), {"u": hanna.id}
        )
    assert await hanna.at() == "/begin/business"
    await hanna.tell("/begin/business", **{**BUSINESS, "business": "Second Salon"})
    page = words_of(await hanna.page("/begin/number"))
    assert "which another agent answers now" in page
    await hanna.tell("/begin/number", number=str(pool[0].id))
    [number] = await hanna.numbers()
    second = next(agent for agent in await hanna.agents() if agent.business == "Second Salon")
    assert number.agent_id == second.id and second.published_version == 1


async def test_what_is_changed_after_publishing_is_published_again_from_here(
    hanna: Newcomer, pool: list[PhoneNumber]
) -> None:
    await drafted(hanna, credits=100)
    await hanna.tell("/begin/number", number=str(pool[0].id))
    await hanna.tell("/begin/knowledge", address="Mill Street 14")
    assert "Callers hear the older version until you do." in words_of(await hanna.page("/begin/number"))
    assert await hanna.tell("/begin/number", do="publish") == "/begin/number?done=published"
    [agent] = await hanna.agents()
    assert agent.published_version == 2
    assert "Publish" not in words_of(await hanna.page("/begin/number"))


async def test_an_agent_that_is_not_whole_is_not_published_and_no_number_is_taken(
    hanna: Newcomer, pool: list[PhoneNumber]
) -> None:
    await drafted(hanna, credits=100)
    [agent] = await hanna.agents()
    async with hanna.database.transaction(user=hanna.id) as db:
        await drafts.save(db, hanna.id, agent.id, {"greeting": ""}, revision=None)
    refused = await hanna.browser.post("/begin/number", data={"number": str(pool[0].id)})
    assert refused.status_code == 422 and "cannot be published yet" in refused.text
    assert await hanna.numbers() == []


async def test_a_rent_is_said_before_and_charged_with_the_number(
    open_browser: OpenBrowser, own_database: Database, pool: list[PhoneNumber], begin_stage: Stage
) -> None:
    stage = Stage(Settings(public_url=SITE, secret_key=SECRET, number_rent=300), own_database)
    hanna = await drafted(await sign_up(open_browser(stage), own_database), credits=299)
    assert "It costs 300 credits a month" in words_of(await hanna.page("/begin/number"))
    refused = await hanna.browser.post("/begin/number", data={"number": str(pool[0].id)})
    assert refused.status_code == 402 and await hanna.numbers() == []
    await hanna.gets(1)
    await hanna.tell("/begin/number", number=str(pool[0].id))
    [number] = await hanna.numbers()
    assert (number.status, number.rent_credits) == (PhoneStatus.ASSIGNED, 300)


async def test_without_a_payment_company_it_says_whom_to_ask(hanna: Newcomer) -> None:
    await drafted(hanna)
    page = words_of(await hanna.page("/begin/credits"))
    assert "0 credits" in page and "Payments are not set up on this server" in page
    refused = await hanna.browser.post("/begin/credits", data={"pack": str(uuid.uuid4()), "key": "k"})
    assert refused.status_code == 422 and "Nothing can be bought at the moment." in refused.text


@pytest.fixture
async def shopper(counter: Counter, database: Database, open_browser: OpenBrowser) -> Newcomer:
    """Somebody new where credits can be bought."""
    stage = Stage(Settings(public_url=SITE, secret_key=SECRET), database, counter.gateway)
    return await drafted(await sign_up(open_browser(stage), database))


def form_of(page: str, pack: CreditPack) -> dict[str, str]:
    """The fields of a pack's form, as a browser would send them."""
    forms = re.findall(r'<form method="post" action="/begin/credits">.*?</form>', page, re.DOTALL)
    form = next(each for each in forms if str(pack.id) in each)
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


async def test_credits_are_bought_on_the_way_and_one_comes_back_to_it(shopper: Newcomer, counter: Counter) -> None:
    pack = await counter.pack(credits=1000)
    form = form_of(await shopper.page("/begin/credits"), pack)
    answers = await asyncio.gather(*(shopper.browser.post("/begin/credits", data=form) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.headers["refresh"] for answer in answers}) == 1, "a double click buys once"
    back = f"/begin/credits?key={form['key']}"
    waiting = await shopper.browser.get(back)
    assert waiting.headers["refresh"] == "3" and "has not told us yet" in waiting.text
    async with shopper.database.transaction(user=shopper.id) as db:
        [purchase] = await checkout.newest(db, shopper.id)
    await counter.pay(purchase, Means.CARD)
    await counter.told()
    paid = await shopper.browser.get(back)
    words = words_of(paid.text)
    assert "Paid, thank you." in words and "1,000 credits" in words and "refresh" not in paid.headers
    assert await shopper.at() == "/begin/call"


async def test_whoever_turns_back_has_bought_nothing(shopper: Newcomer, counter: Counter) -> None:
    await counter.pack()
    assert "Nothing was bought." in words_of(await shopper.page("/begin/credits?cancelled=true"))
    assert "Paid" not in words_of(await shopper.page(f"/begin/credits?key={uuid.uuid4().hex}"))
    refused = await shopper.browser.post("/begin/credits", data={"pack": "x", "key": "k"})
    assert refused.status_code == 404 and "no such pack" in refused.text


async def test_a_payment_company_that_is_away_loses_nothing(
    counter: Counter, open_browser: OpenBrowser, database: Database
) -> None:
    gone = Simulated(SimulatedGatewayAccount(KEY, WEBHOOK, CONTROL, f"http://127.0.0.1:{free_ports(1)[0]}"))
    stage = Stage(Settings(public_url=SITE, secret_key=SECRET), database, gone)
    hanna = await drafted(await sign_up(open_browser(stage), database))
    pack = await counter.pack()
    form = form_of(await hanna.page("/begin/credits"), pack)
    refused = await hanna.browser.post("/begin/credits", data=form)
    await gone.close()
    assert refused.status_code == 502 and "nothing was charged" in refused.text
