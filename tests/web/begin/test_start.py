"""The first page of somebody who is not signed in, and the first hour in German and for others."""

import re

from sqlalchemy import text

from talktime.accounts.models import Role
from talktime.credits import packs
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.numbers.models import PhoneNumber
from talktime.settings import Settings, SignUp
from tests.payments.counter import Counter
from tests.people import WHY, Person
from tests.web.begin.conftest import BUSINESS, Newcomer, sign_up
from tests.web.conftest import Browser, OpenBrowser
from tests.web.doorstep import PASSWORD, invited, unique
from tests.web.stage import SECRET, SITE, Stage
from tests.web.test_pages import words_of

STEPS = ("business", "knowledge", "call", "number", "credits")


async def test_the_start_page_says_what_it_is_and_what_it_costs(
    open_browser: OpenBrowser, begin_stage: Stage, counter: Counter
) -> None:
    stage = Stage(begin_stage.settings, begin_stage.database, counter.gateway)
    async with begin_stage.database.transaction(everyone=WHY) as db:
        pack = await packs.create(db, name="Small", credits=500, price_minor=900, currency="GBP")
    page = words_of((await open_browser(stage).get("/")).text)
    assert "15 credits a minute. Every minute begun counts." in page and "15 credits so far" in page
    assert "Small £9.00 500 credits, about 33 minutes of talk" in page
    browser = open_browser(stage)
    german = words_of((await browser.get("/", headers={"accept-language": "de"})).text)
    assert "15 Credits pro Minute." in german and "9,00 £" in german and "etwa 33 Minuten Gespräch" in german
    without = words_of((await open_browser(begin_stage).get("/")).text)
    assert "Small" not in without, "what cannot be bought is not offered"
    async with begin_stage.database.transaction(everyone=WHY) as db:
        await packs.deactivate(db, pack.id)


async def test_a_price_with_a_fee_and_by_the_second_is_said_as_it_is(
    open_browser: OpenBrowser, empty_database: Database
) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO prices (id, kind, credits_per_minute, connection_fee, initial_seconds, increment_seconds)"
                " VALUES (:id, 'CALL', 1, 5, 1, 1)"
            ),
            {"id": new_id()},
        )
    stage = Stage(Settings(public_url=SITE, secret_key=SECRET), empty_database)
    page = words_of((await open_browser(stage).get("/")).text)
    assert "1 credit a minute, and 5 credits for each call that is answered. It is counted by the second." in page


async def test_where_nothing_is_set_nothing_is_said(open_browser: OpenBrowser, empty_database: Database) -> None:
    stage = Stage(Settings(public_url=SITE, secret_key=SECRET, sign_up=SignUp.INVITED), empty_database)
    page = await open_browser(stage).get("/")
    assert page.status_code == 200 and "a minute" not in page.text and "What it costs" not in page.text
    assert "/sign-up" not in page.text and 'href="/sign-in"' in page.text
    hanna = Newcomer(open_browser(stage), empty_database, new_id())
    path = await invited(empty_database, role=Role.USER)
    form = {"email": unique(), "name": "Hanna", "password": PASSWORD, "locale": "en", "zone": "UTC"}
    assert (await hanna.browser.post(path, data=form)).headers["location"] == "/begin"
    await hanna.tell("/begin/business", **{**BUSINESS, "zone": "UTC"})
    assert "a minute" not in await hanna.page("/begin/call")
    assert "There is no free number" in await hanna.page("/begin/number")


async def test_the_whole_way_in_german(open_browser: OpenBrowser, begin_stage: Stage, pool: list[PhoneNumber]) -> None:
    hanna = await sign_up(open_browser(begin_stage), begin_stage.database, locale="de")
    assert "Friseur" in await hanna.page("/begin/business")
    await hanna.tell("/begin/business", **{**BUSINESS, "language": "de"})
    page = await hanna.page("/begin/knowledge")
    assert "Was soll er wissen?" in page and "Mittwoch" in page and "1 von 5 erledigt" in page
    wrong = await hanna.browser.post("/begin/knowledge", data={"hours_monday": "neun"})
    assert "Schreiben Sie es so: 9–18" in wrong.text
    await hanna.tell("/begin/knowledge", address="Mühlstraße 12", hours_monday="9 bis 17 Uhr")
    assert "Wir haben am Montag" in await hanna.page("/begin/call") or "Montag" in await hanna.page("/begin/call")
    assert "Zuerst ein paar Credits" in await hanna.page("/begin/number")
    refused = await hanna.browser.post("/begin/number", data={"number": str(pool[0].id)})
    assert "Kaufen Sie zuerst Credits" in refused.text
    await hanna.gets(100)
    assert "etwa 6 Minuten Gespräch" in words_of(await hanna.page("/begin/credits"))
    await hanna.tell("/begin/number", number=str(pool[0].id))
    assert [agent.name for agent in await hanna.agents()] == ["Empfang"]
    assert "Ihr Agent ist am Telefon" in await hanna.page("/begin/done")


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_changes_nothing(
    open_browser: OpenBrowser, begin_stage: Stage
) -> None:
    browser = open_browser(begin_stage)
    for address in ("/begin", "/begin/done", *(f"/begin/{step}" for step in STEPS)):
        assert (await browser.get(address)).headers["location"].startswith("/sign-in?next=%2Fbegin")
    for step in ("business", "knowledge", "number", "credits"):
        assert (await browser.post(f"/begin/{step}", data=BUSINESS)).status_code == 401


async def test_bob_sees_and_changes_his_own_alone(
    hanna: Newcomer, open_browser: OpenBrowser, begin_stage: Stage
) -> None:
    await hanna.tell("/begin/business", **{**BUSINESS, "business": "Salon Hanna of Berlin"})
    await hanna.tell("/begin/knowledge", address="Mill Street 99")
    bob = await sign_up(open_browser(begin_stage), begin_stage.database)
    assert await bob.at() == "/begin/business"
    await bob.tell("/begin/business", **{**BUSINESS, "business": "Bob’s bistro"})
    for step in STEPS:
        page = await bob.page(f"/begin/{step}")
        assert "Salon Hanna" not in page and "Mill Street 99" not in page
    await bob.tell("/begin/knowledge", address="Elsewhere 1")
    assert any(entry.answer == "Mill Street 99" for entry in (await hanna.draft()).knowledge)


async def test_whoever_is_complete_is_led_to_the_overview(as_alice: Browser, alice: Person) -> None:
    assert (await as_alice.get("/begin")).headers["location"] == "/"
    page = words_of((await as_alice.get("/begin/done")).text)
    assert "Your agent is on the phone" in page and alice.number[-4:] in page
    await as_alice.post("/begin/knowledge", data={"address": "Mill Street 99"})
    assert "Publish the changes" in (await as_alice.get("/begin/number")).text


async def test_the_panel_may_use_the_microphone_and_no_other_step_may(hanna: Newcomer) -> None:
    await hanna.tell("/begin/business", **BUSINESS)
    await hanna.gets(100)
    policies = {step: (await hanna.browser.get(f"/begin/{step}")).headers["permissions-policy"] for step in STEPS}
    assert [step for step, policy in policies.items() if "microphone=(self)" in policy] == ["call"]
    page = await hanna.page("/begin/call")
    assert re.search(r'name="draft" value="on"', page) and "Calling from the browser needs JavaScript" in page
