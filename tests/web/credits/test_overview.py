"""What there is and where it went: the chart and its table, what is held, every line, and purchases page by page."""

import re
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from talktime.calls.usage import SPANS, UsedDay
from talktime.credits import money
from talktime.db.session import Database
from talktime.settings import Settings
from talktime.web.credits import transactions
from talktime.web.credits.use_shown import use_view
from talktime.web.words import Clock
from tests.payments.counter import Counter
from tests.people import WHY, Person
from tests.web.conftest import Browser, OpenBrowser, signed_in
from tests.web.stage import SITE, Stage, answer, finish
from tests.web.test_pages import words_of

PATH = "/credits/transactions"


async def give(database: Database, person: Person, times: int, reason: str = "a gift") -> None:
    async with database.transaction(everyone=WHY) as db:
        for number in range(times):
            reference = f"{reason} {number}"
            await money.adjust(db, person.id, reference=reference, amount=1, reason=reason, actor=person.id)


def lines_on(page: str) -> list[int]:
    return [int(each) for each in re.findall(r'id="line-(\d+)"', page)]


async def test_the_use_of_each_day_and_agent_is_drawn_and_stands_in_a_table(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    assert "No call used any credit in this time." in words_of((await as_alice.get("/credits")).text)
    for seconds in (40, 95):
        await finish(database, alice, await answer(database, alice), seconds)
    page = (await as_alice.get("/credits")).text
    words = words_of(page)
    # 40 seconds cost 15; of 95 only the first slice was held, so that is what is charged.
    assert "Reception 2 2 min 15 s 30" in words and "In all 30 credits" in words and "30 credits" in words
    assert 'class="plot"' in page and '<details class="chart-table">' in page and 'href="/credits?days=7#use"' in page
    assert f'href="/agents/{alice.agent}"' in page
    assert "No call used any credit in this time." in words_of((await as_bob.get("/credits")).text)
    for days in (*SPANS, 5, -1, 10**9):
        assert (await as_alice.get(f"/credits?days={days}")).status_code == 200, days
    assert (await as_alice.get("/credits?days=x")).status_code == 404


@pytest.mark.parametrize("span", SPANS)
def test_a_chart_has_every_day_and_sums_to_what_was_used(span: int, clock: Clock) -> None:
    agents = {uuid.uuid4(): f"Agent {number}" for number in range(8)}
    today = clock.local(clock.now).date()
    used = [
        UsedDay(today - timedelta(days=back), agent, calls=2, seconds=90, credits=10 + number)
        for back in range(0, span, 3)
        for number, agent in enumerate(agents)
    ]
    view = use_view(used, agents, span, clock)
    assert len(view.chart.series) == 5 and view.chart.series[-1][1] == "All others"
    assert len(view.chart.rows) == (
        span if span <= 90 else len({_month(today - timedelta(days=d)) for d in range(span)})
    )
    total = sum(each.credits for each in used)
    drawn = sum(int(re.sub(r"\D", "", cells[-1])) for _label, cells in view.chart.rows)
    assert drawn == total and view.credits == f"{total:,} credits"
    assert [each.name for each in view.agents] == [f"Agent {number}" for number in reversed(range(8))]
    assert [is_this for _address, _text, is_this in view.spans] == [days == span for days in SPANS]


def _month(day: date) -> date:
    return day.replace(day=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 23, 12, tzinfo=UTC), "Europe/Berlin")


async def test_every_line_has_its_balance_and_leads_to_its_call_or_invoice(
    as_alice: Browser, as_bob: Browser, counter: Counter, alice: Person
) -> None:
    database = counter.database
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    await counter.bought(alice)
    page = (await as_alice.get(PATH)).text
    words = words_of(page)
    assert lines_on(page) == [3, 2, 1]
    assert "Call (555) 010-0123, 40 s −15 985" in words and f'href="/calls/{call}"' in page
    assert (
        "Bought Starter, invoice" in words
        and "+1,000 1,985" in words
        and re.search(r'href="/invoices/[^"]+\.pdf"', page)
    )
    assert "Adjustment to begin with +1,000 1,000" in words
    theirs = (await as_bob.get(PATH)).text
    assert str(call) not in theirs and lines_on(theirs) == [1]


async def test_lines_are_paged_without_a_gap_and_each_has_an_address(
    as_alice: Browser, database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_LINES_SHOWN", 5)
    monkeypatch.setattr(transactions, "_LINES_ABOVE", 2)
    await give(database, alice, 16)
    seen: list[int] = []
    address = PATH
    while address:
        page = (await as_alice.get(address)).text
        seen += lines_on(page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == list(range(17, 0, -1))
    assert lines_on((await as_alice.get(f"{PATH}?line=7")).text) == [9, 8, 7, 6, 5]
    assert lines_on((await as_alice.get(f"{PATH}?line=1")).text) == [3, 2, 1]
    assert "Newest" in (await as_alice.get(f"{PATH}?before=6")).text
    for nothing in ("kind=x", "before=x", "before=0", "line=0", f"line={'9' * 30}"):
        assert (await as_alice.get(f"{PATH}?{nothing}")).status_code == 404, nothing


async def test_lines_of_one_kind_are_shown_alone(as_alice: Browser, database: Database, alice: Person) -> None:
    await finish(database, alice, await answer(database, alice), 40)
    page = (await as_alice.get(f"{PATH}?kind=CALL_USAGE")).text
    assert lines_on(page) == [2] and '<option value="CALL_USAGE" selected>' in page
    page = (await as_alice.get(f"{PATH}?kind=REFUND")).text
    assert lines_on(page) == [] and "Nothing like that in these lines." in page


async def test_our_own_reasons_are_words_and_what_a_person_typed_stays(
    as_alice: Browser, database: Database, alice: Person, ada: Person
) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    await give(database, alice, 1, "<script>alert(1)</script>")
    async with database.transaction(everyone=WHY) as db:
        number = await db.scalar(text("SELECT id FROM phone_numbers WHERE number = :number"), {"number": alice.number})
        await money.rent(db, alice.id, number, date(2026, 11, 1), 300)
        await money.waive(db, alice.id, call, "platform_fault", ada.id)
    page = (await as_alice.get(PATH)).text
    words = words_of(page)
    assert "Rent of a number November 2026 −300" in words and "<script>alert" not in page
    assert "Call, corrected (555) 010-0123; not charged: the fault was ours +15" in words


async def test_purchases_are_paged_and_bobs_are_none_of_hers(
    as_alice: Browser, as_bob: Browser, counter: Counter, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talktime.web.credits.purchases._PURCHASES_SHOWN", 2)
    pack = await counter.pack()
    bought = [str((await counter.begin(alice, pack)).id) for _purchase in range(5)]
    seen, address = [], "/credits/purchases"
    while address:
        page = (await as_alice.get(address)).text
        seen += re.findall(r'id="purchase-([^"]+)"', page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        address = older[1] if older else ""
    assert seen == bought[::-1]
    assert (await as_bob.get(f"/credits/purchases?before={bought[0]}")).status_code == 404
    assert (await as_alice.get("/credits/purchases?before=x")).status_code == 404


async def test_older_addresses_lead_to_where_things_are_now(as_alice: Browser) -> None:
    for saved in ("guards", "low-balance", "top-up", "card", "billing"):
        moved = await as_alice.get(f"/credits?saved={saved}")
        assert (moved.status_code, moved.headers["location"]) == (303, f"/credits/settings?done={saved}")
    assert (await as_alice.get("/credits?saved=<script>")).status_code == 200
    assert "Nothing was bought." in (await as_alice.get("/credits?cancelled=true")).text


async def test_the_pages_speak_german_with_german_figures(
    open_browser: OpenBrowser, counter: Counter, alice: Person
) -> None:
    shop = Stage(Settings(public_url=SITE), counter.database, counter.gateway)
    browser = await signed_in(open_browser(shop), counter.database, alice)
    await browser.post("/settings", data={"name": "Alice", "locale": "de", "zone": "Europe/Berlin"})
    await counter.bought(alice)
    await counter.card(alice)
    await finish(counter.database, alice, await answer(counter.database, alice), 40)
    words = words_of((await browser.get("/credits")).text)
    assert (
        "Guthaben 2.985" in words and "Es reicht noch etwa" in words and "20,00" in words and "1.000 Credits" in words
    )
    words = words_of((await browser.get(PATH)).text)
    assert "Anruf (555) 010-0123, 40 s −15 2.985" in words and "Gekauft Starter, Rechnung" in words
    words = words_of((await browser.get("/credits/purchases")).text)
    assert (
        "bezahlt" in words
        and "Rechnung" in words
        and re.search(r"(Januar|Februar|März|April|Mai|Ju\w+i|August|\w+ber) 20", words)
    )
    for wrong, said in (
        ({"day": "1,5"}, "Eine ganze Zahl von Credits"),
        ({"day": "1.500.00"}, "Eine ganze Zahl von Credits"),
    ):
        assert said in words_of((await browser.post("/credits/guards", data=wrong)).text)
    assert (await browser.post("/credits/guards", data={"day": "1.500"})).status_code == 303
    assert "von 1.500 Credits am Tag" in words_of((await browser.get("/credits")).text)
    wrong_details = await browser.post("/credits/billing", data={"billing_name": "x" * 201})
    assert "Höchstens 200 Zeichen." in wrong_details.text
    top_up = await browser.post("/credits/top-up", data={"do": "on", "choice": "", "top_up_threshold": "1"})
    assert "Dieses Paket gibt es nicht." in top_up.text
    month = re.search(r'href="(/statements/[0-9-]+)"', (await browser.get("/credits/purchases")).text)
    assert month and "Anfangsbestand" in words_of((await browser.get(month[1])).text)
