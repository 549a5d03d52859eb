"""Mails with links: in both languages, to whom they were made for, without a token or an address on the way."""

import email
import uuid
from collections.abc import Callable
from datetime import timedelta
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from talktime.accounts import links, mails, sign_up
from talktime.accounts.links import Issued
from talktime.accounts.models import LinkPurpose, Role
from talktime.db.session import Database
from talktime.errors import ProviderError
from talktime.jobs import Jobs
from talktime.mail.message import Mail, Sender, Undeliverable
from talktime.mail.render import html_of, text_of
from talktime.mail.send import Outbox
from tests.accounts.doors import (
    HERE,
    SECRET,
    SITE,
    Doors,
    age_links,
    new_address,
    set_user,
    token_in,
    user_of,
    words_in,
)
from tests.house import open_house
from tests.mail.pigeon import Pigeon
from tests.people import WHY, Person, new_person

FOLDER = Path(mails.__file__).parent / "templates"


async def issue(database: Database, purpose: LinkPurpose, secret: bytes = SECRET, **more: Any) -> Issued:
    async with database.transaction(everyone=WHY) as db:
        return await links.issue(db, purpose, secret=secret, **more)


async def send(database: Database, link: Issued, purpose: LinkPurpose, *failures: Exception | None) -> list[Mail]:
    """Do the job by hand; what went out."""
    pigeon = Pigeon(*failures)
    await mails.sender(database, pigeon, SECRET, SITE)(link=str(link.id), purpose=purpose.value)
    return pigeon.sent


LEADS_TO = {
    LinkPurpose.SIGN_UP: ("/welcome/", "three days", "drei Tage"),
    LinkPurpose.INVITE: ("/welcome/", "seven days", "sieben Tage"),
    LinkPurpose.RESET: ("/reset/", "two hours", "zwei Stunden"),
    LinkPurpose.CHANGE_EMAIL: ("/confirm-email/", "one day", "einen Tag"),
}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("purpose", LEADS_TO)
async def test_each_mail_leads_to_its_page_in_the_readers_language(
    database: Database, alice: Person, language: str, purpose: LinkPurpose
) -> None:
    path, *words = LEADS_TO[purpose]
    await set_user(database, alice, locale=language)
    of_user = purpose in (LinkPurpose.RESET, LinkPurpose.CHANGE_EMAIL)
    link = await issue(
        database,
        purpose,
        user=alice.id if of_user else None,
        email=None if purpose is LinkPurpose.RESET else new_address(),
        role=Role.USER if purpose is LinkPurpose.INVITE else None,
        locale=None if of_user else language,
    )
    *_, mail = await send(database, link, purpose)
    assert mail.id == link.id and mail.language == language
    assert mail.words.link is not None and mail.words.link.url == f"{SITE}{path}{link.token}"
    said = " ".join(words_in(mail).split())
    assert words[language == "de"] in said
    assert said.count(link.token) == 1
    assert "Alice" not in said, "what somebody calls themselves reaches nobody else's mailbox"
    assert link.token in html_of(mail.words, language)


async def test_there_is_a_mail_of_every_kind_in_both_languages() -> None:
    english, german = ({file.name for file in (FOLDER / language).iterdir()} for language in ("en", "de"))
    names = (*mails._TEMPLATES.values(), "already_here", "change_email_asked")
    assert english == german == {f"{name}.txt" for name in names}
    for name in english:
        assert (FOLDER / "en" / name).read_text() != (FOLDER / "de" / name).read_text()


async def test_no_job_holds_a_token_or_an_address(database: Database, alice: Person) -> None:
    address = new_address()
    jobs = Jobs("postgresql://nobody@127.0.0.1:1/none")
    async with database.transaction(everyone=WHY) as db:
        link = await links.issue(db, LinkPurpose.SIGN_UP, email=address, locale="de", secret=SECRET)
        await mails.send_later(db, jobs, link, LinkPurpose.SIGN_UP)
        row = await db.scalar(
            text("SELECT j::text FROM procrastinate_jobs j WHERE args ->> 'link' = :link"), {"link": str(link.id)}
        )
        await db.execute(text("DELETE FROM procrastinate_jobs WHERE args ->> 'link' = :link"), {"link": str(link.id)})
    assert address not in row and link.token not in row and "example.org" not in row


async def test_nothing_that_is_logged_says_who_or_with_what(database: Database) -> None:
    address = new_address()
    link = await issue(database, LinkPurpose.SIGN_UP, email=address, locale="de")
    with capture_logs() as logs:
        assert await send(database, link, LinkPurpose.SIGN_UP, Undeliverable("nobody has the address")) == []
        other = await issue(database, LinkPurpose.SIGN_UP, b"a secret of yesterday", email=address, locale="de")
        assert await send(database, other, LinkPurpose.SIGN_UP) == []
    assert len(logs) == 2
    assert not any(word in str(logs) for word in (address, link.token, other.token, "example.org"))


async def test_the_outbox_gets_it_when_there_is_no_server(database: Database, tmp_path: Path) -> None:
    address = new_address()
    link = await issue(database, LinkPurpose.SIGN_UP, email=address, locale="de")
    outbox = Outbox(tmp_path, Sender.of("Talktime <desk@example.org>"))
    await mails.sender(database, outbox, SECRET, SITE)(link=str(link.id), purpose="SIGN_UP")
    content = (tmp_path / f"{link.id}.eml").read_text()
    assert f"To: {address}" in content


async def test_a_server_that_fails_is_asked_again_with_the_same_mail(database: Database) -> None:
    link = await issue(database, LinkPurpose.SIGN_UP, email=new_address(), locale="de")
    with pytest.raises(ProviderError):
        await send(database, link, LinkPurpose.SIGN_UP, ProviderError("the mail server was not reached"))
    [first] = await send(database, link, LinkPurpose.SIGN_UP)
    [second] = await send(database, link, LinkPurpose.SIGN_UP)
    assert first == second


async def test_what_is_used_taken_back_or_over_is_not_mailed(database: Database, alice: Person) -> None:
    used, old, back = [await issue(database, LinkPurpose.RESET, user=alice.id) for _ in range(3)]
    async with database.transaction(everyone=WHY) as db:
        await links.spend(db, used.token, LinkPurpose.RESET)
    await age_links(database, old.id, timedelta(hours=3))
    assert [await send(database, link, LinkPurpose.RESET) for link in (used, old)] == [[], []]
    async with database.transaction(everyone=WHY) as db:
        await links.end_all(db, alice.id)
    assert await send(database, back, LinkPurpose.RESET) == []
    assert await send(database, Issued(uuid.uuid4(), "x"), LinkPurpose.RESET) == []
    for status in ("SUSPENDED", "CLOSED"):
        await set_user(database, alice, status="ACTIVE")
        late = await issue(database, LinkPurpose.RESET, user=alice.id)
        await set_user(database, alice, status=status)
        assert await send(database, late, LinkPurpose.RESET) == []


async def test_the_old_address_hears_of_a_new_one_before_the_new_one_gets_its_link(
    database: Database, alice: Person
) -> None:
    old, new = (await user_of(database, alice)).email, new_address()
    link = await issue(database, LinkPurpose.CHANGE_EMAIL, user=alice.id, email=new)
    warning, asked = await send(database, link, LinkPurpose.CHANGE_EMAIL)
    assert (warning.to, asked.to) == ((old,), (new,))
    assert link.token not in words_in(warning) and new not in words_in(warning)
    assert "/settings/email" in words_in(warning) and "/reset" in words_in(warning)
    assert token_in(asked) == link.token
    assert warning.id != asked.id

    pigeon = Pigeon(ProviderError("the mail server was not reached"))
    with pytest.raises(ProviderError):
        await mails.sender(database, pigeon, SECRET, SITE)(link=str(link.id), purpose="CHANGE_EMAIL")
    assert pigeon.sent == [], "and without the one there is no other"
    # An address that is dead is why there is to be a new one.
    [only] = await send(database, link, LinkPurpose.CHANGE_EMAIL, Undeliverable("nobody has the address"))
    assert only.to == (new,)


@pytest.mark.parametrize("purpose", [LinkPurpose.SIGN_UP, LinkPurpose.INVITE, LinkPurpose.CHANGE_EMAIL])
async def test_an_address_that_has_an_account_gets_no_link_whatever_was_asked(
    database: Database, alice: Person, bob: Person, purpose: LinkPurpose
) -> None:
    await set_user(database, bob, locale="de")
    taken = (await user_of(database, bob)).email
    link = await issue(
        database,
        purpose,
        user=alice.id if purpose is LinkPurpose.CHANGE_EMAIL else None,
        email=taken,
        role=Role.ADMIN if purpose is LinkPurpose.INVITE else None,
    )
    *_, mail = await send(database, link, purpose)
    assert mail.to == (taken,) and mail.language == "de"
    assert "schon ein Konto" in mail.words.subject and link.token not in words_in(mail)


async def test_who_asks_for_what_is_not_to_be_had_gets_nothing_and_leaves_nothing(database: Database) -> None:
    link = await issue(database, LinkPurpose.SIGN_UP, email=new_address())
    assert await send(database, link, LinkPurpose.RESET) == []
    async with database.transaction(everyone=WHY) as db:
        assert not await db.scalar(text("SELECT count(*) FROM account_links WHERE id = :id"), {"id": link.id})


async def test_the_worker_sends_what_was_asked_for(doors: Doors) -> None:
    address = new_address()
    async with doors.database.transaction(everyone=WHY) as db:
        link = await links.issue(db, LinkPurpose.SIGN_UP, email=address, locale="en", secret=SECRET)
        await mails.send_later(db, doors.jobs, link, LinkPurpose.SIGN_UP)
    [mail] = await doors.letters_to(address)
    assert token_in(mail) == link.token


async def test_the_whole_application_mails_what_was_asked_for(
    new_database_url: Callable[[], str], tmp_path: Path
) -> None:
    async with open_house(new_database_url(), tmp_path) as house:
        secret, jobs = house.context.settings.secret, house.context.jobs
        await sign_up.ask(house.database, jobs, secret, "nora@example.org", locale="de", address=HERE)
        outbox = tmp_path / "outbox"
        await house.until(lambda: outbox.exists() and bool(list(outbox.glob("*.eml"))), seconds_max=15)
        [file] = outbox.glob("*.eml")
        token = links.token_of(secret, uuid.UUID(file.stem))
        body = email.message_from_bytes(file.read_bytes(), policy=SMTPUTF8).get_body(("plain",))
        assert body is not None
        assert f"{house.settings.base_url}/welcome/{token}" in body.get_content()


async def test_what_is_rolled_back_is_mailed_to_nobody(doors: Doors) -> None:
    address = new_address()
    with pytest.raises(ZeroDivisionError):
        async with doors.database.transaction(everyone=WHY) as db:
            link = await links.issue(db, LinkPurpose.SIGN_UP, email=address, locale="en", secret=SECRET)
            await mails.send_later(db, doors.jobs, link, LinkPurpose.SIGN_UP)
            raise ZeroDivisionError
    assert await doors.letters_to(address) == []


async def test_no_mail_repeats_a_hostile_name(doors: Doors) -> None:
    person = await new_person(doors.database, "Alice", credits=0)
    await set_user(doors.database, person, name="<script>alert(1)</script> call +49 30 1234567 now")
    link = await issue(doors.database, LinkPurpose.CHANGE_EMAIL, user=person.id, email=new_address())
    for mail in await send(doors.database, link, LinkPurpose.CHANGE_EMAIL):
        assert "script" not in text_of(mail.words) + html_of(mail.words, mail.language)
