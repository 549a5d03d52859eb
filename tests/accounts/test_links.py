"""One-time links: each works once, for what it was made for, for so long, and while whoever made it may."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from talktime.accounts import links, sessions
from talktime.accounts.links import Issued
from talktime.accounts.models import Link, LinkPurpose, Role
from talktime.db.session import Database
from tests.accounts.doors import SECRET, age_links, entries_of, give_second_factor, set_user, who, who_waits
from tests.people import WHY, Person, new_person

EVERY = tuple(LinkPurpose)


async def issue(database: Database, purpose: LinkPurpose, **more: Any) -> Issued:
    async with database.transaction(everyone=WHY) as db:
        return await links.issue(db, purpose, **more)


async def made_for(database: Database, purpose: LinkPurpose, person: Person, **more: Any) -> Issued:
    """A link of this purpose, with what each purpose needs."""
    match purpose:
        case LinkPurpose.SIGN_UP:
            return await issue(database, purpose, email="new@example.org", locale="de", **more)
        case LinkPurpose.INVITE:
            return await issue(database, purpose, role=Role.USER, **more)
        case LinkPurpose.CHANGE_EMAIL:
            return await issue(database, purpose, user=person.id, email="new@example.org", **more)
        case _:
            return await issue(database, purpose, user=person.id, **more)


async def look(database: Database, token: str, *purposes: LinkPurpose) -> Link | None:
    async with database.transaction(everyone=WHY) as db:
        return await links.look(db, token, *(purposes or EVERY))


async def spend(database: Database, token: str, *purposes: LinkPurpose) -> Link | None:
    async with database.transaction(everyone=WHY) as db:
        return await links.spend(db, token, *(purposes or EVERY))


@pytest.mark.parametrize("purpose", EVERY)
async def test_looking_spends_nothing_and_spending_works_once(
    database: Database, alice: Person, purpose: LinkPurpose
) -> None:
    issued = await made_for(database, purpose, alice)
    for _ in range(3):
        looked = await look(database, issued.token, purpose)
        assert looked is not None and (looked.id, looked.purpose, looked.used_at) == (issued.id, purpose, None)
    spent = await spend(database, issued.token, purpose)
    assert spent is not None and spent.id == issued.id and spent.used_at is not None
    assert await spend(database, issued.token, purpose) is None
    assert await look(database, issued.token, purpose) is None


@pytest.mark.parametrize("purpose", EVERY)
async def test_a_link_is_good_for_nothing_else(database: Database, alice: Person, purpose: LinkPurpose) -> None:
    issued = await made_for(database, purpose, alice)
    others = [other for other in EVERY if other is not purpose]
    assert await look(database, issued.token, *others) is None
    assert await spend(database, issued.token, *others) is None
    assert await spend(database, issued.token, purpose) is not None


@pytest.mark.parametrize("purpose", EVERY)
async def test_a_link_ends_when_its_time_is_over(database: Database, alice: Person, purpose: LinkPurpose) -> None:
    issued = await made_for(database, purpose, alice)
    await age_links(database, issued.id, links.LASTS[purpose] - timedelta(minutes=1))
    assert await look(database, issued.token, purpose) is not None
    await age_links(database, issued.id, timedelta(minutes=2))
    assert await look(database, issued.token, purpose) is None
    assert await spend(database, issued.token, purpose) is None


@pytest.mark.parametrize("purpose", EVERY)
async def test_of_any_number_who_spend_a_link_at_once_one_does(
    database: Database, alice: Person, purpose: LinkPurpose
) -> None:
    issued = await made_for(database, purpose, alice)
    spent = await asyncio.gather(*(spend(database, issued.token, purpose) for _ in range(12)))
    assert sum(link is not None for link in spent) == 1


async def test_what_is_rolled_back_leaves_the_link_as_it_was(database: Database, alice: Person) -> None:
    issued = await made_for(database, LinkPurpose.RESET, alice)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction(everyone=WHY) as db:
            assert await links.spend(db, issued.token, LinkPurpose.RESET) is not None
            raise ZeroDivisionError
    assert await spend(database, issued.token) is not None


@pytest.mark.parametrize("token", ["", "x", "\0", "ü" * 300, "' OR 1=1 --", "A" * 43], ids=ascii)
async def test_a_made_up_token_finds_nothing(database: Database, token: str) -> None:
    assert await look(database, token) is None
    assert await spend(database, token) is None


async def test_of_a_token_only_the_hash_is_stored_and_with_a_secret_it_follows_from_the_id(
    database: Database, alice: Person
) -> None:
    random = await made_for(database, LinkPurpose.RESET, alice)
    signed = await made_for(database, LinkPurpose.RESET, alice, secret=SECRET)
    assert links.token_of(SECRET, signed.id) == signed.token
    assert links.token_of(SECRET, random.id) != random.token
    assert links.token_of(b"another secret", signed.id) != signed.token
    assert random.token not in repr(random)
    async with database.transaction(everyone=WHY) as db:
        rows = list(await db.scalars(text("SELECT l::text FROM account_links l WHERE user_id = :u"), {"u": alice.id}))
    assert len(rows) == 2 and not any(each.token in row for each in (random, signed) for row in rows)


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
@pytest.mark.parametrize("purpose", [LinkPurpose.SIGN_IN, LinkPurpose.RESET, LinkPurpose.CHANGE_EMAIL])
async def test_a_link_of_somebody_who_may_not_come_in_opens_nothing(
    database: Database, alice: Person, purpose: LinkPurpose, status: str
) -> None:
    issued = await made_for(database, purpose, alice)
    await set_user(database, alice, status=status)
    assert await look(database, issued.token) is None
    assert await spend(database, issued.token) is None
    await set_user(database, alice, status="ACTIVE")
    assert await spend(database, issued.token) is not None, "looking and failing spent nothing"


@pytest.mark.parametrize("now", [{"status": "SUSPENDED"}, {"status": "CLOSED"}, {"role": "USER"}], ids=str)
async def test_an_invitation_ends_with_the_right_of_whoever_made_it(
    database: Database, ada: Person, now: dict[str, str]
) -> None:
    issued = await issue(database, LinkPurpose.INVITE, role=Role.ADMIN, made_by=ada.id)
    assert await look(database, issued.token) is not None
    await set_user(database, ada, **now)
    assert await look(database, issued.token) is None
    assert await spend(database, issued.token) is None


async def test_links_of_a_user_are_taken_back_and_nobody_elses(database: Database, alice: Person, bob: Person) -> None:
    alices = [await made_for(database, purpose, alice) for purpose in (LinkPurpose.RESET, LinkPurpose.CHANGE_EMAIL)]
    bobs = await made_for(database, LinkPurpose.RESET, bob)
    used = await made_for(database, LinkPurpose.RESET, alice)
    await spend(database, used.token)
    async with database.transaction(everyone=WHY) as db:
        assert await links.end_all(db, alice.id) == 2
    assert [await look(database, each.token) for each in alices] == [None, None]
    assert await look(database, bobs.token) is not None


async def test_each_link_of_somebody_stands_in_the_log_with_who_made_it(
    database: Database, alice: Person, ada: Person
) -> None:
    reset = await issue(database, LinkPurpose.RESET, user=alice.id)
    change = await issue(database, LinkPurpose.CHANGE_EMAIL, user=alice.id, email="new@example.org")
    visit = await issue(database, LinkPurpose.SIGN_IN, user=alice.id, made_by=ada.id)
    entries = await entries_of(database, alice)
    assert [(entry.act, entry.after["link"], entry.actor_id) for entry in entries] == [
        ("link.issued", str(reset.id), None),
        ("link.issued", str(change.id), alice.id),
        ("link.issued", str(visit.id), ada.id),
    ]
    invite = await issue(database, LinkPurpose.INVITE, role=Role.ADMIN, made_by=ada.id, email="new@example.org")
    [entry] = await entries_of(database, ada)
    assert entry.after == {"link": str(invite.id), "purpose": "INVITE", "role": "ADMIN"}


async def test_a_sign_in_link_begins_a_session_once(database: Database, alice: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.make_link_token(db, alice.id)
        assert await sessions.identify(db, token) is None
    begun = await asyncio.gather(*(_redeem(database, token) for _ in range(5)))
    [session] = [each for each in begun if each is not None]
    assert session != token
    identity = await who(database, session)
    assert identity is not None and identity.actor_id is None


async def test_a_sign_in_link_does_not_stand_in_for_the_second_factor(database: Database, alice: Person) -> None:
    await give_second_factor(database, alice)
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.make_link_token(db, alice.id)
    session = await _redeem(database, token)
    assert session is not None
    assert await who(database, session) is None
    assert await who_waits(database, session) is not None


async def test_a_link_that_an_operator_made_for_themselves_signs_them_in_as_that_user_within_ten_minutes(
    database: Database, alice: Person, ada: Person
) -> None:
    await give_second_factor(database, alice)
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.make_link_token(db, alice.id, visitor=ada.id)
        late = await links.issue(
            db, LinkPurpose.SIGN_IN, user=alice.id, made_by=ada.id, lasts=sessions.VISIT_LINK_LASTS
        )
    session = await _redeem(database, token)
    assert session is not None
    identity = await who(database, session)
    assert identity is not None and (identity.user_id, identity.actor_id) == (alice.id, ada.id)
    await age_links(database, late.id, timedelta(minutes=11))
    assert await _redeem(database, late.token) is None


async def test_links_are_forgotten_a_week_after_their_end(empty_database: Database) -> None:
    old = await issue(empty_database, LinkPurpose.SIGN_UP, email="old@example.org")
    recent = await issue(empty_database, LinkPurpose.SIGN_UP, email="recent@example.org")
    await age_links(empty_database, old.id, timedelta(days=10, minutes=1))
    await age_links(empty_database, recent.id, timedelta(days=9))
    async with empty_database.transaction(everyone=WHY) as db:
        assert await links.prune(db) == 1
        assert list(await db.scalars(text("SELECT email FROM account_links"))) == ["recent@example.org"]


async def test_where_a_link_leads(alice: Person) -> None:
    assert {purpose: links.path_of(purpose, "t") for purpose in EVERY} == {
        LinkPurpose.SIGN_UP: "/welcome/t",
        LinkPurpose.INVITE: "/welcome/t",
        LinkPurpose.SIGN_IN: "/sign-in/t",
        LinkPurpose.RESET: "/reset/t",
        LinkPurpose.CHANGE_EMAIL: "/confirm-email/t",
    }


async def _redeem(database: Database, token: str) -> str | None:
    async with database.transaction(everyone=WHY) as db:
        return await sessions.redeem(db, token, address="192.0.2.1", browser="Firefox")


async def test_the_first_starts_link_ends_when_there_is_an_operator(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        first = await links.issue(db, LinkPurpose.INVITE, role=Role.ADMIN)
        assert await links.look(db, first.token, LinkPurpose.INVITE) is not None
    await new_person(empty_database, "Ada", credits=0, admin=True)
    async with empty_database.transaction(everyone=WHY) as db:
        assert await links.look(db, first.token, LinkPurpose.INVITE) is None
        assert await links.spend(db, first.token, LinkPurpose.INVITE) is None
