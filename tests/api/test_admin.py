"""What operators do by a program: people, credits, prices, money, alerts, the audit log."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from talktime import inbox
from talktime.accounts.keys import Scope
from talktime.alerts import raise_alert
from talktime.credits import money
from talktime.credits.models import NotCharged
from talktime.db.session import Database
from talktime.inbox import Incoming
from tests.api.program import Program, fields_of, program_of, refused
from tests.payments.counter import Counter, counter, the_counter
from tests.people import WHY, Person, new_person
from tests.web.stage import Stage, answer, finish

__all__ = ["counter", "the_counter"]


async def test_people_are_found_opened_suspended_and_let_in_again(as_ada: Program, alice: Person) -> None:
    [found] = await as_ada.all("/admin/users", search=alice.id.hex)
    assert found["id"] == str(alice.id)
    assert found["balance"] == 1000
    opened = await as_ada.read(f"/admin/users/{alice.id}")
    assert opened["numbers"] == [alice.number]
    path = f"/admin/users/{alice.id}"
    suspended = await as_ada.post(f"{path}/suspend", json={"reason": "a test"})
    assert suspended.json()["status"] == "SUSPENDED"
    assert suspended.json()["blocked_reason"] == "suspended: a test"
    assert (await as_ada.post(f"{path}/activate")).json()["status"] == "ACTIVE"
    refused(await as_ada.get(f"/admin/users/{uuid.uuid4()}"), 404, "no-such-person")
    refused(await as_ada.post(f"{path}/suspend", json={}), 422, "invalid-request")


async def test_people_are_listed_page_by_page(as_ada: Program, database: Database) -> None:
    tag = uuid.uuid4().hex[:10]
    made = [(await new_person(database, f"{tag}{number}", credits=0)).id for number in range(5)]
    listed = await as_ada.all("/admin/users", search=tag, limit=2)
    assert [each["id"] for each in listed] == [str(each) for each in reversed(made)]


async def test_limits_change_from_the_state_that_was_seen(as_ada: Program, alice: Person) -> None:
    path = f"/admin/users/{alice.id}/limits"
    assert await as_ada.read(path) == {"grace_limit": 0, "max_open_calls": 10}
    changed = await as_ada.change(path, {"max_open_calls": 3})
    assert changed.json() == {"grace_limit": 0, "max_open_calls": 3}
    stale = await as_ada.patch(path, json={"grace_limit": 5}, headers={"if-match": '"x"'})
    refused(stale, 412, "state-changed")
    assert (await as_ada.change(path, {})).json() == {"grace_limit": 0, "max_open_calls": 3}


async def test_credits_are_given_at_once_or_wait_for_a_second_person(
    as_ada: Program, stage: Stage, database: Database, alice: Person
) -> None:
    path = f"/admin/users/{alice.id}/adjustments"
    small = {"reference": "t-1", "amount": 50, "reason": "goodwill"}
    first = await as_ada.make(path, small, once="a")
    assert first.status_code == 201, first.text
    assert first.json()["posting"]["balance_after"] == 1050
    assert (await as_ada.make(path, small, once="a")).headers["idempotency-replayed"] == "true"
    # The reference alone makes it happen once, too.
    assert (await as_ada.make(path, small, once="b")).json()["posting"]["seq"] == first.json()["posting"]["seq"]
    assert (await as_ada.read(f"/admin/users/{alice.id}/credits"))["balance"] == 1050
    waiting = await as_ada.make(path, {"reference": "t-2", "amount": 50_000, "reason": "much"})
    approval = waiting.json()["approval"]
    assert waiting.json()["posting"] is None
    refused(await as_ada.post(f"/admin/approvals/{approval['id']}/approve"), 403, "second-person-needed")
    second = await new_person(database, "Bert", credits=0, admin=True)
    async with program_of(stage, second, Scope) as program:
        assert [each["id"] for each in await program.all("/admin/approvals", user_id=str(alice.id))] == [approval["id"]]
        yes = await program.post(f"/admin/approvals/{approval['id']}/approve")
        assert yes.json()["balance_after"] == 51_050
        refused(await program.post(f"/admin/approvals/{approval['id']}/refuse"), 409, "already-decided")
    too_much = await as_ada.make(path, {"reference": "t-3", "amount": -99_000, "reason": "take"})
    refused(too_much, 402, "not-enough-credit")


@pytest.mark.parametrize("amount", ["5", 5.5, 0, 10**13, None, True, [5]])
async def test_an_amount_that_is_none_posts_nothing(as_ada: Program, alice: Person, amount: object) -> None:
    body = {"reference": "x", "amount": amount, "reason": "y"}
    answer_to = await as_ada.make(f"/admin/users/{alice.id}/adjustments", body)
    assert answer_to.status_code == 422
    assert (await as_ada.read(f"/admin/users/{alice.id}/credits"))["balance"] == 1000


async def test_a_call_is_looked_at_and_waived(as_ada: Program, database: Database, alice: Person, ada: Person) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    [listed] = await as_ada.all(f"/admin/users/{alice.id}/calls")
    assert listed["id"] == str(call)
    assert (await as_ada.read(f"/admin/users/{alice.id}/calls/{call}"))["receipt"]["charged"] == 15
    (seen,) = await as_ada.all("/admin/audit", about=str(alice.id), act="call.read")
    assert (seen["actor_id"], seen["after"]) == (str(ada.id), {"call_id": str(call)})
    waived = await as_ada.make(f"/admin/users/{alice.id}/calls/{call}/waive", {"reason": "platform_fault"})
    assert waived.json() == {"amount": 15, "balance": 1000}
    lines = await as_ada.all(f"/admin/users/{alice.id}/transactions", call_id=str(call))
    assert sum(line["amount"] for line in lines) == 0


async def test_packs_are_made_changed_and_taken_off_sale(as_ada: Program, as_alice: Program) -> None:
    wish = {"name": "Trial", "credits": 100, "price_minor": 900, "currency": "EUR"}
    made = await as_ada.make("/admin/packs", wish, once="p")
    assert made.status_code == 201, made.text
    path = f"/admin/packs/{made.json()['id']}"
    assert made.headers["location"] == f"/v1{path}"
    assert (await as_ada.change(path, {"price_minor": 800})).json()["price_minor"] == 800
    assert made.json()["id"] in {pack["id"] for pack in await as_alice.all("/packs")}
    assert (await as_ada.change(path, {"active": False})).json()["active"] is False
    assert made.json()["id"] not in {pack["id"] for pack in await as_alice.all("/packs")}
    assert made.json()["id"] in {pack["id"] for pack in await as_ada.all("/admin/packs")}
    wrong = await as_ada.make("/admin/packs", {**wish, "currency": "XXX"})
    assert wrong.status_code == 422


async def test_prices_are_added_and_never_changed(as_ada: Program, alice: Person) -> None:
    wish = {"user_id": str(alice.id), "kind": "CALL", "credits_per_minute": 20}
    made = await as_ada.make("/admin/prices", wish)
    assert made.status_code == 201, made.text
    history = await as_ada.all("/admin/prices/history", user_id=str(alice.id), limit=1)
    assert [price["credits_per_minute"] for price in history] == [20, 15]
    assert made.json()["id"] in {price["id"] for price in await as_ada.all("/admin/prices")}
    refused(await as_ada.make("/admin/prices", {**wish, "credits_per_minute": 0}), 422, "free-by-mistake")
    past = {**wish, "valid_from": "2020-01-01T00:00:00Z", "credits_per_minute": 5}
    refused(await as_ada.make("/admin/prices", past), 422, "price-in-the-past")
    naive = await as_ada.make("/admin/prices", {**wish, "valid_from": "2031-01-01T00:00:00"})
    assert fields_of(refused(naive, 422, "invalid-request")) == ["valid_from"]
    everybodys = await as_ada.make("/admin/prices", {"kind": "CALL", "credits_per_minute": 15})
    assert everybodys.status_code == 201
    followed = await as_ada.make("/admin/prices/follow-list", {"user_id": str(alice.id), "kind": "CALL"})
    assert followed.json()["price"]["follows_list"] is True


async def test_purchases_refunds_and_what_granted_nothing_are_listed(
    stage: Stage, ada: Person, alice: Person, counter: Counter
) -> None:
    purchase, payment = await counter.bought(alice, await counter.pack())
    shop = Stage(stage.settings, stage.database, gateway=counter.gateway)
    shop.till = counter.till  # type: ignore[attr-defined]  # a part that only money needs
    async with program_of(shop, ada, Scope) as program:
        [bought] = await program.all("/admin/purchases", user_id=str(alice.id), state="PAID")
        assert bought["payment_id"] == payment
        path = f"/admin/purchases/{alice.id}/{purchase.id}/refunds"
        back = await program.make(path, {"amount_minor": 100}, once="r1")
        assert back.status_code == 201, back.text
        assert back.json()["amount_minor"] == 100
        again = await program.make(path, {"amount_minor": 100}, once="r1")
        assert again.json() == back.json()
        [reversal] = await program.all("/admin/reversals", user_id=str(alice.id), limit=1)
        assert reversal["amount_minor"] == 100
        too_much = await program.make(path, {"amount_minor": purchase.price_minor})
        refused(too_much, 409, "nothing-to-refund")
        refused(await program.make(f"/admin/purchases/{ada.id}/{purchase.id}/refunds", {}), 404, "no-such-purchase")
        async with stage.database.transaction(everyone=WHY) as db:
            for number in range(3):
                await db.execute(
                    text(
                        "INSERT INTO ungranted_payments (gateway, payment_id, why, amount_minor, currency)"
                        " VALUES ('test', :name, 'paid_twice', 5, 'EUR')"
                    ),
                    {"name": f"{uuid.uuid4().hex}-{number}"},
                )
        listed = await program.all("/admin/ungranted-payments", limit=2)
        assert len({each["payment_id"] for each in listed}) == len(listed) >= 3


async def test_claims_wait_for_a_decision(as_ada: Program, database: Database, alice: Person) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 1000)
    async with database.transaction(user=alice.id) as db:
        await money.claim(db, alice.id, call, NotCharged.SPAM)
    claims = [each for each in await as_ada.all("/admin/claims") if each["call_id"] == str(call)]
    if claims:  # a long call is looked at by a person
        decided = await as_ada.post(f"/admin/claims/{alice.id}/{call}/decide", json={"grant": True})
        assert decided.json() == {"state": "GRANTED"}
    assert str(call) in {each["call_id"] for each in await as_ada.all("/admin/claims", every="true", limit=1)}


async def test_alerts_are_acknowledged_by_name(as_ada: Program, database: Database, alice: Person) -> None:
    tag = uuid.uuid4().hex
    async with database.transaction(everyone=WHY) as db:
        await raise_alert(db, "unknown_payment", alice.id, {"payment_id": tag})
    mine = [each for each in await as_ada.all("/admin/alerts", open="true") if each["detail"] == {"payment_id": tag}]
    [alert] = mine
    seen = await as_ada.post(f"/admin/alerts/{alert['id']}/acknowledge", json={"note": "mine"})
    assert seen.json()["note"] == "mine"
    assert alert["id"] not in {each["id"] for each in await as_ada.all("/admin/alerts", open="true")}
    assert alert["id"] in {each["id"] for each in await as_ada.all("/admin/alerts", kind="unknown_payment", limit=3)}


async def test_what_was_done_stands_in_the_audit_log_with_the_door_and_is_proven(
    as_ada: Program, alice: Person, ada: Person
) -> None:
    await as_ada.post(f"/admin/users/{alice.id}/suspend", json={"reason": "a test"})
    await as_ada.post(f"/admin/users/{alice.id}/activate")
    entries = await as_ada.all("/admin/audit", about=str(alice.id), limit=1)
    acts = [(entry["act"], entry["actor_id"], entry["door"]) for entry in entries]
    assert ("user.suspended", str(ada.id), "api") in acts
    assert entries[0]["network"].endswith("/24")
    assert len(await as_ada.all("/admin/audit", about=str(alice.id), act="user.activated")) == 1
    proof = await as_ada.read("/admin/audit/verify", about=str(alice.id))
    assert proof["is_clean"] is True
    assert proof["entries"] == len(entries)
    refused(await as_ada.get("/admin/audit", params={"act": "DROP TABLE"}), 422, "bad-input")


async def test_costs_and_margins(as_ada: Program, database: Database, alice: Person) -> None:
    provider = f"test/{uuid.uuid4().hex}"
    rate = {"provider": provider, "kind": "CHARACTERS", "units": 1000, "amount_micros": 15, "currency": "USD"}
    made = await as_ada.make("/admin/cost-rates", rate)
    assert made.status_code == 201, made.text
    assert provider in {each["provider"] for each in await as_ada.all("/admin/cost-rates")}
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    now = datetime.now(UTC)
    span = {"since": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(minutes=1)).isoformat()}
    lines = await as_ada.all("/admin/margins", by="user", **span)
    assert next(line for line in lines if line["key"] == str(alice.id))["credits"] == 15
    assert (await as_ada.read(f"/admin/margins/{alice.id}/{call}"))["calls"] == 1
    turned = {"since": span["until"], "until": span["since"]}
    refused(await as_ada.get("/admin/margins", params=turned), 422, "too-long-a-time")


async def test_a_role_is_given_and_taken_and_somebody_is_invited(as_ada: Program, alice: Person) -> None:
    assert (await as_ada.post(f"/admin/users/{alice.id}/role", json={"role": "ADMIN"})).json()["role"] == "ADMIN"
    assert (await as_ada.post(f"/admin/users/{alice.id}/role", json={"role": "USER"})).json()["role"] == "USER"
    made = await as_ada.make("/admin/invitations", {"email": f"{uuid.uuid4().hex}@example.org"})
    assert made.status_code == 201, made.text
    assert "/welcome/" in made.json()["url"]
    assert (await as_ada.post(f"/admin/users/{alice.id}/sign-out")).json()["sessions"] == 0
    assert (await as_ada.post(f"/admin/users/{alice.id}/reset-second-factor")).status_code == 200


async def test_somebody_who_is_no_operator_any_more_has_no_operators_key(
    stage: Stage, database: Database, as_ada: Program
) -> None:
    other = await new_person(database, "Bert", credits=0, admin=True)
    async with program_of(stage, other, Scope) as program:
        assert (await program.get("/admin/users")).status_code == 200
        await as_ada.post(f"/admin/users/{other.id}/role", json={"role": "USER"})
        refused(await program.get("/admin/users"), 403, "not-an-operators-key")
        refused(await program.post(f"/admin/users/{other.id}/role", json={"role": "ADMIN"}), 403,
                "not-an-operators-key")  # fmt: skip


async def test_an_account_is_closed_for_good(as_ada: Program, as_bob: Program, bob: Person) -> None:
    closed = await as_ada.post(f"/admin/users/{bob.id}/close")
    assert closed.status_code == 200, closed.text
    assert closed.json()["balance"] == 1000
    refused(await as_bob.get("/me"), 401, "no-key")
    assert (await as_ada.read(f"/admin/users/{bob.id}"))["status"] == "CLOSED"
    refused(await as_ada.post(f"/admin/users/{bob.id}/activate"), 409, "already-closed")


async def test_what_providers_told_us_is_looked_at_and_handled_again(
    as_ada: Program, database: Database, ada: Person
) -> None:
    tag = uuid.uuid4().hex
    async with database.transaction(everyone=WHY) as db:
        for number in range(3):
            body = b'{"id": "evt_1", "name": "Maria Berger"}'
            assert await inbox.store(db, Incoming("testing", "acct", f"{tag}-{number}", "test.told", body, {}))
        await db.execute(
            text("UPDATE provider_events SET gave_up_at = now() WHERE event_id = :name"), {"name": f"{tag}-1"}
        )
        await db.execute(
            text("UPDATE provider_events SET handled_at = now(), verdict = 'done' WHERE event_id = :name"),
            {"name": f"{tag}-2"},
        )
    listed = await as_ada.all("/admin/events", provider="testing", kind="test.told", limit=2)
    mine = {each["event_id"]: each for each in listed if each["event_id"].startswith(tag)}
    assert [mine[f"{tag}-{number}"]["state"] for number in range(3)] == ["waiting", "given_up", "handled"]
    opened = await as_ada.read(f"/admin/events/{mine[f'{tag}-1']['id']}")
    assert "evt_1" in opened["body"]
    assert "Maria" not in opened["body"]
    again = await as_ada.post(f"/admin/events/{mine[f'{tag}-1']['id']}/replay", json={})
    assert again.status_code == 202, again.text
    assert again.json()["state"] == "waiting"
    path = f"/admin/events/{mine[f'{tag}-2']['id']}/replay"
    refused(await as_ada.post(path, json={}), 422, "handled-already")
    assert (await as_ada.post(path, json={"again": True})).status_code == 202
    many = await as_ada.post("/admin/events/replay", json={"provider": "testing"})
    assert many.json() == {"events": 0}
    refused(await as_ada.post("/admin/events/replay", json={"again": True}), 422, "bad-input")
    acts = [entry["act"] for entry in await as_ada.all("/admin/audit", by=str(ada.id))]
    assert acts.count("event.handled_again") == 2
