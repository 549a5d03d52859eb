"""Every event of a rich history, four times each, shuffled, some a day late: the books end as they do after one
delivery in order.

Databases are cloned after the stage is set, so that each order of events meets the same customers and the same names.
"""

import os
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import orjson
from sqlalchemy import text

from talktime import inbox
from talktime.calls import legs, lifecycle, transfers
from talktime.carriers.contract import Carrier, Ring
from talktime.credits import ledger
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.payments import top_up
from talktime.simulate.gateway_deeds import (
    ChangeRefund,
    Expire,
    Faults,
    MakeRefund,
    Means,
    MoveDispute,
    OpenDispute,
    Pay,
    Resend,
    Settle,
)
from talktime.simulate.gateway_objects import Obj
from tests.calls.putting_through import set_price
from tests.crash import restart
from tests.crash.conftest import Clones
from tests.crash.exact import assert_books_are_exact
from tests.crash.history_payments import checkout_in
from tests.crash.paydesk import Letter, Paydesk, deliver
from tests.crash.restart import WHY, Books, opened
from tests.crash.shop import PRICE_MINOR, Shop, click, open_shop
from tests.crash.switchboard import ACCOUNT, Switchboard, new_sid, report
from tests.crash.test_payments_killed import LOW, asked, somebody_low, switch_on
from tests.people import Person, new_person

SEEDS = range(20 if os.environ.get("TALKTIME_TEST_LONG") else 3)
TIMES = 4
Step = Callable[[], Awaitable[None]]

# What the books say in the end. How many lines and documents led there may depend on the order; their sums may not.
_END = {
    "accounts": "SELECT user_id, balance, held, open_calls, clawback_debt FROM credit_accounts",
    "calls": "SELECT carrier_call_id, status, route, seconds, carrier_seconds, end_reason FROM calls",
    "holds": "SELECT call_id, state, charged + corrected, unbilled, corrected_seconds, held FROM credit_holds",
    "purchases": "SELECT id, state, failure, reversed_credits, credited_at IS NOT NULL FROM purchases",
    "reversals": "SELECT id, kind, state, amount_minor, withdrawn_minor, reinstated_minor FROM payment_reversals",
    "ungranted": "SELECT payment_id, why, amount_minor FROM ungranted_payments",
    "ungranted reversals": "SELECT id, payment_id, kind, state, amount_minor, withdrawn_minor, reinstated_minor"
    " FROM ungranted_reversals",
    "top-ups": "SELECT user_id, enabled, declines, stopped_reason FROM top_ups",
    "lines": "SELECT call_id, purchase_id, sum(amount)::bigint FROM credit_transactions GROUP BY call_id, purchase_id",
    "documents": "SELECT purchase_id, sum(CASE kind WHEN 'INVOICE' THEN gross_minor ELSE -gross_minor END)::bigint"
    " FROM invoices GROUP BY purchase_id",
    "told": "SELECT kind, subject FROM notices WHERE kind IN ('purchase_paid', 'top_up_done', 'top_up_declined')",
    "alerts": "SELECT DISTINCT kind, detail ->> 'reversal_id', detail ->> 'purchase_id' FROM alerts",
    "waiting": "SELECT event_id FROM provider_events WHERE handled_at IS NULL",
}


async def end_of(database: Database) -> dict[str, list[str]]:
    async with database.transaction(everyone=WHY) as db:
        return {name: sorted(str(tuple(row)) for row in await db.execute(text(asked))) for name, asked in _END.items()}


async def a_day_passes(database: Database) -> None:
    """For what lies in the inbox: what waits is old, and may be tried again."""
    async with database.transaction(everyone=WHY) as db:
        await restart.as_owner(
            db,
            "UPDATE provider_events SET received_at = received_at - interval '1 day',"
            " not_before = not_before - interval '1 day', last_tried_at = last_tried_at - interval '1 day'",
        )


async def hear(database: Database, steps: Sequence[Step], drain: Step, seed: int | None) -> None:
    """Without a seed one step after the other; with one each several times, in any order, some a day late."""
    if seed is None:
        for step in steps:
            await step()
            await drain()
        return
    chance = random.Random(seed)
    several = list(steps) * TIMES
    chance.shuffle(several)
    late = chance.randrange(len(several) // 4, len(several) // 2)
    for day in (several[late:], several[:late], []):
        for step in day:
            await step()
            if chance.random() < 0.3:
                await drain()
        await drain()
        await a_day_passes(database)
    await drain()


# The payment company.


@dataclass
class Shelf:
    """Somebody's purchases at the company, all begun and none paid."""

    person: Person
    checkouts: list[str]


async def shelf_of(shop: Shop, count: int) -> Shelf:
    person = await new_person(shop.database, "Alice", credits=0)
    return Shelf(person, [checkout_in(await click(shop, person, key=str(number))) for number in range(count)])


async def much_happens(desk: Paydesk, shelf: Shelf) -> list[str]:
    """All that can become of a payment; gives the names that the events have in them."""
    async with desk.control() as control:

        async def pay(number: int, how: Means = Means.CARD) -> str:
            session: Obj = await control.do(Pay(checkout=shelf.checkouts[number], how=how))
            return str(session["payment_intent"])

        refunded, debited, failed = await pay(0), await pay(1, Means.DEBIT), await pay(2, Means.DEBIT_FAILS)
        await control.do(Expire(checkout=shelf.checkouts[3]))
        disputed, twice, regained = await pay(4), await pay(5), await pay(6)
        await control.do(Settle(payment=debited, succeeds=True))
        await control.do(Settle(payment=failed, succeeds=False))
        # Several refunds, of which one fails after it seemed to work.
        await control.do(MakeRefund(payment=refunded, amount=333))
        lost = await control.do(MakeRefund(payment=refunded, amount=500, status="pending"))
        await control.do(MakeRefund(payment=refunded, amount=1))
        await control.do(ChangeRefund(refund=lost["id"], status="failed"))
        whole = await control.do(MakeRefund(payment=debited, status="pending"))
        await control.do(ChangeRefund(refund=whole["id"], status="succeeded"))
        # A dispute after a refund, lost; and one whose money came back in parts before it was won.
        await control.do(MakeRefund(payment=disputed, amount=700))
        gone = await control.do(OpenDispute(payment=disputed, amount=1300))
        await control.do(MoveDispute(dispute=gone["id"], to="lost"))
        back = await control.do(OpenDispute(payment=regained))
        await control.do(MoveDispute(dispute=back["id"], to="reinstated"))
        await control.do(MoveDispute(dispute=back["id"], to="won"))
        # One whose sum is not the price: it grants nothing, and some of it goes back.
        await control.go_wrong(Faults(amount=2 * PRICE_MINOR))
        ungranted = await pay(7)
        assert await control.settled(30)
        await control.go_wrong(Faults())
        await control.do(MakeRefund(payment=ungranted, amount=700))
        lost = await control.do(MakeRefund(payment=ungranted, amount=200, status="pending"))
        await control.do(ChangeRefund(refund=lost["id"], status="failed"))
        # The same payment under other event ids.
        for event in await control.events("checkout.session.completed"):
            if event["object"] == shelf.checkouts[5]:
                await control.do(Resend(event=event["id"], another_id=True))
        assert await control.settled(30)
    return [str(shelf.person.id), refunded, debited, failed, disputed, twice, regained, ungranted]


async def topped_up(shop: Shop) -> list[str]:
    """Two saved cards are charged, one in vain, and what the company answered is lost: only its events tell. Gives the
    names that the events have in them, the paid one's first."""
    first = await somebody_low(shop, None)
    names: list[str] = []
    for decline in ("", "insufficient_funds"):
        person = await somebody_low(shop, first)
        await switch_on(shop, person)
        await shop.control.go_wrong(Faults(saved_card=decline, api_status=500, api_executes=True))
        assert await top_up.due(shop.database, shop.till, shop.gateway) == 0, "nothing is known of it"
        ((purchase, state),) = await asked(shop.database, person, "SELECT id, state FROM purchases")
        assert state == "OPEN"
        names.append(str(purchase))
    await shop.control.go_wrong(Faults())
    # A part of the one that was paid goes back, too.
    paid = [each for each in await shop.desk.letters(names[0]) if each.type == "payment_intent.succeeded"]
    payment = str(orjson.loads(paid[0].body)["data"]["object"]["id"])
    await shop.control.do(MakeRefund(payment=payment, amount=500))
    return [*names, payment]


async def heard(shop: Shop, letters: Sequence[Letter], seed: int | None) -> dict[str, list[str]]:
    """Hear of it all, in the order that the seed gives; how the books stand then."""

    def step(letter: Letter) -> Step:
        return lambda: deliver(shop.database, shop.till, shop.gateway, [letter])

    async def drain() -> None:
        await restart.drained(shop.database, shop.till.handlers())

    await hear(shop.database, [step(letter) for letter in letters], drain, seed)
    await assert_books_are_exact(shop.database)
    return await end_of(shop.database)


async def test_events_of_payments_may_come_in_any_order_and_any_number_of_times(
    desk: Paydesk, new_database_url: Callable[[], str], clones: Clones
) -> None:
    async with open_shop(new_database_url(), desk) as stage:
        shelf = await shelf_of(stage, 8)
        charges = await topped_up(stage)
    letters = await desk.letters(*await much_happens(desk, shelf), *charges)
    assert len({letter.type for letter in letters}) >= 14, {letter.type for letter in letters}
    in_order, *others = clones(stage.database, 1 + len(SEEDS))
    async with open_shop(in_order, desk) as shop:
        expected = await heard(shop, letters, None)
    for seed, url in zip(SEEDS, others, strict=True):
        async with open_shop(url, desk) as shop:
            assert await heard(shop, letters, seed) == expected, f"seed {seed}"
    assert expected["waiting"] == []
    states = " ".join(expected["purchases"])
    # Beside those of the shelf: the purchase that the card is from, the top-up that was paid, the one that was not.
    assert (states.count("'PAID'"), states.count("'FAILED'"), states.count("'EXPIRED'")) == (5 + 2, 1 + 1, 1)
    assert states.count("'OPEN'") == 1
    # 3.34 of the first are gone, all of the second, all of the fifth, nothing of the last two.
    accounts = " ".join(expected["accounts"])
    assert f"UUID('{shelf.person.id}'), {833 + 0 + 0 + 1000 + 1000}," in accounts
    # Of the paid top-up 5.00 went back; of what granted nothing 7.00, and 2.00 came back.
    assert f"), {LOW + 1000 - 250}," in accounts
    assert f"), {LOW}," in accounts
    assert [row.split(", ")[2] for row in expected["top-ups"]].count("1") == 1
    assert len(expected["ungranted"]) == 1
    assert {row.split(", ")[4] for row in expected["ungranted reversals"]} == {"700", "200"}
    assert " ".join(expected["told"]).count("top_up_done") == " ".join(expected["told"]).count("top_up_declined") == 1


# The phone company.


@dataclass(frozen=True)
class Rung:
    """A call, and what the company reports of it; our own seconds are None when nobody answered."""

    sid: str
    our_seconds: int | None
    carrier_seconds: int | None
    leg: "Rung | None" = None
    """The person whom the caller was put through to: what the company calls that leg, and its seconds."""
    leg_id: uuid.UUID = field(default_factory=new_id)

    def reports(self) -> list[inbox.Incoming]:
        answered = self.our_seconds is not None
        last = "completed" if answered else "no-answer"
        return [
            report(self.sid, "ringing", sequence=0),
            *([report(self.sid, "in-progress", sequence=1)] if answered else []),
            report(self.sid, last, sequence=2, seconds=self.carrier_seconds),
        ]


OWNER = "a process"


async def rung(database: Database, person: Person, calls: Sequence[Rung]) -> None:
    """They ring, and those that are to be are answered."""
    for call in calls:
        decision = await ring(database, person, call)
        assert decision.fresh
        assert decision.call_id is not None
        if call.our_seconds is not None:
            async with database.transaction(user=person.id) as db:
                assert await lifecycle.answer(db, person.id, decision.call_id, OWNER) is not None
            async with database.transaction(everyone=WHY) as db:
                await restart.talk_goes_on(db, decision.call_id, 180)
            for number in (1, 2):
                await ledger.extend(database, person.id, decision.call_id, OWNER, number)
            if call.leg is not None:
                await put_through(database, person, decision.call_id, call.leg_id)


async def put_through(database: Database, person: Person, call: uuid.UUID, leg: uuid.UUID) -> None:
    """The leg is begun, and a while goes by in which it may have been talked."""
    async with database.transaction(user=person.id) as db:
        allowed = await db.scalar(
            text("SELECT allowed FROM begin_leg_v1(:user, :call, :leg, '+4930999888')"),
            {"user": person.id, "call": call, "leg": leg},
        )
        assert allowed
    async with database.transaction(everyone=WHY) as db:
        await restart.talk_goes_on(db, leg, 180)
        # So long before it the agent talked, too.
        await restart.talk_goes_on(db, call, 180)


async def ring(database: Database, person: Person, call: Rung) -> lifecycle.Decision:
    async with database.transaction(everyone=lifecycle.RING_WHY) as db:
        return await lifecycle.ring(db, "simulated", Ring(ACCOUNT, call.sid, "", person.number))


async def finished(database: Database, person: Person, call: Rung) -> None:
    if call.our_seconds is not None:
        call_id = (await ring(database, person, call)).call_id
        assert isinstance(call_id, uuid.UUID)
        await lifecycle.finish(database, person.id, call_id, seconds=call.our_seconds, reason="caller_hung_up")


async def reported(
    books: Books, carrier: Carrier, person: Person, calls: Sequence[Rung], seed: int | None
) -> dict[str, list[str]]:
    """Hear of the calls, in the order that the seed gives; how the books stand then. We finish them before, or (with an
    odd seed) whenever it comes."""
    database = books.database
    rings = [each for call in calls for each in (call, call.leg) if each is not None]
    handlers = restart.handlers_of(carrier, *(each.sid for each in rings))

    def accept(event: inbox.Incoming) -> Step:
        async def do() -> None:
            await inbox.accept(database, event)

        return do

    def again(call: Rung) -> Step:
        async def do() -> None:
            assert not (await ring(database, person, call)).fresh

        return do

    def over(call: Rung) -> Step:
        return lambda: finished(database, person, call)

    async def drain() -> None:
        await restart.drained(database, handlers)

    def accept_leg(call: Rung, leg: Rung, event: inbox.Incoming) -> Step:
        async def do() -> None:
            # As the door of legs does it: the name that the report gives is kept with it.
            async with database.transaction(everyone=transfers.REPORT_WHY) as db:
                assert await legs.name(db, "simulated", person.id, call.leg_id, leg.sid)
                await inbox.store(db, event)

        return do

    steps = [step for call in calls for step in (again(call), *map(accept, call.reports()))]
    # That a leg rings is not stored.
    steps += [accept_leg(call, call.leg, event) for call in calls if call.leg for event in call.leg.reports()[1:]]
    if seed is not None and seed % 2:
        steps += [over(call) for call in calls]
    else:
        for call in calls:
            await over(call)()
    await hear(database, steps, drain, seed)
    await assert_books_are_exact(database)
    return await end_of(database)


async def test_reports_of_calls_may_come_in_any_order_and_any_number_of_times(
    board: Switchboard, books: Books, clones: Clones
) -> None:
    person = await new_person(books.database, "Alice", credits=5000)
    # Agreeing, longer, shorter, hardly differing, and never answered.
    measures = [(130, 130), (130, 171), (130, 61), (130, 132), (None, None)]
    calls = [Rung(new_sid(), ours, carrier) for ours, carrier in measures]
    # Two callers who were put through: one talked to the person, for longer than was held so far; one did not.
    calls += [Rung(new_sid(), 130, 300, leg=Rung(new_sid(), each, each)) for each in (95, None)]
    await set_price(books.database, person, Rate(30, initial_seconds=1, increment_seconds=1))
    await rung(books.database, person, calls)
    await books.database.close()
    carrier = board.carrier()
    in_order, *others = clones(books.database, 1 + len(SEEDS))
    async with opened(in_order) as clone:
        expected = await reported(clone, carrier, person, calls, None)
    for seed, url in zip(SEEDS, others, strict=True):
        async with opened(url) as clone:
            assert await reported(clone, carrier, person, calls, seed) == expected, f"seed {seed}"
    await carrier.close()
    assert expected["waiting"] == []
    # At 15 a minute: 45 for 130 seconds and 171, 30 for 61; a leg's 95 seconds at half a credit, 48.
    costs = [row.split(", ")[2] for row in expected["holds"]]
    assert (costs.count("45"), costs.count("30"), costs.count("48"), costs.count("0")) == (3 + 2, 1, 1, 1 + 1)
    assert f"UUID('{person.id}'), {5000 - 45 - 45 - 30 - 45 - 2 * 45 - 48}," in expected["accounts"][0]
    assert sum("'transferred'" in row for row in expected["calls"]) == 2
