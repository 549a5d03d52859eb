"""Taking one's data along, and forgetting somebody who called."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from talktime.accounts import sessions
from talktime.calls.models import Call, Turn
from talktime.db.session import Database, connect
from talktime.privacy import export
from talktime.privacy.alone import alone
from talktime.web import exporting
from tests.people import WHY, Person
from tests.web.account import acts_about, as_visitor
from tests.web.conftest import Browser, OpenBrowser
from tests.web.stage import Stage, answer, finish, say
from tests.web.test_pages import words_of

PATH = "/settings/data"
CALLER = "+493090182012"


@pytest.fixture(autouse=True)
async def nothing_runs() -> AsyncIterator[None]:
    yield
    assert not exporting._RUNNING, "an export that is over blocks the next one"


async def called(database: Database, person: Person, caller: str = CALLER) -> None:
    call = await answer(database, person, caller)
    await say(database, person, call, 1, "Hello, how can I help?")
    await say(database, person, call, 2, f"Call me back at {caller}.")
    await finish(database, person, call, 40)


async def callers_of(database: Database, person: Person) -> list[str | None]:
    async with database.transaction(user=person.id) as db:
        return list((await db.scalars(select(Call.caller).order_by(Call.id))).all())


async def said_to(database: Database, person: Person) -> list[str]:
    async with database.transaction(user=person.id) as db:
        return list((await db.scalars(select(Turn.text))).all())


async def test_alice_takes_everything_along_that_is_hers_and_nothing_of_bobs(
    as_alice: Browser, database: Database, alice: Person, bob: Person
) -> None:
    await called(database, alice)
    await called(database, bob, "+493077777777")
    response = await as_alice.post(f"{PATH}/export")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"].startswith('attachment; filename="talktime-')
    assert response.headers["content-disposition"].endswith('.zip"')
    assert response.headers["x-content-type-options"] == "nosniff"
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    names = archive.namelist()
    assert {"README.txt", "calls.csv", "ledger.csv"} <= set(names)
    everything = b"".join(archive.read(name) for name in names if not name.endswith(".pdf"))
    assert CALLER.encode() in everything
    assert b"+493077777777" not in everything
    assert str(bob.id).encode() not in everything
    [entry] = [entry for entry in await acts_about(database, alice) if entry.act == "user.exported"]
    assert (entry.actor_id, entry.door) == (alice.id, "web")


async def test_a_new_account_exports_what_little_there_is(as_alice: Browser) -> None:
    response = await as_alice.post(f"{PATH}/export")
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    lists = [name for name in archive.namelist() if name.endswith(".json")]
    assert lists
    for name in lists:
        json.loads(archive.read(name))
    assert (await as_alice.post(f"{PATH}/export")).status_code == 200, "as often as one likes, one after the other"


async def test_a_second_export_beside_a_running_one_is_refused_in_words(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    """Whichever process makes it: nothing here knows of the first one but the database."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    elsewhere = connect(url)
    async with database.transaction(everyone=WHY) as db:
        identity = await sessions.identify(db, await sessions.begin(db, alice.id, address=None, browser=None))
    assert identity is not None
    first = export.stream_own(elsewhere, identity)
    assert await anext(first)
    response = await as_alice.post(f"{PATH}/export")
    assert response.status_code == 409
    assert "Your export is being sent already." in words_of(response.text)
    assert 'role="alert"' in response.text
    assert (await as_bob.post(f"{PATH}/export")).status_code == 200
    await first.aclose()
    await elsewhere.close()
    assert (await as_alice.post(f"{PATH}/export")).status_code == 200


async def test_an_export_whose_process_died_blocks_nothing(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    async with alone(database, f"export {alice.id}") as is_alone:
        assert is_alone
        assert (await as_alice.post(f"{PATH}/export")).status_code == 409
        async with database.transaction(everyone=WHY) as db:
            await db.execute(text("SET LOCAL ROLE NONE"))
            ended = await db.scalar(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE application_name = 'talktime alone' AND datname = current_database()"
                )
            )
        assert ended == 1
        async with asyncio.timeout(10):
            while (response := await as_alice.post(f"{PATH}/export")).status_code == 409:
                await asyncio.sleep(0.05)
        assert response.status_code == 200


async def test_an_export_waits_for_no_place_in_the_pool(database: Database, alice: Person) -> None:
    """A slow download keeps nobody from the database."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    narrow = connect(url, connections_max=1)
    async with alone(narrow, f"export {alice.id}") as is_alone, narrow.transaction(everyone=WHY) as db:
        assert is_alone and await db.scalar(text("SELECT 1")) == 1
    await narrow.close()


async def test_without_a_database_an_export_says_so(alice: Person) -> None:
    away = connect("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(OperationalError):
        async with alone(away, f"export {alice.id}"):
            pass
    await away.close()


async def test_two_at_once_are_one(as_alice: Browser, database: Database, alice: Person) -> None:
    await called(database, alice)
    both = await asyncio.gather(*(as_alice.post(f"{PATH}/export") for _ in range(2)))
    assert sorted(each.status_code for each in both) in ([200, 409], [200, 200])
    assert all(zipfile.is_zipfile(io.BytesIO(each.content)) for each in both if each.status_code == 200)


async def test_when_many_export_the_next_one_waits(as_alice: Browser) -> None:
    exporting._RUNNING.extend([object()] * exporting.AT_ONCE)
    try:
        response = await as_alice.post(f"{PATH}/export")
    finally:
        exporting._RUNNING.clear()
    assert response.status_code == 503
    assert response.headers["retry-after"] == "120"
    assert "Several exports are being made" in words_of(response.text)


async def test_one_that_is_broken_off_makes_room_for_the_next(database: Database, stage: Stage, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.begin(db, alice.id, address=None, browser=None)
        identity = await sessions.identify(db, token)
    assert identity is not None
    response = await exporting.download(database, identity)
    assert len(exporting._RUNNING) == 1
    stream = response.body_iterator  # type: ignore[attr-defined]  # it is streamed
    await anext(stream)
    await anext(stream)
    await stream.aclose()
    del stream, response
    await asyncio.sleep(0.01)
    assert not exporting._RUNNING


async def test_alice_forgets_a_caller_after_she_was_asked_once_more(
    as_alice: Browser, database: Database, alice: Person, bob: Person
) -> None:
    await called(database, alice)
    await called(database, alice, "+493099999999")
    await called(database, bob)
    response = await as_alice.post(f"{PATH}/forget", data={"number": "+49 (30) 9018-2012"})
    assert response.status_code == 200
    assert "Forget +49 30 90182012?" in words_of(response.text)
    assert "This is taken away for good" in words_of(response.text)
    assert CALLER in await callers_of(database, alice), "nothing was done yet"

    response = await as_alice.post(f"{PATH}/forget", data={"number": CALLER, "sure": "yes"})
    assert response.status_code == 200
    assert "One call no longer says who called and what was said." in words_of(response.text)
    assert CALLER not in response.text
    assert CALLER not in await callers_of(database, alice)
    assert "+493099999999" in await callers_of(database, alice)
    assert not any(CALLER in text for text in await said_to(database, alice))
    assert CALLER in await callers_of(database, bob), "Bob's calls are Bob's"

    response = await as_alice.post(f"{PATH}/forget", data={"number": CALLER, "sure": "yes"})
    assert "No call came from that number." in words_of(response.text)
    assert "caller.forgotten" in [entry.act for entry in await acts_about(database, alice)]


@pytest.mark.parametrize("number", ["", "hello", "12", "+49", "<b>1</b>", "+1" * 2000, "'; DROP TABLE calls"])
@pytest.mark.parametrize("sure", ["", "yes"])
async def test_what_is_no_number_is_said_beside_the_field(as_alice: Browser, number: str, sure: str) -> None:
    response = await as_alice.post(f"{PATH}/forget", data={"number": number, "sure": sure})
    assert response.status_code == 422
    assert "That is no phone number." in words_of(response.text)
    assert 'aria-invalid="true" autofocus' in response.text
    assert "<b>1" not in response.text


async def test_the_page_after_a_form_may_be_loaded_once_more(as_alice: Browser) -> None:
    assert (await as_alice.get(f"{PATH}/forget")).status_code == 200
    assert (await as_alice.get(f"{PATH}/export")).status_code == 200


async def test_an_operator_in_her_place_takes_nothing_along_and_forgets_nobody(
    open_browser: OpenBrowser, database: Database, alice: Person, ada: Person
) -> None:
    await called(database, alice)
    visitor = await as_visitor(open_browser(), database, ada, alice)
    assert (await visitor.get(PATH)).status_code == 200
    for path in (f"{PATH}/export", f"{PATH}/forget"):
        response = await visitor.post(path, data={"number": CALLER, "sure": "yes"})
        assert response.status_code == 403
        assert "this only they can do" in words_of(response.text)
    assert CALLER in await callers_of(database, alice)


async def test_in_german(as_alice: Browser, database: Database, alice: Person) -> None:
    await as_alice.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    await called(database, alice)
    await called(database, alice)
    assert "Als ZIP exportieren" in (await as_alice.get(PATH)).text
    response = await as_alice.post(f"{PATH}/forget", data={"number": CALLER})
    assert "+49 30 90182012 vergessen?" in words_of(response.text)
    response = await as_alice.post(f"{PATH}/forget", data={"number": CALLER, "sure": "yes"})
    assert "Bei 2 Anrufen steht nicht mehr, wer anrief und was gesagt wurde." in words_of(response.text)
