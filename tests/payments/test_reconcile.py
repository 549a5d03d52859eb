"""What we never heard of is found by asking, and what we know and they do not is seen."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from talktime.errors import BadInput, ProviderError
from talktime.gateways.contract import NoticeKind, RefundStatus
from talktime.payments import invoices, reconcile, rounds
from talktime.payments.models import Purchase, PurchaseState
from talktime.payments.reconcile import Reconciliation
from talktime.simulate.gateway_deeds import (
    ChangeRefund,
    Expire,
    Faults,
    MakeRefund,
    Means,
    MoveDispute,
    OpenDispute,
)
from tests.payments.counter import WHY, Counter, notice, open_purchase
from tests.people import Person

K, S = NoticeKind, PurchaseState


async def run(counter: Counter, *, fix: bool = True) -> Reconciliation:
    now = datetime.now(UTC)
    return await reconcile.reconcile(
        counter.database, counter.till, counter.gateway, now - timedelta(hours=6), now + timedelta(seconds=5), fix=fix
    )


def about(found: Reconciliation, name: str) -> list[tuple[str, bool]]:
    return [
        (each.what, each.mended)
        for each in found.differences
        if name in (each.payment_id, each.checkout_id, each.purchase_id, each.reversal_id)
    ]


async def test_a_payment_whose_event_was_lost_is_found_and_credited_once(counter: Counter, alice: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults(lost=True))
    payment = await counter.pay(purchase)
    await counter.told()
    assert await counter.state(purchase) is S.OPEN
    assert about(await run(counter, fix=False), payment) == [("not granted", False)]
    assert await counter.state(purchase) is S.OPEN
    assert about(await run(counter), payment) == [("not granted", True)]
    assert about(await run(counter), payment) == []
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]


async def test_everything_that_happened_while_nobody_listened_is_caught_up_with(
    counter: Counter, alice: Person
) -> None:
    await counter.control.go_wrong(Faults(lost=True))
    pack = await counter.pack()
    refunded, disputed, failed, expired = [await counter.begin(alice, pack) for _ in range(4)]
    one, two = await counter.pay(refunded), await counter.pay(disputed)
    part = await counter.control.do(MakeRefund(payment=one, amount=500))
    back = await counter.control.do(MakeRefund(payment=one, amount=700))
    await counter.control.do(ChangeRefund(refund=back["id"], status="failed"))
    case = await counter.control.do(OpenDispute(payment=two))
    await counter.control.do(MoveDispute(dispute=case["id"], to="lost"))
    await counter.pay(failed, Means.DEBIT)
    await counter.control.do(Expire(checkout=await counter.checkout_id(expired)))
    found = await run(counter)
    assert about(found, part["id"]) == [("unknown refund", True)]
    assert all(mended for _, mended in about(found, case["id"]))
    assert (await counter.now(refunded)).reversed_credits == 250
    assert (await counter.now(disputed)).reversed_credits == 1000
    assert await counter.state(failed) is S.PENDING
    assert sum(amount for _, amount in await counter.bought_lines(alice)) == 750
    for name in (part["id"], case["id"], one, two):
        assert about(await run(counter), name) == []


async def test_a_checkout_that_expired_unheard_is_asked_for(counter: Counter, alice: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults(lost=True))
    await counter.control.do(Expire(checkout=await counter.checkout_id(purchase)))
    await _age(counter, purchase, hours=25)
    await run(counter)
    assert await counter.state(purchase) is S.EXPIRED


async def test_what_never_got_a_checkout_ends_after_two_days(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await _age(counter, purchase, hours=49)
    await run(counter)
    assert await counter.state(purchase) is S.EXPIRED
    await counter.hear(notice(purchase))
    assert await counter.state(purchase) is S.PAID


async def test_money_of_nobody_is_listed_and_stays_listed(counter: Counter, alice: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    payment = await counter.pay(purchase)
    assert await counter.control.settled()
    async with counter.database.transaction(everyone=WHY) as db:
        # As if it had been begun on another installation.
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text("DELETE FROM purchase_directory WHERE purchase_id = :id"), {"id": purchase.id})
        await db.execute(text("DELETE FROM purchases WHERE id = :id"), {"id": purchase.id})
    for _ in range(2):
        assert about(await run(counter), payment) == [("unknown payment", False)]
    assert await counter.alerts(payment_id=payment) == ["unknown_payment"]


async def test_what_is_paid_here_and_unknown_there_is_seen(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase))
    await counter.hear(
        notice(purchase, K.REFUND, refund_id=f"re_{purchase.id.hex}", refund_status=RefundStatus.SUCCEEDED)
    )
    await _age(counter, purchase, hours=2)
    found = await run(counter)
    assert about(found, str(purchase.id)) == [("unknown there", False), ("unknown refund there", False)]
    assert not found.is_clean
    await _nobody_asked(counter)
    for day in (2, 3):
        await rounds.hourly(counter.database, counter.till, counter.gateway, datetime.now(UTC) + timedelta(days=day))
    assert sorted(await counter.alerts(purchase)) == ["unknown_there", "unknown_there"]


async def test_a_wrong_amount_is_left_for_a_person(counter: Counter, alice: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text("UPDATE purchases SET price_minor = 1 WHERE id = :id"), {"id": purchase.id})
    payment = await counter.pay(purchase)
    await counter.told()
    found = await run(counter)
    assert about(found, payment) == [("not granted", False)]
    assert [each.verdict for each in found.differences if each.payment_id == payment] == ["wrong amount"]


async def test_a_company_that_fails_is_an_error_and_not_a_clean_result(counter: Counter) -> None:
    await counter.control.go_wrong(Faults(api_status=500))
    with pytest.raises(ProviderError):
        await run(counter)
    with pytest.raises(BadInput):
        now = datetime.now(UTC)
        await reconcile.reconcile(counter.database, counter.till, counter.gateway, now, now)


async def test_the_hours_round_is_one_process_and_one_an_hour(counter: Counter) -> None:
    await _nobody_asked(counter)
    now = datetime.now(UTC) + timedelta(days=1)
    assert await rounds.hourly(counter.database, counter.till, counter.gateway, now) is not None
    assert await rounds.hourly(counter.database, counter.till, counter.gateway, now) is None
    later = now + timedelta(hours=1)
    assert await rounds.hourly(counter.database, counter.till, counter.gateway, later) is not None


async def test_after_a_long_silence_the_round_looks_back_to_where_it_began(counter: Counter) -> None:
    await _nobody_asked(counter)
    began = datetime.now(UTC).replace(hour=12) + timedelta(days=10)
    assert await rounds.hourly(counter.database, counter.till, counter.gateway, began) is not None
    after_a_month = began + timedelta(days=30)
    late = await rounds.hourly(counter.database, counter.till, counter.gateway, after_a_month)
    soon = await rounds.hourly(counter.database, counter.till, counter.gateway, after_a_month + timedelta(hours=1))
    assert late is not None
    assert soon is not None
    assert late.since <= began - timedelta(days=3)
    assert soon.since == after_a_month - timedelta(days=3)


async def test_rounds_that_fail_for_days_leave_no_payment_behind(counter: Counter, alice: Person) -> None:
    await _nobody_asked(counter)
    began = datetime.now(UTC)
    assert await rounds.hourly(counter.database, counter.till, counter.gateway, began) is not None
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults(lost=True))
    payment = await counter.pay(purchase)
    await counter.control.go_wrong(Faults(api_status=500))
    for day in range(1, 8):
        with pytest.raises(ProviderError):
            await rounds.hourly(counter.database, counter.till, counter.gateway, began + timedelta(days=day))
    assert await counter.bought_lines(alice) == []
    await counter.control.go_wrong(Faults())
    after = began + timedelta(days=7, hours=1)
    found = await rounds.hourly(counter.database, counter.till, counter.gateway, after)
    assert found is not None
    assert found.since <= began - timedelta(days=3)
    assert [verdict for verdict, _ in about(found, payment)], "it was found"
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    again = await rounds.hourly(counter.database, counter.till, counter.gateway, after + timedelta(hours=1))
    assert again is not None
    assert again.since == after - timedelta(days=3)
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]


async def test_before_the_first_round_that_succeeds_it_looks_back_to_the_first_purchase(
    counter: Counter, alice: Person
) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await _nobody_asked(counter)
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE payment_rounds SET succeeded_at = NULL"))
    found = await rounds.hourly(counter.database, counter.till, counter.gateway, datetime.now(UTC) + timedelta(days=20))
    assert found is not None
    assert found.since <= (await counter.now(purchase)).created_at - timedelta(days=3)


async def test_a_dispute_that_is_not_decided_is_asked_for_once_a_day_however_old_it_is(
    counter: Counter, alice: Person
) -> None:
    purchase, payment = await counter.bought(alice)
    case = await counter.control.do(OpenDispute(payment=payment))
    await counter.told()
    await counter.control.go_wrong(Faults(lost=True))
    await counter.control.do(MoveDispute(dispute=case["id"], to="won"))
    await _age(counter, purchase, hours=40 * 24)
    await _nobody_asked(counter)
    noon = datetime.now(UTC).replace(hour=12) + timedelta(days=1)
    first = await rounds.hourly(counter.database, counter.till, counter.gateway, noon)
    second = await rounds.hourly(counter.database, counter.till, counter.gateway, noon + timedelta(hours=1))
    assert first is not None
    assert second is not None
    assert first.since < datetime.now(UTC) - timedelta(days=40)
    assert second.since == noon - timedelta(days=3)
    assert ("other state", True) in about(first, case["id"])
    assert (await counter.now(purchase)).reversed_credits == 0


async def test_an_event_that_comes_after_the_list_changes_nothing(counter: Counter, alice: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults(hold=50))
    await counter.pay(purchase)
    await run(counter)
    assert await counter.state(purchase) is S.PAID
    await counter.control.go_wrong(Faults())
    await counter.told()
    async with counter.database.transaction(user=alice.id) as db:
        assert len(await invoices.newest(db, alice.id)) == 1
        assert await db.scalar(select(Purchase.state)) is S.PAID
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]


async def _nobody_asked(counter: Counter) -> None:
    """As if the last round had been some hours ago."""
    async with counter.database.transaction(everyone=WHY) as db:
        past = "now() - interval '3 hours'"
        await db.execute(text(f"UPDATE payment_rounds SET reconciled_at = {past}, succeeded_at = {past}"))


async def _age(counter: Counter, purchase: Purchase, *, hours: int) -> None:
    """As if it had been begun so long ago."""
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        values = {"past": datetime.now(UTC) - timedelta(hours=hours), "id": purchase.id}
        await db.execute(text("UPDATE purchases SET created_at = :past WHERE id = :id"), values)
        await db.execute(text("UPDATE payment_reversals SET created_at = :past WHERE purchase_id = :id"), values)
