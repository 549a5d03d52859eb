"""Something of Alice's of every kind, and the keys that she, somebody else and an operator come with.

The rule: what stands in an address of the API stands in `things`, under the name that it has there.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from talktime import inbox
from talktime.accounts import keys
from talktime.accounts.keys import Scope
from talktime.carriers.numbers import NumberKind
from talktime.db.base import new_id
from talktime.inbox import Incoming
from talktime.numbers.models import NumberOrder, NumberProof
from talktime.security import token_hash
from tests.api.program import OF_CUSTOMERS, Program, key_of
from tests.people import WHY
from tests.web.matrix_people import Cast, World, make_people


@dataclass(frozen=True)
class Keyring:
    """What each of them comes with."""

    cast: Cast
    things: Mapping[str, Any]
    owner: str
    other: str
    operator: str
    revoked: str
    lacking: dict[Scope | None, str] = field(default_factory=dict)
    """A key with every scope but one."""


async def keyring(world: World) -> Keyring:
    """New people, something of Alice's of every kind, and their keys."""
    cast = await make_people(world)
    database, alice = world.database, cast.alice
    owner = await key_of(database, alice)
    async with database.transaction(everyone=WHY) as db:
        gone, revoked = await keys.make(db, alice.id, "gone", OF_CUSTOMERS)
        await keys.revoke(db, alice.id, gone.id)
        spare, _ = await keys.make(db, alice.id, "spare", ["calls:read"])
        numbers = text("SELECT id::text FROM phone_numbers WHERE user_id = :user")
        number = await db.scalar(numbers, {"user": alice.id})
        purchases = text("SELECT id::text FROM purchases WHERE user_id = :user AND state = 'PAID'")
        purchase = await db.scalar(purchases, {"user": alice.id})
        told = Incoming("testing", "acct", uuid.uuid4().hex, "test.told", b"{}", {})
        assert await inbox.store(db, told)
        event = await db.scalar(text("SELECT id::text FROM provider_events WHERE event_id = :e"), {"e": told.event_id})
        proof, order, number_of_hers = new_id(), new_id(), f"+1555{new_id().int % 10**7:07d}"
        soon = datetime.now(UTC) + timedelta(minutes=10)
        db.add(NumberProof(id=proof, user_id=alice.id, number=number_of_hers, carrier="simulated", expires_at=soon,
                           code_hash=token_hash("x")))  # fmt: skip
        db.add(NumberOrder(id=order, number=number_of_hers, carrier="simulated", country="GB", kind=NumberKind.LOCAL,
                           amount_micros=1, currency="EUR", ordered_by=alice.id))  # fmt: skip
    things: dict[str, Any] = {
        "user_id": str(alice.id), "agent_id": str(alice.agent), "version_no": "1", "key": "dentist", "seq": "1",
        "call_id": cast.things["call"], "claimed_id": cast.things["claimed"], "pack_id": str(world.pack.id),
        "purchase_id": str(purchase), "invoice_id": cast.things["invoice"], "month": cast.things["month"],
        "key_id": str(spare.id), "number_id": str(number), "alert_id": cast.things["alert"],
        "approval_id": cast.things["approval"], "proof_id": str(proof), "order_id": str(order),
        "event_id": str(event), "new_number": f"+4930{new_id().int % 10**7:07d}",
    }  # fmt: skip
    async with Program(world.app, owner) as program:
        made = await program.make("/webhooks", {"url": "https://crm.example.org/hooks", "events": ["call.*"]})
        assert made.status_code == 201, made.text
        things["webhook_id"] = made.json()["webhook"]["id"]
        assert (await program.make(f"/webhooks/{things['webhook_id']}/test", None)).status_code == 202
        things["delivery_id"] = (await program.read(f"/webhooks/{things['webhook_id']}/deliveries"))["data"][0]["id"]
        # A second version, so that there is one to roll back to, and a draft of a third.
        for tone in ("Warm.", "Brief."):
            draft = f"/agents/{alice.agent}/draft"
            changed = await program.patch(draft, json={"tone": tone}, headers={"if-match": "*"})
            assert changed.status_code == 200, changed.text
            things["revision"] = changed.json()["revision"]
            if tone == "Warm.":
                made = await program.make(f"/agents/{alice.agent}/publish", {"revision": things["revision"]})
                assert made.status_code == 201, made.text
    return Keyring(
        cast,
        things,
        owner,
        await key_of(database, cast.bob),
        await key_of(database, cast.ada, Scope),
        revoked,
    )
