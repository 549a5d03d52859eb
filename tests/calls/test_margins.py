"""What calls brought in and what is left: refunds, gifts, several currencies, costs that nobody knows."""

import asyncio
import json
import os
import sys
import uuid
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from talktime.calls import costs, lifecycle
from talktime.calls.margins import By, Margin, margin, margins
from talktime.calls.models import CostKind
from talktime.credits import money
from talktime.credits.models import TransactionType
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import NotFound
from talktime.payments.models import PaymentReversal, ReversalKind, ReversalState
from talktime.speech.usage import Measure, Used
from tests.calls.test_costs import set_rate, talked, vendor
from tests.people import WHY, Person, new_person

LONG_AGO, FAR_AWAY = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


async def buys(
    database: Database,
    person: Person,
    credits: int,
    price_minor: int,
    currency: str = "EUR",
    *,
    refunded_minor: int = 0,
    test: bool = False,
) -> uuid.UUID:
    """A purchase that was paid, of which some money went back, and as many credits with it."""
    purchase = new_id()
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text(
                "INSERT INTO purchases (user_id, id, credits, price_minor, currency, gateway, test, state, paid_at)"
                " VALUES (:user, :id, :credits, :price, :currency, 'test', :test, 'PAID', now())"
            ),
            {
                "user": person.id,
                "id": purchase,
                "credits": credits,
                "price": price_minor,
                "currency": currency,
                "test": test,
            },
        )
        await money.purchase(db, person.id, purchase)
    if refunded_minor:
        await goes_back(database, person, purchase, refunded_minor, currency)
        await gives_back(database, person, purchase, credits * refunded_minor // price_minor)
    return purchase


async def goes_back(
    database: Database, person: Person, purchase: uuid.UUID, minor: int, currency: str, **more: object
) -> None:
    async with database.transaction(everyone=WHY) as db:
        db.add(
            PaymentReversal(
                user_id=person.id,
                id=f"re_{uuid.uuid4().hex}",
                purchase_id=purchase,
                amount_minor=minor,
                currency=currency,
                **{"kind": ReversalKind.REFUND, "state": ReversalState.SUCCEEDED, **more},
            )
        )


async def gives_back(database: Database, person: Person, purchase: uuid.UUID, credits: int) -> None:
    reference = f"refund:{uuid.uuid4().hex}"
    async with database.transaction(everyone=WHY) as db:
        await money.reverse(db, person.id, purchase, kind=TransactionType.REFUND, reference=reference, credits=credits)


async def carol_with(database: Database, credits: int = 0) -> Person:
    return await new_person(database, "Carol", credits=credits)


async def of(database: Database, person: Person, call: uuid.UUID) -> Margin:
    async with database.transaction(everyone=WHY) as db:
        return await margin(db, person.id, call)


async def call_of(database: Database, person: Person, *, cost_micros: int | None = 0) -> uuid.UUID:
    """A call of 15 credits, with a carrier that takes so much, or nobody knows how much."""
    carrier = vendor()
    if cost_micros is not None:
        await set_rate(database, carrier, cost_micros, units=43, kind=CostKind.CARRIER_SECONDS)
    return await talked(database, person, carrier=carrier)


async def test_a_call_brings_in_what_its_credits_were_bought_for(database: Database) -> None:
    carol = await carol_with(database)
    await buys(database, carol, 1000, 2000)
    found = await of(database, carol, await call_of(database, carol, cost_micros=8500))
    assert (found.calls, found.seconds, found.credits) == (1, 43, 15)
    # 15 × 20 EUR / 1,000.
    assert (found.revenue, found.cost, found.unknown) == ({"EUR": 300_000}, {"USD": 8500}, ())
    assert found.margin == {"EUR": 300_000, "USD": -8500}
    assert found.estimated, "the carrier has not said yet how long it was"


async def test_the_price_of_a_credit_is_an_average_and_exact(database: Database) -> None:
    carol = await carol_with(database)
    await buys(database, carol, 1000, 2000)
    await buys(database, carol, 7, 1)
    await buys(database, carol, 2999, 3000)
    found = await of(database, carol, await call_of(database, carol))
    assert found.revenue == {"EUR": 15 * Fraction(5001 * 10_000, 4006) // 1}
    assert type(found.revenue["EUR"]) is int


async def test_what_was_refunded_was_not_paid(database: Database) -> None:
    carol = await carol_with(database)
    await buys(database, carol, 1000, 2000)
    await buys(database, carol, 1000, 500, refunded_minor=500)
    assert (await of(database, carol, await call_of(database, carol))).revenue == {"EUR": 300_000}
    await buys(database, carol, 1000, 500, refunded_minor=250)
    found = await of(database, carol, await call_of(database, carol))
    assert found.revenue == {"EUR": 15 * Fraction((2000 + 250) * 10_000, 1500) // 1}


async def test_a_refund_that_failed_and_money_that_came_back_count_as_paid(database: Database) -> None:
    carol = await carol_with(database)
    purchase = await buys(database, carol, 1000, 2000)
    await goes_back(database, carol, purchase, 2000, "EUR", state=ReversalState.FAILED)
    disputed = {"kind": ReversalKind.DISPUTE, "state": ReversalState.WON}
    await goes_back(database, carol, purchase, 2000, "EUR", **disputed, withdrawn_minor=2000, reinstated_minor=2000)
    assert (await of(database, carol, await call_of(database, carol))).revenue == {"EUR": 300_000}
    disputed = {"kind": ReversalKind.DISPUTE, "state": ReversalState.LOST}
    await goes_back(database, carol, purchase, 2000, "EUR", **disputed, withdrawn_minor=2000)
    assert (await of(database, carol, await call_of(database, carol))).revenue == {}


async def test_credits_that_were_all_taken_back_are_worth_nothing(database: Database) -> None:
    carol = await carol_with(database)
    purchase = await buys(database, carol, 1000, 2000)
    call = await call_of(database, carol)
    await gives_back(database, carol, purchase, 1000)
    assert (await of(database, carol, call)).revenue == {}


async def test_what_was_bought_in_test_mode_was_paid_with_nothing(database: Database) -> None:
    carol = await carol_with(database)
    await buys(database, carol, 1000, 2000, test=True)
    assert (await of(database, carol, await call_of(database, carol))).revenue == {}
    await buys(database, carol, 1000, 2000)
    assert (await of(database, carol, await call_of(database, carol))).revenue == {"EUR": 150_000}


async def test_credits_given_by_hand_are_worth_nothing_and_thin_out_the_others(database: Database) -> None:
    carol = await carol_with(database, credits=1000)
    assert (await of(database, carol, await call_of(database, carol))).revenue == {}
    await buys(database, carol, 1000, 2000)
    assert (await of(database, carol, await call_of(database, carol))).revenue == {"EUR": 150_000}
    async with database.transaction(everyone=WHY) as db:
        await money.adjust(db, carol.id, reference="back", amount=-900, reason="a mistake", actor=carol.id)
    found = await of(database, carol, await call_of(database, carol))
    assert found.revenue == {"EUR": 15 * Fraction(2000 * 10_000, 1100) // 1}


async def test_a_gift_for_a_call_is_no_gift_but_a_smaller_charge(database: Database) -> None:
    carol = await carol_with(database)
    await buys(database, carol, 1000, 2000)
    call = await call_of(database, carol)
    async with database.transaction(everyone=WHY) as db:
        await money.waive(db, carol.id, call, "spam", carol.id)
    found = await of(database, carol, call)
    assert (found.credits, found.revenue) == (0, {"EUR": 0})
    assert (await of(database, carol, await call_of(database, carol))).revenue == {"EUR": 300_000}


async def test_currencies_stand_side_by_side(database: Database) -> None:
    carol = await carol_with(database)
    await buys(database, carol, 1000, 2000, "EUR")
    await buys(database, carol, 1000, 3000, "JPY")
    await buys(database, carol, 1000, 6000, "KWD")
    found = await of(database, carol, await call_of(database, carol, cost_micros=1000))
    # Yen have no decimals, dinars three; each of the 3,000 credits is a third of each.
    assert found.revenue == {"EUR": 100_000, "JPY": 15_000_000, "KWD": 30_000}
    assert found.margin == {**found.revenue, "USD": -1000}


async def test_what_nobody_has_set_a_rate_for_is_unknown_and_not_free(database: Database) -> None:
    carol = await carol_with(database)
    await buys(database, carol, 1000, 2000)
    call = await call_of(database, carol, cost_micros=8500)
    ears = vendor()
    async with database.transaction(user=carol.id) as db:
        await costs.note(db, carol.id, call, [Used(ears, Measure.AUDIO_SECONDS, 43, estimated=False)])
    found = await of(database, carol, call)
    assert (found.margin, found.unknown, found.cost) == (None, (f"{ears} audio_seconds",), {"USD": 8500})
    await set_rate(database, ears, 0)
    async with database.transaction(everyone=WHY) as db:
        await costs.fill_in(db, ears, CostKind.AUDIO_SECONDS)
    found = await of(database, carol, call)
    assert found.margin == {"EUR": 300_000, "USD": -8500}


async def test_a_guess_is_called_one_until_the_carrier_tells_its_price(database: Database) -> None:
    carol = await carol_with(database, credits=100)
    call = await call_of(database, carol, cost_micros=8500)
    assert (await of(database, carol, call)).estimated
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE call_costs SET reported = true WHERE call_id = :call"), {"call": call})
    assert not (await of(database, carol, call)).estimated


async def test_a_lost_call_is_a_guess_because_its_process_took_the_counts_along(database: Database) -> None:
    carol = await carol_with(database, credits=100)
    call = await call_of(database, carol, cost_micros=8500)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE call_costs SET reported = true WHERE call_id = :call"), {"call": call})
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text("UPDATE calls SET end_reason = 'lost' WHERE id = :call"), {"call": call})
    assert (await of(database, carol, call)).estimated


async def test_there_is_no_margin_of_a_call_that_is_somebody_elses(database: Database, alice: Person) -> None:
    carol = await carol_with(database, credits=100)
    call = await call_of(database, carol)
    with pytest.raises(NotFound):
        await of(database, alice, call)
    with pytest.raises(NotFound):
        await of(database, carol, uuid.uuid4())


async def test_calls_are_listed_by_user_and_agent(empty_database: Database) -> None:
    carol, dave = await carol_with(empty_database), await new_person(empty_database, "Dave", credits=100)
    await buys(empty_database, carol, 1000, 2000)
    for _ in range(3):
        await call_of(empty_database, carol, cost_micros=8500)
    await call_of(empty_database, dave, cost_micros=None)
    async with empty_database.transaction(everyone=WHY, snapshot=True) as db:
        by_user = {found.key: found for found in await margins(db, LONG_AGO, FAR_AWAY, By.USER)}
        by_agent = {found.key: found for found in await margins(db, LONG_AGO, FAR_AWAY, By.AGENT)}
    assert set(by_user) == {str(carol.id), str(dave.id)}
    assert set(by_agent) == {str(carol.agent), str(dave.agent)}
    assert by_agent[str(carol.agent)].margin == by_user[str(carol.id)].margin == {"EUR": 900_000, "USD": -25_500}
    assert (by_user[str(carol.id)].calls, by_user[str(carol.id)].credits) == (3, 45)
    assert (by_user[str(dave.id)].margin, by_user[str(dave.id)].revenue) == (None, {})


async def test_a_day_is_the_zone_s_and_the_end_is_not_in_it(empty_database: Database) -> None:
    carol = await carol_with(empty_database, credits=1000)
    half_past_eleven = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    for began in (half_past_eleven, half_past_eleven + timedelta(hours=1)):
        call = await call_of(empty_database, carol)
        async with empty_database.transaction(everyone=WHY) as db:
            await db.execute(text("RESET ROLE"))
            await db.execute(text("SET LOCAL ROLE talktime_owner"))
            await db.execute(
                text("UPDATE calls SET started_at = :began WHERE id = :call"), {"began": began, "call": call}
            )

    async def days(since: datetime, until: datetime, zone: str) -> dict[str, int]:
        async with empty_database.transaction(everyone=WHY) as db:
            return {found.key: found.calls for found in await margins(db, since, until, By.DAY, zone=zone)}

    assert await days(LONG_AGO, FAR_AWAY, "UTC") == {"2026-03-28": 1, "2026-03-29": 1}
    assert await days(LONG_AGO, FAR_AWAY, "Europe/Berlin") == {"2026-03-29": 2}
    # The day the clocks go forward has 23 hours.
    berlin = ZoneInfo("Europe/Berlin")
    day = datetime(2026, 3, 29, tzinfo=berlin), datetime(2026, 3, 30, tzinfo=berlin)
    assert await days(*day, "Europe/Berlin") == {"2026-03-29": 2}
    assert await days(LONG_AGO, half_past_eleven, "UTC") == {}
    assert await days(half_past_eleven, half_past_eleven + timedelta(hours=1), "UTC") == {"2026-03-28": 1}


async def test_the_same_again_changes_no_sum(empty_database: Database) -> None:
    carol = await carol_with(empty_database)
    await buys(empty_database, carol, 1000, 2000)
    call, ears = await call_of(empty_database, carol, cost_micros=8500), vendor()
    await set_rate(empty_database, ears, 10)

    async def everything_again() -> list[Margin]:
        async with empty_database.transaction(user=carol.id) as db:
            await costs.note(db, carol.id, call, [Used(ears, Measure.AUDIO_SECONDS, 43, estimated=False)])
            await lifecycle.finish(db, carol.id, call, seconds=99, reason="again")
        async with empty_database.transaction(everyone=WHY) as db:
            return await margins(db, LONG_AGO, FAR_AWAY, By.DAY)

    first = await everything_again()
    assert await everything_again() == await everything_again() == first
    assert first[0].margin == {"EUR": 300_000, "USD": -8930}


# The command.


async def types(database: Database, home: Path, *words: str) -> tuple[int, str, str]:
    """What a person sees who types `talktime costs …`."""
    program = (
        "import sys; from talktime.cli.costs import app; from talktime.errors import TalktimeError\n"
        "try:\n    app()\nexcept TalktimeError as error:\n    sys.exit(f'talktime: {error}')"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "TALKTIME_HOME": str(home),
            "DATABASE_URL": database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        },
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_operator_sets_a_rate_and_sees_what_is_left(empty_database: Database, tmp_path: Path) -> None:
    async def command(*words: str) -> Any:
        code, out, err = await types(empty_database, tmp_path, *words)
        assert (code, err) == (0, "")
        return json.loads(out) if "--json" in words else out

    carol = await carol_with(empty_database)
    await buys(empty_database, carol, 1000, 2000)
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    by = ("--by", str(ada.id))
    carrier = vendor()
    await talked(empty_database, carol, carrier=carrier)
    assert "margin unknown for" in await command("margins")
    (found,) = await command("margins", "--by", "user", "--json")
    assert (found["key"], found["unknown"]) == (str(carol.id), [f"{carrier} carrier_seconds"])
    assert found["margin_micros"] is None
    words = ("rates", "set", carrier, "carrier_seconds", "0.0085", "USD", "--per", "60", "--from", "2020-01-01", *by)
    assert "1 calls whose cost was unknown have one now." in await command(*words)
    (rate,) = await command("rates", "list", "--json")
    assert (rate["amount"], rate["amount_micros"], rate["units"]) == ("0.0085", 8500, 60)
    assert "0.0085 USD per 60" in await command("rates", "list")
    (found,) = await command("margins", "--json")
    assert found["margin_micros"] == {"EUR": 300_000, "USD": -6092}
    assert "margin 0.30 EUR, -0.006092 USD" in await command("margins", "--by", "agent")
    code, _, err = await types(empty_database, tmp_path, *words[:4], "0.0086", *words[5:])
    assert (code, "another rate" in err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ("rates", "set", "x", "minutes", "1", "USD", "--by", "ada"),
        ("rates", "set", "x", "characters", "1e3", "USD", "--by", "ada"),
        ("rates", "set", "x", "characters", "0.0000001", "USD", "--by", "ada"),
        ("rates", "set", "x", "characters", "1", "usd", "--by", "ada"),
        ("rates", "set", "x", "characters", "1", "USD", "--by", "nobody@example.org"),
        ("margins", "--by", "week"),
        ("margins", "--zone", "Nowhere/Land"),
        ("margins", "--since", "2026-02-01", "--until", "2026-02-01"),
    ],
)
async def test_what_cannot_be_is_said_in_one_line(database: Database, tmp_path: Path, words: tuple[str, ...]) -> None:
    code, out, err = await types(database, tmp_path, *words)
    assert (code, out, err.count("\n")) == (1, "", 1)
