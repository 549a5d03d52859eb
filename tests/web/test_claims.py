"""“This was not a real call”: given back at once when short and rare, else decided by a person, once."""

import uuid

import pytest

from talktime.alerts import board
from talktime.credits import money
from talktime.db.session import Database
from tests.people import WHY, Person, charges
from tests.web.account import as_visitor
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import answer, finish
from tests.web.test_pages import words_of
from tests.web.test_signing_in import FROM_ELSEWHERE


@pytest.fixture(scope="module")
def database(own_database: Database) -> Database:
    """Nobody else's claims wait on the operator's page."""
    return own_database


async def charged(database: Database, person: Person, seconds: int) -> uuid.UUID:
    call = await answer(database, person)
    await finish(database, person, call, seconds)
    return call


async def test_a_short_call_is_given_back_at_once_three_times_a_month(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    calls = [await charged(database, alice, 20) for _ in range(4)]
    for call in calls:
        assert "This was not a real call" in (await as_alice.get(f"/calls/{call}")).text
        said = await as_alice.post(f"/calls/{call}/claim", data={"reason": "spam"})
        assert (said.status_code, said.headers["location"]) == (303, f"/calls/{call}?done=claimed")
    words = [words_of((await as_alice.get(f"/calls/{call}")).text) for call in calls]
    for given in words[:3]:
        assert "What it had cost is back in your balance: 15 credits." in given
        assert "Not charged: it was spam." in given and "Given back Balance" in given
        assert "This was not a real call" not in given
    assert "Somebody looks at it; you are told by mail." in words[3] and "Charged 15 credits" in words[3]
    assert await charges(database, alice) == [-15, -15, -15, -15, 15, 15, 15]


@pytest.mark.parametrize(("seconds", "given_back"), [(29, [15]), (30, [])])
async def test_29_seconds_are_given_back_at_once_and_30_are_not(
    as_alice: Browser, database: Database, alice: Person, seconds: int, given_back: list[int]
) -> None:
    call = await charged(database, alice, seconds)
    assert (await as_alice.post(f"/calls/{call}/claim", data={"reason": "spam"})).status_code == 303
    waits = "Somebody looks at it" in words_of((await as_alice.get(f"/calls/{call}")).text)
    assert waits == (seconds == 30)
    assert await charges(database, alice) == [-15, *given_back]


async def test_a_long_call_waits_for_the_operator_and_says_what_was_decided(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    granted, refused = await charged(database, alice, 45), await charged(database, alice, 50)
    for call in (granted, refused):
        await as_alice.post(f"/calls/{call}/claim", data={"reason": "wrong_number"})
        again = await as_alice.post(f"/calls/{call}/claim", data={"reason": "wrong_number"})
        assert again.status_code == 303, "asked twice is asked once"
    as_ada = await signed_in(open_browser(), database, ada)
    page = (await as_ada.get("/operator/money")).text
    assert f"/operator/money/claims/{alice.id}/{granted}" in page and "0:45, 15 credits" in words_of(page)
    for call, do in ((granted, "grant"), (refused, "refuse"), (granted, "grant")):
        assert (await as_ada.post(f"/operator/money/claims/{alice.id}/{call}", data={"do": do})).status_code == 303
    other = await as_ada.post(f"/operator/money/claims/{alice.id}/{granted}", data={"do": "refuse"})
    assert (other.status_code, "already" in other.text) == (409, True)
    assert "is back in your balance" in (await as_alice.get(f"/calls/{granted}")).text
    assert "the charge stays" in (await as_alice.get(f"/calls/{refused}")).text
    assert await charges(database, alice) == [-15, -15, 15]


async def open_claims(database: Database, person: Person) -> list[str]:
    """The calls whose claims somebody still has an alert about."""
    async with database.transaction(everyone=WHY) as db:
        found = await board.open_alerts(db, limit=1000)
    return [str(each.detail["call_id"]) for each in found if (each.kind, each.user_id) == ("charge_claimed", person.id)]


async def test_a_claim_that_was_decided_takes_its_alert_along_in_the_name_of_who_decided(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    calls = [await charged(database, alice, seconds) for seconds in (45, 50, 55)]
    for call in calls:
        await as_alice.post(f"/calls/{call}/claim", data={"reason": "spam"})
    granted, refused, waiting = calls
    assert sorted(await open_claims(database, alice)) == sorted(str(call) for call in calls)
    as_ada = await signed_in(open_browser(), database, ada)
    for call, do in ((granted, "grant"), (refused, "refuse"), (granted, "grant")):
        await as_ada.post(f"/operator/money/claims/{alice.id}/{call}", data={"do": do})
    assert await open_claims(database, alice) == [str(waiting)]
    async with database.transaction(everyone=WHY) as db:
        gone = {
            each.detail["call_id"]: (each.acknowledged_by, each.note)
            for each in await board.newest_alerts(db)
            if each.user_id == alice.id and each.acknowledged_at is not None
        }
    assert gone == {
        str(granted): ("Ada", "The claim was granted."),
        str(refused): ("Ada", "The claim was refused."),
    }


async def test_a_decision_that_fails_leaves_the_alert(database: Database, alice: Person, ada: Person) -> None:
    call = await charged(database, alice, 45)
    async with database.transaction(user=alice.id) as db:
        await money.claim(db, alice.id, call, "spam")
    with pytest.raises(ZeroDivisionError):
        async with database.transaction(everyone=WHY) as db:
            await money.decide_claim(db, alice.id, call, grant=True, actor=ada.id)
            raise ZeroDivisionError
    assert await open_claims(database, alice) == [str(call)]


async def test_a_claim_that_is_granted_by_itself_leaves_nobody_an_alert(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await charged(database, alice, 20)
    for _ in range(2):
        await as_alice.post(f"/calls/{call}/claim", data={"reason": "spam"})
    assert await charges(database, alice) == [-15, 15]
    assert await open_claims(database, alice) == []


async def test_bob_claims_nothing_of_alices(as_bob: Browser, database: Database, alice: Person) -> None:
    call = await charged(database, alice, 20)
    for unknown in (call, uuid.uuid4()):
        assert (await as_bob.post(f"/calls/{unknown}/claim", data={"reason": "spam"})).status_code == 404
    assert await charges(database, alice) == [-15]


async def test_who_is_not_signed_in_claims_nothing(browser: Browser, database: Database, alice: Person) -> None:
    call = await charged(database, alice, 20)
    assert (await browser.post(f"/calls/{call}/claim", data={"reason": "spam"})).status_code == 401
    assert await charges(database, alice) == [-15]


@pytest.mark.parametrize("headers", FROM_ELSEWHERE[:4], ids=str)
async def test_no_other_site_claims_for_alice(
    as_alice: Browser, database: Database, alice: Person, headers: dict[str, str]
) -> None:
    call = await charged(database, alice, 20)
    refused = await as_alice.post(f"/calls/{call}/claim", data={"reason": "spam"}, headers=headers)
    assert refused.status_code == 403
    assert await charges(database, alice) == [-15]


@pytest.mark.parametrize("reason", ["", "platform_fault", "SPAM", "x" * 500, "spam'; DROP TABLE calls; --"])
async def test_a_reason_that_is_none_changes_nothing(
    as_alice: Browser, database: Database, alice: Person, reason: str
) -> None:
    call = await charged(database, alice, 20)
    assert (await as_alice.post(f"/calls/{call}/claim", data={"reason": reason})).status_code == 422
    assert await charges(database, alice) == [-15]


async def test_a_call_that_cost_nothing_or_still_runs_cannot_be_claimed(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    free = await answer(database, alice)
    await finish(database, alice, free, 0)
    running = await answer(database, alice)
    for call in (free, running):
        assert "This was not a real call" not in (await as_alice.get(f"/calls/{call}")).text
        assert (await as_alice.post(f"/calls/{call}/claim", data={"reason": "spam"})).status_code == 409


async def test_an_operator_in_her_place_says_nothing_of_her_calls(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    """It would give away money in her name, and the one who asks would be the one who decides."""
    call = await charged(database, alice, 20)
    visitor = await as_visitor(open_browser(), database, ada, alice)
    assert "This was not a real call" not in (await visitor.get(f"/calls/{call}")).text
    assert (await visitor.post(f"/calls/{call}/claim", data={"reason": "spam"})).status_code == 403
    assert await charges(database, alice) == [-15]
