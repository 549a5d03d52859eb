"""Money that granted nothing and goes back: handled at once, no line of the ledger, seen where its alert is."""

import asyncio
import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from talktime import inbox
from talktime.gateways.contract import Notice, NoticeKind, RefundStatus
from talktime.gateways.stripe_signature import sign
from talktime.payments import overview, reconcile
from talktime.payments.models import Purchase
from talktime.payments.till import listed
from talktime.simulate.gateway_deeds import MakeRefund
from tests.payments.counter import WEBHOOK, WHY, Counter, notice, open_purchase
from tests.payments.test_door import event as event_of_stripe
from tests.payments.test_door import knock
from tests.people import Person, account_of

K, R = NoticeKind, RefundStatus
BOUGHT = [("PURCHASE", 1000)]


async def paid_twice(counter: Counter, person: Person) -> tuple[Purchase, Notice]:
    """A purchase that was granted, and the notice of its second payment, which was heard."""
    purchase = await open_purchase(counter.database, person, counter.gateway)
    await counter.hear(notice(purchase))
    second = notice(purchase, payment_id=f"pi_second{purchase.id.hex}")
    await counter.hear(second)
    return purchase, second


def refund(paid: Notice, name: str, amount_minor: int = 2000, status: RefundStatus = R.SUCCEEDED) -> Notice:
    """As Stripe tells it: with the payment's name, and none of ours."""
    return nameless(paid, K.REFUND, amount_minor, refund_id=f"re_{name}_{paid.payment_id}", refund_status=status)


def dispute(paid: Notice, kind: NoticeKind, amount_minor: int = 2000, **more: Any) -> Notice:
    return nameless(paid, kind, amount_minor, dispute_id=f"dp_{paid.payment_id}", **more)


def nameless(paid: Notice, kind: NoticeKind, amount_minor: int, **more: Any) -> Notice:
    return replace(paid, kind=kind, amount_minor=amount_minor, purchase_id=None, user_id=None, checkout_id=None, **more)


async def case(counter: Counter, paid: Notice, kind: str = "paid_twice") -> dict[str, Any]:
    """What the one alert about a payment says."""
    async with counter.database.transaction(everyone=WHY) as db:
        rows = await db.scalars(
            text("SELECT detail FROM alerts WHERE kind = :kind AND detail ->> 'payment_id' = :payment"),
            {"kind": kind, "payment": paid.payment_id},
        )
        [detail] = rows
        return dict(detail)


async def waiting(counter: Counter, paid: Notice) -> int:
    async with counter.database.transaction(everyone=WHY) as db:
        found = await db.scalar(
            text("SELECT count(*) FROM provider_events WHERE handled_at IS NULL AND waits_for = :payment"),
            {"payment": f"payment {paid.payment_id}"},
        )
        return int(found or 0)


async def untouched(counter: Counter, purchase: Purchase, person: Person) -> bool:
    """Nothing of this reached the books."""
    now = await counter.now(purchase)
    lines = await counter.bought_lines(person)
    balance = (await account_of(counter.database, person)).balance
    return (now.reversed_credits, lines, balance) == (0, BOUGHT, 2000)


async def test_the_refund_of_a_second_payment_is_handled_at_once_and_takes_nothing(
    counter: Counter, alice: Person
) -> None:
    purchase, second = await paid_twice(counter, alice)
    await counter.hear(refund(second, "a"), times=4)
    assert await untouched(counter, purchase, alice)
    assert await waiting(counter, second) == 0
    assert set(await counter.verdicts(f"re_a_{second.payment_id}")) == {"granted nothing: succeeded", "nothing to do"}
    detail = await case(counter, second)
    assert (detail["given_back_minor"], detail["left_minor"]) == (2000, 0)
    assert await counter.alerts(payment_id=str(second.payment_id)) == ["paid_twice"]
    assert await counter.notices(alice) == ["purchase_paid"], "nothing of the customer's changed"


async def test_a_refund_with_our_names_on_it_is_still_of_the_payment_that_it_names(
    counter: Counter, alice: Person
) -> None:
    purchase, second = await paid_twice(counter, alice)
    named = replace(refund(second, "a"), purchase_id=purchase.id, user_id=alice.id)
    await counter.hear(named, times=2)
    assert await untouched(counter, purchase, alice)
    assert (await case(counter, second))["left_minor"] == 0
    stranger = replace(named, payment_id=f"pi_{uuid.uuid4().hex}", refund_id=f"re_{uuid.uuid4().hex}")
    await counter.hear(stranger)
    assert await untouched(counter, purchase, alice), "a payment that nobody told of waits"
    assert await waiting(counter, stranger) == 1


async def test_the_refund_of_the_payment_that_granted_still_takes_the_credits(counter: Counter, alice: Person) -> None:
    purchase, second = await paid_twice(counter, alice)
    await counter.hear(refund(second, "a"))
    await counter.hear(refund(notice(purchase), "b", 500))
    assert await counter.bought_lines(alice) == [*BOUGHT, ("REFUND", -250)]
    assert (await case(counter, second))["left_minor"] == 0


async def test_partial_refunds_say_what_is_left_and_one_that_failed_is_with_us_again(
    counter: Counter, alice: Person
) -> None:
    purchase, second = await paid_twice(counter, alice)
    for name, amount, status, left in (
        ("a", 500, R.SUCCEEDED, 1500),
        ("b", 700, R.PENDING, 800),
        ("c", 800, R.SUCCEEDED, 0),
        ("b", 700, R.FAILED, 700),
        ("d", 300, R.CANCELED, 700),
    ):
        await counter.hear(refund(second, name, amount, status), times=2)
        detail = await case(counter, second)
        assert (detail["given_back_minor"], detail["left_minor"]) == (2000 - left, left), name
    assert await untouched(counter, purchase, alice)
    assert await counter.alerts(payment_id=str(second.payment_id)) == ["paid_twice", "ungranted_returned"]


@pytest.mark.parametrize(
    ("won", "left", "alerts"),
    [(True, 2000, ["paid_twice", "ungranted_disputed", "ungranted_returned"]), (False, 0, None)],
)
async def test_a_dispute_of_a_second_payment_takes_nothing_and_is_seen(
    counter: Counter, alice: Person, won: bool, left: int, alerts: list[str] | None
) -> None:
    purchase, second = await paid_twice(counter, alice)
    await counter.hear(dispute(second, K.DISPUTE_OPENED), times=2)
    assert await counter.alerts(payment_id=str(second.payment_id)) == ["paid_twice", "ungranted_disputed"]
    await counter.hear(dispute(second, K.DISPUTE_WITHDRAWN), times=2)
    assert (await case(counter, second))["left_minor"] == 0
    if won:
        await counter.hear(dispute(second, K.DISPUTE_REINSTATED), times=2)
    await counter.hear(dispute(second, K.DISPUTE_CLOSED, dispute_won=won), times=2)
    assert (await case(counter, second))["left_minor"] == left
    expected = alerts or ["paid_twice", "ungranted_disputed"]
    assert await counter.alerts(payment_id=str(second.payment_id)) == expected
    assert await untouched(counter, purchase, alice)


async def test_a_refund_before_its_second_payment_was_heard_of_waits_and_is_handled_with_it(
    counter: Counter, alice: Person
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase))
    second = notice(purchase, payment_id=f"pi_second{purchase.id.hex}")
    await counter.hear(refund(second, "early"))
    assert await waiting(counter, second) == 1
    await counter.hear(second)
    assert await waiting(counter, second) == 0, "the payment woke it"
    assert (await case(counter, second))["left_minor"] == 0
    assert await untouched(counter, purchase, alice)


@pytest.mark.parametrize("seed", range(8))
async def test_four_times_and_in_any_order_it_ends_the_same(counter: Counter, alice: Person, seed: int) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase))
    second = notice(purchase, payment_id=f"pi_second{purchase.id.hex}")
    events = [
        second,
        refund(second, "a", 400, R.PENDING),
        refund(second, "a", 400),
        refund(second, "b", 300, R.PENDING),
        refund(second, "b", 300, R.FAILED),
        refund(second, "c", 100, R.CANCELED),
        dispute(second, K.DISPUTE_OPENED, 1000),
        dispute(second, K.DISPUTE_WITHDRAWN, 1000),
        dispute(second, K.DISPUTE_REINSTATED, 250),
        dispute(second, K.DISPUTE_CLOSED, 1000, dispute_won=True),
        refund(notice(purchase), "of_the_first", 1000),
    ] * 4
    random.Random(seed).shuffle(events)
    for event in events:
        await counter.hear(event)
    assert await counter.bought_lines(alice) == [*BOUGHT, ("REFUND", -500)]
    detail = await case(counter, second)
    assert (detail["given_back_minor"], detail["left_minor"]) == (400 + 750, 850)
    assert await waiting(counter, second) == 0
    raised = await counter.alerts(payment_id=str(second.payment_id))
    assert sorted(raised) == ["paid_twice", "ungranted_disputed", "ungranted_returned", "ungranted_returned"]


async def test_whichever_payment_comes_first_grants_and_the_other_does_not(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    one, two = notice(purchase), notice(purchase, payment_id=f"pi_second{purchase.id.hex}")
    for event in (two, one, two, one):
        await counter.hear(event)
    await counter.hear(refund(one, "a"), times=2)
    assert await untouched(counter, purchase, alice)
    assert (await case(counter, one))["left_minor"] == 0
    await counter.hear(refund(two, "b"))
    assert await counter.bought_lines(alice) == [*BOUGHT, ("REFUND", -1000)]


@pytest.mark.parametrize(
    ("odd", "kind"), [({"amount_minor": 1}, "wrong_amount"), ({"currency": "USD"}, "wrong_currency")]
)
async def test_a_payment_that_was_not_as_it_should_be_can_be_given_back_too(
    counter: Counter, alice: Person, odd: dict[str, Any], kind: str
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    paid = notice(purchase, **odd)
    await counter.hear(paid, times=3)
    await counter.hear(refund(paid, "a", paid.amount_minor or 0), times=2)
    assert await counter.bought_lines(alice) == []
    assert (await case(counter, paid, kind))["left_minor"] == 0
    # Paid again as it should have been, it is a purchase like any other, and so is what goes back of it.
    right = notice(purchase, payment_id=f"pi_right{purchase.id.hex}")
    await counter.hear(right)
    await counter.hear(refund(right, "b", 1000))
    assert await counter.bought_lines(alice) == [*BOUGHT, ("REFUND", -500)]


async def test_a_payment_that_was_granted_in_the_end_is_the_purchases(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    await counter.hear(notice(purchase, amount_minor=1))
    await counter.hear(notice(purchase))
    await counter.hear(refund(notice(purchase), "a"))
    assert await counter.bought_lines(alice) == [*BOUGHT, ("REFUND", -1000)]


async def alerts_of(counter: Counter, paid: Notice) -> dict[str, tuple[bool, bool]]:
    """The kinds of alerts about a payment: whether each is still open, and whether it says that it was granted."""
    async with counter.database.transaction(everyone=WHY) as db:
        rows = await db.execute(
            text(
                "SELECT kind, acknowledged_at IS NULL AS is_open, detail ? 'granted_at' AS says_so, acknowledged_by"
                " FROM alerts WHERE detail ->> 'payment_id' = :payment"
            ),
            {"payment": paid.payment_id},
        )
        found = rows.all()
    assert all(row.acknowledged_by is None for row in found)
    return {row.kind: (row.is_open, row.says_so) for row in found}


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        ({"amount_minor": 1}, "wrong_amount"),
        ({"currency": "USD"}, "wrong_currency"),
        ({"user_id": None, "purchase_id": None}, "unknown_payment"),
    ],
    ids=["sum", "currency", "names"],
)
async def test_a_payment_that_is_granted_later_says_so_and_leaves_nothing_to_be_done(
    counter: Counter, alice: Person, odd: dict[str, Any], kind: str
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    right = notice(purchase)
    await counter.hear(replace(right, **odd), times=2)
    assert await alerts_of(counter, right) == {kind: (True, False)}
    await counter.hear(right, times=2)
    assert await counter.bought_lines(alice) == BOUGHT
    assert await alerts_of(counter, right) == {kind: (False, True)}
    await counter.hear(refund(right, "a", 500))
    assert await alerts_of(counter, right) == {kind: (False, True)}
    other = notice(purchase, payment_id=f"pi_second{purchase.id.hex}")
    await counter.hear(other)
    assert await alerts_of(counter, other) == {"paid_twice": (True, False)}, "that one still asks for its refund"


async def test_a_payment_that_was_odd_in_two_ways_leaves_no_alert_once_it_is_granted(
    counter: Counter, alice: Person
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    right = notice(purchase)
    await counter.hear(replace(right, user_id=None, purchase_id=None))
    await counter.hear(replace(right, amount_minor=1))
    await counter.hear(dispute(right, K.DISPUTE_OPENED, 500))
    await counter.hear(right)
    assert await alerts_of(counter, right) == {
        "unknown_payment": (False, True),
        "wrong_amount": (False, True),
        # What the bank asks is still to be answered.
        "ungranted_disputed": (True, True),
    }


async def email_of(counter: Counter, person: Person) -> str:
    async with counter.database.transaction(everyone=WHY) as db:
        return str(await db.scalar(text("SELECT email FROM users WHERE id = :user"), {"user": person.id}))


async def listed_back(counter: Counter, person: Person | None = None) -> list[tuple[str, str, str, str | None]]:
    """What the operator's list says went back: its name, the buyer, why its payment granted nothing, and its name."""
    async with counter.database.transaction(everyone=WHY) as db:
        found = await overview.disputes(db, user=person.id if person else None, limit=1000)
    return [(each.id, each.email, each.ungranted, each.payment_id) for each in found]


async def test_what_goes_back_of_money_that_granted_nothing_is_on_the_operators_list_and_says_so(
    counter: Counter, alice: Person, bob: Person
) -> None:
    purchase, second = await paid_twice(counter, alice)
    await counter.hear(refund(second, "a", 500))
    await counter.hear(refund(notice(purchase), "of_the_first", 700))
    nobodys = notice(purchase, payment_id=f"pi_{uuid.uuid4().hex}", purchase_id=uuid.uuid4(), user_id=uuid.uuid4())
    await counter.hear(nobodys)
    await counter.hear(dispute(nobodys, K.DISPUTE_OPENED, 100))
    email = await email_of(counter, alice)
    of_nothing = (f"re_a_{second.payment_id}", email, "paid_twice", second.payment_id)
    of_the_first = (f"re_of_the_first_pi_{purchase.id.hex}", email, "", None)
    assert sorted(await listed_back(counter, alice)) == sorted([of_nothing, of_the_first])
    everybodys = await listed_back(counter)
    assert {of_nothing, of_the_first, (f"dp_{nobodys.payment_id}", "", "unknown_payment", nobodys.payment_id)} <= set(
        everybodys
    )
    assert await listed_back(counter, bob) == []
    async with counter.database.transaction(everyone=WHY) as db:
        for limit in range(4):
            newest = await overview.disputes(db, limit=limit)
            assert [each.id for each in newest] == [row[0] for row in everybodys][:limit]


async def test_what_went_back_before_its_payment_was_granted_is_listed_once(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    right = notice(purchase)
    await counter.hear(replace(right, amount_minor=1999))
    await counter.hear(refund(right, "early", 500))
    name, email = f"re_early_{right.payment_id}", await email_of(counter, alice)
    assert await listed_back(counter, alice) == [(name, email, "wrong_amount", right.payment_id)]
    await counter.hear(right)
    assert await listed_back(counter, alice) == [(name, email, "", None)]


async def test_money_of_nobody_can_be_given_back_too(counter: Counter, alice: Person) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    paid = notice(purchase, payment_id=f"pi_{uuid.uuid4().hex}", purchase_id=uuid.uuid4(), user_id=uuid.uuid4())
    await counter.hear(paid, times=2)
    await counter.hear(refund(paid, "a", 700))
    assert (await case(counter, paid, "unknown_payment"))["left_minor"] == 1300
    assert await counter.bought_lines(alice) == []


async def test_what_is_no_refund_of_it_changes_nothing_and_is_seen(counter: Counter, alice: Person) -> None:
    purchase, second = await paid_twice(counter, alice)
    await counter.hear(replace(refund(second, "a"), currency="USD"), times=2)
    await counter.hear(replace(refund(second, "b"), amount_minor=None), times=2)
    other, theirs = await paid_twice(counter, alice)
    await counter.hear(refund(second, "c", 500))
    await counter.hear(replace(refund(theirs, "c", 500), refund_id=f"re_c_{second.payment_id}"))
    assert "left_minor" not in await case(counter, theirs)
    assert (await case(counter, second))["left_minor"] == 1500
    assert sorted(await counter.alerts(payment_id=str(second.payment_id))) == [
        "paid_twice",
        "wrong_amount",
        "wrong_currency",
    ]
    assert sorted(await counter.alerts(payment_id=str(theirs.payment_id))) == ["paid_twice", "unknown_payment"]
    assert (await counter.now(purchase)).reversed_credits == (await counter.now(other)).reversed_credits == 0


async def test_the_case_that_somebody_acknowledged_still_says_what_went_back(
    counter: Counter, alice: Person, ada: Person
) -> None:
    _, second = await paid_twice(counter, alice)
    async with counter.database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "UPDATE alerts SET acknowledged_at = now(), acknowledged_by = :by"
                " WHERE detail ->> 'payment_id' = :payment"
            ),
            {"by": ada.id, "payment": second.payment_id},
        )
    await counter.hear(second)
    await counter.hear(refund(second, "a"))
    assert (await case(counter, second))["left_minor"] == 0, "and there is still one alert"


async def test_the_payment_company_is_asked_no_more_once_all_of_it_went_back(counter: Counter, alice: Person) -> None:
    purchase, second = await paid_twice(counter, alice)

    async def differs(notice: Notice) -> str | None:
        async with counter.database.transaction(everyone=WHY) as db:
            return await reconcile.difference(db, counter.gateway, notice)

    assert await differs(second) == "paid twice"
    part, rest = refund(second, "a", 500, R.PENDING), refund(second, "b", 1500)
    assert await differs(part) == "unknown refund"
    await counter.hear(part)
    assert (await differs(part), await differs(second)) == (None, "paid twice")
    async with counter.database.transaction(everyone=WHY) as db:
        undecided = await reconcile.oldest_undecided(db, counter.gateway)
    assert undecided is not None and undecided <= part.created_at
    await counter.hear(refund(second, "a", 500))
    await counter.hear(rest)
    assert [await differs(each) for each in (part, rest, second)] == [None, None, None]
    found = await reconcile.reconcile(
        counter.database, counter.till, counter.gateway, datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC)
    )
    assert str(second.payment_id) not in [each.payment_id for each in found.differences]
    assert await untouched(counter, purchase, alice)


async def test_many_at_once_end_the_same_and_nobody_waits_in_a_circle(counter: Counter, alice: Person) -> None:
    seconds = []
    events = []
    for _ in range(4):
        purchase = await open_purchase(counter.database, alice, counter.gateway)
        await counter.hear(notice(purchase))
        second = notice(purchase, payment_id=f"pi_second{purchase.id.hex}")
        seconds.append(second)
        events += [
            second,
            refund(second, "a", 500),
            refund(second, "b", 700, R.PENDING),
            refund(second, "b", 700, R.FAILED),
            dispute(second, K.DISPUTE_WITHDRAWN, 1500),
        ] * 3
    random.Random(11).shuffle(events)
    async with counter.database.transaction(everyone=WHY) as db:
        for event in events:
            await inbox.store(db, listed(counter.gateway, replace(event, event_id=f"evt_{uuid.uuid4().hex}")))
    await asyncio.gather(*(counter.drain() for _ in range(6)))
    async with asyncio.timeout(20):
        # One that was handled while its payment was on its way is tried again two seconds later.
        while any([await waiting(counter, second) for second in seconds]):
            await asyncio.sleep(0.2)
            await counter.drain()
    for second in seconds:
        assert (await case(counter, second))["left_minor"] == 0
        raised = await counter.alerts(payment_id=str(second.payment_id))
        assert sorted(raised) == ["paid_twice", "ungranted_disputed", "ungranted_returned"]
    assert await counter.bought_lines(alice) == BOUGHT * 4


async def test_as_stripe_writes_it_a_second_payment_of_one_checkout_comes_and_goes(
    counter: Counter, alice: Person
) -> None:
    purchase, first = await counter.bought(alice)
    second = f"pi_{uuid.uuid4().hex}"
    session = {
        "id": await counter.checkout_id(purchase),
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "payment_intent": second,
        "amount_total": 2000,
        "currency": "eur",
        "metadata": {"purchase_id": str(purchase.id), "user_id": str(alice.id)},
        "client_reference_id": str(purchase.id),
    }
    back = {"object": "refund", "amount": 2000, "currency": "eur", "payment_intent": second, "metadata": {}}
    for kind, about in (
        ("checkout.session.completed", session),
        ("refund.created", {**back, "id": f"re_{second}", "status": "pending"}),
        ("refund.updated", {**back, "id": f"re_{second}", "status": "succeeded"}),
    ):
        for _ in range(2):
            body = event_of_stripe(f"evt_{uuid.uuid4().hex}", type=kind, data={"object": about})
            assert await knock(counter, body, sign(WEBHOOK, body, datetime.now(UTC))) == 204
            await counter.drain()
    assert await untouched(counter, purchase, alice)
    paid = notice(purchase, payment_id=second)
    assert (await case(counter, paid))["left_minor"] == 0
    await counter.control.do(MakeRefund(payment=first))
    await counter.told()
    assert await counter.bought_lines(alice) == [*BOUGHT, ("REFUND", -1000)]


@pytest.mark.parametrize(
    "first", [{"amount_minor": 1999}, {"user_id": None, "purchase_id": None}], ids=["sum", "names"]
)
async def test_money_that_went_back_before_it_was_granted_grants_nothing_for_good(
    counter: Counter, alice: Person, first: dict[str, Any]
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    right = notice(purchase)
    await counter.hear(replace(right, **first))
    # Under the name that the company's list gives it each hour, so that it is handled once and never again.
    back = replace(refund(right, "early"), event_id=f"list:re_{uuid.uuid4().hex}:succeeded")
    for said in (back, right, back):
        async with counter.database.transaction(everyone=WHY) as db:
            await inbox.store(db, listed(counter.gateway, said))
        await counter.drain()
    now = await counter.now(purchase)
    assert (await account_of(counter.database, alice)).balance == 1000, "all of the money went back"
    assert now.credited_at is None or now.reversed_credits == 1000


@pytest.mark.parametrize("seed", range(4))
async def test_what_went_back_in_parts_before_it_was_granted_is_taken_with_it_in_any_order(
    counter: Counter, alice: Person, seed: int
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    right = replace(notice(purchase), created_at=datetime.now(UTC) - timedelta(days=400))
    await counter.hear(replace(right, amount_minor=1999))
    events = [
        right,
        refund(right, "a", 400, R.PENDING),
        refund(right, "b", 300),
        refund(right, "b", 300, R.FAILED),
        dispute(right, K.DISPUTE_OPENED, 1000),
        dispute(right, K.DISPUTE_WITHDRAWN, 1000),
        dispute(right, K.DISPUTE_REINSTATED, 250),
    ] * 2
    random.Random(seed).shuffle(events)
    for event in events:
        await counter.hear(event)
    assert (await counter.now(purchase)).reversed_credits == (400 + 750) // 2
    assert (await account_of(counter.database, alice)).balance == 2000 - (400 + 750) // 2

    async def undecided() -> datetime | None:
        async with counter.database.transaction(everyone=WHY) as db:
            return await reconcile.oldest_undecided(db, counter.gateway)

    assert await undecided() == right.created_at
    # What it was kept as before is no longer waited for: the purchase's own is.
    for event in (refund(right, "a", 400), dispute(right, K.DISPUTE_CLOSED, 1000, dispute_won=False)):
        await counter.hear(event, times=2)
    assert await undecided() != right.created_at


async def test_money_that_went_back_in_another_currency_keeps_its_payment_from_being_granted(
    counter: Counter, alice: Person
) -> None:
    purchase = await open_purchase(counter.database, alice, counter.gateway)
    right = notice(purchase)
    await counter.hear(replace(right, currency="USD"))
    await counter.hear(replace(refund(right, "early"), currency="USD"))
    await counter.hear(right, times=2)
    assert (await counter.now(purchase)).credited_at is None
    assert await counter.bought_lines(alice) == []
    assert (await case(counter, right, "wrong_currency"))["left_minor"] == 0


async def test_a_payment_that_is_granted_while_it_goes_back_ends_without_its_credits(
    counter: Counter, alice: Person
) -> None:
    purchases = [await open_purchase(counter.database, alice, counter.gateway) for _ in range(6)]
    for purchase in purchases:
        await counter.hear(notice(purchase, amount_minor=1999))
    async with counter.database.transaction(everyone=WHY) as db:
        for purchase in purchases:
            for said in (refund(notice(purchase), "at_once"), notice(purchase)):
                await inbox.store(db, listed(counter.gateway, replace(said, event_id=f"evt_{uuid.uuid4().hex}")))
    await asyncio.gather(*(counter.drain() for _ in range(6)))
    async with asyncio.timeout(20):
        while any([await waiting(counter, notice(purchase)) for purchase in purchases]):
            await asyncio.sleep(0.2)
            await counter.drain()
    for purchase in purchases:
        assert (await counter.now(purchase)).reversed_credits == 1000
    assert (await account_of(counter.database, alice)).balance == 1000
