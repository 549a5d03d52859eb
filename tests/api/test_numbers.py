"""Numbers by a program: its owner's, pointed, tested, given back; the operator's pool, searched, bought, compared."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import text

from talktime.accounts.keys import Scope
from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.db.base import new_id
from talktime.db.session import Database, connect
from talktime.numbers import pool
from talktime.numbers.rounds import all_numbers
from talktime.numbers.telling import tell_due
from talktime.settings import Settings
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.orders import NumberFault
from tests.api.program import Program, fields_of, program_of, refused
from tests.db.everything import become_owner
from tests.people import WHY, Person, charges, new_person
from tests.web.stage import SECRET, SITE, Stage

ONE, TWO, SHOP = "+442079460001", "+442079460002", "+493012345678"


@pytest.fixture(scope="module")
async def desk(new_database_url: Callable[[], str]) -> AsyncIterator[tuple[Stage, SimulatedCarrier]]:
    """A process with a phone company, and a database that nobody else has numbers in."""
    database = connect(new_database_url())
    async with SimulatedCarrier("AC" + "a" * 32, "a-token", control_secret="x") as company:
        account = SimulatedAccount(company.account, company.token, company.control_secret, company.api_base)
        carrier = Simulated(account)
        stage = Stage(Settings(public_url=SITE, secret_key=SECRET, number_rent=30), database)
        stage.carriers["simulated"] = carrier
        yield stage, company
        await carrier.close()
    await database.close()


@pytest.fixture
def stage(desk: tuple[Stage, SimulatedCarrier]) -> Stage:
    return desk[0]


@pytest.fixture
def database(stage: Stage) -> Database:
    return stage.database


@pytest.fixture
async def company(desk: tuple[Stage, SimulatedCarrier]) -> SimulatedCarrier:
    """Without a number, and so is the pool."""
    stage, company = desk
    company.numbers.__init__()  # type: ignore[misc]  # as if it was new
    company.said.clear()
    async with stage.database.transaction(everyone=WHY) as db:
        await become_owner(db)
        for table in ("number_orders", "number_proofs", "throttles", "phone_numbers"):
            await db.execute(text(f"DELETE FROM {table}"))
    return company


@pytest.fixture
async def alice(database: Database, company: SimulatedCarrier) -> Person:
    return await new_person(database, "Alice", credits=1000)


async def given(stage: Stage, company: SimulatedCarrier, person: Person, number: str = ONE, rent: int = 0) -> str:
    """The path of a number that somebody has."""
    owned = company.numbers.put(number)
    async with stage.database.transaction(everyone=WHY) as db:
        await pool.add(db, number, carrier="simulated", carrier_number_id=owned.sid)
        row = await pool.assign(db, number, user=person.id, agent=person.agent, rent_credits=rent)
    return f"/numbers/{row.id}"


async def another_agent(stage: Stage, person: Person, *, archived: bool = False) -> str:
    agent = new_id()
    async with stage.database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO agents (user_id, id, name, business, language, zone, active, archived_at) VALUES"
                " (:user, :id, 'Other', 'Other', 'en', 'UTC', false, CASE WHEN :archived THEN now() END)"
            ),
            {"user": person.id, "id": agent, "archived": archived},
        )
    return str(agent)


async def test_numbers_are_listed_read_and_pointed_at_another_agent(
    stage: Stage, company: SimulatedCarrier, alice: Person, as_alice: Program
) -> None:
    path = await given(stage, company, alice, rent=30)
    for nth in range(3, 8):
        await given(stage, company, alice, f"+44207946{nth:04d}")
    listed = await as_alice.all("/numbers", limit=2)
    digits = [each["number"] for each in listed]
    assert digits == sorted(digits)
    assert len(digits) == 7, "and the one that people in tests come with"
    assert [each["number"] for each in await as_alice.all("/numbers", limit=3, sort="-number")] == digits[::-1]
    one = await as_alice.read(path)
    assert (one["number"], one["national"], one["agent_id"]) == (ONE, "020 7946 0001", str(alice.agent))
    assert (one["rent_credits"], one["rent_unpaid_since"]) == (30, None)
    other = await another_agent(stage, alice)
    changed = await as_alice.change(path, {"agent_id": other})
    assert (changed.status_code, changed.json()["agent_id"]) == (200, other)
    assert [each["number"] for each in await as_alice.all("/numbers", agent_id=other)] == [ONE]
    assert (await as_alice.change(path, {"agent_id": other})).json() == changed.json()


async def test_a_change_is_made_from_the_state_that_was_read_and_to_what_is_there(
    stage: Stage, company: SimulatedCarrier, alice: Person, as_alice: Program
) -> None:
    path = await given(stage, company, alice)
    body = {"agent_id": await another_agent(stage, alice)}
    refused(await as_alice.patch(path, json=body), 428, "state-unknown")
    refused(await as_alice.patch(path, json=body, headers={"if-match": '"old"'}), 412, "state-changed")
    gone = await another_agent(stage, alice, archived=True)
    assert fields_of(refused(await as_alice.change(path, {"agent_id": gone}), 409, "agent-archived")) == ["agent_id"]
    refused(await as_alice.change(path, {"agent_id": str(uuid.uuid4())}), 404, "not-found")
    for wrong in ({}, {"agent_id": 5}, {"agent_id": "x"}, {"agent_id": body["agent_id"], "number": TWO}):
        refused(await as_alice.change(path, wrong), 422, "invalid-request")
    now = (await as_alice.get(path)).headers["etag"]
    both = await asyncio.gather(
        *(
            as_alice.patch(path, json={"agent_id": each}, headers={"if-match": now})
            for each in (body["agent_id"], await another_agent(stage, alice))
        )
    )
    assert sorted(each.status_code for each in both) == [200, 412]


async def test_somebody_elses_number_is_not_there(
    stage: Stage, company: SimulatedCarrier, alice: Person, as_bob: Program, bob: Person
) -> None:
    path = await given(stage, company, alice)
    refused(await as_bob.get(path), 404, "no-such-number")
    body = {"agent_id": str(bob.agent)}
    refused(await as_bob.patch(path, json=body, headers={"if-match": "*"}), 404, "no-such-number")
    for deed in ("release", "self-test"):
        refused(await as_bob.post(f"{path}/{deed}"), 404, "no-such-number")
    assert path.rpartition("/")[2] not in str(await as_bob.all("/numbers"))
    refused(await as_bob.get("/admin/numbers"), 403, "missing-scope")
    async with program_of(stage, alice, [Scope.NUMBERS_READ]) as reader:
        refused(await reader.post(f"{path}/release"), 403, "missing-scope")


async def test_a_number_is_given_back_once(
    stage: Stage, company: SimulatedCarrier, alice: Person, as_alice: Program
) -> None:
    path = await given(stage, company, alice)
    done = await as_alice.post(f"{path}/release")
    assert (done.status_code, done.json()["number"]) == (200, ONE)
    refused(await as_alice.post(f"{path}/release"), 404, "no-such-number")
    refused(await as_alice.get(path), 404, "no-such-number")


async def test_a_number_that_does_not_ring_here_says_so(
    stage: Stage, company: SimulatedCarrier, alice: Person, as_alice: Program
) -> None:
    path = await given(stage, company, alice)
    company.numbers.go_wrong(NumberFault(what="call", status=400, times=4))
    done = (await as_alice.post(f"{path}/self-test")).json()
    assert (done["passed"], done["broken"], done["call_id"]) == ([], "carrier", None)
    for _ in range(2):
        await as_alice.post(f"{path}/self-test")
    answer = await as_alice.post(f"{path}/self-test")
    refused(answer, 429, "too-many-tries")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_number_of_ones_own_is_proven_by_a_code(
    stage: Stage, company: SimulatedCarrier, alice: Person, as_alice: Program, as_bob: Program
) -> None:
    await given(stage, company, alice)
    first, again = [await as_alice.make("/number-proofs", {"number": "+49 30 12345678"}, once="mine") for _ in range(2)]
    assert (first.status_code, first.json()["number"]) == (201, SHOP)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    proof = f"/number-proofs/{first.json()['id']}"
    assert first.headers["location"] == f"/v1{proof}"
    async with asyncio.timeout(5):
        while not company.heard(SHOP):
            await asyncio.sleep(0.02)
    assert len(company.heard(SHOP)) == 5, "called once"
    code = re.sub(r"\D", "", company.heard(SHOP)[1])
    refused(await as_bob.get(proof), 404, "not-found")
    refused(await as_bob.post(f"{proof}/finish", json={"code": code}), 404, "not-found")
    wrong = await as_alice.post(f"{proof}/finish", json={"code": "abcdef"})
    assert fields_of(refused(wrong, 422, "wrong-code")) == ["code"]
    done = await as_alice.post(f"{proof}/finish", json={"code": code})
    assert done.json()["proven_at"] is not None
    assert await as_alice.all("/number-proofs") == [done.json()]
    assert await as_bob.all("/number-proofs") == []
    for number, kind in (
        ("hello there", "no-number"),
        ("+49 900 1234567", "dear-number"),
        (ONE, "our-own-number"),
    ):
        answer = await as_alice.make("/number-proofs", {"number": number})
        assert fields_of(refused(answer, answer.status_code, kind)) == ["number"], number


@pytest.fixture
async def ada(database: Database, company: SimulatedCarrier) -> Person:
    return await new_person(database, "Ada", credits=0, admin=True)


async def test_an_operator_searches_buys_assigns_and_takes_back(
    stage: Stage, company: SimulatedCarrier, alice: Person, ada: Person, as_ada: Program
) -> None:
    found = await as_ada.read("/admin/available-numbers", carrier="simulated", country="GB", area="020", limit=3)
    assert (found["amount_micros"], found["currency"]) == (1_150_000, "USD")
    assert [each["number"] for each in found["data"]] == ["+442079460000", ONE, TWO]
    order = {"number": ONE, "kind": "LOCAL", "carrier": "simulated", "amount_micros": 1_150_000, "currency": "USD"}
    dear = await as_ada.make("/admin/number-orders", order | {"amount_micros": 1_000_000})
    assert fields_of(refused(dear, 409, "price-changed")) == ["amount_micros"]
    first, again = [await as_ada.make("/admin/number-orders", order, once="order") for _ in range(2)]
    assert (first.status_code, first.json()["state"], company.numbers.orders) == (201, "BOUGHT", 1)
    assert again.json() == first.json()
    refused(await as_ada.make("/admin/number-orders", order), 409, "in-the-pool")
    assert await as_ada.all("/admin/number-orders", state="BOUGHT") == [first.json()]
    assert await as_ada.read(f"/admin/number-orders/{first.json()['id']}") == first.json()
    number = f"/admin/numbers/{first.json()['number_id']}"
    body = {"user_id": str(alice.id), "agent_id": str(alice.agent)}
    assigned = await as_ada.post(f"{number}/assign", json=body)
    assert (assigned.json()["status"], assigned.json()["rent_credits"]) == ("ASSIGNED", 30)
    assert await charges(stage.database, alice) == [-30]
    assert (await as_ada.post(f"{number}/assign", json=body)).json() == assigned.json()
    bob = await new_person(stage.database, "Bob", credits=100)
    other = {"user_id": str(bob.id), "agent_id": str(bob.agent)}
    refused(await as_ada.post(f"{number}/assign", json=other), 409, "not-free")
    changed = await as_ada.change(number, {"rent_credits": 45, "agent_id": await another_agent(stage, alice)})
    assert changed.json()["rent_credits"] == 45
    refused(await as_ada.change(number, {"agent_id": None}), 422, "invalid-request")
    refused(await as_ada.post(f"{number}/give-up"), 409, "still-assigned")
    assert (await as_ada.post(f"{number}/release")).json()["status"] == "RELEASED"
    refused(await as_ada.post(f"{number}/release"), 409, "not-assigned")
    refused(await as_ada.change(number, {"rent_credits": 1}), 409, "not-assigned")
    assert (await as_ada.post(f"{number}/give-up")).json()["carrier_phase"] == "WANTED"
    listed = await as_ada.all("/admin/numbers", status="RETURNED", carrier="simulated", begins="+44", limit=1)
    assert [each["number"] for each in listed] == [ONE]


async def test_an_operator_imports_compares_and_tells_again(
    stage: Stage, company: SimulatedCarrier, ada: Person, as_ada: Program
) -> None:
    company.numbers.put(ONE)
    drift = await as_ada.read("/admin/number-drift", carrier="simulated")
    assert [(each["number"], each["difference"]) for each in drift["data"]] == [(ONE, "only_there")]
    trial = await as_ada.post("/admin/number-imports", json={"carrier": "simulated", "dry_run": True})
    assert trial.json() == {"added": [ONE], "renamed": [], "known": 0, "refused": {}}
    assert (await as_ada.post("/admin/number-imports", json={"carrier": "simulated"})).json()["added"] == [ONE]
    assert await tell_due(stage.database, all_numbers(stage.carriers), SITE) == 1
    assert (await as_ada.read("/admin/number-drift"))["data"] == []
    (number,) = await as_ada.all("/admin/numbers", begins="+44")
    told = await as_ada.post(f"/admin/numbers/{number['id']}/tell")
    assert told.json()["carrier_phase"] == "WANTED"
    assert await as_ada.all("/admin/numbers", carrier_phase="WANTED") == [told.json()]
    company.numbers.go_wrong(NumberFault(what="list", status=500))
    answer = await as_ada.get("/admin/number-drift")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json")


async def test_numbers_are_added_by_hand_once(
    stage: Stage, company: SimulatedCarrier, alice: Person, ada: Person, as_ada: Program
) -> None:
    body = {"number": "+44 20 7946 0002", "carrier": "simulated"}
    first, again = [await as_ada.make("/admin/numbers", body, once="hand") for _ in range(2)]
    assert (first.status_code, first.json()["number"], first.json()["carrier_number_id"]) == (201, TWO, None)
    assert again.headers["idempotency-replayed"] == "true"
    refused(await as_ada.make("/admin/numbers", body | {"number": ONE}, once="hand"), 409, "used-for-something-else")
    for wrong, kind in (
        ({"number": "030 123"}, "no-number"),
        ({"number": "+49 180 5123456"}, "dear-number"),
        ({"number": "+49 1 2345678"}, "unknown-number"),
        ({"carrier": "telnyx"}, "no-such-carrier"),
        ({"owner_id": str(alice.id)}, "not-theirs"),
    ):
        answer = await as_ada.make("/admin/numbers", body | wrong)
        refused(answer, answer.status_code, kind)
        assert answer.status_code in (409, 422)
    missing = f"/admin/numbers/{uuid.uuid4()}"
    refused(await as_ada.get(missing), 404, "no-such-number")
    for deed in ("release", "give-up", "tell"):
        refused(await as_ada.post(f"{missing}/{deed}"), 404, "no-such-number")
    nobody: dict[str, Any] = {"user_id": str(uuid.uuid4()), "agent_id": str(uuid.uuid4())}
    refused(await as_ada.post(f"/admin/numbers/{first.json()['id']}/assign", json=nobody), 404, "not-found")


async def test_who_is_no_operator_any_more_does_nothing_to_the_pool(
    stage: Stage, company: SimulatedCarrier, ada: Person, as_ada: Program
) -> None:
    async with stage.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE users SET role = 'USER' WHERE id = :id"), {"id": ada.id})
    for answer in (
        await as_ada.get("/admin/numbers"),
        await as_ada.make("/admin/numbers", {"number": ONE, "carrier": "simulated"}),
        await as_ada.post("/admin/number-imports", json={"carrier": "simulated"}),
    ):
        refused(answer, 403, "not-an-operators-key")
