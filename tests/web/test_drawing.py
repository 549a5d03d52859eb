"""PDFs are made two at a time, and a month that is too long for one says so."""

import asyncio
import contextlib
import time

import pytest
from sqlalchemy import text

from talktime.credits import money
from talktime.db.session import Database
from talktime.documents.statement import render_statement_pdf
from talktime.documents.values import StatementDocument
from talktime.http import drawing
from talktime.http.drawing import AT_ONCE, LINES_MAX, DrawingBusy, TooManyLines
from talktime.web.credits import statements
from tests.people import WHY, Person
from tests.web.conftest import Browser
from tests.web.credits.test_documents import this_month
from tests.web.stage import answer, finish


async def take_every_place(until: contextlib.AsyncExitStack) -> None:
    for _ in range(AT_ONCE):
        await until.enter_async_context(drawing.a_place())


async def test_two_are_made_at_once_and_the_others_wait_for_their_turn() -> None:
    now, most, done = 0, 0, 0

    async def draw() -> None:
        nonlocal now, most, done
        async with drawing.a_place():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.01)
            now -= 1
            done += 1

    await asyncio.gather(*(draw() for _ in range(9)))
    assert (most, done) == (AT_ONCE, 9)


async def test_a_drawing_that_fails_and_one_that_is_given_up_leave_their_place() -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with drawing.a_place():
                raise ZeroDivisionError
    async with contextlib.AsyncExitStack() as taken:
        await take_every_place(taken)
        waiting = asyncio.create_task(taken.enter_async_context(drawing.a_place()))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with contextlib.AsyncExitStack() as taken, asyncio.timeout(1):
        await take_every_place(taken)


async def test_a_pdf_waits_for_a_place_while_pages_go_on(
    as_alice: Browser, as_bob: Browser, database: Database, alice: Person
) -> None:
    call = await answer(database, alice)
    await finish(database, alice, call, 40)
    paths = [f"/statements/{this_month()}.pdf", f"/calls/{call}/receipt.pdf"]
    async with contextlib.AsyncExitStack() as taken:
        await take_every_place(taken)
        waiting = [asyncio.create_task(as_alice.get(path)) for path in paths]
        assert (await as_bob.get(f"/statements/{this_month()}")).status_code == 200
        assert (await as_bob.get(f"/statements/{this_month()}.csv")).status_code == 200
        await asyncio.sleep(0.2)
        assert not any(each.done() for each in waiting)
    for each in await asyncio.gather(*waiting):
        assert (each.status_code, each.content[:5]) == (200, b"%PDF-")


async def test_nobody_waits_for_ever(as_alice: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "WAIT_SECONDS_MAX", 0.05)
    async with contextlib.AsyncExitStack() as taken:
        await take_every_place(taken)
        with pytest.raises(DrawingBusy):
            await taken.enter_async_context(drawing.a_place())
        said = await as_alice.get(f"/statements/{this_month()}.pdf")
    assert (said.status_code, "try again in a minute" in said.text) == (503, True)
    assert (await as_alice.get(f"/statements/{this_month()}.pdf")).status_code == 200


async def test_a_month_that_is_too_long_for_pages_is_a_file(
    as_alice: Browser, database: Database, alice: Person, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "LINES_MAX", 3)
    for number in range(2, 5):
        assert (await as_alice.get(f"/statements/{this_month()}.pdf")).status_code == 200
        async with database.transaction(everyone=WHY) as db:
            await money.adjust(db, alice.id, reference=f"gift {number}", amount=1, reason="a gift", actor=ada.id)
    said = await as_alice.get(f"/statements/{this_month()}.pdf")
    assert (said.status_code, "has 4 lines" in said.text, "CSV file" in said.text) == (422, True, True)
    assert len((await as_alice.get(f"/statements/{this_month()}.csv")).text.splitlines()) == 1 + 4


def test_the_limit_is_one_of_lines() -> None:
    drawing.refuse_too_long(LINES_MAX)
    with pytest.raises(TooManyLines, match="10,001 lines"):
        drawing.refuse_too_long(LINES_MAX + 1)


async def test_one_customer_does_not_take_every_place(
    as_alice: Browser, as_bob: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "WAIT_SECONDS_MAX", 1.0)

    def slowly(document: StatementDocument, locale: str) -> bytes:
        time.sleep(0.3)
        return render_statement_pdf(document, locale)

    monkeypatch.setattr(statements, "render_statement_pdf", slowly)
    path = f"/statements/{this_month()}.pdf"
    hers = [asyncio.create_task(as_alice.get(path)) for _ in range(20)]
    await asyncio.sleep(0.1)
    his = await as_bob.get(path)
    await asyncio.gather(*hers)
    assert his.status_code == 200


async def test_a_long_month_on_a_page_is_bounded_too(
    as_alice: Browser, database: Database, alice: Person, ada: Person
) -> None:
    many = text(
        "SELECT count(*) FROM generate_series(1, 250) g,"
        " LATERAL adjust_v1(CAST(:user AS uuid), :part || g::text, 1, 'a gift', CAST(:ada AS uuid)) z"
    )
    for part in range(20):
        async with database.transaction(everyone=WHY) as db:
            await db.execute(many, {"user": alice.id, "ada": ada.id, "part": f"{part} "})
    page = await as_alice.get(f"/statements/{this_month()}")
    assert page.status_code == 200
    assert len(page.content) < 1_000_000
