"""What people change of themselves: words that are checked, a password that ends what the old one opened, an address
that counts when its mail was read."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from talktime.accounts import links, passwords, profile, sessions, sign_in
from talktime.accounts.addresses import NoAddress
from talktime.accounts.links import LinkSpent
from talktime.accounts.models import LinkPurpose
from talktime.accounts.passwords import BadPassword
from talktime.accounts.profile import AddressTaken, NoLocale, NoName, NoZone, SameAddress
from talktime.accounts.sessions import ConfirmFirst, Identity, OwnerOnly, SignInAgain
from talktime.accounts.sign_in import WrongPassword
from talktime.accounts.throttle import TooManyTries
from talktime.db import embedded
from talktime.db.session import Database
from tests.accounts.doors import (
    BETTER,
    GOOD,
    HERE,
    SECRET,
    Doors,
    acts_of,
    age_links,
    age_sessions,
    age_throttles,
    come_in,
    entries_of,
    give_password,
    new_address,
    notices_of,
    set_user,
    token_in,
    user_of,
    who,
)
from tests.people import WHY, Person, new_person


@pytest.fixture
async def nora(doors: Doors) -> Person:
    """A customer in the database in which mails are delivered."""
    person = await new_person(doors.database, "Nora", credits=0)
    await give_password(doors.database, person)
    await age_throttles(doors.database, timedelta(hours=3))
    return person


async def change(database: Database, identity: Identity, **said: str) -> None:
    async with database.transaction(everyone=profile.WHY) as db:
        await profile.change(db, identity, **{"name": "Alice", "locale": "en", "zone": "Europe/Berlin", **said})


async def ask(doors: Doors, identity: Identity, email: str) -> None:
    await profile.ask_new_email(doors.database, doors.jobs, SECRET, identity, email, address=HERE)


async def link_to(doors: Doors, identity: Identity, email: str) -> str:
    """The token that arrived at a new address."""
    await ask(doors, identity, email)
    return token_in((await doors.letters_to(email.strip().lower()))[-1])


async def test_name_language_and_zone_are_what_was_said_last(database: Database, alice: Person) -> None:
    token, identity = await come_in(database, alice)
    await change(database, identity, name="  Zoë  O'Hara ", locale="de", zone="Pacific/Auckland")
    changed = await who(database, token)
    assert changed is not None
    assert (changed.name, changed.locale, changed.zone) == ("Zoë O'Hara", "de", "Pacific/Auckland")
    entry = (await entries_of(database, alice))[-1]
    assert (entry.act, entry.actor_id) == ("user.changed", alice.id)
    assert entry.before == {"locale": "en", "zone": "Europe/Berlin"}
    assert entry.after == {"locale": "de", "zone": "Pacific/Auckland"}
    assert "Zoë" not in str(entry), "a name is nothing that could be forgotten there"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"name": ""}, NoName),
        ({"name": "\t"}, NoName),
        ({"name": "a\r\nBcc: eve@example.org"}, NoName),
        ({"name": "a\0b"}, NoName),
        ({"name": "\u2066hidden\u2069"}, NoName),
        ({"name": "x" * 81}, NoName),
        ({"name": "\ud800"}, NoName),
        ({"locale": ""}, NoLocale),
        ({"locale": "fr"}, NoLocale),
        ({"locale": "DE"}, NoLocale),
        ({"zone": ""}, NoZone),
        ({"zone": "europe/berlin"}, NoZone),
        ({"zone": "CEST5"}, NoZone),
        ({"zone": "UTC+3"}, NoZone),
        ({"zone": "posixrules"}, NoZone),
        ({"zone": "/etc/localtime"}, NoZone),
        ({"zone": "Europe/Berlin\0"}, NoZone),
        ({"zone": "' || now() || '"}, NoZone),
    ],
    ids=ascii,
)
async def test_words_that_cannot_be_right_change_nothing(
    database: Database, alice: Person, said: dict[str, str], error: type[Exception]
) -> None:
    _, identity = await come_in(database, alice)
    before = await user_of(database, alice)
    with pytest.raises(error) as refused:
        await change(database, identity, **said)
    assert getattr(refused.value, "field", None) == next(iter(said))
    assert await user_of(database, alice) == before


async def test_a_zone_that_the_database_does_not_know_is_refused_by_name(
    database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, identity = await come_in(database, alice)
    monkeypatch.setattr(profile, "_zones", lambda: frozenset({"Moon/Tranquility"}))
    with pytest.raises(NoZone):
        await change(database, identity, zone="Moon/Tranquility")


async def test_every_zone_that_can_be_chosen_is_one_that_the_database_knows(database: Database) -> None:
    async with database.transaction(everyone=WHY) as db:
        known = set(await db.scalars(text("SELECT name FROM pg_timezone_names")))
    # A list may be newer than the other; then the database has the last word, and it is hardly ever needed.
    assert len(profile._zones() - known) < 5


async def test_an_operator_in_somebodys_place_may_change_words_and_it_says_so(
    database: Database, alice: Person, ada: Person
) -> None:
    _, visit = await come_in(database, alice, actor=ada)
    await change(database, visit, name="Alicia")
    assert (await entries_of(database, alice))[-1].actor_id == ada.id


async def test_a_new_password_ends_every_other_session_and_every_link_and_this_browsers_old_token(
    database: Database, alice: Person
) -> None:
    email = await give_password(database, alice)
    other, _ = await come_in(database, alice)
    token, identity = await come_in(database, alice)
    async with database.transaction(everyone=WHY) as db:
        reset = await links.issue(db, LinkPurpose.RESET, user=alice.id)
        change_email = await links.issue(db, LinkPurpose.CHANGE_EMAIL, user=alice.id, email=new_address())
        sign_in_link = await sessions.make_link_token(db, alice.id)
    fresh = await profile.change_password(database, SECRET, identity, GOOD, BETTER, address=HERE)
    assert fresh != token
    assert [await who(database, each) for each in (token, other)] == [None, None]
    kept = await who(database, fresh)
    assert kept is not None and kept.session_id == identity.session_id
    async with database.transaction(everyone=WHY) as db:
        for left in (reset.token, change_email.token, sign_in_link):
            assert await links.look(db, left, *LinkPurpose) is None
    with pytest.raises(sign_in.WrongSignIn):
        await sign_in.sign_in(database, SECRET, email, GOOD, address=HERE, browser=None)
    await sign_in.sign_in(database, SECRET, email, BETTER, address=HERE, browser=None)
    entry = next(entry for entry in await entries_of(database, alice) if entry.act == "password.changed")
    assert entry.after == {"sessions": 1, "links": 3}
    assert await notices_of(database, alice) == ["password_changed"]


async def test_without_the_old_password_there_is_no_new_one(database: Database, alice: Person) -> None:
    await give_password(database, alice)
    before = (await user_of(database, alice)).password_hash
    token, identity = await come_in(database, alice)
    for wrong in ("", BETTER, GOOD + "\0"):
        with pytest.raises(WrongPassword) as refused:
            await profile.change_password(database, SECRET, identity, wrong, BETTER, address="203.0.113.31")
        assert refused.value.status == 403
    for bad in ("short", "password123", "Alice Alice Alice"):
        with pytest.raises(BadPassword):
            await profile.change_password(database, SECRET, identity, GOOD, bad, address="203.0.113.31")
    for _ in range(2):
        with pytest.raises(WrongPassword):
            await profile.change_password(database, SECRET, identity, BETTER, BETTER, address="203.0.113.31")
    with pytest.raises(TooManyTries):
        await profile.change_password(database, SECRET, identity, GOOD, BETTER, address="203.0.113.31")
    assert (await user_of(database, alice)).password_hash == before
    assert await who(database, token) is not None


async def test_an_operator_in_somebodys_place_changes_no_password_and_no_address(doors: Doors, nora: Person) -> None:
    ada = await new_person(doors.database, "Ada", credits=0, admin=True)
    _, visit = await come_in(doors.database, nora, actor=ada)
    with pytest.raises(OwnerOnly):
        await profile.change_password(doors.database, SECRET, visit, GOOD, BETTER, address=HERE)
    with pytest.raises(OwnerOnly):
        await ask(doors, visit, new_address())
    with pytest.raises(OwnerOnly):
        async with doors.database.transaction(everyone=WHY) as db:
            await profile.cancel_new_email(db, visit)


async def test_a_browser_that_was_signed_out_meanwhile_changes_no_password(database: Database, alice: Person) -> None:
    await give_password(database, alice)
    before = (await user_of(database, alice)).password_hash
    token, identity = await come_in(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await sessions.end(db, token)
    with pytest.raises(SignInAgain):
        await profile.change_password(database, SECRET, identity, GOOD, BETTER, address=HERE)
    assert (await user_of(database, alice)).password_hash == before


async def test_passwords_changed_reset_and_signed_out_at_once_end_in_one_of_them_without_an_error(
    database: Database, alice: Person
) -> None:
    hashed = await passwords.hash_of(BETTER)

    async def set_one(but: Any) -> None:
        async with database.transaction(everyone=WHY) as db:
            await profile.set_password(db, alice.id, hashed, act="password.changed", but=but)

    async def reset(token: str) -> None:
        async with database.transaction(everyone=WHY) as db:
            if await links.spend(db, token, LinkPurpose.RESET) is not None:
                await profile.set_password(db, alice.id, hashed, act="password.reset")

    async def sign_out(token: str) -> None:
        async with database.transaction(everyone=WHY) as db:
            await sessions.end(db, token)

    for _ in range(4):
        browsers = [await come_in(database, alice) for _ in range(3)]
        async with database.transaction(everyone=WHY) as db:
            tokens = [(await links.issue(db, LinkPurpose.RESET, user=alice.id)).token for _ in range(3)]
        await asyncio.gather(
            *(set_one(identity.session_id) for _, identity in browsers),
            *(reset(token) for token in tokens),
            *(sign_out(token) for token, _ in browsers),
        )


async def test_a_new_address_counts_when_its_mail_was_read(doors: Doors, nora: Person) -> None:
    database = doors.database
    browser, identity = await come_in(database, nora)
    old, new = identity.email, new_address()
    token = await link_to(doors, identity, f" {new.upper()} ")
    assert [mail.to for mail in doors.pigeon.sent[-2:]] == [(old,), (new,)], "the old one hears of it first"
    async with database.transaction(everyone=WHY) as db:
        assert await profile.asked_email(db, nora.id) == new
        reset = await links.issue(db, LinkPurpose.RESET, user=nora.id)
    assert (await user_of(database, nora)).email == old
    assert await profile.finish_new_email(database, token) == new
    row = await user_of(database, nora)
    assert row.email == new and row.email_confirmed_at is not None
    async with database.transaction(everyone=WHY) as db:
        assert await links.look(db, reset.token, LinkPurpose.RESET) is None, "what went to the old address is over"
        assert await profile.asked_email(db, nora.id) is None
    changed = await who(database, browser)
    assert changed is not None and changed.email == new
    await sign_in.sign_in(database, SECRET, new, GOOD, address=HERE, browser=None)
    with pytest.raises(sign_in.WrongSignIn):
        await sign_in.sign_in(database, SECRET, old, GOOD, address=HERE, browser=None)
    with pytest.raises(LinkSpent):
        await profile.finish_new_email(database, token)
    entry = next(entry for entry in await entries_of(database, nora) if entry.act == "email.changed")
    assert "example.org" not in str(entry.after)


async def test_an_address_of_somebody_else_gets_the_same_answer_and_never_becomes_ours(
    doors: Doors, nora: Person, server: embedded.Server
) -> None:
    database = doors.database
    other = await new_person(database, "Olga", credits=0)
    taken = (await user_of(database, other)).email
    _, identity = await come_in(database, nora)
    await ask(doors, identity, taken)
    [mail] = await doors.letters_to(taken)
    assert "have an account" in mail.words.subject and mail.words.link is not None
    assert "confirm-email" not in mail.words.link.url

    # Or somebody signs up with it between the asking and the reading.
    email = new_address()
    token = await link_to(doors, identity, email)
    await set_user(database, other, email=email)
    with pytest.raises(AddressTaken):
        await profile.finish_new_email(database, token)
    assert (await user_of(database, nora)).email == identity.email
    # An index that is violated is written into the server's own log, with what it was violated by.
    assert email not in (server.directory / "log" / "server.log").read_text()


async def test_two_people_who_confirm_the_same_address_at_once(doors: Doors, nora: Person) -> None:
    database, email = doors.database, new_address()
    other = await new_person(database, "Olga", credits=0)
    tokens = []
    for person in (nora, other):
        _, identity = await come_in(database, person)
        await ask(doors, identity, email)
    tokens = [token_in(mail) for mail in await doors.letters_to(email)]
    outcomes = await asyncio.gather(
        *(profile.finish_new_email(database, token) for token in tokens), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["AddressTaken", "str"], outcomes


async def test_one_link_used_twice_at_once_is_used_once(doors: Doors, nora: Person) -> None:
    _, identity = await come_in(doors.database, nora)
    token = await link_to(doors, identity, new_address())
    outcomes = await asyncio.gather(
        *(profile.finish_new_email(doors.database, token) for _ in range(5)), return_exceptions=True
    )
    assert sorted({type(each).__name__ for each in outcomes}) == ["LinkSpent", "str"]
    assert (await acts_of(doors.database, nora)).count("email.changed") == 1


async def test_asking_again_or_staying_ends_the_link_before(doors: Doors, nora: Person) -> None:
    database = doors.database
    _, identity = await come_in(database, nora)
    first = await link_to(doors, identity, new_address())
    second = await link_to(doors, identity, new_address())
    with pytest.raises(LinkSpent):
        await profile.finish_new_email(database, first)
    async with database.transaction(everyone=WHY) as db:
        await profile.cancel_new_email(db, identity)
        assert await profile.asked_email(db, nora.id) is None
    with pytest.raises(LinkSpent):
        await profile.finish_new_email(database, second)


async def test_a_link_to_a_new_address_ends_after_a_day(doors: Doors, nora: Person) -> None:
    _, identity = await come_in(doors.database, nora)
    email = new_address()
    token = await link_to(doors, identity, email)
    [mail] = doors.pigeon.to(email)
    await age_links(doors.database, mail.id, timedelta(days=1, seconds=5))
    with pytest.raises(LinkSpent):
        await profile.finish_new_email(doors.database, token)


async def test_the_same_address_is_asked_for_only_to_confirm_it(doors: Doors, nora: Person) -> None:
    database = doors.database
    _, identity = await come_in(database, nora)
    token = await link_to(doors, identity, identity.email)
    assert (await user_of(database, nora)).email_confirmed_at is None
    assert await profile.finish_new_email(database, token) == identity.email
    assert (await user_of(database, nora)).email_confirmed_at is not None
    with pytest.raises(SameAddress):
        await ask(doors, identity, identity.email.title())


async def test_a_new_address_asks_for_somebody_who_confirmed_lately_and_for_an_address(
    doors: Doors, nora: Person
) -> None:
    token, identity = await come_in(doors.database, nora)
    for wrong in ("", "nobody", "a@example.org\r\nBcc: eve@example.org", "a" * 300 + "@example.org"):
        with pytest.raises(NoAddress):
            await ask(doors, identity, wrong)
    await age_sessions(doors.database, nora, timedelta(minutes=16))
    late = await who(doors.database, token)
    assert late is not None
    with pytest.raises(ConfirmFirst):
        await ask(doors, late, new_address())


async def test_nobody_floods_a_strangers_mailbox_by_asking_for_their_address(doors: Doors, nora: Person) -> None:
    _, identity = await come_in(doors.database, nora)
    victim = new_address()
    for _ in range(3):
        await ask(doors, identity, victim)
    with pytest.raises(TooManyTries):
        await ask(doors, identity, victim)
    await doors.delivered()
    assert len(doors.pigeon.to(victim)) <= 3
