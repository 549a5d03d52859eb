"""SIGKILL at each step of a purchase, a refund, a dispute and a top-up: afterwards it is paid once, credited once,
documented once, and told.

After each death happens what happens then: the buyer clicks again with the same key, the operator asks again, the
company tells again what was not taken, and in the end it is asked what it knows.
"""

import contextlib
import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from talktime.db.session import Database
from talktime.gateways.contract import NoticeKind
from talktime.notices.send import send_notices
from talktime.notices.tell import tell
from talktime.payments import reconcile, refunding, saved_card, top_up
from talktime.payments.checkout import PurchaseOver
from talktime.payments.saved_card import Choice
from talktime.simulate.gateway_deeds import ChangeRefund, Faults, MakeRefund, MoveDispute, OpenDispute, Pay
from tests.crash import restart
from tests.crash.exact import assert_books_are_exact
from tests.crash.fork_server import Death, ForkServer
from tests.crash.history_payments import GIVING_BACK, PAYING, REFUND_KEY, REFUND_MINOR, checkout_in
from tests.crash.paydesk import deliver, handlers_of
from tests.crash.restart import WHY, Books
from tests.crash.shop import CREDITS, PRICE_MINOR, Shop, click, listed
from tests.mail.pigeon import Pigeon
from tests.people import Person, account_of, new_person

LOW = 50
IS_LONG = bool(os.environ.get("TALKTIME_TEST_LONG"))
CHARGING = ("payment_intent.succeeded", "payment_intent.payment_failed")


async def pays_by_card(shop: Shop, person: Person, *, save_card: bool = False) -> str:
    """Somebody buys a pack, and is told so; gives the payment."""
    url = await click(shop, person, save_card=save_card)
    payment = str((await shop.control.do(Pay(checkout=checkout_in(url))))["payment_intent"])
    told = [each for each in await shop.desk.letters(str(person.id)) if each.type == "checkout.session.completed"]
    await deliver(shop.database, shop.till, shop.gateway, told)
    await restart.drained(shop.database, shop.till.handlers())
    return payment


async def asked(database: Database, person: Person, question: str) -> list[tuple[Any, ...]]:
    async with database.transaction(user=person.id) as db:
        return [tuple(row) for row in await db.execute(text(question))]


async def lines(database: Database, person: Person) -> list[tuple[str, int]]:
    """What payments did to somebody's ledger."""
    rows = await asked(
        database, person, "SELECT type, amount FROM credit_transactions WHERE purchase_id IS NOT NULL ORDER BY seq"
    )
    return [(str(kind), int(amount)) for kind, amount in rows]


async def documents(database: Database, person: Person) -> list[tuple[str, int]]:
    rows = await asked(database, person, "SELECT kind, gross_minor FROM invoices ORDER BY kind DESC, gross_minor DESC")
    return [(str(kind), int(gross)) for kind, gross in rows]


async def notices(database: Database, person: Person) -> list[str]:
    return [str(kind) for (kind,) in await asked(database, person, "SELECT kind FROM notices ORDER BY kind")]


async def assert_the_company_agrees(shop: Shop) -> None:
    """Asked what it knows, the company knows nothing that we do not, nor the other way round."""
    now = datetime.now(UTC)
    since, until = now - timedelta(hours=1), now + timedelta(minutes=1)
    found = await reconcile.reconcile(shop.database, shop.till, shop.gateway, since, until)
    assert found.seen > 0
    assert found.differences == []


async def test_a_purchase_whose_process_is_killed_anywhere_is_paid_and_granted_once(
    forks: ForkServer, shop: Shop
) -> None:
    history = "history_payments.bought"

    async def stage() -> tuple[Person, dict[str, Any]]:
        person = await new_person(shop.database, "Alice", credits=0)
        wish = {"user": str(person.id), "pack": str(shop.pack), "key": f"click {person.id}"}
        return person, {**wish, "desk": shop.desk.stage()}

    first = await stage()
    unharmed = await forks.live(history, shop.url, first[1])
    others = [await stage() for _ in unharmed.passed]
    deaths = await forks.run(history, [(point, shop.url, each) for point, (_, each) in enumerate(others, 1)])
    assert [death.passed[-1] for death in deaths] == list(unharmed.passed)

    people = [person for person, _ in (first, *others)]
    for person in people:
        await comes_back_and_pays(shop, person)
    await restart.drained(shop.database, handlers_of(shop.till, *(str(person.id) for person in people)))
    for person, death in zip(people, [unharmed, *deaths], strict=True):
        assert await lines(shop.database, person) == [("PURCHASE", CREDITS)], death.where
        assert await documents(shop.database, person) == [("INVOICE", PRICE_MINOR)], death.where
        assert await notices(shop.database, person) == ["purchase_paid"], death.where
        assert await asked(shop.database, person, "SELECT state FROM purchases") == [("PAID",)], death.where
        assert (await account_of(shop.database, person)).balance == CREDITS
    # At the company, too, each paid once.
    paid = [each.user_id for each in await listed(shop.gateway) if each.kind is NoticeKind.PAID]
    assert sorted(map(str, paid)) == sorted(str(person.id) for person in people)
    await assert_the_company_agrees(shop)
    await assert_books_are_exact(shop.database)


async def comes_back_and_pays(shop: Shop, person: Person) -> None:
    """The buyer clicks again; whoever has not paid does so now, on the page of the same checkout. All is told again."""
    with contextlib.suppress(PurchaseOver):
        url = await click(shop, person)
        if not await shop.desk.letters(str(person.id)):
            await shop.control.do(Pay(checkout=checkout_in(url)))
    letters = [each for each in await shop.desk.letters(str(person.id)) if each.type in PAYING]
    await deliver(shop.database, shop.till, shop.gateway, letters, scope=str(person.id))


async def a_disputed_purchase(shop: Shop) -> tuple[Person, dict[str, Any]]:
    """Somebody who bought; since then a refund failed and a dispute was lost, and we have heard of nothing."""
    person = await new_person(shop.database, "Alice", credits=0)
    payment = await pays_by_card(shop, person)
    refund = await shop.control.do(MakeRefund(payment=payment, amount=300))
    await shop.control.do(ChangeRefund(refund=refund["id"], status="failed"))
    dispute = await shop.control.do(OpenDispute(payment=payment, amount=1000))
    await shop.control.do(MoveDispute(dispute=dispute["id"], to="lost"))
    ((purchase,),) = await asked(shop.database, person, "SELECT id FROM purchases")
    return person, {"user": str(person.id), "purchase": str(purchase), "payment": payment, "desk": shop.desk.stage()}


async def test_money_that_goes_back_goes_back_once_wherever_the_process_is_killed(
    forks: ForkServer, shop: Shop
) -> None:
    history = "history_payments.given_back"
    ada = await new_person(shop.database, "Ada", credits=0, admin=True)

    async def stage() -> tuple[Person, dict[str, Any]]:
        person, made = await a_disputed_purchase(shop)
        return person, {**made, "actor": str(ada.id)}

    first = await stage()
    unharmed = await forks.live(history, shop.url, first[1])
    others = [await stage() for _ in unharmed.passed]
    deaths = await forks.run(history, [(point, shop.url, each) for point, (_, each) in enumerate(others, 1)])
    assert [death.passed[-1] for death in deaths] == list(unharmed.passed)

    stages = [first, *others]
    for person, each in stages:
        await assert_refunded_again(shop, person, each)
    await restart.drained(shop.database, handlers_of(shop.till, *(str(person.id) for person, _ in stages)))
    for (person, _), death in zip(stages, [unharmed, *deaths], strict=True):
        await assert_given_back_once(shop.database, person, death)
    await assert_the_company_agrees(shop)
    await assert_books_are_exact(shop.database)


async def assert_refunded_again(shop: Shop, person: Person, stage: dict[str, Any]) -> None:
    """The operator asks once more, and the company tells everything once more."""
    request = await refunding.refund(
        shop.database,
        shop.till.billing,
        shop.gateway,
        user=person.id,
        purchase=uuid.UUID(stage["purchase"]),
        amount_minor=REFUND_MINOR,
        key=REFUND_KEY,
        actor=uuid.UUID(stage["actor"]),
    )
    assert request.refund_id is not None
    letters = [each for each in await shop.desk.letters(stage["payment"]) if each.type in GIVING_BACK]
    await deliver(shop.database, shop.till, shop.gateway, letters, scope=str(person.id))


async def assert_given_back_once(database: Database, person: Person, death: Death) -> None:
    """Of 20.00, 5.00 were refunded and 10.00 were lost to a dispute; 3.00 never left."""
    balance, posted = (await account_of(database, person)).balance, await lines(database, person)
    assert balance == CREDITS - 250 - 500, (death.where, posted)
    assert sum(amount for _, amount in posted) == balance, (death.where, posted)
    # The refund that failed has a document only where it was heard of before it failed, and then one against it.
    written = await documents(database, person)
    assert {("INVOICE", PRICE_MINOR), ("CREDIT_NOTE", REFUND_MINOR), ("CREDIT_NOTE", 1000)} <= set(written)
    assert sum(gross if kind == "INVOICE" else -gross for kind, gross in written) == 500, (death.where, written)


async def somebody_low(shop: Shop, pattern: Person | None) -> Person:
    """Their credit is below the threshold; the card is the first one's, and nothing is switched on yet."""
    person = await new_person(shop.database, "Alice", credits=LOW)
    if pattern is None:
        payment = await pays_by_card(shop, person, save_card=True)
        ((purchase,),) = await asked(shop.database, person, "SELECT id FROM purchases")
        assert await saved_card.save(shop.database, shop.gateway, person.id, purchase, payment)
    else:
        async with shop.database.transaction(everyone=WHY) as db:
            await restart.as_owner(
                db,
                "INSERT INTO top_ups (user_id, gateway, customer_id, payment_method_id)"
                " SELECT :user, gateway, customer_id, payment_method_id FROM top_ups WHERE user_id = :pattern",
                user=person.id,
                pattern=pattern.id,
            )
    return person


async def switch_on(shop: Shop, person: Person) -> None:
    async with shop.database.transaction(everyone=WHY) as db:
        choice = Choice(threshold=LOW + 50, pack=shop.pack, ceiling_minor=10 * PRICE_MINOR, price_minor=PRICE_MINOR)
        await saved_card.choose(db, person.id, choice, datetime.now(UTC))


async def top_up_and_die(forks: ForkServer, shop: Shop, person: Person, point: int) -> Death:
    """One life, in which this customer is the only one who is to be topped up."""
    await switch_on(shop, person)
    history, stage = "history_payments.topped_up", {"user": str(person.id), "desk": shop.desk.stage()}
    (death,) = await forks.run(history, [(point, shop.url, stage)])
    async with shop.database.transaction(everyone=WHY) as db:
        await restart.as_owner(db, "UPDATE top_ups SET enabled = false WHERE user_id = :user", user=person.id)
    return death


async def switch_all_on_again(shop: Shop) -> None:
    """The restart: what was switched off so that lives do not meet was never off; an open charge grows old."""
    async with shop.database.transaction(everyone=WHY) as db:
        await restart.as_owner(db, "UPDATE top_ups SET enabled = true WHERE pack_id IS NOT NULL")
        await db.execute(text("UPDATE purchases SET updated_at = now() - interval '100 seconds'"))


@pytest.mark.parametrize(
    ("decline", "events_first"),
    [("", True), ("insufficient_funds", False), *([("", False), ("insufficient_funds", True)] if IS_LONG else [])],
)
async def test_a_top_up_whose_process_is_killed_anywhere_charges_the_card_once(
    forks: ForkServer, shop: Shop, decline: str, events_first: bool
) -> None:
    first = await somebody_low(shop, None)
    pattern = await somebody_low(shop, first)
    await shop.control.go_wrong(Faults(saved_card=decline))
    unharmed = await top_up_and_die(forks, shop, pattern, 0)
    people = [await somebody_low(shop, first) for _ in unharmed.passed]
    deaths = [await top_up_and_die(forks, shop, person, point) for point, person in enumerate(people, 1)]
    assert [death.passed[-1] for death in deaths] == list(unharmed.passed)
    people, deaths = [pattern, *people], [unharmed, *deaths]

    async def told() -> None:
        for person in people:
            for (purchase,) in await asked(shop.database, person, "SELECT id FROM purchases WHERE kind = 'TOP_UP'"):
                letters = [each for each in await shop.desk.letters(str(purchase)) if each.type.startswith(CHARGING)]
                await deliver(shop.database, shop.till, shop.gateway, letters, scope=str(person.id))
        await restart.drained(shop.database, handlers_of(shop.till, *(str(person.id) for person in people)))

    async def swept() -> None:
        await switch_all_on_again(shop)
        await top_up.due(shop.database, shop.till, shop.gateway)

    for step in (told, swept, told) if events_first else (swept, told, swept):
        await step()
    for person, death in zip(people, deaths, strict=True):
        await assert_topped_up_once(shop.database, person, death, declined=bool(decline))
    charged = [each.user_id for each in await listed(shop.gateway) if each.kind is NoticeKind.CHARGE_PAID]
    assert sorted(map(str, charged)) == ([] if decline else sorted(str(person.id) for person in people))
    await assert_books_are_exact(shop.database)


async def assert_topped_up_once(database: Database, person: Person, death: Death, *, declined: bool) -> None:
    top_ups = await asked(database, person, "SELECT state, credited_at IS NULL FROM purchases WHERE kind = 'TOP_UP'")
    balance = (await account_of(database, person)).balance
    declines = await asked(database, person, "SELECT declines FROM top_ups")
    told_of = [kind for kind in await notices(database, person) if kind.startswith("top_up")]
    if declined:
        assert (top_ups, balance, declines) == ([("FAILED", True)], LOW, [(1,)]), death.where
        assert told_of == ["top_up_declined"], death.where
    else:
        assert (top_ups, balance, declines) == ([("PAID", False)], LOW + CREDITS, [(0,)]), death.where
        assert told_of == ["top_up_done"], death.where
        assert await documents(database, person) == [("INVOICE", PRICE_MINOR)], death.where


async def test_a_mail_is_sent_wherever_the_process_is_killed_and_lies_in_the_outbox_once(
    forks: ForkServer, books: Books, tmp_path: Path
) -> None:
    async def life(point: int) -> tuple[Person, Path, Death]:
        """One life, in which there is one notice to be told."""
        person, outbox = await new_person(books.database, "Alice", credits=0), tmp_path / str(point)
        async with books.database.transaction(everyone=WHY) as db:
            await tell(db, person.id, "purchase_paid", "one", {"purchase_id": str(uuid.uuid4()), "credits": CREDITS})
        (death,) = await forks.run("history_payments.told_by_mail", [(point, books.url, {"outbox": str(outbox)})])
        async with books.database.transaction(everyone=WHY) as db:
            await restart.as_owner(db, "UPDATE notices SET not_before = not_before + interval '1 day'")
        return person, outbox, death

    unharmed = (await life(0))[2]
    lives = [await life(point) for point in range(1, len(unharmed.passed) + 1)]
    async with books.database.transaction(everyone=WHY) as db:
        # Whoever claimed it is believed to be at it for some minutes.
        await restart.as_owner(db, "UPDATE notices SET not_before = now() - interval '1 second'")
    pigeon = Pigeon()
    await send_notices(books.database, pigeon, base_url="http://127.0.0.1")
    sent_later = [str(mail.id) for mail in pigeon.sent]
    assert len(sent_later) == len(set(sent_later)) >= 2
    for person, outbox, death in lives:
        ((notice, mailed, dropped),) = await asked(
            books.database, person, "SELECT id, mailed_at IS NOT NULL, dropped_at IS NOT NULL FROM notices"
        )
        assert (mailed, dropped) == (True, False), death.where
        # Sent by the one who died, or by the one who came after, or by both: then it is the same mail.
        before = mails_in(outbox)
        assert len(before) <= 1, death.where
        assert {*before, *sent_later} >= {str(notice)}, death.where
        assert set(before) <= {str(notice)}, death.where


def mails_in(outbox: Path) -> list[str]:
    return [path.stem for path in outbox.glob("*.eml") if not path.name.startswith(".")]
