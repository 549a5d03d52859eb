"""An account is closed while something is being bought: nobody is to pay it any more, and what is paid all the same is
not lost.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, ProviderError
from talktime.payments import open_checkouts, rounds
from talktime.payments.checkout import MayNotBuy
from talktime.payments.models import Purchase, PurchaseState
from talktime.simulate.gateway_deeds import Faults, Means, Pay, Settle
from tests.payments.counter import WHY, Counter, open_counter, open_purchase
from tests.people import Person, account_of, new_person

S = PurchaseState


async def end(counter: Counter, purchase: Purchase, *, seconds_ago: float = 0, gateway: str = "simulated") -> None:
    """The job, done now."""
    await open_checkouts.end(
        counter.database,
        counter.till,
        gateway,
        user=purchase.user_id,
        purchase=purchase.id,
        asked_at=datetime.now(UTC) - timedelta(seconds=seconds_ago),
    )


async def jobs_of(counter: Counter, purchase: Purchase) -> int:
    async with counter.database.transaction(everyone=WHY) as db:
        found = await db.scalar(
            text(
                "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'payments.end_checkout'"
                " AND args ->> 'purchase' = :purchase"
            ),
            {"purchase": str(purchase.id)},
        )
        return int(found or 0)


@contextlib.asynccontextmanager
async def working(counter: Counter) -> AsyncIterator[None]:
    """A worker, as the application has it."""
    for name, handler in rounds.jobs(counter.database, counter.till).items():
        counter.till.jobs.handle(name, handler)
    worker = asyncio.create_task(counter.till.jobs.work())
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def test_closing_has_the_page_closed_at_the_company_even_if_that_fails_at_first(
    empty_database: Database, tmp_path: Path
) -> None:
    alice = await new_person(empty_database, "Alice", credits=0)
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    async with open_counter(empty_database, tmp_path) as counter:
        pack = await counter.pack()
        purchase, _ = await counter.begin(alice, pack), await counter.bought(alice, pack)
        await counter.control.go_wrong(Faults(api_status=500, api_refusals=3))
        async with working(counter):
            assert (await counter.close(alice, ada)).checkouts == 1, "what was paid is over"
            async with asyncio.timeout(30):
                while await counter.state(purchase) is S.OPEN:
                    await asyncio.sleep(0.1)
        assert await counter.state(purchase) is S.EXPIRED
        with pytest.raises(BadInput, match="expired"):
            await counter.control.do(Pay(checkout=await counter.checkout_id(purchase)))
        assert (await counter.close(alice, ada)).checkouts == 0, "and nothing is open any more"


async def test_what_was_paid_meanwhile_is_granted_and_the_operator_sees_it(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults(lost=True))
    await counter.close(alice, ada)
    await counter.pay(purchase)
    for _ in range(2):
        await end(counter, purchase)
    assert await counter.state(purchase) is S.PAID
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    assert (await account_of(counter.database, alice)).balance == 2000
    assert await counter.alerts(purchase) == ["paid_after_closing"]


async def test_a_debit_that_is_on_its_way_is_waited_for(counter: Counter, alice: Person, ada: Person) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.control.go_wrong(Faults(lost=True))
    payment = await counter.pay(purchase, Means.DEBIT)
    await counter.close(alice, ada)
    await end(counter, purchase)
    assert await counter.state(purchase) is S.PENDING
    assert (await counter.close(alice, ada)).checkouts == 0, "the buyer is through: nothing can be stopped"
    await counter.control.go_wrong(Faults())
    await counter.control.do(Settle(payment=payment))
    await counter.told()
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)]
    assert await counter.alerts(purchase) == ["paid_after_closing"]


async def test_closing_that_fails_asks_for_nothing_and_bobs_checkout_stays_payable(
    counter: Counter, alice: Person, bob: Person, ada: Person
) -> None:
    mine, theirs = await counter.begin(alice, await counter.pack()), await counter.begin(bob, await counter.pack())
    with pytest.raises(Exception, match="operator"):
        await counter.close(alice, bob)
    assert await jobs_of(counter, mine) == 0
    await counter.close(alice, ada)
    assert (await jobs_of(counter, mine), await jobs_of(counter, theirs)) == (1, 0)
    await end(counter, mine)
    await counter.pay(theirs)
    await counter.told()
    assert (await counter.state(mine), await counter.state(theirs)) == (S.EXPIRED, S.PAID)


async def test_a_company_that_does_not_answer_is_asked_again_and_one_without_keys_is_said(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase = await counter.begin(alice, await counter.pack())
    await counter.close(alice, ada)
    await counter.control.go_wrong(Faults(api_status=500))
    with pytest.raises(ProviderError) as failed:
        await end(counter, purchase)
    assert not failed.value.permanent
    assert await counter.state(purchase) is S.OPEN
    with pytest.raises(Conflict, match="not set up here"):
        await end(counter, purchase, gateway="gone")
    # Its answer is lost: asked again, it says how it stands.
    await counter.control.go_wrong(Faults(api_status=500, api_executes=True))
    with pytest.raises(ProviderError):
        await end(counter, purchase)
    await counter.control.go_wrong(Faults())
    await end(counter, purchase)
    assert await counter.state(purchase) is S.EXPIRED


async def test_what_the_jobs_gave_up_is_ended_by_the_hourly_round(
    counter: Counter, alice: Person, bob: Person, ada: Person
) -> None:
    pack = await counter.pack()
    old, fresh, theirs = [await counter.begin(person, pack) for person in (alice, alice, bob)]
    await counter.close(alice, ada)
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE purchases SET created_at = created_at - interval '1 hour' WHERE id IN (:old, :theirs)"),
            {"old": old.id, "theirs": theirs.id},
        )
    # Neither a company that does not answer nor a checkout that it does not know keeps anything else waiting.
    await counter.control.go_wrong(Faults(api_status=500))
    await open_checkouts.end_left_over(counter.database, counter.till, counter.gateway)
    assert await counter.state(old) is S.OPEN
    await counter.control.go_wrong(Faults())
    await open_checkouts.end_left_over(counter.database, counter.till, counter.gateway)
    assert [await counter.state(each) for each in (old, fresh, theirs)] == [S.EXPIRED, S.OPEN, S.OPEN]


async def test_a_page_that_is_just_being_made_is_closed_once_it_has_a_name(
    counter: Counter, alice: Person, ada: Person
) -> None:
    nameless = await open_purchase(counter.database, alice, counter.gateway)
    await counter.close(alice, ada)
    with pytest.raises(ProviderError, match="in the making") as failed:
        await end(counter, nameless)
    assert not failed.value.permanent
    await end(counter, nameless, seconds_ago=61)
    assert await counter.state(nameless) is S.EXPIRED, "nobody was ever given a page of it"


async def test_whoever_closes_in_the_same_instant_sees_the_purchase_or_it_is_refused(
    counter: Counter, alice: Person, ada: Person
) -> None:
    pack = await counter.pack()
    begun = asyncio.gather(*(counter.begin(alice, pack) for _ in range(6)), return_exceptions=True)
    closed = await counter.close(alice, ada)
    outcomes = await begun
    made = await counter.purchases(alice)
    assert closed.checkouts == len(made)
    assert sum(isinstance(outcome, MayNotBuy) for outcome in outcomes) == len(outcomes) - len(made)
    for purchase in made:
        await end(counter, purchase)
        assert await counter.state(purchase) is S.EXPIRED


async def test_a_purchase_of_the_other_mode_is_left_alone(counter: Counter, alice: Person, ada: Person) -> None:
    live = await open_purchase(counter.database, alice, counter.gateway, test=False)
    await counter.close(alice, ada)
    await end(counter, live, seconds_ago=61)
    assert await counter.state(live) is S.OPEN
