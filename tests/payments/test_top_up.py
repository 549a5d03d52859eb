"""Topping up by itself: once, within the ceiling, patient with declined cards."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from talktime.accounts.models import User, UserStatus
from talktime.credits import money, packs
from talktime.credits.models import CreditPack
from talktime.db.session import Database, connect
from talktime.errors import BadInput, Conflict, NotFound
from talktime.gateways.contract import NoticeKind
from talktime.payments import reconcile, rounds, saved_card, top_up
from talktime.payments.fulfilment import SAVE_CARD_JOB
from talktime.payments.models import Purchase, PurchaseKind, PurchaseState, TopUp
from talktime.payments.saved_card import Choice, NoSavedCard
from talktime.simulate.gateway_deeds import Faults, Settle
from tests.payments.counter import WHY, Counter, notice
from tests.people import Person, account_of

K, S = NoticeKind, PurchaseState


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Database]:
    """Another process's pool."""
    other = connect(database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    yield other
    await other.close()


async def with_card(
    counter: Counter,
    person: Person,
    *,
    threshold: int = 5000,
    ceiling_minor: int = 10_000,
    pack: CreditPack | None = None,
) -> CreditPack:
    """Somebody who has saved a card and chosen; their credit is below the threshold."""
    await counter.card(person)
    pack = pack or await counter.pack()
    await choose(counter, person, pack, threshold=threshold, ceiling_minor=ceiling_minor)
    return pack


async def choose(counter: Counter, person: Person, pack: CreditPack, **more: int) -> None:
    wanted = {"threshold": 5000, "ceiling_minor": 10_000, "price_minor": pack.price_minor, **more}
    async with counter.database.transaction(user=person.id) as db:
        await saved_card.choose(db, person.id, Choice(pack=pack.id, **wanted), datetime.now(UTC))


async def top_ups(counter: Counter, person: Person) -> list[Purchase]:
    return [each for each in await counter.purchases(person) if each.kind is PurchaseKind.TOP_UP]


async def choice_of(counter: Counter, person: Person) -> TopUp:
    async with counter.database.transaction(user=person.id) as db:
        found = await saved_card.of(db, person.id)
        assert found is not None
        return found


async def go_round(counter: Counter, database: Database | None = None) -> None:
    await top_up.due(database or counter.database, counter.till, counter.gateway)


async def wait_over(counter: Counter, person: Person) -> None:
    """As if the time to wait was over."""
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(
            update(TopUp).where(TopUp.user_id == person.id).values(not_before=datetime.now(UTC) - timedelta(seconds=1))
        )


@pytest.fixture(autouse=True)
async def nobody_else(database: Database) -> None:
    """Other tests' customers are left alone: a round looks after everybody."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(TopUp).values(enabled=False))
        await db.execute(
            update(Purchase)
            .where(Purchase.kind == PurchaseKind.TOP_UP, Purchase.state.in_((S.OPEN, S.PENDING)))
            .values(state=S.FAILED)
        )


async def test_a_card_is_saved_by_a_job_after_the_purchase_that_left_it(counter: Counter, alice: Person) -> None:
    purchase, payment = await counter.bought(alice, save_card=True)
    async with counter.database.transaction(everyone=WHY) as db:
        arguments = await db.scalar(
            text("SELECT args FROM procrastinate_jobs WHERE task_name = :name AND args ->> 'purchase' = :purchase"),
            {"name": SAVE_CARD_JOB, "purchase": str(purchase.id)},
        )
    assert arguments is not None
    assert arguments["payment"] == payment
    for _ in range(2):
        await rounds.jobs(counter.database, counter.till)[SAVE_CARD_JOB](**arguments)
    card = await choice_of(counter, alice)
    assert (card.last4, card.enabled) == ("4242", False)


async def test_credit_below_the_threshold_buys_the_chosen_pack_once(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice, threshold=2001)
    before = (await account_of(counter.database, alice)).balance
    for _ in range(3):
        await go_round(counter)
    await counter.told()
    (bought,) = await top_ups(counter, alice)
    assert (bought.state, bought.price_minor) == (S.PAID, 2000)
    assert (await account_of(counter.database, alice)).balance == before + 1000
    assert "top_up_done" in await counter.notices(alice)


async def test_credit_at_the_threshold_is_left_alone(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice, threshold=2000)
    await go_round(counter)
    assert await top_ups(counter, alice) == []


async def test_two_processes_at_once_charge_once(counter: Counter, other: Database, alice: Person) -> None:
    await with_card(counter, alice, threshold=2001)
    await asyncio.gather(*(go_round(counter, database) for database in (counter.database, other) * 4))
    await counter.told()
    assert [each.state for each in await top_ups(counter, alice)] == [S.PAID]
    assert len(await counter.bought_lines(alice)) == 2


async def test_the_database_itself_refuses_a_second_one_in_flight(counter: Counter, alice: Person) -> None:
    values = {"user_id": alice.id, "kind": PurchaseKind.TOP_UP, "credits": 1, "price_minor": 1, "currency": "EUR"}
    with pytest.raises(DBAPIError, match="uq_purchases_top_up_in_flight"):
        async with counter.database.transaction(everyone=WHY) as db:
            db.add_all([Purchase(gateway="test", **values), Purchase(gateway="test", state=S.PENDING, **values)])


async def test_the_months_ceiling_holds_and_is_told_once(counter: Counter, alice: Person) -> None:
    pack = await with_card(counter, alice, threshold=100_000, ceiling_minor=4_000)
    for _ in range(5):
        await go_round(counter)
        await wait_over(counter, alice)
    await counter.told()
    assert [each.price_minor for each in await top_ups(counter, alice)] == [2000, 2000]
    assert (await counter.notices(alice)).count("top_up_stopped") == 1
    await choose(counter, alice, pack, threshold=100_000, ceiling_minor=6_000)
    await go_round(counter)
    assert len(await top_ups(counter, alice)) == 3


async def test_a_declined_card_is_tried_less_and_less_and_then_no_more(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice)
    await counter.control.go_wrong(Faults(saved_card="insufficient_funds", copies=3, another_id=True))
    for hours in (1, 6, 24, None):
        for _ in range(2):
            await go_round(counter)
        await counter.told()
        choice = await choice_of(counter, alice)
        if hours is not None:
            assert choice.not_before is not None
            waits = choice.not_before - datetime.now(UTC)
            assert timedelta(hours=hours) - timedelta(minutes=1) < waits <= timedelta(hours=hours)
        assert choice.enabled == (hours is not None)
        await wait_over(counter, alice)
    await go_round(counter)
    tried = await top_ups(counter, alice)
    assert [(each.state, each.failure) for each in tried] == [(S.FAILED, "insufficient_funds")] * 4
    assert (await choice_of(counter, alice)).stopped_reason == "declined"
    told = await counter.notices(alice)
    assert (told.count("top_up_declined"), told.count("top_up_stopped")) == (4, 1)
    assert await counter.alerts(tried[-1]) == ["top_up_declined"]


async def test_a_key_that_the_company_refuses_is_no_customers_declined_card(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice)
    await counter.control.go_wrong(Faults(api_status=401))
    for _ in range(5):
        await go_round(counter)
        await go_round(counter)
        await wait_over(counter, alice)
    tried = await top_ups(counter, alice)
    assert [(each.state, each.failure) for each in tried] == [(S.FAILED, "refused_by_gateway")] * 5
    choice = await choice_of(counter, alice)
    assert (choice.enabled, choice.declines) == (True, 0)
    assert "top_up_declined" not in await counter.notices(alice)
    async with counter.database.transaction(everyone=WHY) as db:
        alerts = await db.scalars(text("SELECT kind FROM alerts WHERE user_id = :user"), {"user": alice.id})
        assert list(alerts) == ["top_up_refused"]
    await counter.control.go_wrong(Faults())
    await go_round(counter)
    assert (await top_ups(counter, alice))[-1].state is S.PAID


async def test_saving_the_choice_again_does_not_have_a_declined_card_asked_again(
    counter: Counter, alice: Person
) -> None:
    pack = await with_card(counter, alice)
    await counter.control.go_wrong(Faults(saved_card="insufficient_funds"))
    for _ in range(4):
        await go_round(counter)
        await choose(counter, alice, pack)
    assert len(await top_ups(counter, alice)) == 1
    assert (await choice_of(counter, alice)).declines == 1


async def test_a_success_forgets_the_declines(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice)
    await counter.control.go_wrong(Faults(saved_card="insufficient_funds"))
    await go_round(counter)
    await counter.control.go_wrong(Faults())
    await wait_over(counter, alice)
    await go_round(counter)
    choice = await choice_of(counter, alice)
    assert (choice.declines, choice.not_before) == (0, None)


async def test_a_card_whose_owner_must_be_there_asks_for_them(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice)
    await counter.control.go_wrong(Faults(saved_card="authentication_required"))
    await go_round(counter)
    await counter.told()
    (tried,) = await top_ups(counter, alice)
    assert (tried.state, tried.failure) == (S.FAILED, "needs_authentication")
    assert "top_up_declined" in await counter.notices(alice)


async def test_a_charge_that_takes_time_is_the_only_one_until_it_ends(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice)
    await counter.control.go_wrong(Faults(saved_card="processing"))
    await go_round(counter)
    await go_round(counter)
    (pending,) = await top_ups(counter, alice)
    assert pending.state is S.PENDING
    async with counter.database.transaction(everyone=WHY) as db:
        payment = await db.scalar(
            text("SELECT payment_id FROM purchase_directory WHERE purchase_id = :id"), {"id": pending.id}
        )
    await counter.control.do(Settle(payment=str(payment)))
    await counter.told()
    assert await counter.state(pending) is S.PAID


@pytest.mark.parametrize("told", [True, False])
async def test_a_crash_after_the_charge_is_healed_and_nothing_is_charged_twice(
    counter: Counter, alice: Person, told: bool
) -> None:
    await with_card(counter, alice, threshold=2001)
    # The company charges, and its answer is lost; perhaps its event, too.
    await counter.control.go_wrong(Faults(api_status=500, api_executes=True, lost=not told))
    await go_round(counter)
    (open_one,) = await top_ups(counter, alice)
    assert open_one.state is S.OPEN
    await counter.control.go_wrong(Faults())
    if told:
        await counter.told()
    else:
        async with counter.database.transaction(everyone=WHY) as db:
            past = datetime.now(UTC) - timedelta(minutes=5)
            await db.execute(update(Purchase).where(Purchase.id == open_one.id).values(updated_at=past))
        await go_round(counter)
    assert await counter.state(open_one) is S.PAID
    await go_round(counter)
    await counter.told()
    charged = await counter.control.events("payment_intent.succeeded")
    assert len(await top_ups(counter, alice)) == 1
    assert len({event["object"] for event in charged}) == len(charged)
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)] * 2


async def test_a_charge_whose_answer_was_lost_is_found_by_reconciling(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice, threshold=2001)
    await counter.control.go_wrong(Faults(api_status=500, api_executes=True, lost=True))
    await go_round(counter)
    await counter.control.go_wrong(Faults())
    now = datetime.now(UTC)
    await reconcile.reconcile(
        counter.database, counter.till, counter.gateway, now - timedelta(hours=1), now + timedelta(minutes=1)
    )
    assert [each.state for each in await top_ups(counter, alice)] == [S.PAID]


async def test_a_charge_that_nobody_answers_for_a_day_is_given_up_and_still_credited_if_it_comes(
    counter: Counter, alice: Person
) -> None:
    await with_card(counter, alice)
    await counter.control.go_wrong(Faults(api_status=500))
    await go_round(counter)
    (open_one,) = await top_ups(counter, alice)
    async with counter.database.transaction(everyone=WHY) as db:
        past = datetime.now(UTC) - timedelta(hours=21)
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("UPDATE purchases SET created_at = :past, updated_at = :past WHERE id = :id"),
            {"past": past, "id": open_one.id},
        )
        await db.execute(text("UPDATE top_ups SET enabled = false WHERE user_id = :user"), {"user": alice.id})
    await go_round(counter)
    assert (await counter.now(open_one)).failure == "no_answer"
    await counter.hear(notice(open_one, K.CHARGE_PAID), times=2)
    assert await counter.state(open_one) is S.PAID


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_charge_nobody_knows_of_is_not_asked_for_again_once_it_is_not_wanted(
    counter: Counter, alice: Person, leaves: bool
) -> None:
    await with_card(counter, alice)
    await counter.control.go_wrong(Faults(api_status=500))
    await go_round(counter)
    await counter.control.go_wrong(Faults())
    (open_one,) = await top_ups(counter, alice)
    async with counter.database.transaction(everyone=WHY) as db:
        past = datetime.now(UTC) - timedelta(minutes=5)
        await db.execute(update(Purchase).where(Purchase.id == open_one.id).values(updated_at=past))
        if leaves:
            await db.execute(update(User).where(User.id == alice.id).values(status=UserStatus.CLOSED))
        else:
            await saved_card.off(db, alice.id)
    for _ in range(2):
        await go_round(counter)
    await counter.told()
    now = await counter.now(open_one)
    assert (now.state, now.failure) == (S.FAILED, "not_wanted")
    # Should the company have charged it the first time, it is granted all the same.
    await counter.hear(notice(open_one, K.CHARGE_PAID), times=2)
    assert await counter.bought_lines(alice) == [("PURCHASE", 1000)] * 2


async def test_a_pack_that_was_changed_since_is_not_charged(counter: Counter, alice: Person) -> None:
    pack = await with_card(counter, alice)
    async with counter.database.transaction(everyone=WHY) as db:
        await packs.change(db, pack.id, price_minor=9900)
    await go_round(counter)
    assert await top_ups(counter, alice) == []
    choice = await choice_of(counter, alice)
    assert (choice.enabled, choice.stopped_reason) == (False, "pack_changed")
    assert "top_up_stopped" in await counter.notices(alice)


async def test_who_is_suspended_or_blocked_is_not_charged(counter: Counter, alice: Person, bob: Person) -> None:
    await with_card(counter, alice)
    await with_card(counter, bob)
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == alice.id).values(status=UserStatus.SUSPENDED))
        await money.block(db, bob.id, "looked into")
    await go_round(counter)
    assert await top_ups(counter, alice) == await top_ups(counter, bob) == []


async def test_switched_off_is_off(counter: Counter, alice: Person) -> None:
    await with_card(counter, alice)
    async with counter.database.transaction(user=alice.id) as db:
        await saved_card.off(db, alice.id)
    await go_round(counter)
    assert await top_ups(counter, alice) == []


async def test_a_forgotten_card_cannot_be_charged_by_anybody(counter: Counter, alice: Person) -> None:
    pack = await with_card(counter, alice)
    for _ in range(2):
        await saved_card.forget(counter.database, counter.gateway, alice.id)
    assert (await choice_of(counter, alice)).payment_method_id is None
    with pytest.raises(NoSavedCard):
        await choose(counter, alice, pack)
    await go_round(counter)
    assert await top_ups(counter, alice) == []


async def test_closing_forgets_the_card_at_the_company_and_switches_topping_up_off(
    counter: Counter, alice: Person, ada: Person
) -> None:
    await with_card(counter, alice)
    method = str((await choice_of(counter, alice)).payment_method_id)
    for _ in range(2):
        closed = await counter.close(alice, ada)
        assert closed.card_is_gone
        left = await choice_of(counter, alice)
        assert (left.enabled, left.payment_method_id, left.last4) == (False, None, "")
    assert await counter.alerts(payment_method_id=method) == []
    assert await top_ups(counter, alice) == []


async def test_closing_goes_on_when_the_company_does_not_answer_and_says_what_is_left(
    counter: Counter, alice: Person, ada: Person
) -> None:
    await with_card(counter, alice)
    method = str((await choice_of(counter, alice)).payment_method_id)
    await counter.control.go_wrong(Faults(api_status=500))
    for _ in range(2):
        closed = await counter.close(alice, ada)
        assert not closed.card_is_gone
    left = await choice_of(counter, alice)
    assert (left.enabled, left.payment_method_id) == (False, method)
    assert (await account_of(counter.database, alice)).blocked_reason == "closed"
    assert await counter.alerts(payment_method_id=method) == ["card_not_forgotten"]
    await counter.control.go_wrong(Faults())
    assert (await counter.close(alice, ada)).card_is_gone
    assert (await choice_of(counter, alice)).payment_method_id is None


async def test_a_card_of_a_company_without_keys_is_left_and_said_so(
    counter: Counter, alice: Person, bob: Person
) -> None:
    await with_card(counter, alice)
    assert not await saved_card.leave(counter.database, {}, alice.id)
    assert not (await choice_of(counter, alice)).enabled
    assert await saved_card.leave(counter.database, {}, bob.id), "who has no card has nothing to forget"


async def test_a_card_that_would_be_saved_after_closing_is_forgotten_instead(
    counter: Counter, alice: Person, ada: Person
) -> None:
    purchase, payment = await counter.bought(alice, save_card=True)
    await counter.close(alice, ada)
    for _ in range(2):
        assert not await saved_card.save(counter.database, counter.gateway, alice.id, purchase.id, payment)
    async with counter.database.transaction(user=alice.id) as db:
        assert await saved_card.of(db, alice.id) is None


async def test_a_choice_needs_a_card_a_pack_on_sale_and_the_price_that_was_seen(
    counter: Counter, alice: Person
) -> None:
    pack = await counter.pack()
    with pytest.raises(NoSavedCard):
        await choose(counter, alice, pack)
    await counter.card(alice)
    for wrong in ({"threshold": 0}, {"ceiling_minor": 0}, {"ceiling_minor": 1999}, {"threshold": 10**13}):
        with pytest.raises(BadInput):
            await choose(counter, alice, pack, **wrong)
    with pytest.raises(Conflict):
        await choose(counter, alice, pack, price_minor=1)


async def test_a_customer_cannot_write_which_card_is_charged(counter: Counter, alice: Person) -> None:
    await counter.card(alice)
    with pytest.raises(DBAPIError) as refused:
        async with counter.database.transaction(user=alice.id) as db:
            await db.execute(text("UPDATE top_ups SET payment_method_id = 'pm_of_bob'"))
    assert getattr(refused.value.orig, "sqlstate", "") == "42501"


async def test_bobs_purchase_saves_no_card_for_alice(counter: Counter, alice: Person, bob: Person) -> None:
    purchase, payment = await counter.bought(bob, save_card=True)
    with pytest.raises(NotFound):
        await saved_card.save(counter.database, counter.gateway, alice.id, purchase.id, payment)
    async with counter.database.transaction(user=alice.id) as db:
        assert await db.scalar(select(TopUp.user_id)) is None
