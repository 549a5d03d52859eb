"""Making an account and choosing a new password: where the mail is read, once, and nobody learns who has one."""

import asyncio
import statistics
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from talktime.accounts import links, passwords, profile, sign_in, sign_up, throttle
from talktime.accounts.addresses import NoAddress, look_up_key, read_address
from talktime.accounts.links import Issued, LinkSpent
from talktime.accounts.models import LinkPurpose, Role
from talktime.accounts.passwords import AboutYou, BadPassword, TooShort
from talktime.accounts.sign_in import SignedIn
from talktime.accounts.sign_up import HasAccount
from talktime.accounts.throttle import TooManyTries
from talktime.db.session import Database
from talktime.jobs import Jobs
from tests.accounts.doors import (
    BETTER,
    GOOD,
    HERE,
    SECRET,
    Doors,
    acts_of,
    age_links,
    age_throttles,
    code_of,
    come_in,
    entries_of,
    give_password,
    give_second_factor,
    new_address,
    notices_of,
    set_user,
    statements,
    token_in,
    user_of,
    who,
    who_waits,
    words_in,
)
from tests.people import WHY, Person, new_person

WORDS: dict[str, Any] = {"name": "Nora", "password": GOOD, "locale": "de", "zone": "Europe/Vienna"}


async def ask(doors: Doors, email: str, *, locale: str = "de", address: str = HERE) -> None:
    await age_throttles(doors.database, timedelta(minutes=3))
    await sign_up.ask(doors.database, doors.jobs, SECRET, email, locale=locale, address=address)


async def ask_reset(doors: Doors, email: str, *, address: str = HERE) -> None:
    await age_throttles(doors.database, timedelta(minutes=3))
    await sign_up.ask_reset(doors.database, doors.jobs, SECRET, email, address=address)


async def finish(doors: Doors, token: str, *, address: str = HERE, **said: Any) -> str:
    return await sign_up.finish(doors.database, SECRET, token, **{**WORDS, **said}, address=address, browser="Firefox")


async def finish_reset(doors: Doors, token: str, password: str = BETTER, *, address: str = HERE) -> SignedIn:
    return await sign_up.finish_reset(
        doors.database, SECRET, token, password=password, address=address, browser="Firefox"
    )


async def invite(doors: Doors, role: Role = Role.USER, **more: Any) -> Issued:
    async with doors.database.transaction(everyone=WHY) as db:
        return await links.issue(db, LinkPurpose.INVITE, role=role, **more)


async def somebody(doors: Doors, **values: Any) -> tuple[Person, str]:
    """A customer with a password, and their address."""
    person = await new_person(doors.database, "Alice", credits=0)
    email = await give_password(doors.database, person)
    if values:
        await set_user(doors.database, person, **values)
    return person, email


async def row_of(doors: Doors, email: str) -> Any:
    async with doors.database.transaction(everyone=WHY) as db:
        return (await db.execute(text("SELECT * FROM users WHERE email = :email"), {"email": email})).one_or_none()


async def test_from_the_address_alone_to_a_signed_in_browser(doors: Doors) -> None:
    email = new_address()
    await ask(doors, email.upper())
    assert await row_of(doors, email) is None, "nothing is made before the mail was read"
    [mail] = await doors.letters_to(email)
    token = await finish(doors, token_in(mail))
    identity = await who(doors.database, token)
    assert identity is not None
    assert (identity.email, identity.name, identity.locale, identity.zone, identity.role) == (
        email,
        "Nora",
        "de",
        "Europe/Vienna",
        Role.USER,
    )
    made = await row_of(doors, email)
    assert made.email_confirmed_at is not None and GOOD not in str(made)
    began = await sign_in.sign_in(doors.database, SECRET, email, GOOD, address=HERE, browser=None)
    assert not began.second_factor_due
    async with doors.database.transaction(everyone=WHY) as db:
        acts = list(
            await db.scalars(text("SELECT act FROM audit_entries WHERE user_id = :u ORDER BY seq"), {"u": made.id})
        )
    assert acts == ["user.made", "session.began", "session.began"]


async def test_an_address_with_an_account_gets_the_same_answer_and_another_mail(doors: Doors) -> None:
    person, email = await somebody(doors, locale="en")
    before = await user_of(doors.database, person)
    await age_throttles(doors.database, timedelta(minutes=3))
    with statements(doors.database) as known:
        await sign_up.ask(doors.database, doors.jobs, SECRET, email, locale="de", address=HERE)
    with statements(doors.database) as unknown:
        await sign_up.ask(doors.database, doors.jobs, SECRET, new_address(), locale="de", address=HERE)
    assert [each.split("(")[0] for each in known] == [each.split("(")[0] for each in unknown]
    [mail] = await doors.letters_to(email)
    assert "have an account" in mail.words.subject and mail.language == "en"
    assert mail.words.link is not None and mail.words.link.url.endswith("/sign-in")
    assert "/reset" in words_in(mail) and "/welcome/" not in words_in(mail)
    assert await user_of(doors.database, person) == before


async def test_a_link_works_once_and_of_two_at_once_one_makes_the_account(doors: Doors) -> None:
    email = new_address()
    await ask(doors, email)
    [mail] = await doors.letters_to(email)
    outcomes = await asyncio.gather(*(finish(doors, token_in(mail)) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, str) for each in outcomes) == 1, outcomes
    assert all(isinstance(each, str | LinkSpent) for each in outcomes), outcomes
    with pytest.raises(LinkSpent) as spent:
        await finish(doors, token_in(mail))
    assert spent.value.status == 410


async def test_two_links_of_one_address_make_one_account(doors: Doors) -> None:
    email = new_address()
    await ask(doors, email)
    await ask(doors, email)
    tokens = [token_in(mail) for mail in await doors.letters_to(email)]
    outcomes = await asyncio.gather(*(finish(doors, token) for token in tokens), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["HasAccount", "str"]


async def test_what_is_wrong_with_the_words_leaves_the_link_as_it_was(doors: Doors) -> None:
    email = new_address()
    await ask(doors, email)
    [mail] = await doors.letters_to(email)
    wrong: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"name": ""}, profile.NoName),
        ({"name": "  "}, profile.NoName),
        ({"name": "Nora\nBcc: eve@example.org"}, profile.NoName),
        ({"name": "x" * 81}, profile.NoName),
        ({"name": "\u202eevil"}, profile.NoName),
        ({"name": "\u3164"}, profile.NoName),
        ({"name": "\u2800 \ufe0f"}, profile.NoName),
        ({"locale": "xx"}, profile.NoLocale),
        ({"locale": "../de"}, profile.NoLocale),
        ({"zone": "Europe/Atlantis"}, profile.NoZone),
        ({"zone": "../../etc/passwd"}, profile.NoZone),
        ({"zone": "localtime"}, profile.NoZone),
        ({"password": "short"}, TooShort),
        ({"password": email}, AboutYou),
        ({"password": "password123"}, BadPassword),
    ]
    for number, (said, error) in enumerate(wrong):
        with pytest.raises(error):
            await finish(doors, token_in(mail), address=f"10.2.{number}.1", **said)
    assert await row_of(doors, email) is None
    assert await finish(doors, token_in(mail))


async def test_a_link_that_is_too_old_makes_nothing(doors: Doors) -> None:
    email = new_address()
    await ask(doors, email)
    [mail] = await doors.letters_to(email)
    await age_links(doors.database, mail.id, timedelta(days=3, minutes=1))
    with pytest.raises(LinkSpent):
        await finish(doors, token_in(mail))
    for token in ("", "x", "\0", "ü" * 999):
        with pytest.raises(LinkSpent):
            await finish(doors, token)


async def test_a_link_for_something_else_makes_no_account(doors: Doors) -> None:
    _, email = await somebody(doors)
    await ask_reset(doors, email)
    [mail] = await doors.letters_to(email)
    with pytest.raises(LinkSpent):
        await finish(doors, token_in(mail))
    other = new_address()
    await ask(doors, other)
    [mail] = await doors.letters_to(other)
    with pytest.raises(LinkSpent):
        await finish_reset(doors, token_in(mail))


async def test_an_invitation_without_an_address_takes_the_one_that_is_typed_unconfirmed(doors: Doors) -> None:
    ada = await new_person(doors.database, "Ada", credits=0, admin=True)
    issued, email = await invite(doors, Role.ADMIN, made_by=ada.id), new_address()
    for wrong in ("", "nobody", "a@b\r\nBcc: c@example.org"):
        with pytest.raises(NoAddress):
            await finish(doors, issued.token, email=wrong)
    identity = await who(doors.database, await finish(doors, issued.token, email=f" {email.upper()} "))
    assert identity is not None and (identity.email, identity.role) == (email, Role.ADMIN)
    assert (await row_of(doors, email)).email_confirmed_at is None
    with pytest.raises(LinkSpent):
        await finish(doors, issued.token, email=new_address())


async def test_an_invitation_to_an_address_is_for_that_address(doors: Doors) -> None:
    email = new_address()
    issued = await invite(doors, email=email, locale="de")
    identity = await who(doors.database, await finish(doors, issued.token, email="other@example.org"))
    assert identity is not None and (identity.email, identity.role) == (email, Role.USER)
    assert (await row_of(doors, email)).email_confirmed_at is not None


async def test_an_invitation_does_not_take_somebodys_address_over(doors: Doors) -> None:
    person, email = await somebody(doors)
    before = await user_of(doors.database, person)
    issued = await invite(doors)
    with pytest.raises(HasAccount):
        await finish(doors, issued.token, email=email.title())
    assert await user_of(doors.database, person) == before
    assert await finish(doors, issued.token, email=new_address()), "the link is still good"


async def test_who_invited_stands_in_the_log(doors: Doors) -> None:
    ada = await new_person(doors.database, "Ada", credits=0, admin=True)
    issued = await invite(doors, made_by=ada.id)
    identity = await who(doors.database, await finish(doors, issued.token, email=new_address()))
    assert identity is not None
    async with doors.database.transaction(everyone=WHY) as db:
        after = await db.scalar(
            text("SELECT after FROM audit_entries WHERE user_id = :u AND act = 'user.made'"), {"u": identity.user_id}
        )
    assert after == {"role": "USER", "link": str(issued.id), "invited_by": str(ada.id)}


async def test_three_mails_to_an_address_then_one_waits_whether_it_has_an_account_or_not(doors: Doors) -> None:
    _, known = await somebody(doors)
    for email in (known, new_address()):
        for number in range(3):
            await sign_up.ask(doors.database, doors.jobs, SECRET, email, locale="en", address=f"10.3.{number}.1")
        with pytest.raises(TooManyTries):
            await sign_up.ask(doors.database, doors.jobs, SECRET, email, locale="en", address="10.3.9.1")
        with pytest.raises(TooManyTries):
            await sign_up.ask(doors.database, doors.jobs, SECRET, email.upper(), locale="en", address="10.3.9.2")
        assert len(await doors.letters_to(email)) == 3


async def test_whoever_has_mails_sent_to_somebody_keeps_them_from_no_way_in(doors: Doors) -> None:
    _, email = await somebody(doors)
    for _ in range(3):
        await sign_up.ask(doors.database, doors.jobs, SECRET, email, locale="en", address="203.0.113.30")
    with pytest.raises(TooManyTries):
        await sign_up.ask(doors.database, doors.jobs, SECRET, email, locale="en", address="203.0.113.31")
    await sign_up.ask_reset(doors.database, doors.jobs, SECRET, email, address=HERE)
    mails = await doors.letters_to(email)
    assert sum("/reset/" in (mail.words.link.url if mail.words.link else "") for mail in mails) == 1


async def test_twenty_mails_from_a_network_at_once_then_it_waits(doors: Doors) -> None:
    addresses = [new_address() for _ in range(30)]
    outcomes = await asyncio.gather(
        *(
            sign_up.ask(doors.database, doors.jobs, SECRET, email, locale="en", address="203.0.113.200")
            for email in addresses
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(each, TooManyTries) for each in outcomes) == 10
    await doors.delivered()
    assert sum(len(doors.pigeon.to(email)) for email in addresses) == 20


HOSTILE = [
    "",
    "@",
    "nobody",
    "a@b",
    "a b@example.org",
    "a@example.org\r\nBcc: eve@example.org",
    "a@example.org\nSubject: x",
    "a@example.org\0",
    "a@exam\x7fple.org",
    "a@example.org, eve@example.org",
    "a@example.org;eve@example.org",
    "<a@example.org>",
    "Alice <a@example.org>",
    '"a b"@example.org',
    "a@[127.0.0.1]",
    "a@-example.org",
    "a@example..org",
    ".a@example.org",
    "a..b@example.org",
    "a@" + "b" * 64 + ".org",
    "a" * 250 + "@example.org",
    "a\u202e@example.org",
    "a\u200b@example.org",
    "a\u00ad@example.org",
    "a\ufe0f@example.org",
    "a\u034f@example.org",
    "a\u3164@example.org",
    "a\u2800@example.org",
    "a@example.org.",
    "a@example.org\u3002",
    "a\ue000@example.org",
    "\ud800@example.org",
    "a" * 1_000_000,
]


@pytest.mark.parametrize("email", HOSTILE, ids=lambda email: ascii(email)[:30])
async def test_what_is_no_address_gets_no_mail_and_leaves_no_trace(doors: Doors, email: str) -> None:
    with statements(doors.database) as seen:
        with pytest.raises(NoAddress):
            await sign_up.ask(doors.database, doors.jobs, SECRET, email, locale="en", address=HERE)
        with pytest.raises(NoAddress):
            await sign_up.ask_reset(doors.database, doors.jobs, SECRET, email, address=HERE)
    assert seen == []
    assert len(look_up_key(email)) <= 254


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Alice@Example.ORG ", "alice@example.org"),
        ("alice+flowers@example.org", "alice+flowers@example.org"),
        ("o'hara@example.org", "o'hara@example.org"),
        ("alice@München.de", "alice@xn--mnchen-3ya.de"),
        ("alice@XN--MNCHEN-3YA.de", "alice@xn--mnchen-3ya.de"),
        ("alice@straße.de", "alice@xn--strae-oqa.de"),
        ("jürgen@example.org", "jürgen@example.org"),
        ("JU\u0308RGEN@example.org", "jürgen@example.org"),
        ("alice@例え.jp", "alice@xn--r8jz45g.jp"),
        ("alice@EXAMPLE．org", "alice@example.org"),
        ("\u212aelvin@example.org", "kelvin@example.org"),
    ],
)
async def test_two_spellings_of_one_mailbox_are_one_address(typed: str, kept: str) -> None:
    assert read_address(typed) == kept == read_address(kept) == look_up_key(typed)


@given(local=st.text(min_size=1, max_size=30), domain=st.sampled_from(["example.org", "Straße.DE", "例え.jp", "x.İo"]))
def test_an_address_that_is_kept_is_its_own_spelling_and_holds_nothing_that_ends_a_line(
    local: str, domain: str
) -> None:
    typed = f"{local}@{domain}"
    try:
        kept = read_address(typed)
    except NoAddress:
        assert len(look_up_key(typed)) <= 254
        return
    assert read_address(kept) == kept == look_up_key(typed)
    assert kept.partition("@")[2].isascii() and kept == kept.lower()
    assert not any(char.isspace() or not char.isprintable() for char in kept)


async def test_a_new_password_ends_every_session_and_every_link_and_signs_in(doors: Doors) -> None:
    person, email = await somebody(doors)
    old, _ = await come_in(doors.database, person)
    await ask_reset(doors, email.upper())
    await ask_reset(doors, email)
    first, second = [token_in(mail) for mail in await doors.letters_to(email)]
    began = await finish_reset(doors, first)
    assert not began.second_factor_due
    identity = await who(doors.database, began.token)
    assert identity is not None and identity.user_id == person.id
    assert await who(doors.database, old) is None
    for spent in (first, second):
        with pytest.raises(LinkSpent):
            await finish_reset(doors, spent)
    with pytest.raises(sign_in.WrongSignIn):
        await sign_in.sign_in(doors.database, SECRET, email, GOOD, address=HERE, browser=None)
    await sign_in.sign_in(doors.database, SECRET, email, BETTER, address=HERE, browser=None)
    assert "password.reset" in await acts_of(doors.database, person)
    assert await notices_of(doors.database, person) == ["password_changed"]
    assert (await user_of(doors.database, person)).email_confirmed_at is not None


async def test_a_new_password_does_not_stand_in_for_the_second_factor(doors: Doors) -> None:
    person, email = await somebody(doors)
    key, _ = await give_second_factor(doors.database, person)
    await ask_reset(doors, email)
    [mail] = await doors.letters_to(email)
    began = await finish_reset(doors, token_in(mail))
    assert began.second_factor_due
    assert await who(doors.database, began.token) is None
    assert await who_waits(doors.database, began.token) is not None
    assert await sign_in.second_factor(doors.database, SECRET, began.token, code_of(key), address=HERE)


async def test_a_password_that_is_refused_leaves_the_reset_link_as_it_was(doors: Doors) -> None:
    person, email = await somebody(doors)
    kept = (await user_of(doors.database, person)).password_hash
    await ask_reset(doors, email)
    [mail] = await doors.letters_to(email)
    for bad in ("short", "password123", email):
        with pytest.raises(BadPassword):
            await finish_reset(doors, token_in(mail), bad)
    assert (await user_of(doors.database, person)).password_hash == kept
    outcomes = await asyncio.gather(*(finish_reset(doors, token_in(mail)) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, SignedIn) for each in outcomes) == 1, outcomes
    assert all(isinstance(each, SignedIn | LinkSpent) for each in outcomes), outcomes


async def test_a_reset_link_ends_after_two_hours(doors: Doors) -> None:
    _, email = await somebody(doors)
    await ask_reset(doors, email)
    [mail] = await doors.letters_to(email)
    await age_links(doors.database, mail.id, timedelta(hours=2, seconds=5))
    with pytest.raises(LinkSpent):
        await finish_reset(doors, token_in(mail))


async def test_who_has_no_password_yet_chooses_the_first_by_the_same_way(doors: Doors) -> None:
    person = await new_person(doors.database, "Alice", credits=0)
    email = (await user_of(doors.database, person)).email
    await ask_reset(doors, email)
    [mail] = await doors.letters_to(email)
    await finish_reset(doors, token_in(mail), GOOD)
    await sign_in.sign_in(doors.database, SECRET, email, GOOD, address=HERE, browser=None)


async def test_what_an_operator_printed_resets_the_password_and_confirms_no_address(doors: Doors) -> None:
    ada = await new_person(doors.database, "Ada", credits=0, admin=True)
    person, _ = await somebody(doors)
    async with doors.database.transaction(everyone=WHY) as db:
        issued = await links.issue(db, LinkPurpose.RESET, user=person.id, made_by=ada.id)
    await finish_reset(doors, issued.token)
    assert (await user_of(doors.database, person)).email_confirmed_at is None


async def test_nobody_learns_by_asking_for_a_new_password_who_has_an_account(doors: Doors) -> None:
    _, known = await somebody(doors)
    _, suspended = await somebody(doors, status="SUSPENDED")
    _, closed = await somebody(doors, status="CLOSED")
    unknown = new_address()
    seen = {}
    for email in (known, suspended, closed, unknown):
        await age_throttles(doors.database, timedelta(minutes=3))
        with statements(doors.database) as asked:
            await sign_up.ask_reset(doors.database, doors.jobs, SECRET, email, address=HERE)
        seen[email] = len(asked)
    assert len(set(seen.values())) == 1, seen
    assert len(await doors.letters_to(known)) == 1
    for email in (suspended, closed, unknown):
        assert await doors.letters_to(email) == []
    async with doors.database.transaction(everyone=WHY) as db:
        left = await db.scalar(
            text("SELECT count(*) FROM account_links WHERE email = ANY(:them)"), {"them": [suspended, closed, unknown]}
        )
    assert left == 0, "nothing of an address without an account is kept"


async def test_how_long_asking_takes_does_not_tell_either(empty_database: Database) -> None:
    database, jobs = empty_database, Jobs("postgresql://nobody@127.0.0.1:1/nothing")  # it only enqueues
    known = await give_password(database, await new_person(database, "Alice", credits=0))
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(120):
        for is_known in (True, False) if number % 2 else (False, True):
            await age_throttles(database, timedelta(hours=2))
            email = known if is_known else new_address()
            began = time.perf_counter()
            await sign_up.ask_reset(database, jobs, SECRET, email, address=HERE)
            times[is_known].append(time.perf_counter() - began)
    of_known, of_unknown = (statistics.median(times[is_known]) for is_known in (True, False))
    assert abs(of_known - of_unknown) < max(0.003, 0.35 * of_unknown), (of_known, of_unknown)


async def test_no_transaction_is_open_while_a_new_password_is_judged_and_hashed(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        issued = await links.issue(db, LinkPurpose.INVITE, role=Role.USER)
    seen: list[int] = []
    hash_of = passwords.hash_of

    async def look_and_hash(password: str) -> str:
        async with empty_database.transaction(everyone=WHY) as db:
            await db.execute(text("RESET ROLE"))
            seen.append(
                await db.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
                    )
                )
            )
        return await hash_of(password)

    monkeypatch.setattr(passwords, "hash_of", look_and_hash)
    await sign_up.finish(empty_database, SECRET, issued.token, **WORDS, email=new_address(), address=HERE, browser=None)
    assert seen == [0]


async def test_refused_tries_of_a_reset_stand_in_no_log_with_the_address(doors: Doors) -> None:
    person, email = await somebody(doors)
    await ask_reset(doors, email)
    [entry] = await entries_of(doors.database, person)
    assert (entry.act, entry.actor_id) == ("link.issued", None)
    assert email not in str(entry)


async def test_who_made_an_account_or_set_a_password_has_not_tried_in_vain(doors: Doors) -> None:
    """A whole office comes by one address."""
    office = "203.0.113.77"
    for _ in range(2):
        email = new_address()
        await ask(doors, email)
        [mail] = await doors.letters_to(email)
        await finish(doors, token_in(mail), address=office)
        await ask_reset(doors, email)
        token = token_in((await doors.letters_to(email))[-1])
        with pytest.raises(TooShort):
            await finish_reset(doors, token, "short", address=office)
        await finish_reset(doors, token, address=office)
    # Two were refused; what was right is not counted.
    async with doors.database.transaction(everyone=WHY) as db:
        for _ in range(throttle.NETWORK.size - 2):
            await throttle.pour(db, SECRET, [(throttle.NETWORK, office)])
