"""The door that payment companies knock on: signed or not at all, stored before it is acknowledged."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from talktime.db.session import Database
from talktime.gateways.stripe import Stripe
from talktime.gateways.stripe_signature import sign
from talktime.payments.models import PurchaseState
from talktime.simulate.gateway_deeds import Faults, Resend
from tests.payments.counter import WEBHOOK, WHY, Counter, open_counter
from tests.people import Person


def event(name: str, **more: Any) -> bytes:
    said = {
        "id": name,
        "object": "event",
        "type": "customer.created",
        "livemode": False,
        "created": int(datetime.now(UTC).timestamp()),
        "data": {"object": {"id": "cus_1", "object": "customer"}},
        **more,
    }
    return json.dumps(said).encode()


async def knock(counter: Counter, body: bytes, signature: str | None, *, gateway: str = "simulated") -> int:
    headers = {} if signature is None else {"Stripe-Signature": signature}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{counter.url}/hooks/payments/{gateway}", content=body, headers=headers)
    return answer.status_code


async def stored(counter: Counter, name: str) -> int:
    async with counter.database.transaction(everyone=WHY) as db:
        found = await db.scalar(text("SELECT count(*) FROM provider_events WHERE event_id = :id"), {"id": name})
    return int(found or 0)


async def test_what_is_signed_is_stored_once_and_acknowledged_each_time(counter: Counter) -> None:
    name = f"evt_{uuid.uuid4().hex}"
    body = event(name)
    for _ in range(3):
        assert await knock(counter, body, sign(WEBHOOK, body, datetime.now(UTC))) == 204
    assert await stored(counter, name) == 1


@pytest.mark.parametrize("secret", ["whsec_other", "", " "])
async def test_what_is_not_signed_by_the_company_leaves_no_trace(counter: Counter, secret: str) -> None:
    name = f"evt_{uuid.uuid4().hex}"
    body = event(name)
    assert await knock(counter, body, sign(secret, body, datetime.now(UTC))) == 400
    assert await knock(counter, body, None) == 400
    assert await knock(counter, body, "t=1,v1=") == 400
    assert await stored(counter, name) == 0


async def test_an_old_signature_one_of_the_future_and_a_changed_body_are_refused(counter: Counter) -> None:
    name = f"evt_{uuid.uuid4().hex}"
    body = event(name)
    for minutes in (-6, 6):
        assert await knock(counter, body, sign(WEBHOOK, body, datetime.now(UTC) + timedelta(minutes=minutes))) == 400
    assert await knock(counter, body + b" ", sign(WEBHOOK, body, datetime.now(UTC))) == 400
    assert await stored(counter, name) == 0


async def test_the_operator_reads_why_a_signature_was_refused_and_whoever_knocked_does_not(counter: Counter) -> None:
    body = event("evt_refused")
    wrong = sign("whsec_other", body, datetime.now(UTC))
    for signature, why in (
        (wrong, "not of a secret of ours"),
        (None, "no signature"),
        ("t=1,v1=00", "not of a secret"),
    ):
        headers = {} if signature is None else {"Stripe-Signature": signature}
        async with httpx.AsyncClient(trust_env=False) as client:
            with capture_logs() as logs:
                answer = await client.post(f"{counter.url}/hooks/payments/simulated", content=body, headers=headers)
        assert answer.status_code == 400
        (said,) = [each for each in logs if "error" in each]
        assert why in said["error"]
        assert why not in answer.text
        assert WEBHOOK not in str(logs) and wrong not in str(logs)


async def test_without_a_secret_nothing_is_ever_believed(counter: Counter) -> None:
    company = Stripe("sk_test_" + "k" * 24, [""], counter.company.api_base)
    counter.till.gateways["stripe"] = company  # type: ignore[index]  # a test puts one more company into the dict
    try:
        body = event("evt_unsigned")
        for secret in ("", " ", "whsec_"):
            assert await knock(counter, body, sign(secret, body, datetime.now(UTC)), gateway="stripe") == 400
    finally:
        del counter.till.gateways["stripe"]  # type: ignore[attr-defined]
        await company.close()


async def test_a_company_that_is_not_ours_is_not_there(counter: Counter) -> None:
    assert await knock(counter, b"{}", None, gateway="paypal") == 404


async def test_too_large_a_body_is_refused_before_it_is_read(counter: Counter) -> None:
    assert await knock(counter, b"x" * 300_000, None) == 413


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"object": "event"}', b"\xff\x00"])
async def test_what_is_signed_and_makes_no_sense_is_refused(counter: Counter, body: bytes) -> None:
    assert await knock(counter, body, sign(WEBHOOK, body, datetime.now(UTC))) == 400


async def test_a_bad_signature_grants_nothing_and_the_good_one_that_follows_does(
    database: Database, tmp_path: Path, alice: Person
) -> None:
    async with open_counter(database, tmp_path) as counter:
        purchase = await counter.begin(alice, await counter.pack())
        await counter.control.go_wrong(Faults(bad_signature=True))
        await counter.pay(purchase)
        await counter.drain()
        assert await counter.state(purchase) is PurchaseState.OPEN
        await counter.control.go_wrong(Faults())
        (event,) = await counter.control.events("checkout.session.completed")
        await counter.control.do(Resend(event=event["id"]))
        async with asyncio.timeout(10):
            while await counter.state(purchase) is PurchaseState.OPEN:
                await asyncio.sleep(0.1)
                await counter.drain()
        assert await counter.state(purchase) is PurchaseState.PAID
