"""The second step of signing in: until its code is taken a browser is nobody, and no code is taken twice or guessed."""

from talktime.accounts.models import UserStatus
from talktime.db.session import Database
from tests.people import Person
from tests.web.conftest import Browser, OpenBrowser, link_for
from tests.web.doorstep import become, code_of, sessions_of, sign_in, with_password, with_second_step

COOKIE = "__Host-talktime"


async def test_with_a_second_step_the_password_opens_nothing_yet(
    browser: Browser, open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    key, _codes = await with_second_step(database, alice)
    half = await sign_in(browser, email, next="/credits")
    assert (half.status_code, half.headers["location"]) == (303, "/sign-in/second-factor?next=%2Fcredits")
    waiting = browser.cookies[COOKIE]
    assert (await browser.get("/credits")).status_code == 303
    again = await browser.get("/sign-in?next=/credits")
    assert again.headers["location"] == "/sign-in/second-factor?next=%2Fcredits"
    page = await browser.get(half.headers["location"])
    assert 'inputmode="numeric"' in page.text and 'autocomplete="one-time-code"' in page.text

    wrong = await browser.post("/sign-in/second-factor", data={"code": "000000", "next": "/credits"})
    assert wrong.status_code == 401 and "The code is not right" in wrong.text and "000000" not in wrong.text
    assert 'name="next" value="/credits"' in wrong.text

    code = code_of(key)
    came_in = await browser.post(
        "/sign-in/second-factor", data={"code": f" {code[:3]} {code[3:]} ", "next": "/credits"}
    )
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/credits")
    assert browser.cookies[COOKIE] != waiting, "the token that waited would be good for everything now"
    assert (await browser.get("/credits")).status_code == 200
    thief = open_browser()
    thief.cookies.set(COOKIE, waiting)
    assert (await thief.get("/credits")).status_code == 303
    assert (await thief.get("/sign-in/second-factor")).headers["location"] == "/sign-in"


async def test_a_code_is_taken_once_and_a_recovery_code_too(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    key, codes = await with_second_step(database, alice)
    code, tries = code_of(key), []
    for field, value in (
        ("code", code),
        ("code", code),
        ("recovery_code", codes[0].upper()),
        ("recovery_code", codes[0]),
    ):
        browser = open_browser()
        await sign_in(browser, email)
        answer = await browser.post("/sign-in/second-factor", data={field: value})
        tries.append(answer.status_code)
        if answer.status_code == 401:
            assert f'aria-describedby="{field}-about"' in answer.text or f'id="{field}-about"' in answer.text
    assert tries == [303, 401, 303, 401]


async def test_nobody_guesses_a_code(browser: Browser, database: Database, alice: Person) -> None:
    email = await with_password(database, alice)
    key, _codes = await with_second_step(database, alice)
    await sign_in(browser, email)
    said = [(await browser.post("/sign-in/second-factor", data={"code": "000000"})).status_code for _ in range(5)]
    assert said == [401] * 5
    late = await browser.post("/sign-in/second-factor", data={"code": code_of(key)})
    assert late.status_code == 429 and int(late.headers["retry-after"]) > 0


async def test_the_second_step_is_for_who_gave_the_password(browser: Browser, as_alice: Browser) -> None:
    for one in (browser, as_alice):
        assert (await one.get("/sign-in/second-factor?next=/credits")).headers["location"] == "/sign-in?next=%2Fcredits"
        sent = await one.post("/sign-in/second-factor", data={"code": "123456", "next": "//evil.example"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in")


async def test_somebody_else_can_begin_while_a_second_step_is_due(
    browser: Browser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    await with_second_step(database, alice)
    await sign_in(browser, email)
    page = (await browser.get("/sign-in/second-factor")).text
    assert 'action="/sign-out"' in page
    assert (await browser.post("/sign-out")).status_code == 303
    assert (await browser.get("/sign-in")).status_code == 200
    assert await sessions_of(database, alice) == []


async def test_an_empty_code_is_asked_for(browser: Browser, database: Database, alice: Person) -> None:
    email = await with_password(database, alice)
    await with_second_step(database, alice)
    await sign_in(browser, email)
    answer = await browser.post("/sign-in/second-factor", data={"code": " "})
    assert answer.status_code == 422 and "Type the code." in answer.text


async def test_a_link_stands_in_for_the_password_and_not_for_the_second_step(
    browser: Browser, database: Database, alice: Person
) -> None:
    key, _codes = await with_second_step(database, alice)
    half = await browser.post(await link_for(database, alice))
    assert (half.status_code, half.headers["location"]) == (303, "/sign-in/second-factor")
    assert (await browser.get("/credits")).status_code == 303
    assert (await browser.post("/sign-in/second-factor", data={"code": code_of(key)})).status_code == 303
    assert (await browser.get("/credits")).status_code == 200


async def test_who_is_closed_while_a_second_step_is_due_does_not_come_in(
    browser: Browser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    key, _codes = await with_second_step(database, alice)
    await sign_in(browser, email)
    await become(database, alice, UserStatus.SUSPENDED)
    sent = await browser.post("/sign-in/second-factor", data={"code": code_of(key)})
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in")
