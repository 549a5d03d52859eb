"""A receipt: every figure on it is in the books, and a person can redo the sum by hand."""

import random
import re
import uuid

import pytest

from talktime.calls import lifecycle
from talktime.calls.receipt import NotSettled, Receipt, document_of, receipt
from talktime.carriers.contract import Ring
from talktime.credits import ledger, money
from talktime.credits.models import ClaimState, NotCharged
from talktime.credits.pricing import Rate
from talktime.db.session import Database
from talktime.documents.receipt import render_receipt_pdf
from talktime.documents.sums import check_receipt
from talktime.errors import NotFound
from tests.calls.test_corrections import began_earlier
from tests.documents.reading import read
from tests.people import WHY, Person, lines_of, new_person

OWNER = "process-1"


async def rung(database: Database, person: Person, sid: str) -> uuid.UUID:
    rang = Ring(account="AC1", call_id=sid, caller="+15550100123", dialled=person.number)
    async with database.transaction(everyone=WHY) as db:
        decision = await lifecycle.ring(db, "simulated", rang)
    assert decision.call_id is not None
    return decision.call_id


async def talked(
    database: Database, person: Person, seconds: int, *, grants: int = 0, carriers: int | None = None
) -> uuid.UUID:
    sid = f"CA{uuid.uuid4().hex}"
    call = await rung(database, person, sid)
    async with database.transaction(user=person.id) as db:
        assert await lifecycle.answer(db, person.id, call, OWNER)
        for number in range(1, grants + 1):
            await ledger.extend(db, person.id, call, OWNER, number)
    await began_earlier(database, call)
    await lifecycle.finish(database, person.id, call, seconds=seconds, reason="caller_hung_up")
    if carriers is not None:
        async with database.transaction(everyone=WHY) as db:
            await lifecycle.report(db, "simulated", sid, is_over=True, seconds=carriers)
    return call


async def receipt_of(database: Database, person: Person, call: uuid.UUID) -> Receipt:
    async with database.transaction(user=person.id) as db:
        return await receipt(db, person.id, call)


def redone(found: Receipt) -> int:
    """The sum as a person would do it, from the words of the receipt alone."""
    said = re.search(
        r"billed as (\d+) s \(first (\d+) s, then steps of (\d+) s\)"
        r" at (\d+) credits a minute: (?:(\d+) \+ )?(\d+) / 60",
        found.rule,
    )
    if said is None:
        assert "not charged" in found.rule
        return 0
    billed, initial, step, rate = (int(said[number]) for number in (1, 2, 3, 4))
    assert said[1] == said[6] and (billed - initial) % step == 0
    assert billed >= found.counted_seconds > billed - max(initial, step)
    return int(said[5] or 0) + -(-billed * rate // 60)


@pytest.mark.parametrize("seed", range(8))
async def test_the_sum_on_a_receipt_is_what_was_charged(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    rate = Rate(
        chance.choice((1, 7, 15, 60)),
        chance.choice((0, 0, 3)),
        chance.choice((1, 30, 60)),
        chance.choice((1, 6, 60)),
        chance.choice((0, 0, 10)),
    )
    paula = await new_person(database, "Paula", credits=5000, rate=rate)
    for _ in range(4):
        carriers = chance.choice((None, chance.randrange(300)))
        call = await talked(database, paula, chance.randrange(200), grants=chance.randrange(4), carriers=carriers)
        found = await receipt_of(database, paula, call)
        own = [line for line in await lines_of(database, paula) if line.call_id == call]
        assert [(line.seq, line.amount, line.balance_after) for line in found.lines] == [
            (line.seq, line.amount, line.balance_after) for line in own
        ]
        assert found.charged == -sum(line.amount for line in found.lines)
        assert found.rated == found.charged + found.unbilled == redone(found)
        assert found.carrier_seconds == carriers
        check_receipt(document_of(found, business="Paula's shop", zone="Europe/Berlin"))


async def test_a_receipt_says_when_and_by_which_clock(database: Database, alice: Person) -> None:
    call = await talked(database, alice, 95, grants=1, carriers=40)
    found = await receipt_of(database, alice, call)
    assert found.answered_at is not None and found.ended_at is not None
    assert found.began_at <= found.answered_at <= found.ended_at
    assert (found.seconds, found.carrier_seconds, found.counted_seconds) == (95, 40, 40)
    assert (found.charged, found.corrected, found.billable_seconds) == (15, -15, 60)
    assert "40 s by the carrier's clock (95 s by ours)" in found.rule
    assert found.lines[-1].reason == "the carrier measured 40 s, we 95 s"
    paper = document_of(found, business="Müller", zone="Europe/Berlin")
    assert "die Telefongesellschaft hat 40 s gemessen, wir 95 s" in read(render_receipt_pdf(paper, "de")).text


async def test_a_claim_and_a_waiver_stand_on_the_receipt(database: Database, alice: Person, ada: Person) -> None:
    claimed, waived, waiting = [await talked(database, alice, seconds) for seconds in (20, 50, 45)]
    async with database.transaction(user=alice.id) as db:
        await money.claim(db, alice.id, claimed, NotCharged.WRONG_NUMBER)
        await money.claim(db, alice.id, waiting, NotCharged.SPAM)
    async with database.transaction(everyone=WHY) as db:
        await money.waive(db, alice.id, waived, NotCharged.PLATFORM_FAULT, ada.id)
    given, free, open_ = [await receipt_of(database, alice, call) for call in (claimed, waived, waiting)]
    assert (given.charged, given.not_charged_reason, [line.amount for line in given.lines]) == (
        0, "wrong_number", [-15, 15],
    )  # fmt: skip
    assert given.claim is not None and (given.claim.state, given.claim.automatic) == (ClaimState.GRANTED, True)
    assert (free.charged, free.claim, free.can_be_claimed) == (0, None, False)
    assert open_.claim is not None and open_.claim.state == ClaimState.REQUESTED
    assert (open_.charged, open_.can_be_claimed) == (15, False)
    for each in (given, free):
        document = document_of(each, business="Alice's shop", zone="Europe/Berlin")
        check_receipt(document)
        assert (document.charged, document.billable_seconds) == (0, 0)


async def test_what_was_not_billed_and_why_a_call_got_no_more_time_are_said(database: Database) -> None:
    poor = await new_person(database, "Poor", credits=15)
    call = await talked(database, poor, 200, grants=1)
    found = await receipt_of(database, poor, call)
    assert (found.charged, found.unbilled, found.final_reason) == (15, 45, "no_credit")
    paper = document_of(found, business="Poor's shop", zone="Europe/Berlin")
    check_receipt(paper)
    assert "there was no credit left to go on with" in read(render_receipt_pdf(paper, "en")).text


async def test_a_call_that_runs_has_a_receipt_that_is_not_final(database: Database, alice: Person) -> None:
    call = await rung(database, alice, f"CA{uuid.uuid4().hex}")
    found = await receipt_of(database, alice, call)
    assert (found.is_final, found.held, found.not_charged_reason) == (False, 15, "not answered yet")
    with pytest.raises(NotSettled):
        document_of(found, business="x", zone="UTC")


async def test_bob_reads_no_receipt_of_alices(database: Database, alice: Person, bob: Person) -> None:
    call = await talked(database, alice, 40)
    async with database.transaction(user=bob.id) as db:
        for whose in (bob.id, alice.id):
            with pytest.raises(NotFound):
                await receipt(db, whose, call)


async def test_a_call_that_asked_nobody_about_credit_has_no_receipt(database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        rang = Ring(account="AC1", call_id=f"CA{uuid.uuid4().hex}", caller="", dialled=alice.number)
        decision = await lifecycle.ring(db, "simulated", rang, taking_calls=False)
    assert decision.call_id is not None
    with pytest.raises(NotFound, match="did not answer"):
        await receipt_of(database, alice, decision.call_id)
