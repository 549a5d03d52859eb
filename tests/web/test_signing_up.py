"""Making an account: by an address alone, then by the link that went to it. Typing an address tells nothing of it."""

import re
from typing import Any

import pytest
from sqlalchemy import func, select, text

from talktime.accounts import links
from talktime.accounts.models import Link, LinkPurpose, Role
from talktime.db.session import Database
from talktime.settings import Settings, SignUp
from tests.people import WHY, Person, new_person
from tests.web.conftest import Browser, OpenBrowser
from tests.web.doorstep import (
    PASSWORD,
    address_of,
    grow_old,
    invited,
    mailed_to,
    sessions_of,
    sign_in,
    unique,
    user_of,
    with_password,
)
from tests.web.stage import SECRET, SITE, Stage

COOKIE = "__Host-talktime"


def form(**more: str) -> dict[str, str]:
    """What somebody types on the page that the link leads to."""
    return {"name": "Hanna Weiß", "password": PASSWORD, "locale": "de", "zone": "Europe/Vienna", **more}


async def asked(browser: Browser, database: Database, email: str) -> str:
    """Ask for a link; gives its path."""
    answer = await browser.post("/sign-up", data={"email": email})
    assert answer.status_code == 200, answer.text
    path = await mailed_to(database, email)
    assert path is not None
    return path


async def test_from_an_address_to_an_account_that_is_signed_in(browser: Browser, database: Database) -> None:
    email = unique()
    path = await asked(browser, database, email)
    browser.headers["accept-language"] = "de-AT,de;q=0.9"
    for _preview in range(3):
        page = await browser.get(path)
        assert page.status_code == 200
    assert re.search(rf'value="{email}"[^>]*autocomplete="username"[^>]*readonly', page.text)
    assert 'autocomplete="new-password"' in page.text
    assert '<option value="Europe/Vienna" selected>Wien</option>' in page.text
    assert '<option value="de" selected>' in page.text

    came_in = await browser.post(path, data=form())
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/begin")
    assert "Hanna Weiß" in (await browser.get("/")).text
    made = await user_of(database, email)
    assert made is not None and made.email_confirmed_at is not None
    assert (made.name, made.locale, made.zone, made.role) == ("Hanna Weiß", "de", "Europe/Vienna", Role.USER)

    late = await browser.post(path, data=form(name="Mallory"))
    assert late.status_code == 410 and (await browser.get(path)).status_code == 410
    assert "Hanna Weiß" in (await browser.get("/")).text


async def test_whether_an_address_has_an_account_is_not_to_be_seen(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    answers: list[Any] = []
    for email in (await with_password(database, alice), unique()):
        browser = open_browser()
        browser.cookies.set(f"{COOKIE}_form", "the same for all")
        answer = await browser.post("/sign-up", data={"email": email})
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
        answers.append((answer.status_code, answer.text.replace(email, "…"), headers))
    assert answers[0] == answers[1] and answers[0][0] == 200
    assert "Look into your mail" in answers[0][1]


async def test_the_link_of_an_address_that_has_an_account_opens_nobodys(
    browser: Browser, database: Database, alice: Person
) -> None:
    email = await with_password(database, alice)
    path = await asked(browser, database, email)
    answer = await browser.post(path, data=form())
    assert answer.status_code == 409
    assert "has an account already" in answer.text and COOKIE not in browser.cookies
    assert await sessions_of(database, alice) == []
    assert (await sign_in(browser, email)).status_code == 303


async def test_what_is_asked_for_holds_no_address_and_no_token(browser: Browser, database: Database) -> None:
    email = unique()
    path = await asked(browser, database, email)
    async with database.transaction(everyone=WHY) as db:
        jobs = list(
            await db.scalars(text("SELECT args::text FROM procrastinate_jobs WHERE task_name = 'accounts.mail'"))
        )
        link = await db.scalar(select(Link).where(Link.email == email))
    assert link is not None and any(str(link.id) in job for job in jobs)
    assert not any(email in job or path.rpartition("/")[2] in job for job in jobs)


@pytest.mark.parametrize(
    "email",
    [
        "", "hanna", "hanna@", "@example.org", "hanna@localhost", "a@b@example.org",
        "hanna@example.org\r\nBcc: x@evil.example", "hanna\r\n@example.org", "hanna@example.org,mallory@evil.example",
        "hanna @example.org", "Hanna <hanna@example.org>", "a" * 300 + "@example.org", "hanna@" + "a" * 10_000 + ".org",
        "hanna@exa\u202emple.org", "hanna@-example.org", "hanna@example..org",
        '"><script>alert(1)</script>@example.org',
    ],
    ids=range(17),
)  # fmt: skip
async def test_what_is_no_address_is_told_beside_the_field_and_no_mail_goes_out(
    browser: Browser, database: Database, email: str
) -> None:
    async with database.transaction(everyone=WHY) as db:
        before = await db.scalar(select(func.count()).select_from(Link))
    for address in ("/sign-up", "/reset"):
        answer = await browser.post(address, data={"email": email})
        assert answer.status_code == 422
        assert 'aria-describedby="email-about"' in answer.text and "<script>alert" not in answer.text
        assert "evil.example" not in str(answer.headers)
    async with database.transaction(everyone=WHY) as db:
        assert await db.scalar(select(func.count()).select_from(Link)) == before


async def test_one_mailbox_is_one_account_however_it_is_written(
    browser: Browser, open_browser: OpenBrowser, database: Database
) -> None:
    email = unique()
    local, _, _ = email.partition("@")
    path = await asked(browser, database, f"{local}@xn--mnchen-3ya.example")
    assert (await browser.post(path, data=form())).status_code == 303
    for written in (f"{local.upper()}@München.example", f"{local}@XN--MNCHEN-3YA.example"):
        assert (await sign_in(open_browser(), written)).status_code == 303


async def test_mails_to_one_address_are_few_and_one_waits_between(
    open_browser: OpenBrowser, database: Database
) -> None:
    email = unique()
    said = [(await open_browser().post("/sign-up", data={"email": email})).status_code for _ in range(3)]
    assert said == [200, 200, 200]
    late = await open_browser().post("/sign-up", data={"email": email})
    assert late.status_code == 429 and int(late.headers["retry-after"]) > 60
    assert re.search(r"Try again in \d+ minutes\.", late.text) and f'value="{email}"' in late.text
    # Mails of one kind, which anybody may have sent, keep nobody from asking for another kind.
    assert (await open_browser().post("/reset", data={"email": email})).status_code == 200


async def test_one_browser_does_not_write_to_everybody(browser: Browser) -> None:
    said = [(await browser.post("/sign-up", data={"email": unique()})).status_code for _ in range(21)]
    assert said == [200] * 20 + [429]


async def test_by_invitation_only(open_browser: OpenBrowser, database: Database) -> None:
    settings = Settings(public_url=SITE, secret_key=SECRET, sign_up=SignUp.INVITED, support_email="help@example.org")
    browser, email = open_browser(Stage(settings, database)), unique()
    assert "/sign-up" not in (await browser.get("/")).text and "/sign-up" not in (await browser.get("/sign-in")).text
    page = await browser.get("/sign-up")
    assert page.status_code == 200 and "By invitation" in page.text and "help@example.org" in page.text
    refused = await browser.post("/sign-up", data={"email": email})
    assert refused.status_code == 403 and await mailed_to(database, email) is None
    assert "/sign-up" not in (await browser.get("/welcome/x")).text

    # A link that an operator sent leads past it.
    path = await invited(database, role=Role.USER, email=email)
    assert (await browser.post(path, data=form())).status_code == 303
    assert "Hanna Weiß" in (await browser.get("/")).text


async def test_an_invitation_without_an_address_asks_for_it_and_gives_its_role(
    browser: Browser, database: Database
) -> None:
    ada = await new_person(database, "Ada", credits=0, admin=True)
    path, email = await invited(database, role=Role.ADMIN, made_by=ada.id), unique()
    page = (await browser.get(path)).text
    assert "as an operator" in page and "readonly" not in page
    nothing = await browser.post(path, data={"zone": "Asia/Tokyo", "locale": "de"})
    assert (
        nothing.status_code == 422 and nothing.text.count("aria-invalid") == 3 and nothing.text.count("autofocus") == 1
    )
    assert '<option value="Asia/Tokyo" selected>' in nothing.text and '<option value="de" selected>' in nothing.text
    assert (await browser.post(path, data=form(email=email))).status_code == 303
    made = await user_of(database, email)
    assert made is not None and made.role is Role.ADMIN and made.email_confirmed_at is None
    assert 'href="/operator"' in (await browser.get("/")).text


async def test_nobody_changes_the_address_that_a_link_went_to(browser: Browser, database: Database) -> None:
    email, other = unique(), unique("other")
    path = await asked(browser, database, email)
    assert (await browser.post(path, data=form(email=other, role="ADMIN"))).status_code == 303
    assert await user_of(database, other) is None
    made = await user_of(database, email)
    assert made is not None and made.role is Role.USER


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"name": ""}, "name", "Type your name"),
        ({"name": "x" * 81}, "name", "at most 80 characters"),
        ({"name": "Hanna\r\nBcc: x"}, "name", "at most 80 characters on one line"),
        ({"password": ""}, "password", "Choose a password."),
        ({"password": "short"}, "password", "at least 10 characters"),
        ({"password": "x" * 10_000}, "password", "at most 256 characters"),
        ({"password": "ü" * 1000}, "password", "at most 256 characters"),
        ({"password": "password123"}, "password", "lists of stolen ones"),
        ({"password": "hannaweiss"}, "password", "hoose "),
        ({"locale": "xx"}, "locale", "Choose one of the languages"),
        ({"zone": "Mars/Olympus"}, "zone", "Choose one of the time zones"),
        ({"zone": "../../etc/passwd"}, "zone", "Choose one of the time zones"),
        ({"zone": "'; DROP TABLE users; --"}, "zone", "Choose one of the time zones"),
    ],
    ids=range(13),
)
async def test_what_is_wrong_stands_beside_its_field_and_the_link_stays(
    browser: Browser, database: Database, wrong: dict[str, str], field: str, sentence: str
) -> None:
    path = await asked(browser, database, unique())
    answer = await browser.post(path, data=form(**wrong))
    assert answer.status_code == 422
    about = re.search(rf'id="{field}-about">([^<]+)<', answer.text)
    assert about is not None and sentence in about[1]
    assert answer.text.count("aria-invalid") == answer.text.count("autofocus") == 1
    assert PASSWORD not in answer.text and COOKIE not in browser.cookies
    if field != "name":
        assert 'value="Hanna Weiß"' in answer.text
    assert (await browser.post(path, data=form())).status_code == 303


async def test_a_wrong_form_is_told_in_german(browser: Browser, database: Database) -> None:
    browser.headers["accept-language"] = "de"
    path = await asked(browser, database, unique())
    answer = await browser.post(path, data=form(password="password123"))
    assert "steht auf Listen gestohlener" in answer.text


async def test_a_name_with_markup_in_it_is_shown_as_it_is(browser: Browser, database: Database) -> None:
    path = await asked(browser, database, unique())
    wrong = await browser.post(path, data=form(name='"><script>alert(1)</script>', password="short"))
    assert "<script>alert" not in wrong.text
    assert (await browser.post(path, data=form(name="<script>alert(1)</script>"))).status_code == 303
    assert "<script>alert" not in (await browser.get("/")).text


async def test_a_link_that_is_too_old_made_up_or_for_something_else_says_what_to_do(
    browser: Browser, database: Database, alice: Person
) -> None:
    old = await asked(browser, database, unique())
    await grow_old(database, old)
    async with database.transaction(everyone=WHY) as db:
        other = (await links.issue(db, LinkPurpose.RESET, user=alice.id)).token
    for path in (old, "/welcome/x", f"/welcome/{other}", "/welcome/%00", "/welcome/" + "a" * 5000):
        for answer in (await browser.get(path), await browser.post(path, data=form())):
            assert answer.status_code == 410, path
            assert 'href="/sign-up"' in answer.text and 'href="/sign-in"' in answer.text
            assert "set-cookie" not in answer.headers or COOKIE + "=" not in answer.headers["set-cookie"]


async def test_who_is_signed_in_and_makes_another_account_is_that_one_afterwards(
    as_alice: Browser, database: Database, alice: Person
) -> None:
    path = await asked(as_alice, database, unique())
    assert (await as_alice.post(path, data=form())).status_code == 303
    assert "Hanna Weiß" in (await as_alice.get("/")).text
    assert await sessions_of(database, alice) == []


async def test_in_a_demonstration_the_page_says_where_the_mail_lies_and_elsewhere_it_does_not(
    open_browser: OpenBrowser, database: Database, alice: Person
) -> None:
    demo = open_browser(Stage(Settings(host="127.0.0.1", port=8000), database, demo=True))
    for address in ("/sign-up", "/reset"):
        assert "/outbox" in (await demo.post(address, data={"email": unique()})).text
        assert "outbox" not in (await open_browser().post(address, data={"email": unique()})).text
    assert await address_of(database, alice)


async def test_every_link_that_is_mailed_leads_to_a_page(browser: Browser) -> None:
    for purpose in LinkPurpose:
        answer = await browser.get(links.path_of(purpose, "x"))
        assert answer.status_code in (200, 410) and "There is no page" not in answer.text
