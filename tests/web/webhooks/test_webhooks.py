"""The pages about webhooks: making an endpoint, its secret, what was sent, and sending it once more."""

import re
import uuid

import pytest
from sqlalchemy import text

from talktime import webhooks
from talktime.db.session import Database
from talktime.web.webhooks import shown
from talktime.webhooks import events
from tests.db.everything import become_owner
from tests.people import WHY, Person
from tests.web.account import a_while_later, acts_about, as_visitor
from tests.web.conftest import Browser, OpenBrowser
from tests.web.test_pages import words_of

PATH = "/webhooks"
URL = "https://crm.example.org/hooks"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{20,}")


async def made(browser: Browser, **more: str) -> tuple[str, str]:
    """A new endpoint's page, and its secret."""
    data = {"url": URL, "description": "CRM", "which": "everything", **more}
    answer = await browser.post(f"{PATH}/new", data=data)
    assert answer.status_code == 200, words_of(answer.text)
    [secret] = set(SECRET.findall(answer.text))
    path = re.search(r'href="(/webhooks/[0-9a-f-]{36})"', answer.text)
    assert path is not None
    return path[1], secret


async def happened(database: Database, person: Person, times: int = 1) -> list[str]:
    """So many events, each with its delivery; gives the deliveries, oldest first."""
    for _event in range(times):
        async with database.transaction(user=person.id) as db:
            await webhooks.emit(db, person.id, "number.assigned", {"number_id": uuid.uuid4()})
    async with database.transaction(user=person.id) as db:
        rows = await db.scalars(text("SELECT id FROM webhook_deliveries ORDER BY created_at, id"))
        return [str(each) for each in rows]


async def tried(database: Database, delivery: str, state: str, *, status: int | None = 500, error: str = "") -> None:
    """A delivery was tried once, with this end."""
    async with database.transaction(everyone=WHY) as db:
        await become_owner(db)
        due = "now() + interval '5 minutes'" if state == "PENDING" else "NULL"
        await db.execute(
            text(
                f"UPDATE webhook_deliveries SET state = '{state}', due_at = {due}, sequence = 1, attempts = 1,"
                f" tries = 1, ended_at = {'NULL' if state == 'PENDING' else 'now()'} WHERE id = :id"
            ),
            {"id": delivery},
        )
        await db.execute(
            text(
                "INSERT INTO webhook_attempts (user_id, delivery_id, attempt_no, milliseconds, status, answer, error)"
                " SELECT user_id, id, 1, 212, :status, :answer, :error FROM webhook_deliveries WHERE id = :id"
            ),
            {"id": delivery, "status": status, "answer": "<b>Internal Server Error</b>", "error": error or None},
        )
        await db.execute(
            text(
                "UPDATE webhook_events SET body = :body"
                " WHERE id = (SELECT event_id FROM webhook_deliveries WHERE id = :id)"
            ),
            {"id": delivery, "body": '{"number_id":"<script>"}'},
        )


async def state_of(database: Database, delivery: str) -> str:
    async with database.transaction(everyone=WHY) as db:
        return str(await db.scalar(text("SELECT state FROM webhook_deliveries WHERE id = :id"), {"id": delivery}))


async def test_alice_makes_an_endpoint_whose_secret_is_shown_once(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    assert "No endpoint yet" in words_of((await as_alice.get(PATH)).text)
    path, secret = await made(as_alice)
    page = (await as_alice.get(path)).text
    assert secret not in page and "CRM" in page and URL in page and "Nothing was sent yet." in words_of(page)
    page = (await as_alice.get(PATH)).text
    assert secret not in page and f'href="{path}"' in page and "everything" in words_of(page)
    assert "No endpoint yet" in words_of((await as_bob.get(PATH)).text)
    entries = await acts_about(database, alice)
    assert "webhook.made" in [entry.act for entry in entries]
    assert URL not in str([(entry.before, entry.after) for entry in entries])


async def test_what_it_is_told_is_chosen_by_types_and_groups(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    path, _secret = await made(as_alice, **{"which": "some", "event-call.*": "on", "event-credits.low": "on"})
    async with database.transaction(user=alice.id) as db:
        assert await db.scalar(text("SELECT events FROM webhook_endpoints")) == ["call.*", "credits.low"]
    page = (await as_alice.get(f"{path}/edit")).text
    assert re.search(r'value="some" checked', page) and f'value="{URL}"' in page
    assert re.search(r'name="event-call\.\*" checked', page) and re.search(r'name="event-credits.low" checked', page)
    assert not re.search(r'name="event-agent.published" checked', page)
    changed = await as_alice.post(
        f"{path}/edit", data={"url": f"{URL}/2", "description": "", "which": "some", "event-message.taken": "on"}
    )
    assert (changed.status_code, changed.headers["location"]) == (303, f"{path}?done=saved")
    words = words_of((await as_alice.get(f"{path}?done=saved")).text)
    assert f"{URL}/2" in words and "message.taken" in words and "crm.example.org" in words and "Saved." in words


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"url": ""}, "url", "Give an address"),
        ({"url": "http://crm.example.org"}, "url", "begins with https"),
        ({"url": "https://user:word@crm.example.org/"}, "url", "Leave out the name and password"),
        ({"url": "https://127.0.0.1/"}, "url", "not an address of the public internet"),
        ({"url": "https://crm.example.org:25/"}, "url", "Use port"),
        ({"which": "some"}, "events", "Name the events"),
        ({"description": "x" * 201}, "description", "one line of at most 200"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    *, as_alice: Browser, database: Database, alice: Person, wrong: dict[str, str], field: str, said: str
) -> None:
    data = {"url": URL, "description": "Books", "which": "some", "event-call.ended": "on", **wrong}
    if field == "events":
        del data["event-call.ended"]
    answer = await as_alice.post(f"{PATH}/new", data=data)
    assert answer.status_code == 422
    beside = re.search(rf'id="{field}-about">([^<]+)<', answer.text)
    assert beside and said in beside[1] and answer.text.count(" autofocus") == 1
    if field != "description":
        assert 'value="Books"' in answer.text
    if field != "events":
        assert 'name="event-call.ended" checked' in answer.text
    async with database.transaction(user=alice.id) as db:
        assert await db.scalar(text("SELECT count(*) FROM webhook_endpoints")) == 0


async def test_there_are_ten_endpoints_at_most(as_alice: Browser) -> None:
    for _endpoint in range(10):
        await made(as_alice)
    assert f'href="{PATH}/new"' not in (await as_alice.get(PATH)).text
    answer = await as_alice.post(f"{PATH}/new", data={"url": URL, "which": "everything"})
    assert answer.status_code == 422 and "There are 10 endpoints already" in words_of(answer.text)


async def test_who_decides_where_it_leads_has_just_typed_the_password(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    path, _secret = await made(as_alice)
    await a_while_later(database, alice)
    for address in (f"{PATH}/new", f"{path}/edit", f"{path}/secret"):
        asked = await as_alice.get(address)
        assert asked.status_code == 303 and asked.headers["location"].startswith("/confirm?next="), address
        sent = await as_alice.post(address, data={"url": "https://evil.example/", "which": "everything"})
        assert sent.status_code == 303 and sent.headers["location"].startswith("/confirm?next="), address
    page = words_of((await as_alice.get(path)).text)
    assert URL in page and "evil" not in page


async def test_a_secret_is_shown_again_and_changed_for_a_day_side_by_side(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    path, first = await made(as_alice)
    assert not SECRET.search((await as_alice.get(f"{path}/secret")).text)
    again = (await as_alice.post(f"{path}/secret", data={"do": "show"})).text
    assert set(SECRET.findall(again)) == {first} and "only this one time" not in again
    changed = (await as_alice.post(f"{path}/secret", data={"do": "rotate"})).text
    [second] = set(SECRET.findall(changed))
    assert second != first and "only this one time" in changed and "signs beside it until" in changed
    acts = [entry.act for entry in await acts_about(database, alice)]
    assert acts.count("webhook.secret_shown") == 1 and acts.count("webhook.rotated") == 1


async def test_an_endpoint_is_paused_switched_on_and_deleted(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    path, _secret = await made(as_alice)
    [waits] = await happened(database, alice)
    assert (await as_alice.post(f"{path}/switch", data={"do": "off"})).headers["location"] == f"{path}?done=off"
    words = words_of((await as_alice.get(path)).text)
    assert "You paused it: nothing is sent." in words and "Send a test" not in words
    assert await state_of(database, waits) == "SKIPPED"
    for deed in ("test", "replay", f"deliveries/{waits}/replay"):
        refused = await as_alice.post(f"{path}/{deed}")
        assert refused.status_code == 422 and "This endpoint is switched off" in words_of(refused.text), deed
    assert (await as_alice.post(f"{path}/switch", data={"do": "on"})).headers["location"] == f"{path}?done=on"
    page = (await as_alice.get(path)).text
    assert re.search(r'<div class="dialog" id="delete" popover', page)
    assert (await as_alice.post(f"{path}/delete")).headers["location"] == f"{PATH}?done=deleted"
    assert "No endpoint yet" in words_of((await as_alice.get(PATH)).text)
    assert (await as_alice.get(path)).status_code == 404
    assert (await as_alice.post(f"{path}/delete")).status_code == 404, "twice"


async def test_a_test_is_sent_and_its_delivery_shown(as_alice: Browser) -> None:
    path, _secret = await made(as_alice)
    sent = await as_alice.post(f"{path}/test")
    assert sent.status_code == 303 and sent.headers["location"].startswith(f"{path}/deliveries/")
    words = words_of((await as_alice.get(sent.headers["location"])).text)
    assert "webhook.test" in words and "It was not tried yet." in words and "Nothing to show" in words


async def test_a_delivery_shows_every_try_and_what_was_sent_folded(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    path, _secret = await made(as_alice)
    [delivery] = await happened(database, alice)
    refusal = "The answer was 500, and only 200 to 299 is taken for a yes."
    await tried(database, delivery, "FAILED", error=refusal)
    page = (await as_alice.get(path)).text
    assert "given up" in words_of(page) and "HTTP 500" in page and f'href="{path}/deliveries/{delivery}"' in page
    page = (await as_alice.get(f"{path}/deliveries/{delivery}")).text
    words = words_of(page)
    assert refusal in words and "212 ms" in words and "A number was given to you" in words
    assert page.count("<details") == 2 and "<details open" not in page, "folded: it may be personal"
    assert "&lt;b&gt;Internal Server Error" in page and "<script>&" not in page and "&lt;script&gt;" in page


async def test_one_is_sent_once_more_and_all_that_failed_of_late(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    path, _secret = await made(as_alice)
    first, second, third = await happened(database, alice, 3)
    for each, end in ((first, "FAILED"), (second, "DELIVERED"), (third, "FAILED")):
        await tried(
            database, each, end, status=200 if end == "DELIVERED" else 500, error="No connection could be made."
        )
    for _time in range(2):
        again = await as_alice.post(f"{path}/deliveries/{first}/replay")
        assert again.headers["location"] == f"{path}/deliveries/{first}?done=again"
    assert [await state_of(database, each) for each in (first, second, third)] == ["PENDING", "DELIVERED", "FAILED"]
    assert (await as_alice.post(f"{path}/replay", data={"since": "hour"})).headers["location"].endswith("done=replayed")
    assert [await state_of(database, each) for each in (first, second, third)] == ["PENDING", "DELIVERED", "PENDING"]
    assert (await as_alice.post(f"{path}/replay", data={"since": "month"})).headers["location"].endswith("done=nothing")
    assert "There was nothing to send again" in words_of((await as_alice.get(f"{path}?done=nothing")).text)


async def test_deliveries_are_filtered_and_paged_without_a_gap(
    as_alice: Browser, database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talktime.web.webhooks.deliveries._SHOWN", 2)
    path, _secret = await made(as_alice)
    deliveries = await happened(database, alice, 5)
    for each in deliveries[:3]:
        await tried(database, each, "FAILED")
    seen, address = [], path
    while address:
        page = (await as_alice.get(address)).text
        seen += re.findall(r'row-link" href="[^"]+/deliveries/([^"]+)"', page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == deliveries[::-1]
    page = (await as_alice.get(f"{path}?state=FAILED")).text
    assert re.findall(r'/deliveries/([^"]+)"', page) == deliveries[2:0:-1] and "state=FAILED&amp;before=" in page
    assert "Nothing like that." in words_of((await as_alice.get(f"{path}?state=DELIVERED")).text)
    for nothing in ("state=x", "before=x", f"before={uuid.uuid4()}"):
        assert (await as_alice.get(f"{path}?{nothing}")).status_code == 404, nothing


async def test_bob_sees_and_does_nothing_with_alices_endpoint(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    path, _secret = await made(as_alice)
    [delivery] = await happened(database, alice)
    for address in (path, f"{path}/edit", f"{path}/secret", f"{path}/deliveries/{delivery}"):
        page = await as_bob.get(address)
        assert page.status_code == 404 and URL not in page.text, address
    for deed in ("edit", "switch", "secret", "delete", "test", "replay", f"deliveries/{delivery}/replay"):
        data = {"url": "https://evil.example/", "which": "everything", "do": "off"}
        answer = await as_bob.post(f"{path}/{deed}", data=data)
        assert answer.status_code == 404 and not SECRET.search(answer.text), deed
    bobs, _ = await made(as_bob)
    assert (await as_bob.get(f"{bobs}/deliveries/{delivery}")).status_code == 404, "through an endpoint of his own"
    assert (await as_bob.get(f"{bobs}?before={delivery}")).status_code == 404
    words = words_of((await as_alice.get(path)).text)
    assert URL in words and await state_of(database, delivery) == "PENDING"


async def test_an_operator_in_her_place_looks_and_touches_nothing(
    open_browser: OpenBrowser, as_alice: Browser, database: Database, alice: Person, ada: Person
) -> None:
    path, _secret = await made(as_alice)
    visitor = await as_visitor(open_browser(), database, ada, alice)
    page = await visitor.get(path)
    assert page.status_code == 200 and "/delete" not in page.text and "/secret" not in page.text
    for deed in ("edit", "switch", "secret", "delete", "test", "replay"):
        assert (await visitor.post(f"{path}/{deed}", data={"do": "show"})).status_code == 403, deed
    assert (await visitor.post(f"{PATH}/new", data={"url": URL, "which": "everything"})).status_code == 403


def test_every_type_of_event_has_its_words() -> None:
    assert shown.kinds() == dict(events.KINDS)
    grouped = {each.name for group in shown.groups([]) for each in (group.everything, *group.choices)}
    assert grouped == events.WANTED - {events.EVERYTHING}


async def test_the_pages_speak_german(as_alice: Browser, database: Database, alice: Person) -> None:
    await as_alice.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    assert "Noch kein Endpunkt" in words_of((await as_alice.get(PATH)).text)
    wrong = await as_alice.post(f"{PATH}/new", data={"url": "https://crm.example.org:25/", "which": "everything"})
    assert "Geben Sie die Adresse Ihres eigenen Servers an" in words_of(wrong.text), "also of what names a value"
    path, _secret = await made(as_alice)
    [delivery] = await happened(database, alice)
    await tried(database, delivery, "PENDING", error="The answer was 500, and only 200 to 299 is taken for a yes.")
    words = words_of((await as_alice.get(f"{path}/deliveries/{delivery}")).text)
    assert "Die Antwort war 500, und nur 200 bis 299 gilt als Ja." in words and "Nächster Versuch" in words
    assert "Eine Nummer wurde Ihnen" in words
