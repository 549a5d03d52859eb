"""Every page of the operator's: there for operators alone, in both languages, without a broken word in it."""

import re
import uuid

import pytest
from sqlalchemy import update

from talktime.accounts.models import User
from talktime.db.session import Database
from tests.payments.counter import Counter
from tests.people import WHY, Person
from tests.web.account import as_visitor
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.operator.conftest import PAGES, addresses, one_of_each
from tests.web.test_pages import words_of

_FORMS = (
    "/operator/users/invite", "/operator/users/{id}/suspend", "/operator/users/{id}/activate",
    "/operator/users/{id}/adjust", "/operator/users/{id}/limits", "/operator/users/{id}/role",
    "/operator/users/{id}/sign-out", "/operator/users/{id}/reset-second-factor", "/operator/users/{id}/visit",
    "/operator/users/{id}/close", "/operator/users/{id}/calls/{id}/waive", "/operator/numbers/add",
    "/operator/numbers/import", "/operator/numbers/buy", "/operator/numbers/{id}/assign",
    "/operator/numbers/{id}/change", "/operator/numbers/{id}/release", "/operator/numbers/{id}/give-up",
    "/operator/numbers/{id}/tell", "/operator/numbers/{id}/test", "/operator/prices/new",
    "/operator/prices/follow-list/{id}/CALL", "/operator/prices/packs/new", "/operator/prices/packs/{id}",
    "/operator/prices/packs/{id}/switch", "/operator/money/alerts/{id}", "/operator/money/claims/{id}/{id}",
    "/operator/money/approvals/{id}", "/operator/money/purchases/{id}/{id}/refund", "/operator/events/replay",
    "/operator/events/{id}/replay", "/operator/events/{id}/reveal", "/operator/jobs/1/again",
)  # fmt: skip


async def test_an_operator_sees_every_page_and_nobody_else_finds_one(
    *,
    counter: Counter,
    database: Database,
    as_ada: Browser,
    as_alice: Browser,
    browser: Browser,
    alice: Person,
    ada: Person,
) -> None:
    await one_of_each(counter, alice, ada)
    for path in await addresses(counter, alice):
        page = await as_ada.get(path)
        assert page.status_code == 200, (path, words_of(page.text)[-200:])
        assert (await as_alice.get(path)).status_code == 404, path
        assert (await browser.get(path)).status_code == 303, path


async def test_every_page_is_german_for_who_reads_german(
    counter: Counter, database: Database, as_ada: Browser, alice: Person, ada: Person
) -> None:
    await one_of_each(counter, alice, ada)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == ada.id).values(locale="de"))
    for path in await addresses(counter, alice):
        page = (await as_ada.get(path)).text
        assert '<html lang="de">' in page, path
        # Words that no German page says by itself.
        assert not re.search(r"\b(the|whose|they|anybody|nothing|waits?)\b", _without_ids(words_of(page))), path


def _without_ids(words: str) -> str:
    """Without what is no word of a page: names, verdicts and acts are as programs say them."""
    return words.replace("nothing to do", "").replace("talktime", "")


async def test_an_operator_in_a_customers_place_finds_none_of_them(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    visitor = await as_visitor(open_browser(), database, ada, alice)
    for path in PAGES:
        if "{" not in path:
            assert (await visitor.get(path)).status_code == 404, path


async def test_no_deed_is_done_by_a_customer_or_a_stranger(as_alice: Browser, browser: Browser, bob: Person) -> None:
    for form in _FORMS:
        path = form.format(id=bob.id)
        assert (await as_alice.post(path, data={"reason": "x", "amount": "5"})).status_code == 404, path
        assert (await browser.post(path, data={"reason": "x"})).status_code == 401, path


async def test_what_there_is_not_is_not_found(as_ada: Browser) -> None:
    nobody = uuid.uuid4()
    for path in PAGES:
        if "{" in path:
            names = dict.fromkeys(("user", "call", "number", "pack", "purchase", "event"), nobody)
            page = await as_ada.get(path.format(**names))
            assert page.status_code == 404, path
    for path in ("/operator/users/x", "/operator/events/x", "/operator/numbers/x"):
        assert (await as_ada.get(path)).status_code == 404, path


@pytest.mark.parametrize(
    "path",
    [
        "/operator/users?before=x", "/operator/money/purchases?before=2026-01-01", "/operator/events?before=1",
        "/operator/audit?before=x", "/operator/jobs?before=x", "/operator/unbilled?before=x,y",
        "/operator/jobs?before=-1", "/operator/money/purchases?before=2026-01-01T00:00:00,x",
        f"/operator/money/purchases?before=2026-01-01T00:00:00,{uuid.UUID(int=7)}",
        "/operator/prices/history?before=%00",
    ],
)  # fmt: skip
async def test_a_place_that_is_none_is_refused_in_words(as_ada: Browser, path: str) -> None:
    page = await as_ada.get(path)
    assert (page.status_code == 422 and "first page again" in words_of(page.text)) or "newest page again" in page.text


@pytest.mark.parametrize(
    "query", ["status=NONE", "role=KING", "search=%00", "search=" + "x" * 3000, "before=", "status=&role=&search="]
)
async def test_a_filter_that_says_nothing_lets_all_pass(as_ada: Browser, query: str) -> None:
    assert (await as_ada.get(f"/operator/users?{query}")).status_code == 200


async def test_the_operators_place_is_offered_to_operators_alone(
    as_ada: Browser, as_alice: Browser, open_browser: OpenBrowser, database: Database, bob: Person
) -> None:
    assert 'href="/operator' in (await as_ada.get("/operator/users")).text
    for customer in (as_alice, await signed_in(open_browser(), database, bob)):
        assert 'href="/operator' not in (await customer.get("/settings")).text
