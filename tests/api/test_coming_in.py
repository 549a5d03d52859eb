"""Keys: which open something, what a wrong one is told, and that a browser's session opens nothing."""

import asyncio
from typing import Any

import pytest

from talktime import log
from talktime.accounts import keys, sessions
from talktime.accounts.keys import Scope
from talktime.api.routing import api_router
from talktime.db.session import Database
from talktime.http.security import cookie_name
from tests.api.program import OF_CUSTOMERS, Program, app_on, key_of, program_of, refused
from tests.people import WHY, Person, new_person
from tests.web.stage import Stage


async def test_a_key_says_whose_it_is_and_what_it_may_do(stage: Stage, alice: Person) -> None:
    async with program_of(stage, alice, [Scope.CALLS_READ]) as program:
        me = await program.read("/me")
    assert me["user_id"] == str(alice.id)
    assert me["scopes"] == ["calls:read"]
    assert me["role"] == "USER"


@pytest.mark.parametrize(
    "said",
    [
        None, "", "Bearer", "Bearer ", "Basic dGVzdDp0ZXN0", "Bearer tt_live_short", "tt_live_x", "Bearer a b",
        "Bearer " + "x" * 5000, "Bearer tt_live_" + "ü" * 43,
    ],
)  # fmt: skip
async def test_what_is_no_key_opens_nothing(stage: Stage, said: str | None) -> None:
    async with Program(app_on(stage), None) as program:
        headers = [] if said is None else [(b"authorization", said.encode())]
        answer = await program.get("/me", headers=headers)
    refused(answer, 401, "no-key")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_two_keys_at_once_are_none(stage: Stage, alice: Person) -> None:
    key = await key_of(stage.database, alice)
    async with Program(app_on(stage), None) as program:
        answer = await program.get("/me", headers=[("authorization", f"Bearer {key}"), ("authorization", "Bearer x")])
    refused(answer, 401, "no-key")


async def test_a_revoked_key_and_one_of_somebody_who_may_not_come_in_open_nothing(
    stage: Stage, database: Database
) -> None:
    carol = await new_person(database, "Carol", credits=10)
    async with database.transaction(everyone=WHY) as db:
        revoked, first = await keys.make(db, carol.id, "first", ["calls:read"])
        _, second = await keys.make(db, carol.id, "second", ["calls:read"])
        await keys.revoke(db, carol.id, revoked.id)
    async with Program(app_on(stage), first) as program:
        refused(await program.get("/me"), 401, "no-key")
    async with Program(app_on(stage), second) as program:
        assert (await program.get("/me")).status_code == 200
        for status in ("SUSPENDED", "CLOSED"):
            async with database.transaction(everyone=WHY) as db:
                from sqlalchemy import text

                await db.execute(
                    text("UPDATE users SET status = CAST(:to AS user_status) WHERE id = :id"),
                    {"to": status, "id": carol.id},
                )
            refused(await program.get("/me"), 401, "no-key")


async def test_a_browsers_session_opens_nothing(stage: Stage, alice: Person, database: Database) -> None:
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.begin(db, alice.id, address=None, browser=None)
    async with Program(app_on(stage), None) as program:
        program.cookies.set(cookie_name(stage.settings), token, domain="talktime.example", path="/")
        refused(await program.get("/me"), 401, "no-key")
        refused(await program.get("/me", headers={"authorization": f"Bearer {token}"}), 401, "no-key")


async def test_nothing_under_v1_is_ever_a_page(as_alice: Program) -> None:
    browser = {"accept": "text/html"}
    refused(await as_alice.get("/nowhere", headers=browser), 404, "no-such-address")
    refused(await as_alice.get("", headers=browser), 404, "no-such-address")
    answer = await as_alice.delete("/me", headers=browser)
    refused(answer, 405, "no-such-method")
    assert answer.headers["allow"] == "GET"


async def test_the_name_that_a_program_is_told_finds_the_lines_of_its_request(stage: Stage) -> None:
    app, probe = app_on(stage), api_router("/v1/lines", "About")

    @probe.get("")
    async def lines(fails: bool = False) -> dict[str, Any]:
        written.append(log.abouts()["request_id"])
        if fails:
            raise RuntimeError
        return {}

    written: list[str] = []
    app.include_router(probe)
    async with Program(app, None) as program:
        done, failed = await program.get("/lines"), await program.get("/lines", params={"fails": True})
        unread = await program.get("/lines", params={"unknown": 1})
    assert [done.status_code, failed.status_code, unread.status_code] == [200, 500, 422]
    assert [done.headers["x-request-id"], failed.headers["x-request-id"]] == written
    assert failed.json()["request_id"] == written[1]
    assert unread.json()["request_id"] == unread.headers["x-request-id"]


async def test_a_name_beside_ids_is_no_id(as_alice: Program, as_ada: Program) -> None:
    for path in ("/webhooks/events", "/webhooks/event-types"):
        for method in ("PATCH", "DELETE"):
            answer = await as_alice.request(method, path, json={})
            refused(answer, 405, "no-such-method")
            assert answer.headers["allow"] == "GET"
    answer = await as_ada.get("/admin/events/replay")
    refused(answer, 405, "no-such-method")
    assert answer.headers["allow"] == "POST"
    refused(await as_alice.get("/webhooks/no-id"), 404, "no-such-address")


async def test_a_key_that_guesses_is_told_to_wait_and_so_is_its_network(stage: Stage, alice: Person) -> None:
    app, address = app_on(stage), "198.51.100.7"
    async with Program(app, None, address) as guesser, program_of(stage, alice, address=address) as neighbour:
        wrong = f"Bearer {keys.BEGINNING}{'A' * 43}"
        for _ in range(80):  # a program that was left with a stale key: one guess, however often
            refused(await guesser.get("/me", headers={"authorization": wrong}), 401, "no-key")
        assert (await neighbour.get("/me")).status_code == 200
        seen = []
        for number in range(60):
            guess = f"Bearer {keys.BEGINNING}{number:043d}"
            seen.append((await guesser.get("/me", headers={"authorization": guess})).status_code)
        assert seen == [401] * 49 + [429] * 11
        answer = await neighbour.get("/me")
        refused(answer, 429, "too-many-requests")
        assert int(answer.headers["retry-after"]) >= 1
        assert "ratelimit-limit" not in answer.headers
    async with program_of(stage, alice, address="198.51.100.8") as elsewhere:
        assert (await elsewhere.get("/me")).status_code == 200


async def test_a_key_is_told_what_it_may_still_ask_and_then_to_wait(stage: Stage, alice: Person) -> None:
    slow = Stage(
        stage.settings.model_copy(update={"api_requests_per_minute": 6, "api_requests_burst": 3}), stage.database
    )
    async with program_of(slow, alice) as program:
        answers = [await program.get("/me") for _ in range(4)]
        assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert {answer.headers["ratelimit-limit"] for answer in answers} == {"3"}
        refused(answers[3], 429, "too-many-requests")
        assert 1 <= int(answers[3].headers["retry-after"]) <= 10
        # Another key of the same account has an allowance of its own, and both together have twice as much.
        async with program_of(slow, alice) as second, program_of(slow, alice) as third:
            assert [(await second.get("/me")).status_code for _ in range(4)] == [200, 200, 200, 429]
            assert (await third.get("/me")).status_code == 429


async def test_many_at_once_get_no_more_than_one_after_the_other(stage: Stage, alice: Person) -> None:
    slow = Stage(
        stage.settings.model_copy(update={"api_requests_per_minute": 6, "api_requests_burst": 5}), stage.database
    )
    async with program_of(slow, alice) as program:
        answers = await asyncio.gather(*(program.get("/me") for _ in range(25)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 20


async def test_a_scope_that_is_missing_is_named(stage: Stage, alice: Person, ada: Person) -> None:
    async with program_of(stage, alice, ["calls:read"]) as program:
        assert "keys:read" in refused(await program.get("/keys"), 403, "missing-scope")["detail"]
    async with program_of(stage, alice, OF_CUSTOMERS) as program:
        assert "admin:read" in refused(await program.get("/admin/users"), 403, "missing-scope")["detail"]
