"""The carriers' doors under everything that may be posted there: odd fields that are rightly signed, things that no
signature covers, reports that come early, late or about nothing. Each gets an answer, and costs nobody anything.
"""

import uuid
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from sqlalchemy import text

from talktime.credits.verify import verify
from tests.hooks.company import (
    Ringing,
    assert_still_rings,
    calls_of,
    end,
    is_stored,
    over,
    parameters_of,
    post,
    ring_fields,
    ringing,
    verdict_on,
)
from tests.house import TALK, House, new_sid
from tests.people import Person, account_of, charges, new_person


@pytest.mark.parametrize(
    "odd",
    [
        {"To": None},
        {"To": ""},
        {"To": "alice"},
        {"To": "+0123456789"},
        {"To": "4930123456"},
        {"To": "+49 30 123456"},
        {"To": "+4930123456\x00"},
        {"To": "+4930123456\n"},
        {"To": "+٤٩٣٠١٢٣٤٥٦"},
        {"To": "☎"},
        {"To": "sip:alice@example.org"},
        {"To": "+1' OR 1=1 --"},
        {"To": "+" + "1" * 40_000},
        {"To": ["+15550000001", "+15550000002"]},
        {"CallSid": None},
        {"CallSid": ""},
        {"CallSid": "CA1"},
        {"CallSid": "CA" + "x" * 32},
        {"CallSid": "CA" + "A" * 32},
        {"CallSid": "CA" + "0" * 31 + "\x00"},
        {"CallSid": "CA" + "0" * 32 + "\n"},
        {"CallSid": "C" * 40_000},
        {"CallSid": ["CA" + "1" * 32, "CA" + "2" * 32]},
    ],
    ids=lambda odd: str(odd)[:50].encode("unicode_escape").decode(),
)
async def test_a_ring_of_another_form_is_a_bad_request(
    house: House, alice: Person, odd: dict[str, str | list[str] | None]
) -> None:
    fields: dict[str, Any] = {**ring_fields(house, alice, new_sid()), **odd}
    answer = await post(house, "ring", {name: value for name, value in fields.items() if value is not None})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert await calls_of(house, alice) == 0
    assert (await account_of(house.database, alice)).held == 0


@pytest.mark.parametrize(
    "caller",
    ["☎ unknown", "+49\x00151", "\x00", "anonymous", "+266696687", "sip:x@example.org", "x" * 40_000, "", "+1; DROP"],
    ids=lambda caller: repr(caller)[:20],
)
async def test_a_ring_from_an_odd_caller_is_one_from_a_withheld_number(
    house: House, alice: Person, caller: str
) -> None:
    sid = new_sid()
    fields = ring_fields(house, alice, sid, From=caller, CallerName=caller[:100])
    call = Ringing(sid, parameters_of(await post(house, "ring", fields)))
    await assert_still_rings(house, alice, call)
    async with house.database.transaction(user=alice.id) as db:
        assert await db.scalar(text("SELECT caller FROM calls WHERE id = :call"), {"call": call.call}) is None
    await end(house, alice, sid)


async def test_fields_that_nobody_asked_for_change_nothing(house: House, alice: Person) -> None:
    sid = new_sid()
    fields = ring_fields(
        house, alice, sid, Odd="x" * 40_000, Ünicode="\x00☎", user=str(uuid.uuid4()), **{"": "nameless"}
    )
    call = Ringing(sid, parameters_of(await post(house, "ring", fields)))
    assert call.parameters["user"] == str(alice.id)
    # Rung again, with other fields: the same answer, and one call.
    assert parameters_of(await post(house, "ring", ring_fields(house, alice, sid))) == call.parameters
    assert await calls_of(house, alice) == 1
    await end(house, alice, sid)


async def test_a_number_that_nobody_has_is_announced_and_leaves_no_trace(house: House, alice: Person) -> None:
    for caller in ("+4915123456789", "☎\x00", ""):
        fields = ring_fields(house, alice, new_sid(), To="+15550009998", From=caller)
        answer = await post(house, "ring", fields)
        assert answer.status_code == 200
        assert "not in service" in answer.text
        assert parameters_of(answer) == {}
    assert await calls_of(house, alice) == 0


async def test_a_known_call_that_rings_for_somebody_else_opens_nothing_there(house: House, alice: Person) -> None:
    bob = await new_person(house.database, "Bob", credits=1000)
    async with ringing(house, alice) as call:
        again = parameters_of(await post(house, "ring", ring_fields(house, bob, call.sid)))
        assert again == call.parameters
        assert await calls_of(house, bob) == 0
        assert (await account_of(house.database, bob)).held == 0


@pytest.mark.parametrize("door", ["ring", "report"])
async def test_what_the_signature_does_not_cover_is_refused(house: House, alice: Person, door: str) -> None:
    bob = await new_person(house.database, "Bob", credits=1000)
    fields = over(house, alice, new_sid())
    bodies: dict[str, bytes] = {
        "another number": urlencode({**fields, "To": bob.number}).encode(),
        "a number more": urlencode(fields).encode() + b"&To=" + bob.number.encode(),
        "cut short": urlencode(fields).encode()[:-4],
        "nothing": b"",
        "not ASCII": urlencode(fields).encode() + b"&x=\xff",
        "JSON": orjson.dumps(fields),
        "too many": urlencode(fields).encode() + b"&a=1" * 300,
    }
    for name, body in bodies.items():
        assert (await post(house, door, fields, body=body)).status_code == 403, name
    assert (await post(house, door, {**fields, "AccountSid": "AC" + "0" * 32})).status_code == 403
    assert (await post(house, door, {name: fields[name] for name in fields if name != "AccountSid"})).status_code == 403
    assert (await post(house, door, {**fields, "Odd": "x" * 66_000})).status_code == 413
    assert (await calls_of(house, alice), await calls_of(house, bob)) == (0, 0)
    assert not await is_stored(house, fields["CallSid"])


@pytest.mark.parametrize("seconds", ["-1", "1e12", "abc", "1.5", " 3", "٣", "0x10", "99999999", "3\x00", "9" * 40_000])
async def test_a_duration_that_is_none_is_a_bad_request_and_ends_nothing(
    house: House, alice: Person, seconds: str
) -> None:
    async with ringing(house, alice) as call:
        answer = await post(house, "report", over(house, alice, call.sid, CallDuration=seconds))
        assert answer.status_code == 400
        assert not await is_stored(house, call.sid)
        await assert_still_rings(house, alice, call)


@pytest.mark.parametrize(
    "odd",
    [
        {"CallStatus": "exploded"},
        {"CallStatus": ""},
        {"CallStatus": "COMPLETED"},
        {"CallStatus": "completed\x00"},
        {"SequenceNumber": "-1"},
        {"SequenceNumber": "first"},
        {"CallSid": "CA1"},
    ],
    ids=str,
)
async def test_a_report_of_another_form_is_a_bad_request_and_ends_nothing(
    house: House, alice: Person, odd: dict[str, str]
) -> None:
    async with ringing(house, alice) as call:
        assert (await post(house, "report", over(house, alice, call.sid, **odd))).status_code == 400
        assert not await is_stored(house, call.sid)
        await assert_still_rings(house, alice, call)


async def test_a_report_of_a_call_that_nobody_knows_is_stored_and_changes_nothing(house: House, alice: Person) -> None:
    sid = new_sid()
    for _ in range(2):
        assert (await post(house, "report", over(house, alice, sid))).status_code == 204
    assert await verdict_on(house, f"{sid}:3:completed") == "unknown call"
    assert await calls_of(house, alice) == 0
    assert await charges(house.database, alice) == []


async def test_a_report_that_comes_before_its_ring_does_not_keep_the_call_from_ringing(
    house: House, alice: Person
) -> None:
    sid = new_sid()
    early = ring_fields(house, alice, sid, SequenceNumber="0")
    assert (await post(house, "report", early)).status_code == 204
    assert await verdict_on(house, f"{sid}:0:ringing") == "unknown call"
    call = Ringing(sid, parameters_of(await post(house, "ring", ring_fields(house, alice, sid))))
    # A late one of before does not end it either.
    late = ring_fields(house, alice, sid, CallStatus="initiated", SequenceNumber="1")
    assert (await post(house, "report", late)).status_code == 204
    assert await verdict_on(house, f"{sid}:1:initiated") == "nothing to do"
    await assert_still_rings(house, alice, call)
    await end(house, alice, sid)


async def test_an_absurd_duration_of_a_call_that_ended_changes_no_charge(house: House, alice: Person) -> None:
    house.ears.words[:] = ["hello"]
    record = await house.record(alice, await house.call(alice, *TALK))
    sid = record.call.carrier_call_id
    told = over(house, alice, sid, CallDuration="9999999", SequenceNumber="77")
    assert (await post(house, "report", told)).status_code == 204
    assert await verdict_on(house, f"{sid}:77:completed") == "duration noted"
    again = await house.settled(alice, sid)
    assert again.call.seconds == record.call.seconds
    assert await charges(house.database, alice) == [-15]


async def test_after_all_that_the_books_are_right(house: House) -> None:
    assert (await verify(house.database, full=True)).violations == ()
