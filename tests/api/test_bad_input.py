"""What cannot be right, as customers and operators send it: each is a problem that names the field and says what to do,
and nothing of it is written, not by half.

The rule: all rows of all tables are compared before and after; what is only looked at on the way is no change.
"""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.api.besieged import Besieged
from tests.api.program import Program, fields_of, refused
from tests.db.everything import digests_of

DEAR, NONE = "+499001234567", "not a number"
ORDER = {"carrier": "simulated", "kind": "LOCAL", "amount_micros": 1_150_000, "currency": "USD"}
INSIDE = (
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001",
    "127.1", "0", "localhost", "a.localhost", "metadata.google.internal", "[::1]", "[::]", "[fe80::1]",
    "[fd00:ec2::254]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "①②⑦.⓪.⓪.①", "example.org@127.0.0.1",
)  # fmt: skip
NEW = {"name": "Front desk", "business": "Wonderland Tea"}


@dataclass(frozen=True)
class Bad:
    """What somebody sends, and what they are told."""

    method: str
    path: str
    body: dict[str, Any]
    status: int
    kind: str
    names: str | None
    """The field that is wrong."""
    says: str
    """Words of what is to be done."""
    by_operator: bool = False
    headers: dict[str, str] = field(default_factory=lambda: {"if-match": "*"})


def post(path: str, body: dict[str, Any], *told: Any) -> Bad:
    """Under `/admin` it is the operator who sends it."""
    status, kind, names, says = told
    return Bad("POST", path, body, status, kind, names, says, by_operator=path.startswith("/admin"), headers={})


def patch(path: str, body: dict[str, Any], *told: Any) -> Bad:
    """Whatever the state is."""
    status, kind, names, says = told
    return Bad("PATCH", path, body, status, kind, names, says)


HERS, HER_DRAFT = "/agents/{agent_id}", "/agents/{agent_id}/draft"
TABLE = {
    "a number that is no number, to be proven": post(
        "/number-proofs", {"number": NONE}, 422, "no-number", "number", "+49"
    ),
    "a number that is no number, for the pool": post(
        "/admin/numbers", {"number": NONE, "carrier": "simulated"}, 422, "no-number", "number", "+49"
    ),
    "a number that is no number, to be bought": post(
        "/admin/number-orders", ORDER | {"number": NONE}, 422, "no-number", "number", "+49"
    ),
    "a number that is no number, of a person": patch(
        HER_DRAFT, {"people": [{"name": "Ann", "number": NONE}]}, 422, "unfit-agent", "people.0.number", "+49"
    ),
    "a premium-rate number, to be proven": post(
        "/number-proofs", {"number": DEAR}, 422, "dear-number", "number", "choose an ordinary"
    ),
    "a premium-rate number, for the pool": post(
        "/admin/numbers", {"number": DEAR, "carrier": "simulated"}, 422, "dear-number", "number", "choose an ordinary"
    ),
    "a premium-rate number, to be bought": post(
        "/admin/number-orders", ORDER | {"number": DEAR}, 422, "dear-number", "number", "choose an ordinary"
    ),
    "a premium-rate number, of a person": patch(
        HER_DRAFT, {"people": [{"name": "Ann", "number": DEAR}]}, 422, "unfit-agent", "people.0.number", "premium"
    ),
    "somebody else's number, to be proven": post(
        "/number-proofs", {"number": "{bobs_digits}"}, 409, "our-own-number", "number", "prove the one"
    ),
    "somebody else's number, for the pool as Alice's own": post(
        "/admin/numbers",
        {"number": "{bobs_digits}", "carrier": "simulated", "owner_id": "{user_id}"},
        409, "not-theirs", None, "let them prove it first",
    ),
    "somebody else's number, to be bought": post(
        "/admin/number-orders", ORDER | {"number": "{bobs_digits}"}, 409, "in-the-pool", "number", "pool"
    ),
    "somebody else's number, pointed at one's own agent": patch(
        "/numbers/{bobs_number}", {"agent_id": "{agent_id}"}, 404, "no-such-number", None, "no such number"
    ),
    "somebody else's number, given back": post(
        "/numbers/{bobs_number}/release", {}, 404, "no-such-number", None, "no such number"
    ),
    "somebody else's number, given to Alice": post(
        "/admin/numbers/{bobs_number}/assign", {"user_id": "{user_id}", "agent_id": "{agent_id}"},
        409, "not-free", None, "release this one first",
    ),
    "an agent of somebody else's, for one's own number": patch(
        "/numbers/{number_id}", {"agent_id": "{bobs_agent}"}, 404, "not-found", None, "no such"
    ),
    "an agent without a greeting": post(
        "/agents/{mute}/publish", {"revision": "{mute_revision}"}, 422, "unfit-agent", "greeting", "when it answers"
    ),
    "instructions of 200 kB": patch(
        HER_DRAFT, {"instructions": "x" * 200_000}, 422, "invalid-request", "instructions", "at most 20000 characters"
    ),
    "instructions of 300 kB": patch(
        HER_DRAFT, {"instructions": "x" * 300_000}, 413, "body-too-large", None, "256 kB"
    ),
    "a new agent in a language that no voice speaks": post(
        "/agents", NEW | {"language": "tlh"}, 422, "unfit-agent", "language", "de (German), en (English)"
    ),
    "a draft in a language that no voice speaks": patch(
        HER_DRAFT, {"tone": "Warm.", "language": "tlh"}, 422, "unfit-agent", "language", "de (German), en (English)"
    ),
    "a template that does not exist": post(
        "/agents", NEW | {"template": "astronaut"}, 422, "unfit-agent", "template", "dentist"
    ),
    "a version rolled back to while a newer draft is open": post(
        f"{HERS}/versions/1/roll-back", {}, 409, "draft-is-open", "draft", "keep"
    ),
    "a version that does not exist": post(
        f"{HERS}/versions/99/roll-back", {"draft": "keep"}, 404, "no-such-version", None, "version"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
async def things(besieged: Besieged) -> dict[str, Any]:
    """What is there: with a number and an agent of Bob's, and an agent of Alice's that says nothing."""
    ring, bob = besieged.ring, besieged.ring.cast.bob
    async with Program(besieged.world.app, ring.operator) as operator:
        added = await operator.make("/admin/numbers", {"number": "+44 20 7946 0002", "carrier": "simulated"})
        number = added.json()
        body = {"user_id": str(bob.id), "agent_id": str(bob.agent)}
        assigned = await operator.post(f"/admin/numbers/{number['id']}/assign", json=body)
        assert assigned.status_code == 200, assigned.text
    async with Program(besieged.world.app, ring.owner) as program:
        mute = (await program.make("/agents", NEW)).json()["id"]
        draft = await program.change(f"/agents/{mute}/draft", {"greeting": ""})
    return {
        **ring.things,
        "bobs_number": number["id"],
        "bobs_digits": number["number"],
        "bobs_agent": str(bob.agent),
        "mute": mute,
        "mute_revision": draft.json()["revision"],
    }


def filled(value: Any, things: dict[str, Any]) -> Any:
    """With what is there in the place of its name."""
    if isinstance(value, dict):
        return {name: filled(each, things) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, things) for each in value]
    if isinstance(value, str) and value.startswith("{"):
        return things[value[1:-1]]
    return value


@pytest.mark.parametrize("bad", TABLE.values(), ids=TABLE)
async def test_it_is_refused_with_what_to_do_and_nothing_is_half_written(
    besieged: Besieged, things: dict[str, Any], bad: Bad
) -> None:
    ring, database = besieged.ring, besieged.world.database
    key = ring.operator if bad.by_operator else ring.owner
    headers = bad.headers | ({"idempotency-key": uuid.uuid4().hex} if bad.method == "POST" else {})
    before = await digests_of(database)
    async with Program(besieged.world.app, key) as program:
        # Twice, as a program does that does not read what it is told.
        for _ in range(2):
            answer = await program.request(
                bad.method, bad.path.format(**things), json=filled(bad.body, things), headers=headers
            )
            problem = refused(answer, bad.status, bad.kind)
            assert bad.says in str(problem["errors"] if bad.kind == "unfit-agent" else problem["detail"]), problem
            assert fields_of(problem) == ([bad.names] if bad.names else []), problem
    after = await digests_of(database)
    assert [name for name in before if before[name] != after[name]] == []


async def test_of_two_people_who_save_one_draft_the_second_is_told_and_half_of_nothing_is_kept(
    besieged: Besieged, things: dict[str, Any]
) -> None:
    path = f"/agents/{things['mute']}/draft"
    async with Program(besieged.world.app, besieged.ring.owner) as program:
        seen = (await program.get(path)).headers["etag"]
        sent = [{"greeting": f"Hello from {name}.", "tone": f"As {name} speaks."} for name in ("Ann", "Ben")]
        answers = await asyncio.gather(*(program.patch(path, json=each, headers={"if-match": seen}) for each in sent))
        (taken,) = [nth for nth in range(2) if answers[nth].status_code == 200]
        problem = refused(answers[1 - taken], 412, "draft-changed")
        assert sorted(fields_of(problem)) == ["greeting", "tone"], "what the first one changed"
        assert sent[taken]["greeting"] in str(problem["errors"])
        kept = (await program.read(path))["content"]
    assert {name: kept[name] for name in sent[taken]} == sent[taken]


@pytest.mark.parametrize("host", INSIDE)
async def test_an_address_of_our_own_network_is_no_webhook_however_it_is_written(
    besieged: Besieged, things: dict[str, Any], host: str
) -> None:
    before = await digests_of(besieged.world.database)
    body = {"url": f"https://{host}/hook", "events": ["call.*"]}
    async with Program(besieged.world.app, besieged.ring.owner) as program:
        made = await program.make("/webhooks", body)
        changed = await program.patch(
            f"/webhooks/{things['webhook_id']}", json={"url": body["url"]}, headers={"if-match": "*"}
        )
        for answer in (made, changed):
            assert answer.status_code == 422, answer.text
            assert fields_of(answer.json()) == ["url"]
    assert await digests_of(besieged.world.database) == before
