"""Statements by month and receipts: they sum, they are the reader's own, and nothing in them is a formula or markup."""

import csv
import io
import re
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from talktime.calls import lifecycle
from talktime.credits import money, packs
from talktime.credits.models import NotCharged
from talktime.db.session import Database
from talktime.payments import invoices
from talktime.simulate.gateway_deeds import MakeRefund
from talktime.web.credits import statements
from tests.documents.reading import read
from tests.payments.counter import Counter
from tests.people import WHY, Person, lines_of, new_person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import answer, extend, finish, ring
from tests.web.test_pages import words_of

EVIL = '=HYPERLINK("http://evil.example")<script>alert(1)</script>{{ 7*7 }}'


def this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m}"


async def some_lines(database: Database, person: Person, ada: Person) -> uuid.UUID:
    """A call, one that is given back, an adjustment with a hostile reason."""
    call, given = await answer(database, person), await answer(database, person)
    await extend(database, person, call)
    await finish(database, person, call, 95)
    await finish(database, person, given, 40)
    async with database.transaction(everyone=WHY) as db:
        await money.waive(db, person.id, given, NotCharged.SPAM, ada.id)
        await money.adjust(db, person.id, reference="gift", amount=7, reason=EVIL, actor=ada.id)
    return call


async def test_a_statement_sums_on_the_page_in_the_file_and_on_paper(
    as_alice: Browser, database: Database, alice: Person, ada: Person
) -> None:
    call = await some_lines(database, alice, ada)
    page = await as_alice.get(f"/statements/{this_month()}")
    words = words_of(page.text)
    assert page.status_code == 200 and "From 0 to 977 credits" in words
    assert f'href="/calls/{call}"' in page.text and "Call, corrected" in words and "not charged: spam" in words
    assert "Call (555) 010-0123, 1 min 35 s −30" in words
    assert "<script>alert" not in page.text and "{{ 7*7 }}" in page.text

    file = await as_alice.get(f"/statements/{this_month()}.csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.headers["content-disposition"] == f'attachment; filename="credits-{this_month()}.csv"'
    rows = list(csv.DictReader(io.StringIO(file.text, newline="")))
    lines = await lines_of(database, alice)
    assert [int(row["amount"]) for row in rows] == [line.amount for line in lines]
    assert sum(int(row["amount"]) for row in rows) == int(rows[-1]["balance_after"]) == 977
    assert rows[-1]["description"].startswith("'=HYPERLINK"), "never a formula"

    paper = await as_alice.get(f"/statements/{this_month()}.pdf")
    assert paper.headers["content-type"] == "application/pdf" and paper.content.startswith(b"%PDF-")


async def test_a_statement_names_what_was_bought_and_its_invoice(
    as_alice: Browser, as_bob: Browser, counter: Counter, alice: Person, ada: Person
) -> None:
    database = counter.database
    bought, payment = await counter.bought(alice)
    await counter.control.do(MakeRefund(payment=payment, amount=500))
    await counter.told()
    async with database.transaction(user=alice.id) as db:
        first = (await invoices.of_purchase(db, alice.id, bought.id))[0]

    page = (await as_alice.get(f"/statements/{this_month()}")).text
    named = f'Starter, <a class="link" href="/invoices/{first.id}.pdf">invoice {first.number}</a>'
    assert page.count(named) == 2, "of the purchase, and of what went back of it"
    assert (await as_alice.get(f"/invoices/{first.id}.pdf")).status_code == 200
    rows = list(csv.DictReader(io.StringIO((await as_alice.get(f"/statements/{this_month()}.csv")).text, newline="")))
    assert [(row["kind"], row["amount"], row["description"]) for row in rows[1:]] == [
        ("PURCHASE", "1000", f"Starter, {first.number}"), ("REFUND", "-250", f"Starter, {first.number}"),
    ]  # fmt: skip
    paper = read((await as_alice.get(f"/statements/{this_month()}.pdf")).content).text
    assert f"Credits bought Starter, {first.number} 2 +1,000 2,000" in paper
    assert f"Starter, {first.number} 3 −250 1,750" in paper
    for kind in ("", ".csv", ".pdf"):
        assert first.number not in (await as_bob.get(f"/statements/{this_month()}{kind}")).text


async def test_the_name_of_a_purchase_is_no_formula_and_no_markup(
    as_alice: Browser, counter: Counter, alice: Person
) -> None:
    async with counter.database.transaction(everyone=WHY) as db:
        evil = await packs.create(db, name=EVIL, credits=5, price_minor=500, currency="EUR")
    await counter.bought(alice, evil)
    async with counter.database.transaction(everyone=WHY) as db:
        await packs.deactivate(db, evil.id)
    page = (await as_alice.get(f"/statements/{this_month()}")).text
    assert "<script>alert" not in page and "{{ 7*7 }}" in page
    file = (await as_alice.get(f"/statements/{this_month()}.csv")).text
    (row,) = list(csv.DictReader(io.StringIO(file, newline="")))[1:]
    assert row["description"].startswith("'=HYPERLINK")


async def test_a_month_ends_where_the_next_begins(as_alice: Browser, database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        # The first credits came just before midnight of the first of March in Berlin.
        await db.execute(text("RESET ROLE"))
        await db.execute(text("SET LOCAL ROLE talktime_owner"))
        await db.execute(text("ALTER TABLE credit_transactions DISABLE TRIGGER credit_transactions_append_only"))
        await db.execute(
            text("UPDATE credit_transactions SET created_at = '2026-02-28 22:59:59+00' WHERE user_id = :id"),
            {"id": alice.id},
        )
        await db.execute(text("ALTER TABLE credit_transactions ENABLE TRIGGER credit_transactions_append_only"))
    february, march = [words_of((await as_alice.get(f"/statements/2026-0{month}")).text) for month in (2, 3)]
    assert "From 0 to 1,000 credits" in february and "28 Feb 23:59" in february
    assert "From 1,000 to 1,000 credits" in march and "No credit came or went in this month." in march
    before = words_of((await as_alice.get("/statements/2026-01")).text)
    assert "From 0 to 0 credits" in before and "Earlier month" not in before and "Later month" in before
    assert "Earlier month" in march
    months = re.findall(r'href="(/statements/[0-9-]+)">', (await as_alice.get("/credits/purchases")).text)
    assert months[-1] == "/statements/2026-02" and months[0] == f"/statements/{this_month()}"
    assert (await as_alice.get("/statements/2026-03.csv")).text == "seq,at,kind,description,amount,balance_after\r\n"


async def test_what_is_no_month_is_not_found(as_alice: Browser, browser: Browser) -> None:
    for month in ("2026-13", "2026-00", "1999-01", "x", "2026-1", "２０２６-01", "2026-11-01", "%00"):
        for kind in ("", ".csv", ".pdf"):
            assert (await as_alice.get(f"/statements/{month}{kind}")).status_code == 404, month
    for kind in ("", ".csv", ".pdf"):
        nobody = await browser.get(f"/statements/2026-11{kind}")
        assert (nobody.status_code, nobody.headers["location"]) == (303, f"/sign-in?next=%2Fstatements%2F2026-11{kind}")


async def test_somebody_who_never_had_a_credit_has_an_empty_statement(
    open_browser: OpenBrowser, database: Database
) -> None:
    carol = await new_person(database, "Carol", credits=0)
    browser = await signed_in(open_browser(), database, carol)
    assert "From 0 to 0 credits" in words_of((await browser.get(f"/statements/{this_month()}")).text)
    assert (await browser.get(f"/statements/{this_month()}.pdf")).status_code == 200
    assert "There is nothing to state yet" in (await browser.get("/credits/purchases")).text


async def test_bob_reads_none_of_alices_documents(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person, ada: Person
) -> None:
    call = await some_lines(database, alice, ada)
    for kind in ("", ".csv", ".pdf"):
        theirs, own = (
            await as_bob.get(f"/statements/{this_month()}{kind}"),
            await as_alice.get(f"/statements/{this_month()}{kind}"),
        )
        assert (theirs.status_code, own.status_code) == (200, 200)
        assert str(call) not in theirs.text and "HYPERLINK" not in theirs.text
    assert (await as_alice.get(f"/calls/{call}/receipt.pdf")).status_code == 200
    assert (await as_bob.get(f"/calls/{call}/receipt.pdf")).status_code == 404
    assert (await as_bob.get(f"/invoices/{uuid.uuid4()}.pdf")).status_code == 404
    assert (await as_bob.get("/invoices/x.pdf")).status_code == 404


async def test_a_receipt_is_on_paper_once_the_call_is_settled(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    early = await as_alice.get(f"/calls/{call}/receipt.pdf")
    assert (early.status_code, "not settled yet" in early.text) == (409, True)
    assert "receipt.pdf" not in (await as_alice.get(f"/calls/{call}")).text
    await finish(database, alice, call, 40)
    assert f'href="/calls/{call}/receipt.pdf"' in (await as_alice.get(f"/calls/{call}")).text
    paper = await as_alice.get(f"/calls/{call}/receipt.pdf")
    assert (paper.status_code, paper.content[:5]) == (200, b"%PDF-")


async def test_a_call_that_only_the_ladder_answered_has_a_receipt_that_says_why(
    open_browser: OpenBrowser, database: Database
) -> None:
    dora = await new_person(database, "Dora", credits=0)
    call = await ring(database, dora)
    browser = await signed_in(open_browser(), database, dora)
    assert (await browser.get(f"/calls/{call}/receipt.pdf")).status_code == 200
    assert "There was no credit" in (await browser.get(f"/calls/{call}")).text


async def test_a_corrected_call_shows_both_clocks_and_each_line(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await extend(database, alice, call)
    await finish(database, alice, call, 95)
    async with database.transaction(everyone=WHY) as db:
        sid = await db.scalar(text("SELECT carrier_call_id FROM calls WHERE id = :id"), {"id": call})
        assert isinstance(sid, str)
        await lifecycle.report(db, "simulated", sid, is_over=True, seconds=55)
    words = words_of((await as_alice.get(f"/calls/{call}")).text)
    assert "Talk time, by our clock 1 min 35 s" in words and "By the phone company’s clock 55 s" in words
    assert "55 s by the phone company’s clock (95 s by ours), billed as 60 s" in words
    assert "From your credits Balance 1,000 → 970 −30" in words and "Correction Balance 970 → 985 +15" in words
    assert "Charged 15 credits" in words and "theirs is what counts" in words
    assert (await as_alice.get(f"/calls/{call}/receipt.pdf")).status_code == 200


@pytest.fixture
def pages_of_three_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_PAGE_LINES_MAX", 3)


@pytest.mark.usefixtures("pages_of_three_lines")
async def test_a_long_month_has_pages_that_keep_their_lines_and_each_has_the_whole_months_balances(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person, ada: Person
) -> None:
    path = f"/statements/{this_month()}"
    async with database.transaction(everyone=WHY) as db:
        for number in range(6):
            await money.adjust(db, alice.id, reference=f"gift {number}", amount=1, reason="a gift", actor=ada.id)

    async def look(query: str = "") -> tuple[list[int], list[str]]:
        """The numbers of a page's lines, and where its links to others lead."""
        page = (await as_alice.get(path + query)).text
        words = words_of(page)
        assert "From 0 to 1,006 credits" in words and "Adjustment +1,006" in words
        assert "Opening balance 0" in words and "Closing balance 1,006" in words
        links = re.findall(r'rel="(?:prev|next)" href="([^"]+)">([^<]+)<', page)
        return [int(each) for each in re.findall(r'id="line-(\d+)"', page)], [f"{to}: {said}" for to, said in links]

    first = ([1, 2, 3], [f"{path}?page=2: 4 lines after these"])
    assert await look() == ([7], [f"{path}?page=2: 6 lines before these"])
    middle = [f"{path}?page=1: 3 lines before these", f"{path}?page=3: 1 line after these"]
    assert await look("?page=2") == ([4, 5, 6], middle)
    assert await look("?page=1") == first
    for nothing in ("4", "0", "-1", "x", "9" * 30, "1.5"):
        assert (await as_alice.get(f"{path}?page={nothing}")).status_code == 404, nothing
    for line, page in ((1, [1, 2, 3]), (5, [4, 5, 6]), (7, [7]), (8, [7]), (10**9, [7])):
        assert (await look(f"?line={line}"))[0] == page, "a line's address leads to its page"
    assert (await as_bob.get(f"{path}?page=3")).status_code == 404, "a page of somebody else's month"
    assert (await as_bob.get(f"{path}?page=1")).status_code == 200
    async with database.transaction(everyone=WHY) as db:
        for number in range(2):
            await money.adjust(db, alice.id, reference=f"{number}", amount=1 - 2 * number, reason="more", actor=ada.id)
    assert (await look("?page=1"))[0] == first[0]
    assert (await look())[0] == [7, 8, 9], "a page that is full is the last one until there is more"
