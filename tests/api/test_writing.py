"""Asking twice, at once, late and with nonsense: what is made once, and what is refused by name."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from sqlalchemy import Executable, Insert, Result, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import idempotency, keys
from talktime.accounts.keys import Scope
from talktime.db.session import Database
from talktime.notices.choices import choose
from tests.api.program import OF_CUSTOMERS, Program, app_on, fields_of, key_of, program_of, refused
from tests.people import WHY, Person
from tests.web.stage import Stage

WISH = {"name": "CRM", "scopes": ["calls:read"]}


async def test_the_same_key_and_body_get_the_same_answer_and_nothing_is_made_twice(as_alice: Program) -> None:
    first = await as_alice.make("/keys", WISH, once="k 1".replace(" ", "-"))
    assert first.status_code == 201, first.text
    assert first.json()["secret"].startswith(keys.BEGINNING)
    assert "idempotency-replayed" not in first.headers
    # Written down otherwise it is still the same.
    again = await as_alice.post(
        "/keys",
        content=b'{ "scopes" : ["calls:read"],\n "name":"CRM" }',
        headers={"idempotency-key": "k-1", "content-type": "application/json; charset=utf-8"},
    )
    assert again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert len(await as_alice.all("/keys")) == 2


async def test_another_body_or_address_under_the_same_key_is_a_conflict(as_alice: Program) -> None:
    first = await as_alice.make("/keys", WISH, once="k")
    other = await as_alice.make("/keys", {**WISH, "name": "ERP"}, once="k")
    refused(other, 409, "used-for-something-else")
    path = f"/keys/{first.json()['key']['id']}/rotate"
    refused(await as_alice.make(path, {}, once="k"), 409, "used-for-something-else")


async def test_everybodys_keys_are_their_own(as_alice: Program, as_bob: Program) -> None:
    first, second = [await program.make("/keys", WISH, once="k") for program in (as_alice, as_bob)]
    assert first.json()["key"]["id"] != second.json()["key"]["id"]


async def test_of_many_at_once_one_makes_it(as_alice: Program) -> None:
    answers = await asyncio.gather(*(as_alice.make("/keys", WISH, once="k") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["key"]["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len(await as_alice.all("/keys")) == 2


async def test_what_was_refused_is_not_kept_and_may_be_mended_under_the_same_key(as_alice: Program) -> None:
    refused(await as_alice.make("/keys", {**WISH, "scopes": ["admin:read"]}, once="k"), 403, "not-yours-to-give")
    assert (await as_alice.make("/keys", WISH, once="k")).status_code == 201


async def test_an_answer_is_kept_sealed_and_for_a_day(as_alice: Program, database: Database, alice: Person) -> None:
    made = await as_alice.make("/keys", WISH, once="k")
    async with database.transaction(everyone=WHY) as db:
        [kept] = (
            await db.execute(text("SELECT answer FROM idempotency_keys WHERE user_id = :u"), {"u": alice.id})
        ).all()
        assert made.json()["secret"].encode() not in kept.answer
        assert b"secret" not in kept.answer
        assert await idempotency.prune(db) == 0
        await db.execute(
            text("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE user_id = :u"),
            {"u": alice.id},
        )
    again = await as_alice.make("/keys", WISH, once="k")
    assert again.json()["key"]["id"] != made.json()["key"]["id"]
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE user_id = :u"),
            {"u": alice.id},
        )
        assert await idempotency.prune(db) >= 1


async def test_what_somebody_is_at_is_said_and_taken_over_when_they_died(
    as_alice: Program, database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_WAIT_MS", 100)
    wish = {"name": "CRM", "scopes": ["calls:read"]}
    async with database.transaction(user=alice.id) as db:
        # Somebody who has the key, and is not done.
        await db.execute(
            text("INSERT INTO idempotency_keys (user_id, key, digest) VALUES (:u, 'k', sha256('x'))"), {"u": alice.id}
        )
        answer = await as_alice.make("/keys", wish, once="k")
        assert int(answer.headers["retry-after"]) >= 1
        refused(answer, 409, "under-way")
        await db.execute(text("DELETE FROM idempotency_keys WHERE user_id = :u"), {"u": alice.id})
    assert (await as_alice.make("/keys", wish, once="k")).status_code == 201


class Interrupted:
    """A session in which somebody else does something just after the key was claimed."""

    def __init__(self, db: AsyncSession, then: Callable[[], Awaitable[None]]) -> None:
        self._db, self._then = db, then

    async def execute(self, statement: Executable) -> Result[Any]:
        done = await self._db.execute(statement)
        if isinstance(statement, Insert):
            await self._then()
        return done


async def test_whoever_was_first_may_give_up_while_another_one_asks(database: Database, alice: Person) -> None:
    asked = idempotency.Asked(alice.id, "k", bytes(32))
    async with database.transaction(user=alice.id) as db:
        assert await idempotency.begin(db, b"secret", asked) is None

    async def give_up() -> None:
        async with database.transaction(user=alice.id) as db:
            await idempotency.give_up(db, asked)

    with pytest.raises(idempotency.UnderWay):
        async with database.transaction(user=alice.id) as db:
            await idempotency.begin(cast(AsyncSession, Interrupted(db, give_up)), b"secret", asked)
    async with database.transaction(user=alice.id) as db:
        assert await idempotency.begin(db, b"secret", asked) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä", "\x01"])
async def test_a_key_that_is_none_is_refused(as_alice: Program, key: str) -> None:
    answer = await as_alice.post("/keys", json=WISH, headers=[(b"idempotency-key", key.encode())])
    assert fields_of(refused(answer, 422, "no-idempotency-key")) == ["Idempotency-Key"]


async def test_without_a_key_it_is_made_each_time(as_alice: Program) -> None:
    first, second = [await as_alice.post("/keys", json=WISH) for _ in range(2)]
    assert first.json()["key"]["id"] != second.json()["key"]["id"]


async def test_a_key_is_not_told_the_answer_that_one_was_given_who_may_do_more(
    stage: Stage, as_alice: Program, alice: Person
) -> None:
    body = {"name": "CRM", "scopes": ["calls:read"]}
    made = await as_alice.make("/keys", body, once="the-key-of-the-crm")
    assert made.status_code == 201
    async with program_of(stage, alice, [Scope.KEYS_WRITE]) as narrow:
        again = await narrow.make("/keys", body, once="the-key-of-the-crm")
        refused(again, 409, "used-for-something-else")
    async with program_of(stage, alice) as other:
        # A key in the place of another is told what that one was.
        assert (await other.make("/keys", body, once="the-key-of-the-crm")).json() == made.json()


async def test_a_key_gives_no_other_one_more_than_it_has(stage: Stage, alice: Person, ada: Person) -> None:
    async with program_of(stage, alice, ["keys:write", "calls:read"]) as program:
        wish = {"name": "more", "scopes": ["calls:read", "credits:read"]}
        assert fields_of(refused(await program.make("/keys", wish), 403, "not-yours-to-give")) == ["scopes"]
        assert (await program.make("/keys", WISH)).status_code == 201
        wrong = await program.make("/keys", {"name": "x", "scopes": ["everything"]})
        assert fields_of(refused(wrong, 422, "invalid-request")) == ["scopes.0"]
    async with program_of(stage, ada, Scope) as program:
        assert (await program.make("/keys", {"name": "x", "scopes": ["admin:read"]})).status_code == 201


async def test_a_key_is_rotated_and_the_old_one_works_on_for_as_long_as_was_said(
    stage: Stage, alice: Person, database: Database
) -> None:
    app = app_on(stage)
    async with program_of(stage, alice) as program:
        old = (await program.make("/keys", WISH)).json()
        new = (await program.make(f"/keys/{old['key']['id']}/rotate", {"old_works_seconds": 60})).json()
        assert new["key"]["name"] == "CRM"
        assert new["key"]["scopes"] == old["key"]["scopes"]
        for made in (old, new):
            async with Program(app, made["secret"]) as other:
                assert (await other.get("/me")).status_code == 200
        async with database.transaction(everyone=WHY) as db:
            await db.execute(
                text("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = :id"),
                {"id": old["key"]["id"]},
            )
        async with Program(app, old["secret"]) as other:
            refused(await other.get("/me"), 401, "no-key")
        listed = {key["id"] for key in await program.all("/keys")}
        assert new["key"]["id"] in listed
        assert old["key"]["id"] not in listed
        # One that ended has no successor.
        refused(await program.make(f"/keys/{old['key']['id']}/rotate", {}), 404, "no-such-key")
        now = (await program.make(f"/keys/{new['key']['id']}/rotate", {})).json()
        async with Program(app, new["secret"]) as other:
            refused(await other.get("/me"), 401, "no-key")
        async with Program(app, now["secret"]) as other:
            assert (await other.get("/me")).status_code == 200


async def test_a_key_is_revoked_also_by_itself(as_alice: Program, as_bob: Program) -> None:
    made = (await as_alice.make("/keys", WISH)).json()["key"]
    refused(await as_bob.delete(f"/keys/{made['id']}"), 404, "no-such-key")
    refused(await as_bob.get(f"/keys/{made['id']}"), 404, "no-such-key")
    assert (await as_alice.delete(f"/keys/{made['id']}")).status_code == 204
    assert (await as_alice.delete(f"/keys/{made['id']}")).status_code == 204
    assert (await as_alice.read(f"/keys/{made['id']}"))["revoked_at"]
    own = (await as_alice.read("/me"))["key_id"]
    assert (await as_alice.delete(f"/keys/{own}")).status_code == 204
    refused(await as_alice.get("/me"), 401, "no-key")


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"name":"a","name":"b","scopes":["calls:read"]}', "no-json"),
        (b'{"name": NaN}', "no-json"),
        (b'{"name": -Infinity}', "no-json"),
        (b'{"name": 1e999}', "no-json"),
        (b'{"name": ' + b"9" * 5000 + b"}", "no-json"),
        (b'{"name": "\\u0000"}', "no-json"),
        (b'{"name": "\\ud800"}', "no-json"),
        (b'{"name": "\xff"}', "no-json"),
        (b'{"name": "a"', "no-json"),
        (b"[" * 100_000, "no-json"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "no-json"),
        (b'"' + b"[" * 1000 + b'"', "invalid-request"),
        (b"[]", "invalid-request"),
        (b"null", "invalid-request"),
        (b"", "invalid-request"),
        (b'"name"', "invalid-request"),
        (b'{"name": 5, "scopes": ["calls:read"]}', "invalid-request"),
        (b'{"name": "a", "scopes": "calls:read"}', "invalid-request"),
        (b'{"name": "a", "scopes": {"0": "calls:read"}}', "invalid-request"),
        (b'{"name": "a", "scopes": ["calls:read"], "more": 1}', "invalid-request"),
        (b'{"name": "", "scopes": ["calls:read"]}', "invalid-request"),
        (b'{"name": "\\n", "scopes": ["calls:read"]}', "no-key-name"),
    ],
)
async def test_a_body_that_cannot_be_right_makes_nothing(as_alice: Program, body: bytes, kind: str) -> None:
    answer = await as_alice.post("/keys", content=body, headers=JSON)
    refused(answer, 422, kind)
    assert len(await as_alice.all("/keys")) == 1


async def test_what_is_no_json_or_too_long_is_not_read(as_alice: Program) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""):
        headers = {"content-type": kind} if kind else {}
        refused(await as_alice.post("/keys", content=b"{}", headers=headers), 415, "not-json")
    long = json.dumps({"name": "x" * 300_000}).encode()
    answer = await as_alice.post("/keys", content=long, headers=JSON)
    refused(answer, 413, "body-too-large")
    assert answer.headers["connection"] == "close"


async def test_what_nobody_reads_is_refused_by_name(as_alice: Program) -> None:
    assert fields_of(refused(await as_alice.get("/calls?colour=red"), 422, "unknown-parameter")) == ["colour"]
    assert fields_of(refused(await as_alice.get("/keys?limit=5"), 422, "unknown-parameter")) == ["limit"]
    assert fields_of(refused(await as_alice.get("/calls?limit=5&limit=6"), 422, "repeated-parameter")) == ["limit"]
    assert fields_of(refused(await as_alice.get("/calls?sort=price"), 422, "unknown-sort")) == ["sort"]
    assert fields_of(refused(await as_alice.get("/calls?limit=0"), 422, "invalid-request")) == ["limit"]
    assert fields_of(refused(await as_alice.get("/calls?limit=101"), 422, "invalid-request")) == ["limit"]
    assert fields_of(refused(await as_alice.get("/calls?status=GONE"), 422, "invalid-request")) == ["status"]
    refused(await as_alice.get("/calls?outcome=%00"), 422, "unreadable-text")
    refused(await as_alice.get("/calls/not-an-id"), 404, "not-found")
    refused(await as_alice.get("/calls/%00"), 404, "not-found")
    refused(await as_alice.post(f"/calls/{uuid.uuid4()}/claim", json={"reason": "spam"}), 404, "not-found")


async def test_a_cursor_opens_its_own_list_for_its_own_user_only(as_alice: Program, as_bob: Program) -> None:
    for program in (as_alice, as_bob):
        for _ in range(2):
            await program.make("/keys", WISH)
    await as_alice.change("/credits/settings", {"day_limit": 5})
    stage_lines = await as_alice.read("/transactions", limit=1)
    assert stage_lines["has_more"] is False
    cursors = ["x", ".", "a.b", "é", "x" * 999]
    for cursor in cursors:
        assert fields_of(refused(await as_alice.get("/transactions", params={"cursor": cursor}), 422,
                                 "wrong-cursor")) == ["cursor"]  # fmt: skip


async def test_a_cursor_belongs_to_one_user_one_list_and_its_filters(
    stage: Stage, as_alice: Program, as_bob: Program, database: Database, alice: Person
) -> None:
    from tests.web.stage import answer, finish

    for _ in range(3):
        await finish(database, alice, await answer(database, alice), 5)
    page = await as_alice.read("/calls", limit=1, status="COMPLETED")
    cursor = page["next_cursor"]
    good = {"cursor": cursor, "status": "COMPLETED", "limit": 2}
    assert len((await as_alice.read("/calls", **good))["data"]) == 2
    for wrong in (
        {"cursor": cursor},
        {**good, "status": "FAILED"},
        {**good, "sort": "started_at"},
        {**good, "cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "B")},
        {**good, "cursor": "A" + cursor},
    ):
        refused(await as_alice.get("/calls", params=wrong), 422, "wrong-cursor")
    refused(await as_bob.get("/calls", params=good), 422, "wrong-cursor")
    refused(await as_alice.get("/transactions", params={"cursor": cursor}), 422, "wrong-cursor")
    # Another key of the same user goes on where the first one was.
    async with Program(app_on(stage), await key_of(database, alice, OF_CUSTOMERS)) as other:
        assert len((await other.read("/calls", **good))["data"]) == 2


async def test_the_account_changes_from_the_state_that_was_seen(as_alice: Program) -> None:
    changed = await as_alice.change("/account", {"zone": "Europe/Vienna"})
    assert changed.json()["zone"] == "Europe/Vienna"
    assert changed.json()["name"] == "Alice"
    assert (await as_alice.read("/me"))["zone"] == "Europe/Vienna"
    for field, value in (("zone", "Europe/Atlantis"), ("locale", "tlh"), ("name", "\u202e")):
        answer = await as_alice.change("/account", {field: value})
        assert answer.status_code == 422
        assert fields_of(answer.json()) == [field]
    refused(await as_alice.change("/account", {"email": "new@example.org"}), 422, "invalid-request")
    first, second = await asyncio.gather(
        *(
            as_alice.patch("/account", json={"name": name}, headers={"if-match": changed.headers["etag"]})
            for name in ("One", "Two")
        )
    )
    assert sorted(answer.status_code for answer in (first, second)) == [200, 412]


async def test_what_is_told_by_mail_is_chosen_and_what_was_switched_off_by_a_link_comes_back(
    stage: Stage, as_alice: Program, as_bob: Program, alice: Person
) -> None:
    everything = {"digest": True, "messages": True, "missed_calls": True, "summaries": False}
    assert await as_alice.read("/account/mails") == everything
    async with stage.database.transaction(user=alice.id) as db:
        await choose(db, alice.id, {"digest": False}, actor=alice.id)
    seen = (await as_alice.get("/account/mails")).headers["etag"]
    wanted = ({"digest": True}, {"summaries": True})
    answers = await asyncio.gather(
        *(as_alice.patch("/account/mails", json=each, headers={"if-match": seen}) for each in wanted)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    for each in wanted:
        assert (await as_alice.change("/account/mails", each)).status_code == 200
    assert await as_alice.read("/account/mails") == {**everything, "summaries": True}
    assert await as_bob.read("/account/mails") == everything
    refused(await as_alice.change("/account/mails", {"receipts": False}), 422, "invalid-request")
