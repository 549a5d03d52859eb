"""API keys: made with what they may do, shown once, and revoked."""

import re
import uuid

import pytest

from talktime.accounts import keys
from talktime.db.session import Database
from tests.people import Person
from tests.web.account import acts_about, as_visitor
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.test_pages import words_of

PATH = "/settings/keys"
KEY = re.compile(r"tt_live_[A-Za-z0-9_-]{43}")


async def made(browser: Browser, name: str = "Bookkeeping") -> str:
    answer = await browser.post(
        f"{PATH}/new", data={"name": name, "scope-calls:read": "on", "scope-credits:read": "on"}
    )
    assert answer.status_code == 200, words_of(answer.text)
    [key] = set(KEY.findall(answer.text))
    return str(key)


async def found(database: Database, key: str) -> keys.KeyIdentity | None:
    found = await keys.enter(database, b"a secret of this test", key, address=None, per_minute=600, burst=100)
    return found[0] if found is not None else None


def revoke_path(page: str) -> str:
    path = re.search(r'href="(/settings/keys/[^"]+/revoke)"', page)
    assert path is not None
    return path[1]


async def test_alice_makes_a_key_that_is_shown_once_and_does_what_she_let_it(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    assert "No key yet" in words_of((await as_alice.get(PATH)).text)
    key = await made(as_alice)
    identity = await found(database, key)
    assert identity is not None
    assert identity.user_id == alice.id
    assert identity.scopes == {"calls:read", "credits:read"}
    page = (await as_alice.get(PATH)).text
    assert key not in page
    assert key[:12] in page
    assert "read calls and what was said · see credits and statements" in words_of(page)
    assert "Last used today," in words_of(page), "it was just used"
    assert "No key yet" in words_of((await as_bob.get(PATH)).text)
    assert "key.made" in [entry.act for entry in await acts_about(database, alice)]


async def test_a_name_is_shown_as_it_is_and_does_nothing(as_alice: Browser) -> None:
    await made(as_alice, "<script>alert(1)</script>")
    page = (await as_alice.get(PATH)).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("data", "field", "said"),
    [
        ({"name": "", "scope-calls:read": "on"}, "name", "Give the key a name"),
        ({"name": "x" * 81, "scope-calls:read": "on"}, "name", "Give the key a name"),
        ({"name": "a\nb", "scope-calls:read": "on"}, "name", "Give the key a name"),
        ({"name": "Bookkeeping"}, "scopes", "Choose at least one thing"),
        ({"name": "Bookkeeping", "scope-everything": "on"}, "scopes", "Choose at least one thing"),
    ],
)
async def test_what_is_missing_is_said_beside_its_field_and_what_was_typed_stays(
    as_alice: Browser, data: dict[str, str], field: str, said: str
) -> None:
    answer = await as_alice.post(f"{PATH}/new", data=data)
    assert answer.status_code == 422
    assert f'id="{field}-about">{said}' in answer.text
    assert " autofocus" in answer.text
    if field == "scopes":
        assert 'value="Bookkeeping"' in answer.text
    else:
        assert re.search(r'name="scope-calls:read" checked', answer.text)
    assert not KEY.search(answer.text)


async def test_a_revoked_key_opens_nothing_and_bob_revokes_none_of_alices(
    as_alice: Browser, as_bob: Browser, database: Database
) -> None:
    key = await made(as_alice)
    path = revoke_path((await as_alice.get(PATH)).text)
    assert (await as_bob.get(path)).status_code == 404
    await as_bob.post(path)
    assert await found(database, key) is not None

    assert "Bookkeeping" in (await as_alice.get(path)).text
    answer = await as_alice.post(path)
    assert answer.headers["location"] == f"{PATH}?done=key-revoked"
    assert await found(database, key) is None
    assert (await as_alice.post(path)).status_code == 303, "twice is as good as once"
    assert (await as_alice.get(path)).status_code == 404
    assert (await as_alice.get(f"{PATH}/{uuid.uuid4()}/revoke")).status_code == 404
    assert (await as_alice.get(f"{PATH}/nothing/revoke")).status_code == 404


async def test_there_are_twenty_keys_at_most(as_alice: Browser) -> None:
    for _ in range(20):
        await made(as_alice)
    answer = await as_alice.post(f"{PATH}/new", data={"name": "one more", "scope-calls:read": "on"})
    assert answer.status_code == 409
    assert "There are 20 keys already" in words_of(answer.text)


async def test_an_operator_in_her_place_makes_and_revokes_no_key(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    key = await made(as_alice)
    visitor = await as_visitor(open_browser(), database, ada, alice)
    page = (await visitor.get(PATH)).text
    for path in (f"{PATH}/new", revoke_path(page)):
        assert (await visitor.get(path)).status_code == 403, path
        assert (await visitor.post(path, data={"name": "x", "scope-calls:read": "on"})).status_code == 403, path
    assert await found(database, key) is not None


async def test_in_german(as_alice: Browser) -> None:
    await as_alice.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    assert "Noch kein Schlüssel" in (await as_alice.get(PATH)).text
    answer = await as_alice.post(f"{PATH}/new", data={"name": ""})
    assert "Geben Sie dem Schlüssel einen Namen" in words_of(answer.text)
    await made(as_alice)
    page = words_of((await as_alice.get(PATH)).text)
    assert "Anrufe lesen und was gesagt wurde · Guthaben und Auszüge sehen" in page
    assert "Nie benutzt" in page


async def test_what_operators_do_is_offered_to_operators_alone(
    as_alice: Browser, open_browser: OpenBrowser, database: Database, ada: Person
) -> None:
    page = (await as_alice.get(f"{PATH}/new")).text
    assert all(f"scope-{scope}" in page for scope in set(keys.Scope) - keys.OPERATORS_SCOPES)
    assert "scope-admin" not in page
    forced = await as_alice.post(f"{PATH}/new", data={"name": "more", "scope-admin:write": "on"})
    assert forced.status_code == 422
    operator = await signed_in(open_browser(), database, ada)
    assert "do what operators do" in (await operator.get(f"{PATH}/new")).text
    answer = await operator.post(f"{PATH}/new", data={"name": "all", "scope-admin:read": "on"})
    [key] = set(KEY.findall(answer.text))
    identity = await found(database, key)
    assert identity is not None
    assert identity.scopes == {"admin:read"}
