"""The pool of numbers in pages: looked through, given out, taken back, compared with phone companies, bought."""

import re
import uuid

import pytest

from talktime.accounts.models import User
from talktime.db.session import Database
from talktime.numbers import self_test
from talktime.numbers.models import CarrierPhase, PhoneStatus
from talktime.numbers.self_test import Link, SelfTest
from talktime.settings import Settings
from talktime.simulate.orders import NumberFault
from talktime.web.operator import desk
from tests.numbers.conftest import Exchange, exchange, the_exchange
from tests.people import WHY, Person, charges, new_person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.operator.conftest import acts_on
from tests.web.stage import SITE, Stage
from tests.web.test_pages import words_of

__all__ = ["exchange", "the_exchange"]

PATH = "/operator/numbers"
ONE, TWO, THREE = "+442079460011", "+442079460012", "+442079460013"


@pytest.fixture
def database(exchange: Exchange) -> Database:
    """The exchange's."""
    return exchange.database


@pytest.fixture
async def as_ada(open_browser: OpenBrowser, exchange: Exchange, ada: Person) -> Browser:
    """The operator's browser, where the exchange is the phone company."""
    stage = Stage(Settings(public_url=SITE), exchange.database, carriers={"simulated": exchange.carrier})
    return await signed_in(open_browser(stage), exchange.database, ada)


async def email_of(database: Database, person: Person) -> str:
    async with database.transaction(everyone=WHY) as db:
        found = await db.get(User, person.id)
    assert found is not None
    return found.email


async def test_the_pool_is_filtered_and_paged(
    as_ada: Browser, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SHOWN", 2)
    for number in (ONE, TWO, THREE):
        await exchange.add(number)
    page = (await as_ada.get(PATH, params={"begins": "+44 20"})).text
    shown = re.findall(r"\+44 20 7946 00\d\d", page)
    assert shown == ["+44 20 7946 0011", "+44 20 7946 0012"]
    [older] = re.findall(r'href="([^"]+)" rel="next"', page)
    rest = (await as_ada.get(older.replace("&amp;", "&"))).text
    assert re.findall(r"\+44 20 7946 00\d\d", rest) == ["+44 20 7946 0013"] and 'rel="next"' not in rest
    for nothing in ({"begins": "+49"}, {"status": "RELEASED"}, {"carrier": "nobody"}, {"phase": "GONE"}):
        assert "No number is found" in words_of((await as_ada.get(PATH, params=nothing)).text), nothing


async def test_a_number_is_assigned_changed_and_taken_back(
    as_ada: Browser, exchange: Exchange, alice: Person, ada: Person
) -> None:
    row = await exchange.add(ONE)
    path, email = f"{PATH}/{row.id}", await email_of(exchange.database, alice)
    unknown = await as_ada.post(f"{path}/assign", data={"email": "nobody@example.org", "rent_credits": "20"})
    assert unknown.status_code == 422 and "Nobody has this address" in unknown.text
    asked = await as_ada.post(f"{path}/assign", data={"email": email, "rent_credits": "20"})
    assert asked.status_code == 200 and f'value="{alice.agent}"' in asked.text, "first whose, then which agent"
    given = {"email": email, "agent": str(alice.agent), "rent_credits": "20"}
    for _ in range(2):
        done = await as_ada.post(f"{path}/assign", data=given)
        assert done.headers["location"] == f"{path}?done=assigned"
    assert await charges(exchange.database, alice) == [-20], "the first month, once"
    other = await exchange.agent_of(alice)
    changed = await as_ada.post(f"{path}/change", data={"agent": str(other), "rent_credits": "25"})
    assert changed.headers["location"] == f"{path}?done=changed"
    now = await exchange.see(ONE)
    assert (now.agent_id, now.rent_credits, now.status) == (other, 25, PhoneStatus.ASSIGNED)
    assert (await as_ada.post(f"{path}/release")).status_code == 303
    assert (await exchange.see(ONE)).status is PhoneStatus.RELEASED
    assert (await as_ada.post(f"{path}/release")).status_code == 409, "nobody has it any more"
    acts = {act for act, actor in await acts_on(exchange.database, alice) if actor == ada.id}
    assert {"number.assigned", "number.released"} <= acts


async def test_somebody_elses_agent_answers_no_number(
    as_ada: Browser, exchange: Exchange, alice: Person, bob: Person
) -> None:
    row = await exchange.add(ONE)
    email = await email_of(exchange.database, alice)
    refused = await as_ada.post(
        f"{PATH}/{row.id}/assign", data={"email": email, "agent": str(bob.agent), "rent_credits": "0"}
    )
    assert refused.status_code in (404, 422), refused.status_code
    assert (await exchange.see(ONE)).status is PhoneStatus.AVAILABLE


async def test_two_who_assign_the_same_number_do_not_both_get_it(
    as_ada: Browser, exchange: Exchange, alice: Person, bob: Person
) -> None:
    row = await exchange.add(ONE)
    await exchange.give(ONE, bob)
    given = {"email": await email_of(exchange.database, alice), "agent": str(alice.agent), "rent_credits": "0"}
    late = await as_ada.post(f"{PATH}/{row.id}/assign", data=given)
    assert late.status_code == 409 and 'role="alert"' in late.text
    assert (await exchange.see(ONE)).user_id == bob.id


async def test_a_number_is_told_again_and_given_up_once(
    as_ada: Browser, exchange: Exchange, alice: Person, ada: Person
) -> None:
    row = await exchange.add(ONE)
    path = f"{PATH}/{row.id}"
    assert (await as_ada.post(f"{path}/tell")).status_code == 303
    assert (await exchange.see(ONE)).carrier_phase is CarrierPhase.WANTED
    await exchange.give(ONE, alice)
    assert (await as_ada.post(f"{path}/give-up")).status_code == 409, "a customer has it"
    await as_ada.post(f"{path}/release")
    for _ in range(2):
        assert (await as_ada.post(f"{path}/give-up")).status_code == 303
    assert (await exchange.see(ONE)).status is PhoneStatus.RETURNED
    page = words_of((await as_ada.get(path)).text)
    assert "given up" in page and "Release" not in page and "Assign" not in page


async def test_a_number_is_added_by_hand_and_a_wrong_one_is_refused_beside_its_field(
    as_ada: Browser, exchange: Exchange, ada: Person
) -> None:
    for wrong in ("", "call me", "+49 900 1234567"):
        page = await as_ada.post(f"{PATH}/add", data={"number": wrong, "carrier": "simulated"})
        assert page.status_code == 422 and 'id="number-about"' in page.text and wrong in page.text
    assert (await as_ada.post(f"{PATH}/add", data={"number": ONE, "carrier": "none"})).status_code == 422
    for _ in range(2):
        done = await as_ada.post(f"{PATH}/add", data={"number": "+44 20 7946 0011", "carrier": "simulated"})
        assert done.status_code == 303 and done.headers["location"].endswith("?done=added")
    assert (await exchange.see(ONE)).status is PhoneStatus.AVAILABLE


async def test_where_pool_and_company_differ_is_seen_and_numbers_are_taken_in(
    as_ada: Browser, exchange: Exchange
) -> None:
    exchange.company.numbers.put(ONE)
    page = words_of((await as_ada.get(f"{PATH}/drift")).text)
    assert "+44 20 7946 0011" in page and "only there" in page
    done = await as_ada.post(f"{PATH}/import", data={"carrier": "simulated"})
    assert done.status_code == 200 and "Taken in: +44 20 7946 0011" in words_of(done.text)
    again = words_of((await as_ada.post(f"{PATH}/import", data={"carrier": "simulated"})).text)
    assert "Known already: 1" in again
    assert (await as_ada.post(f"{PATH}/import", data={"carrier": "nobody"})).status_code == 422


@pytest.mark.parametrize(("status", "said"), [(500, "did not answer as it should"), (401, "refused")])
async def test_a_company_that_fails_is_said_in_words(
    as_ada: Browser, exchange: Exchange, status: int, said: str
) -> None:
    exchange.company.numbers.go_wrong(NumberFault(what="list", status=status))
    page = await as_ada.get(f"{PATH}/drift")
    assert page.status_code == 200 and said in words_of(page.text)
    exchange.company.numbers.go_wrong(NumberFault(what="search", status=status))
    page = await as_ada.get(f"{PATH}/buy?carrier=simulated&country=GB")
    assert page.status_code == 200 and said in words_of(page.text)
    assert 'value="GB"' in page.text, "what was looked for stands there again"


async def test_a_number_is_bought_once_at_the_price_that_was_shown(
    as_ada: Browser, exchange: Exchange, ada: Person
) -> None:
    page = (await as_ada.get(f"{PATH}/buy?carrier=simulated&country=GB&kind=LOCAL&area=020")).text
    assert "1.15 USD a month each" in page
    form = {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[0] for name in ("carrier", "number", "kind")}
    form |= {"amount_micros": "1150000", "currency": "USD"}
    dearer = await as_ada.post(f"{PATH}/buy", data={**form, "amount_micros": "1150001"})
    assert dearer.status_code == 409 and exchange.company.numbers.orders == 0
    done = await as_ada.post(f"{PATH}/buy", data=form)
    assert done.headers["location"] == f"{PATH}/buy?done=bought"
    again = await as_ada.post(f"{PATH}/buy", data=form)
    assert (again.status_code, exchange.company.numbers.orders) == (409, 1)
    assert "bought" in words_of((await as_ada.get(done.headers["location"])).text)
    for wrong in ({**form, "amount_micros": "x"}, {**form, "carrier": "nobody"}):
        assert (await as_ada.post(f"{PATH}/buy", data=wrong)).status_code == 422


@pytest.mark.parametrize("query", ["country=germany", "country=DE&area=12345678", "country=DE&contains=abc"])
async def test_a_search_that_is_none_is_refused_in_words(as_ada: Browser, query: str) -> None:
    page = await as_ada.get(f"{PATH}/buy?carrier=simulated&{query}")
    assert page.status_code == 422 and 'role="alert"' in page.text


async def test_a_test_says_which_link_is_broken(
    as_ada: Browser, exchange: Exchange, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await exchange.add(ONE)
    path = f"{PATH}/{row.id}"
    assert (await as_ada.post(f"{path}/test")).status_code == 409, "nobody has it, so nobody would answer"
    await exchange.give(ONE, alice)
    for broken, words in ((Link.RING, "broken Its ring comes to us"), (None, "holds The sound comes to us")):
        chain = tuple(Link) if broken is None else tuple(Link)[: tuple(Link).index(broken)]

        came = SelfTest(chain, broken, "", uuid.uuid4())

        async def run(*_: object, came: SelfTest = came, **__: object) -> SelfTest:
            return came

        monkeypatch.setattr(self_test, "run", run)
        page = await as_ada.post(f"{path}/test")
        assert page.status_code == 200 and words in words_of(page.text)


async def test_a_number_that_a_customer_brought_along_says_so(
    as_ada: Browser, exchange: Exchange, alice: Person
) -> None:
    await new_person(exchange.database, "Carol", credits=0)
    row = await exchange.add(ONE)
    async with exchange.database.transaction(everyone=WHY) as db:
        kept = await db.merge(row)
        kept.owner_id = alice.id
    page = words_of((await as_ada.get(f"{PATH}/{row.id}")).text)
    assert "Brought along by" in page and "not proven any more" in page
