"""Credits, the ledger, settings, statements, invoices and purchases: what a customer sees and changes by a program."""

import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from talktime.accounts.keys import Scope
from talktime.credits import money
from talktime.credits.models import CreditPack
from talktime.db.session import Database
from tests.api.program import Program, fields_of, program_of, refused
from tests.payments.counter import Counter, counter, the_counter
from tests.people import WHY, Person
from tests.web.stage import Stage, answer, finish

__all__ = ["counter", "the_counter"]


async def test_credits_say_what_is_free_and_what_is_held(as_alice: Program, database: Database, alice: Person) -> None:
    await answer(database, alice)
    said = await as_alice.read("/credits")
    assert (said["balance"], said["held"], said["free"], said["open_calls"]) == (1000, 15, 985, 1)
    assert said["max_open_calls"] == 10


async def test_settings_change_from_the_state_that_was_seen(as_alice: Program) -> None:
    first = await as_alice.get("/credits/settings")
    assert first.json() == {"day_limit": None, "call_limit": None, "caller_limit": None, "low_balance": None}
    tag = first.headers["etag"]
    changed = await as_alice.patch("/credits/settings", json={"day_limit": 500}, headers={"if-match": tag})
    assert changed.status_code == 200
    assert changed.json()["day_limit"] == 500
    assert changed.headers["etag"] != tag
    stale = await as_alice.patch("/credits/settings", json={"low_balance": 5}, headers={"if-match": tag})
    refused(stale, 412, "state-changed")
    refused(await as_alice.patch("/credits/settings", json={"low_balance": 5}), 428, "state-unknown")
    wrong = await as_alice.patch("/credits/settings", json={"low_balance": 5}, headers={"if-match": "abc"})
    assert fields_of(refused(wrong, 422, "no-tag")) == ["If-Match"]
    again = await as_alice.change("/credits/settings", {"day_limit": None, "low_balance": 7})
    assert again.json() == {"day_limit": None, "call_limit": None, "caller_limit": None, "low_balance": 7}
    known = await as_alice.get("/credits/settings", headers={"if-none-match": again.headers["etag"]})
    assert known.status_code == 304
    assert known.content == b""


async def test_the_ledger_is_read_to_its_end_and_nothing_twice(
    as_alice: Program, as_bob: Program, database: Database, alice: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        for number in range(7):
            await money.adjust(db, alice.id, reference=f"r{number}", amount=1, reason="one more", actor=alice.id)
    lines = await as_alice.all("/transactions", limit=3)
    assert [line["seq"] for line in lines] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert lines[0]["balance_after"] == 1007
    assert len(await as_alice.all("/transactions", limit=2, type="ADMIN_ADJUSTMENT")) == 8
    assert await as_alice.all("/transactions", type="PURCHASE") == []
    assert (await as_alice.read("/transactions/8"))["amount"] == 1
    refused(await as_alice.get("/transactions/9"), 404, "no-such-line")
    refused(await as_alice.get("/transactions/999999999999999999999999"), 404, "no-such-line")
    assert [line["seq"] for line in await as_bob.all("/transactions")] == [1]


async def test_lines_of_a_kind_are_looked_for_in_windows(
    as_alice: Program, database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talktime.credits.reading.WINDOW", 2)
    async with database.transaction(everyone=WHY) as db:
        for number in range(5):
            await money.adjust(db, alice.id, reference=f"r{number}", amount=1, reason="one more", actor=alice.id)
    page = await as_alice.read("/transactions", type="PURCHASE")
    assert page["data"] == []
    assert page["has_more"] is True
    assert await as_alice.all("/transactions", type="PURCHASE") == []
    assert len(await as_alice.all("/transactions", type="ADMIN_ADJUSTMENT", limit=1)) == 6


async def test_a_statement_comes_page_by_page_and_sums(as_alice: Program, database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        for number in range(6):
            await money.adjust(db, alice.id, reference=f"r{number}", amount=-10, reason="less", actor=alice.id)
    [month] = await as_alice.all("/statements")
    found = await as_alice.read(f"/statements/{month['month']}", limit=3)
    assert (found["opening_balance"], found["closing_balance"]) == (0, 940)
    assert found["totals"] == {"ADMIN_ADJUSTMENT": 940}
    assert [line["seq"] for line in found["data"]] == [1, 2, 3]
    assert [line["seq"] for line in await as_alice.all(f"/statements/{month['month']}", limit=3)] == list(range(1, 8))
    # The pages stay as they were cut, whatever is asked for later.
    later = await as_alice.read(f"/statements/{month['month']}", limit=100, cursor=found["next_cursor"])
    assert [line["seq"] for line in later["data"]] == [4, 5, 6]
    csv = await as_alice.get(f"/statements/{month['month']}.csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert len(csv.text.strip().splitlines()) == 8
    pdf = await as_alice.get(f"/statements/{month['month']}.pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF")
    for nonsense in ("2026-13", "november", "2026-11-01", "9999-01", "2026-11.csv.csv"):
        refused(await as_alice.get(f"/statements/{nonsense}"), 404, "no-such-month")
    empty = await as_alice.read("/statements/2031-01")
    assert empty["data"] == []


async def test_billing_details_are_set_and_what_is_wrong_is_said_by_field(as_alice: Program) -> None:
    answer_to = await as_alice.change(
        "/billing-details", {"name": "Berger GmbH", "country": "DE", "vat_id": "DE 123 456 789"}, "PUT"
    )
    assert answer_to.status_code == 200
    assert answer_to.json()["vat_id"] == "DE123456789"
    wrong = await as_alice.change("/billing-details", {"country": "??", "vat_id": "7"}, "PUT")
    assert sorted(fields_of(refused(wrong, 422, "wrong-details"))) == ["country", "vat_id"]
    assert (await as_alice.read("/billing-details"))["name"] == "Berger GmbH"


@pytest.fixture
async def shop(stage: Stage, counter: Counter) -> Stage:
    """A process with a payment company."""
    return Stage(stage.settings, stage.database, gateway=counter.gateway)


async def test_a_purchase_is_begun_once_however_often_it_is_asked_for(
    shop: Stage, alice: Person, counter: Counter
) -> None:
    pack: CreditPack = await counter.pack()
    async with program_of(shop, alice) as program:
        wish = {"pack_id": str(pack.id), "success_url": "https://shop.example/thanks"}
        first = await program.make("/purchases", wish, once="order-1")
        assert first.status_code == 201, first.text
        assert first.json()["checkout_url"].startswith("http")
        assert first.headers["location"] == f"/v1/purchases/{first.json()['id']}"
        again = await program.make("/purchases", wish, once="order-1")
        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        refused(await program.make("/purchases", {**wish, "save_card": True}, once="order-1"), 409,
                "used-for-something-else")  # fmt: skip
        [listed] = await program.all("/purchases")
        assert listed["id"] == first.json()["id"]
        assert await program.all("/purchases", state="PAID") == []
        assert (await program.read(f"/purchases/{listed['id']}"))["state"] == "OPEN"
        assert str(pack.id) in {each["id"] for each in await program.all("/packs")}


async def test_what_is_bought_becomes_a_line_and_an_invoice(
    shop: Stage, alice: Person, bob: Person, counter: Counter
) -> None:
    purchase, _ = await counter.bought(alice, await counter.pack())
    async with program_of(shop, alice) as program, program_of(shop, bob) as somebody_else:
        [invoice] = await program.all("/invoices")
        assert invoice["purchase_id"] == str(purchase.id)
        assert (await program.read(f"/invoices/{invoice['id']}"))["number"] == invoice["number"]
        assert (await program.get(f"/invoices/{invoice['id']}.pdf")).content.startswith(b"%PDF")
        [line] = await program.all("/transactions", type="PURCHASE")
        assert line["purchase_id"] == str(purchase.id)
        for path in (f"/invoices/{invoice['id']}", f"/invoices/{invoice['id']}.pdf", f"/purchases/{purchase.id}"):
            assert (await somebody_else.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "pack_id"),
        ({"pack_id": "no id"}, "pack_id"),
        ({"pack_id": str(uuid.uuid4()), "success_url": "javascript:alert(1)"}, "success_url"),
        ({"pack_id": str(uuid.uuid4()), "success_url": "https://x y"}, "success_url"),
        ({"pack_id": str(uuid.uuid4()), "save_card": "yes"}, "save_card"),
        ({"pack_id": str(uuid.uuid4()), "price_minor": 1}, "price_minor"),
    ],
)
async def test_a_purchase_that_cannot_be_is_refused_by_field(
    shop: Stage, alice: Person, wish: dict[str, object], field: str
) -> None:
    async with program_of(shop, alice) as program:
        problem = refused(await program.make("/purchases", wish), 422, "invalid-request")
        assert fields_of(problem) == [field]
        assert await program.all("/purchases") == []


async def test_without_a_payment_company_nothing_is_bought(as_alice: Program) -> None:
    refused(await as_alice.make("/purchases", {"pack_id": str(uuid.uuid4())}), 409, "nothing-for-sale")


async def test_a_pack_that_is_not_for_sale_is_not_sold_and_the_key_is_free_again(
    shop: Stage, alice: Person, counter: Counter
) -> None:
    async with program_of(shop, alice) as program:
        refused(await program.make("/purchases", {"pack_id": str(uuid.uuid4())}, once="k"), 403, "not-for-sale")
        pack = await counter.pack()
        assert (await program.make("/purchases", {"pack_id": str(pack.id)}, once="k")).status_code == 201


async def test_topping_up_needs_a_card_and_all_that_is_agreed_to(shop: Stage, alice: Person, counter: Counter) -> None:
    pack = await counter.pack()
    async with program_of(shop, alice) as program:
        off = await program.read("/top-up")
        assert (off["enabled"], off["card"]) == (False, None)
        refused(await program.change("/top-up", {"enabled": True}, "PUT"), 422, "not-agreed")
        agreed = {
            "enabled": True, "threshold": 100, "pack_id": str(pack.id), "price_minor": pack.price_minor,
            "ceiling_minor": pack.price_minor * 2,
        }  # fmt: skip
        refused(await program.change("/top-up", agreed, "PUT"), 409, "no-saved-card")
        async with shop.database.transaction(everyone=WHY) as db:
            await db.execute(
                text(
                    "INSERT INTO top_ups (user_id, gateway, customer_id, payment_method_id, brand, last4)"
                    " VALUES (:user, 'simulated', 'cus_1', 'pm_1', 'visa', '4242')"
                ),
                {"user": alice.id},
            )
        on = await program.change("/top-up", agreed, "PUT")
        assert on.status_code == 200, on.text
        assert on.json()["enabled"] is True
        assert on.json()["card"]["last4"] == "4242"
        assert "pm_1" not in on.text
        refused(await program.change("/top-up", {**agreed, "price_minor": 1}, "PUT"), 409, "conflict")
        assert (await program.change("/top-up", {"enabled": False}, "PUT")).json()["enabled"] is False


async def test_a_key_that_may_only_read_changes_nothing(stage: Stage, alice: Person) -> None:
    async with program_of(stage, alice, [Scope.CREDITS_READ]) as program:
        answer_to = await program.change("/credits/settings", {"day_limit": 5})
        assert "credits:write" in refused(answer_to, 403, "missing-scope")["detail"]
        assert (await program.read("/credits/settings"))["day_limit"] is None


async def test_a_call_shows_what_was_said_and_what_it_cost(
    as_alice: Program, as_bob: Program, database: Database, alice: Person
) -> None:
    from tests.web.stage import say

    calls = [await answer(database, alice, f"+4930123456{number}") for number in range(3)]
    await say(database, alice, calls[0], 1, "Hello, this is the shop.")
    for call in calls:
        await finish(database, alice, call, 40)
    listed = await as_alice.all("/calls", limit=2)
    assert [each["id"] for each in listed] == [str(call) for call in reversed(calls)]
    assert listed[0]["credits"] == 15
    assert [each["id"] for each in await as_alice.all("/calls", sort="started_at", limit=1)] == [
        str(call) for call in calls
    ]
    assert [each["id"] for each in await as_alice.all("/calls", caller="+49301234561")] == [str(calls[1])]
    assert len(await as_alice.all("/calls", agent_id=str(alice.agent), status="COMPLETED")) == 3
    assert await as_alice.all("/calls", status="FAILED") == []
    soon = datetime.now(UTC).replace(year=2090).isoformat()
    assert await as_alice.all("/calls", started_from=soon) == []
    found = await as_alice.read(f"/calls/{calls[0]}")
    assert found["turns"][0]["text"] == "Hello, this is the shop."
    assert found["receipt"]["charged"] == 15
    assert "15 credits" in found["receipt"]["rule"]
    assert (await as_alice.get(f"/calls/{calls[0]}/receipt.pdf")).content.startswith(b"%PDF")
    for path in (f"/calls/{calls[0]}", f"/calls/{calls[0]}/receipt.pdf"):
        assert (await as_bob.get(path)).status_code == 404
    assert await as_bob.all("/calls") == []


async def test_a_call_that_was_none_is_claimed_once(
    as_alice: Program, as_bob: Program, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 20)
    refused(await as_bob.make(f"/calls/{call}/claim", {"reason": "spam"}), 404, "not-found")
    wrong = await as_alice.make(f"/calls/{call}/claim", {"reason": "platform_fault"})
    assert fields_of(refused(wrong, 422, "no-such-reason")) == ["reason"]
    made = await as_alice.make(f"/calls/{call}/claim", {"reason": "spam"}, once="c")
    assert made.status_code == 201, made.text
    assert made.json()["state"] == "GRANTED"
    again = await as_alice.make(f"/calls/{call}/claim", {"reason": "spam"}, once="c")
    assert again.json() == made.json()
    assert (await as_alice.read("/credits"))["balance"] == 1000
    assert (await as_alice.read(f"/calls/{call}"))["receipt"]["claim"]["state"] == "GRANTED"
