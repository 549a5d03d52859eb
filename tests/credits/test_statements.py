"""A month's statement: it sums, and each month begins where the one before ended."""

import itertools
import time
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from talktime.credits import money, statements
from talktime.credits.models import TransactionType
from talktime.credits.statement_pages import description_of
from talktime.credits.statements import Statement, StatementLine, month_edges
from talktime.db.session import Database
from talktime.errors import BadInput
from tests.people import WHY, Person, lines_of, new_person

BERLIN = "Europe/Berlin"


async def write(database: Database, person: Person, times: list[datetime]) -> None:
    """One credit at each of these times: only the owner of the tables may say when something was."""
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        for at in times:
            await db.execute(
                text(
                    "WITH a AS (UPDATE credit_accounts SET seq = seq + 1, balance = balance + 1,"
                    " head = sha256(head) WHERE user_id = :user RETURNING *)"
                    " INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, reference, reason,"
                    " actor_id, created_at, hash) SELECT user_id, seq, 'ADMIN_ADJUSTMENT', 1, balance, 'line:' || seq,"
                    " 'a line', user_id, :at, head FROM a"
                ),
                {"user": person.id, "at": at},
            )


async def newcomer(database: Database, person: Person) -> Person:
    """Alice without her first credits: what she has comes at the times that the test says."""
    user = uuid.uuid4()
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(
            text("INSERT INTO users (id, email, name) VALUES (:user, :email, 'New')"),
            {"user": user, "email": f"{user.hex}@example.org"},
        )
        await db.execute(text("INSERT INTO credit_accounts (user_id) VALUES (:user)"), {"user": user})
    return Person(user, person.agent, person.number, person.rate)


async def statement_of(database: Database, person: Person, month: date, zone: str = BERLIN) -> Statement:
    async with database.transaction(user=person.id) as db:
        return await statements.statement(db, person.id, month, zone)


async def streamed(database: Database, person: Person, month: date | None = None) -> list[StatementLine]:
    return [line async for line in statements.stream_lines(database, person.id, month, BERLIN)]


async def test_a_month_sums_and_begins_where_the_one_before_ended(database: Database, alice: Person) -> None:
    person = await newcomer(database, alice)
    begin = datetime(2024, 1, 20, tzinfo=UTC)
    await write(database, person, [begin + timedelta(days=3 * day) for day in range(40)])

    months = [await statement_of(database, person, date(2024, month, 1)) for month in range(1, 7)]

    assert [len(month.lines) for month in months] == [4, 10, 10, 10, 6, 0]
    for month in months:
        assert month.opening_balance + sum(line.amount for line in month.lines) == month.closing_balance
        assert sum(month.totals.values()) == month.closing_balance - month.opening_balance
        assert month.is_over
    for before, after in itertools.pairwise(months):
        assert before.end == after.begin
        assert before.closing_balance == after.opening_balance
    assert [line.seq for month in months for line in month.lines] == list(range(1, 41))
    assert months[0].totals == {TransactionType.ADMIN_ADJUSTMENT: 4}


async def sell(database: Database, person: Person, count: int, *, name: str = "Starter", invoiced: bool = True) -> None:
    """Purchases of a credit each, with their lines and invoices, all in this month."""
    values = {"user": person.id, "count": count, "name": name, "invoiced": invoiced, "series": uuid.uuid4().hex}
    async with database.transaction(everyone=WHY) as db:
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        for statement in _SELL.split(";"):
            await db.execute(text(statement), values)


_SELL = """
    CREATE TEMPORARY TABLE sold ON COMMIT DROP AS SELECT a.user_id, a.seq + n AS no, gen_random_uuid() AS purchase_id
    FROM credit_accounts a, generate_series(1, CAST(:count AS integer)) n WHERE a.user_id = :user;
    INSERT INTO purchases (user_id, id, name, credits, price_minor, currency, gateway, state, paid_at, credited_at)
    SELECT user_id, purchase_id, :name, 1, 100, 'EUR', 'x', 'PAID', now(), now() FROM sold;
    INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, purchase_id, created_at, hash)
    SELECT user_id, no, 'PURCHASE', 1, no, purchase_id, now(), sha256(CAST(purchase_id AS text)::bytea) FROM sold;
    INSERT INTO invoices (user_id, id, number, series, no, kind, purchase_id, issued_at, paid_at, seller, buyer,
        description, payment_reference, currency, vat_basis_points, net_minor, vat_minor, gross_minor)
    SELECT user_id, gen_random_uuid(), 'TT-' || no, :series, no, 'INVOICE', purchase_id, now(), now(), '{}', '{}',
        '', '', 'EUR', 0, 100, 0, 100 FROM sold WHERE CAST(:invoiced AS boolean);
    UPDATE credit_accounts a SET seq = a.seq + s.n, balance = a.balance + s.n, head = sha256(head)
    FROM (SELECT count(*) AS n FROM sold) s WHERE a.user_id = :user
"""


async def test_what_was_bought_has_its_name_and_the_number_of_its_invoice(
    database: Database, alice: Person, bob: Person
) -> None:
    person = await newcomer(database, alice)
    await sell(database, person, 1)
    await sell(database, person, 1, name="Large", invoiced=False)
    await sell(database, person, 1, name="", invoiced=False)
    today = datetime.now(UTC).date()
    found = (await statement_of(database, person, today, "UTC")).lines
    assert [(line.purchase_name, line.invoice_number) for line in found] == [
        ("Starter", "TT-1"), ("Large", None), ("", None),
    ]  # fmt: skip
    assert [description_of(line) for line in found] == ["Starter, TT-1", "Large", str(found[2].purchase_id)]
    async with database.transaction(user=bob.id) as db:
        assert not (await statements.statement(db, person.id, today, "UTC")).lines


async def test_a_month_of_five_thousand_purchases_is_read_at_once(empty_database: Database) -> None:
    """In a database that has no statistics yet: nobody knows there that the tables are large."""
    alice = await new_person(empty_database, "Alice", credits=0)
    person = await newcomer(empty_database, alice)
    await sell(empty_database, person, 5000)
    began = time.perf_counter()
    found = await statement_of(empty_database, person, datetime.now(UTC).date(), "UTC")
    # A tenth of a second on a quiet machine; the bound only catches what grows faster than the lines do.
    assert time.perf_counter() - began < 4
    assert {line.invoice_number for line in found.lines} == {f"TT-{no}" for no in range(1, 5001)}


async def test_months_before_the_first_line_and_after_the_last_are_empty(database: Database, alice: Person) -> None:
    person = await newcomer(database, alice)
    await write(database, person, [datetime(2024, 5, 5, tzinfo=UTC), datetime(2024, 5, 6, tzinfo=UTC)])

    before = await statement_of(database, person, date(2019, 2, 1))
    after = await statement_of(database, person, date(2025, 2, 1))

    assert (before.opening_balance, list(before.lines), before.closing_balance, before.totals) == (0, [], 0, {})
    assert (after.opening_balance, list(after.lines), after.closing_balance, after.totals) == (2, [], 2, {})


async def test_somebody_who_never_had_credits_has_an_empty_statement(database: Database, ada: Person) -> None:
    found = await statement_of(database, ada, date(2024, 1, 1))
    assert (found.opening_balance, list(found.lines), found.closing_balance) == (0, [], 0)
    assert await streamed(database, ada) == []


async def test_the_running_month_shows_what_there_is_and_says_that_it_is_not_over(
    database: Database, alice: Person
) -> None:
    (first,) = await lines_of(database, alice)
    today = first.created_at.date()

    found = await statement_of(database, alice, today, "UTC")
    async with database.transaction(everyone=WHY) as db:
        await money.adjust(db, alice.id, reference="more", amount=5, reason="more", actor=alice.id)
    later = await statement_of(database, alice, today, "UTC")

    assert not found.is_over
    assert [line.amount for line in found.lines] == [1000]
    assert [line.amount for line in later.lines] == [1000, 5]
    assert later.closing_balance == 1005
    assert later.month == today.replace(day=1)


async def test_a_month_is_the_users_own_from_midnight_to_midnight(database: Database, alice: Person) -> None:
    """March 2024 in Berlin began an hour before it did in UTC, and ended two: the clocks had changed."""
    person = await newcomer(database, alice)
    times = [
        datetime(2024, 2, 29, 22, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 2, 29, 23, 0, tzinfo=UTC),
        datetime(2024, 3, 31, 21, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 3, 31, 22, 0, tzinfo=UTC),
    ]
    await write(database, person, times)

    assert [line.at for line in (await statement_of(database, person, date(2024, 2, 1))).lines] == times[:1]
    assert [line.at for line in (await statement_of(database, person, date(2024, 3, 31))).lines] == times[1:3]
    assert [line.at for line in (await statement_of(database, person, date(2024, 4, 1))).lines] == times[3:]
    assert len((await statement_of(database, person, date(2024, 3, 1), "UTC")).lines) == 2


@pytest.mark.parametrize(
    "zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana"]
)
def test_months_follow_each_other_without_a_gap(zone: str) -> None:
    months = [date(2023 + number // 12, number % 12 + 1, 1) for number in range(36)]
    edges = [month_edges(month, zone) for month in months]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(edges))
    assert all(timedelta(days=27) < end - begin < timedelta(days=32) for begin, end in edges)


@pytest.mark.parametrize(("month", "zone"), [(date(2024, 1, 1), "Mars/Olympus"), (date(9999, 12, 1), BERLIN)])
def test_a_month_or_a_zone_that_is_not_there_is_an_error(month: date, zone: str) -> None:
    with pytest.raises(BadInput):
        month_edges(month, zone)


async def test_an_edge_does_not_move_when_lines_come_after_a_clock_was_set_back(
    database: Database, alice: Person
) -> None:
    person = await newcomer(database, alice)
    edge = month_edges(date(2024, 6, 1), BERLIN)[0]
    # Around the edge the clock jumps to and fro.
    jumps = [-9, -3, 2, -2, 3, -1, 4, 1, 6, 8, 9]
    await write(database, person, [edge + timedelta(seconds=jump) for jump in jumps])
    may = await statement_of(database, person, date(2024, 5, 1))
    for more in range(1, 6):
        await write(database, person, [edge + timedelta(days=more)])
        assert await statement_of(database, person, date(2024, 5, 1)) == may
        june = await statement_of(database, person, date(2024, 6, 1))
        assert june.opening_balance == may.closing_balance
        assert len(may.lines) + len(june.lines) == len(jumps) + more


async def test_the_stream_gives_the_same_lines_and_all_of_them_without_a_month(
    database: Database, alice: Person
) -> None:
    person = await newcomer(database, alice)
    begin = datetime(2024, 1, 20, tzinfo=UTC)
    await write(database, person, [begin + timedelta(hours=hour) for hour in range(2500)])

    everything = await streamed(database, person)
    february = await streamed(database, person, date(2024, 2, 1))

    assert [line.seq for line in everything] == list(range(1, 2501))
    assert february == list((await statement_of(database, person, date(2024, 2, 1))).lines)
    assert len(february) == 29 * 24


async def test_bob_sees_nothing_of_alices(database: Database, alice: Person, bob: Person) -> None:
    (first,) = await lines_of(database, alice)
    async with database.transaction(user=bob.id) as db:
        found = await statements.statement(db, alice.id, first.created_at.date(), "UTC")
    assert (found.opening_balance, list(found.lines), found.closing_balance) == (0, [], 0)


async def test_what_is_written_while_somebody_downloads_is_left_out(database: Database, alice: Person) -> None:
    seen = []
    async for line in statements.stream_lines(database, alice.id):
        seen.append(line.amount)
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, alice.id, reference="more", amount=5, reason="more", actor=alice.id)
    assert seen == [1000]
