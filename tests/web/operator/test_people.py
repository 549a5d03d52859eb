"""People, as the operator sees them, and what is done about them: by name, once, with a reason."""

import re
import uuid

import pytest
from sqlalchemy import text

from talktime.db.session import Database
from talktime.web.operator import desk
from tests.people import WHY, Person, charges, new_person
from tests.web.account import a_while_later, row_of
from tests.web.conftest import Browser, OpenBrowser
from tests.web.operator.conftest import acts_on
from tests.web.stage import answer, finish
from tests.web.test_pages import words_of

PATH = "/operator/users"


def reference_in(page: str) -> str:
    """What a form about credits carries, so that it is posted once."""
    [found] = re.findall(r'name="reference" value="([^"]+)"', page)
    return str(found)


async def test_people_are_found_by_a_part_of_name_or_address(as_ada: Browser, database: Database) -> None:
    maria = await new_person(database, "Maria", credits=0)
    for search in ("maria", "MARI", maria.id.hex[:12]):
        page = (await as_ada.get(PATH, params={"search": search})).text
        assert f"{PATH}/{maria.id}" in page, search
    nobody = words_of((await as_ada.get(PATH, params={"search": "nobody at all"})).text)
    assert "Nobody is found" in nobody and "take the filters away" in nobody


async def test_the_list_goes_on_where_it_ended_and_shows_everybody_once(
    as_ada: Browser, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SHOWN", 2)
    tag = uuid.uuid4().hex[:8]
    for no in range(5):
        await new_person(database, f"Page{tag}{no}", credits=0)
    seen: list[str] = []
    address = f"{PATH}?search=page{tag}"
    for _ in range(4):
        page = (await as_ada.get(address)).text
        seen += re.findall(rf"<b>(Page{tag}\d)</b>", page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        if older is None:
            break
        address = older[1].replace("&amp;", "&")
    assert seen == [f"Page{tag}{no}" for no in (4, 3, 2, 1, 0)]
    assert f'href="{PATH}?search=page{tag}"' in page, "the last page leads back to the first"


async def test_somebody_is_suspended_with_a_reason_and_let_in_again(
    as_ada: Browser, as_alice: Browser, database: Database, alice: Person, ada: Person
) -> None:
    refused = await as_ada.post(f"{PATH}/{alice.id}/suspend", data={"reason": ""})
    assert refused.status_code == 422 and 'id="reason-about"' in refused.text
    for _ in range(2):
        done = await as_ada.post(f"{PATH}/{alice.id}/suspend", data={"reason": "unpaid dispute"})
        assert done.headers["location"] == f"{PATH}/{alice.id}?done=suspended"
    page = (await as_ada.get(done.headers["location"])).text
    assert "unpaid dispute" in page and "Nobody signs in" in page
    assert (await as_alice.get("/settings")).status_code == 303, "she is signed out"
    for _ in range(2):
        assert (await as_ada.post(f"{PATH}/{alice.id}/activate")).status_code == 303
    acts = [each for each in await acts_on(database, alice) if each[0].startswith("user.")]
    assert acts == [("user.suspended", ada.id), ("user.suspended", ada.id), ("user.activated", ada.id)]
    # Nobody locks themselves out.
    own = await as_ada.post(f"{PATH}/{ada.id}/suspend", data={"reason": "me"})
    assert (own.status_code, "let another operator do it" in own.text) == (409, True)


async def test_credits_are_given_once_for_each_form(
    as_ada: Browser, database: Database, alice: Person, ada: Person
) -> None:
    form = (await as_ada.get(f"{PATH}/{alice.id}/adjust")).text
    given = {"amount": "200", "reason": "for the outage", "reference": reference_in(form)}
    for _ in range(2):
        done = await as_ada.post(f"{PATH}/{alice.id}/adjust", data=given)
        assert done.headers["location"].endswith("done=adjusted")
    assert await charges(database, alice) == [200]
    assert await acts_on(database, alice) == [("credits.adjusted", ada.id)]
    # The same form with other words is another adjustment, and there is only one of this name.
    other = await as_ada.post(f"{PATH}/{alice.id}/adjust", data={**given, "amount": "300"})
    assert (other.status_code, await charges(database, alice)) == (409, [200])


async def test_more_than_the_days_limit_waits_for_somebody_else(
    as_ada: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    form = (await as_ada.get(f"{PATH}/{alice.id}/adjust")).text
    given = {"amount": "50,000", "reason": "a large one", "reference": reference_in(form)}
    done = await as_ada.post(f"{PATH}/{alice.id}/adjust", data=given)
    assert done.headers["location"].endswith("done=asked")
    page = words_of((await as_ada.get(done.headers["location"])).text)
    assert "Another operator has to say yes" in page and "+50,000" in page
    assert await charges(database, alice) == []


@pytest.mark.parametrize(
    ("amount", "reason", "field"),
    [("", "why", "amount"), ("0", "why", "amount"), ("1.5", "why", "amount"), ("x", "why", "amount"),
     ("9" * 40, "why", "amount"), ("--5", "why", "amount"), ("5", "", "reason"), ("²", "why", "amount")],
    ids=range(8),
)  # fmt: skip
async def test_an_adjustment_that_is_none_is_refused_beside_its_field_and_loses_nothing(
    *, as_ada: Browser, database: Database, alice: Person, amount: str, reason: str, field: str
) -> None:
    given = {"amount": amount, "reason": reason, "as_debt": "on", "reference": "mine"}
    page = await as_ada.post(f"{PATH}/{alice.id}/adjust", data=given)
    assert page.status_code == 422 and f'id="{field}-about"' in page.text
    assert reason in page.text and 'name="as_debt" checked' in page.text and 'value="mine"' in page.text
    assert await charges(database, alice) == []


async def test_more_than_is_free_is_taken_only_as_debt(as_ada: Browser, database: Database, alice: Person) -> None:
    given = {"amount": "−5000", "reason": "a chargeback", "reference": uuid.uuid4().hex}
    refused = await as_ada.post(f"{PATH}/{alice.id}/adjust", data=given)
    assert refused.status_code >= 400 and 'role="alert"' in refused.text
    assert await charges(database, alice) == []
    done = await as_ada.post(f"{PATH}/{alice.id}/adjust", data={**given, "as_debt": "on"})
    assert done.status_code == 303 and await charges(database, alice) == [-5000]


async def test_the_limits_of_an_account_are_kept_and_wrong_ones_are_not(
    as_ada: Browser, database: Database, alice: Person, ada: Person
) -> None:
    wrong = await as_ada.post(f"{PATH}/{alice.id}/limits", data={"grace_limit": "-1", "max_open_calls": "many"})
    assert wrong.status_code == 422 and wrong.text.count('aria-invalid="true"') == 2 and 'value="many"' in wrong.text
    done = await as_ada.post(f"{PATH}/{alice.id}/limits", data={"grace_limit": "40", "max_open_calls": "3"})
    assert done.headers["location"].endswith("done=limits")
    page = (await as_ada.get(f"{PATH}/{alice.id}/limits")).text
    assert 'name="grace_limit" value="40"' in page and 'name="max_open_calls" value="3"' in page
    assert await acts_on(database, alice) == [("limits.set", ada.id)]


async def test_who_becomes_an_operator_is_one_and_is_signed_out(
    as_ada: Browser, as_alice: Browser, database: Database, alice: Person
) -> None:
    page = (await as_ada.get(f"{PATH}/{alice.id}/role")).text
    assert 'name="role" value="ADMIN"' in page
    for _ in range(2):
        assert (await as_ada.post(f"{PATH}/{alice.id}/role", data={"role": "ADMIN"})).status_code == 303
    assert (await row_of(database, alice)).role == "ADMIN"
    assert (await as_alice.get("/settings")).status_code == 303
    assert (await as_ada.post(f"{PATH}/{alice.id}/role", data={"role": "USER"})).status_code == 303
    assert (await row_of(database, alice)).role == "USER"


async def test_somebody_is_signed_out_everywhere(as_ada: Browser, as_alice: Browser, alice: Person) -> None:
    for _ in range(2):
        assert (await as_ada.post(f"{PATH}/{alice.id}/sign-out")).status_code == 303
    assert (await as_alice.get("/settings")).status_code == 303


async def test_nobody_takes_off_their_own_second_factor(as_ada: Browser, alice: Person, ada: Person) -> None:
    assert (await as_ada.post(f"{PATH}/{alice.id}/reset-second-factor")).status_code == 303
    assert (await as_ada.post(f"{PATH}/{ada.id}/reset-second-factor")).status_code == 409


async def test_an_operator_signs_in_as_a_customer_with_a_reason_and_a_password_typed_lately(
    as_ada: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    none = await as_ada.post(f"{PATH}/{alice.id}/visit", data={"reason": "curiosity"})
    assert none.status_code == 422 and 'id="reason-about"' in none.text
    made = await as_ada.post(f"{PATH}/{alice.id}/visit", data={"reason": "billing"})
    [link] = re.findall(r"<code>https://talktime.example(/sign-in/[^<]+)</code>", made.text)
    visitor = open_browser()
    assert (await visitor.post(link)).status_code == 303
    assert "alice" in (await visitor.get("/settings")).text
    assert await acts_on(database, alice) == [("visit.allowed", ada.id)]
    assert (await open_browser().post(link)).status_code == 410, "once"
    await a_while_later(database, ada)
    asked = await as_ada.post(f"{PATH}/{alice.id}/visit", data={"reason": "billing"})
    assert (asked.status_code, asked.headers["location"].startswith("/confirm?next=")) == (303, True)
    assert (await as_ada.get(f"{PATH}/{alice.id}/role")).headers["location"].startswith("/confirm?next=")


async def test_nobody_signs_in_as_an_operator(as_ada: Browser, database: Database) -> None:
    bert = await new_person(database, "Bert", credits=0, admin=True)
    refused = await as_ada.post(f"{PATH}/{bert.id}/visit", data={"reason": "billing"})
    assert (refused.status_code, "Nobody signs in as an operator" in refused.text) == (409, True)


async def test_an_account_is_closed_only_by_who_types_its_address(
    open_browser: OpenBrowser, as_ada: Browser, database: Database
) -> None:
    carol = await new_person(database, "Carol", credits=5)
    email = (await row_of(database, carol)).email
    wrong = await as_ada.post(f"{PATH}/{carol.id}/close", data={"email": "else@example.org"})
    assert wrong.status_code == 422 and 'id="email-about"' in wrong.text
    assert (await row_of(database, carol)).status == "ACTIVE"
    question = words_of((await as_ada.get(f"{PATH}/{carol.id}/close")).text)
    assert email in question and "5 credits are left" in question


async def test_somebody_is_let_in_by_a_link_that_is_shown_once(as_ada: Browser, open_browser: OpenBrowser) -> None:
    made = await as_ada.post(f"{PATH}/invite", data={"email": "", "role": "USER", "locale": "en"})
    [link] = re.findall(r"<code>https://talktime.example(/welcome/[^<]+)</code>", made.text)
    assert (await open_browser().get(link)).status_code == 200
    wrong = await as_ada.post(f"{PATH}/invite", data={"email": "no address", "role": "USER", "locale": "en"})
    assert wrong.status_code == 422 and "no address" in wrong.text


async def test_the_page_of_a_person_holds_no_caller_and_no_word_of_a_call(
    as_ada: Browser, database: Database, alice: Person
) -> None:
    caller = "+15550188999"
    call = await answer(database, alice, caller)
    await finish(database, alice, call, 30)
    for path in (f"{PATH}/{alice.id}", f"{PATH}/{alice.id}/calls/{call}"):
        page = (await as_ada.get(path)).text
        assert (caller[-7:] not in page and "15 credits" in page) or "15" in page
    bob = await new_person(database, "Bob", credits=0)
    assert (await as_ada.get(f"{PATH}/{bob.id}/calls/{call}")).status_code == 404


async def test_a_call_is_forgiven_once_with_a_reason(
    as_ada: Browser, database: Database, alice: Person, ada: Person
) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    path = f"{PATH}/{alice.id}/calls/{call}/waive"
    none = await as_ada.post(path, data={"reason": "pity"})
    assert none.status_code == 422 and await charges(database, alice) == [-15]
    for _ in range(2):
        assert (await as_ada.post(path, data={"reason": "platform_fault"})).status_code == 303
    assert await charges(database, alice) == [-15, 15]
    assert ("call.waived", ada.id) in await acts_on(database, alice)
    assert "Do not charge it" not in words_of((await as_ada.get(path.removesuffix("/waive"))).text)


async def test_what_is_done_stands_in_the_audit_log_with_the_door(
    as_ada: Browser, database: Database, alice: Person
) -> None:
    await as_ada.post(f"{PATH}/{alice.id}/suspend", data={"reason": "a secret reason"})
    async with database.transaction(everyone=WHY) as db:
        row = (
            await db.execute(
                text("SELECT door, after FROM audit_entries WHERE user_id = :user ORDER BY seq DESC LIMIT 1"),
                {"user": alice.id},
            )
        ).one()
    assert (row.door, row.after) == ("web", {"status": "SUSPENDED"}), "and no word that somebody typed"
