"""What an operator does about people: found, promoted, let in, shown the door; and always one operator left."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit_log, links, operators, people, sessions
from talktime.accounts.addresses import NoAddress
from talktime.accounts.audit_log import Entry, Filter
from talktime.accounts.models import LinkPurpose, RecoveryCode, Role, User, UserStatus
from talktime.accounts.operators import LastOperator, NotAnOperator
from talktime.accounts.people import ClosedAccount, HasAnAccount, NoSuchPerson, NoVisit, VisitReason
from talktime.calls import closing
from talktime.calls.person import open_person
from talktime.credits import money
from talktime.db.session import Database
from talktime.errors import Conflict
from tests.people import WHY, Person, new_person

Deed = Callable[[AsyncSession], Awaitable[Any]]


async def do(database: Database, deed: Deed) -> Any:
    async with database.transaction(everyone=WHY) as db:
        return await deed(db)


async def set_to(database: Database, person: Person, **values: Any) -> None:
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == person.id).values(**values))


async def begin(database: Database, person: Person, *, actor: Person | None = None) -> str:
    """Somebody signs in; gives the cookie's token."""
    async with database.transaction(everyone=WHY) as db:
        visitor = actor.id if actor is not None else None
        return await sessions.begin(db, person.id, address="192.0.2.1", browser="Test", actor=visitor)


async def who(database: Database, token: str) -> uuid.UUID | None:
    async with database.transaction(everyone=WHY) as db:
        identity = await sessions.identify(db, token)
        return identity.user_id if identity is not None else None


async def log_of(database: Database, person: Person) -> list[Entry]:
    """What was done to somebody, oldest first."""
    async with database.transaction(everyone=WHY) as db:
        page = await audit_log.page(db, Filter(about=person.id), limit=1000)
    return list(page.entries)[::-1]


async def acts(database: Database, person: Person) -> list[str]:
    return [entry.act for entry in await log_of(database, person)]


# Looking.


async def test_people_are_listed_newest_first_page_by_page(empty_database: Database) -> None:
    made = [await new_person(empty_database, f"P{n}", credits=n * 10) for n in range(7)]
    await set_to(empty_database, made[3], status=UserStatus.SUSPENDED)
    seen, before = [], None
    async with empty_database.transaction(everyone=WHY) as db:
        while True:
            page = await people.listed(db, before=before, limit=3)
            seen += [(person.id, person.balance) for person in page.people]
            before = page.older
            if before is None:
                break
        assert seen == [(person.id, n * 10) for n, person in enumerate(made)][::-1]
        suspended = await people.listed(db, status=UserStatus.SUSPENDED)
        assert [person.id for person in suspended.people] == [made[3].id]
        assert (await people.listed(db, role=Role.ADMIN)).people == []
        assert len((await people.listed(db, limit=7)).people) == 7


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("O'Hara", True),
        ("o'hara", True),
        ("  o'hara  ", True),
        ("100% \\_sure", True),
        ("%", True),
        ("%_%", False),
        ("_", True),
        ("\\", True),
        ("x'; DROP TABLE users; --", False),
        ("\0", True),
        ("\ud83d\ude00" * 500, False),
        ("ÄRGER", False),
    ],
)
async def test_a_search_takes_every_letter_as_it_is(empty_database: Database, words: str, found: bool) -> None:
    person = await new_person(empty_database, "Somebody", credits=0)
    await set_to(empty_database, person, name="O'Hara 100% \\_sure")
    words = words.encode("utf-16", "surrogatepass").decode("utf-16")
    async with empty_database.transaction(everyone=WHY) as db:
        assert bool((await people.listed(db, search=words)).people) is found


async def test_last_seen_is_the_persons_own_doing(database: Database, alice: Person, ada: Person) -> None:
    async with database.transaction(everyone=WHY) as db:
        assert (await people.find(db, alice.id)).last_seen_at is None
    await begin(database, alice, actor=ada)
    async with database.transaction(everyone=WHY) as db:
        assert (await people.find(db, alice.id)).last_seen_at is None
    await begin(database, alice)
    async with database.transaction(everyone=WHY) as db:
        assert (await people.find(db, alice.id)).last_seen_at is not None
        with pytest.raises(NoSuchPerson):
            await people.find(db, alice.agent)


async def test_one_screen_says_everything_about_somebody(database: Database, alice: Person, ada: Person) -> None:
    await begin(database, alice)
    async with database.transaction(everyone=WHY) as db:
        await money.set_limits(db, alice.id, grace_limit=30, actor=ada.id)
        await money.set_guards(db, alice.id, per_day=500, per_call=None, per_caller=None)
        await closing.suspend(db, alice.id, ada.id, "a stolen card")
        opened = await open_person(db, alice.id, datetime.now(UTC))
    assert opened.person.status is UserStatus.SUSPENDED
    assert (opened.funds.balance, opened.funds.is_blocked) == (1000, True)
    assert (opened.limits.grace_limit, opened.limits.blocked_reason) == (30, "suspended: a stolen card")
    assert (opened.guards.day_limit, opened.numbers) == (500, [alice.number])
    assert [agent.id for agent in opened.agents] == [alice.agent]
    assert (opened.calls, opened.notices, opened.api_keys, opened.is_confirmed) == ([], [], 0, False)
    assert [entry.act for entry in opened.audit] == ["user.suspended", "guards.set", "limits.set", "session.began"]
    assert opened.sessions == 0, "nobody suspended is signed in"
    async with database.transaction(everyone=WHY) as db:
        with pytest.raises(NoSuchPerson):
            await open_person(db, alice.agent, datetime.now(UTC))


# Roles.


async def test_a_new_role_signs_its_owner_out_everywhere(database: Database, alice: Person, ada: Person) -> None:
    token = await begin(database, alice)
    assert await do(database, lambda db: people.change_role(db, alice.id, Role.ADMIN, ada.id))
    assert await who(database, token) is None
    assert not await do(database, lambda db: people.change_role(db, alice.id, Role.ADMIN, ada.id))
    entries = await log_of(database, alice)
    assert [entry.act for entry in entries] == ["session.began", "session.ended", "user.role_changed"]
    assert (entries[-1].before, entries[-1].after) == ({"role": "USER"}, {"role": "ADMIN"})
    assert entries[-1].actor_id == entries[-2].actor_id == ada.id


async def test_who_is_no_operator_any_more_leaves_nothing_open(database: Database, alice: Person, ada: Person) -> None:
    grace = await new_person(database, "Grace", credits=0, admin=True)
    invited = await do(database, lambda db: people.invite(db, email=None, role=Role.ADMIN, locale="en", actor=grace.id))
    asked = await do(database, lambda db: people.sign_in_as(db, alice.id, VisitReason.FAULT, grace.id))
    visit, own = await begin(database, alice, actor=grace), await begin(database, alice)
    assert await who(database, visit) == alice.id
    await do(database, lambda db: people.change_role(db, grace.id, Role.USER, ada.id))
    for _ in range(2):
        assert (await who(database, visit), await who(database, own)) == (None, alice.id)
        async with database.transaction(everyone=WHY) as db:
            assert await links.spend(db, invited.token, LinkPurpose.INVITE) is None
            assert await sessions.redeem(db, asked, address=None, browser=None) is None
        # Not even when they are one again.
        await do(database, lambda db: people.change_role(db, grace.id, Role.ADMIN, ada.id))
    assert (await acts(database, alice))[-1] == "session.ended"


async def test_a_suspended_operator_leaves_nothing_open_either(database: Database, alice: Person, ada: Person) -> None:
    grace = await new_person(database, "Grace", credits=0, admin=True)
    visit = await begin(database, alice, actor=grace)
    await do(database, lambda db: closing.suspend(db, grace.id, ada.id, "a reason"))
    await do(database, lambda db: closing.activate(db, grace.id, ada.id))
    assert await who(database, visit) is None


async def test_the_last_operator_stays_one(empty_database: Database) -> None:
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    grace = await new_person(empty_database, "Grace", credits=0, admin=True)
    await set_to(empty_database, grace, status=UserStatus.SUSPENDED)
    with pytest.raises(LastOperator):
        await do(empty_database, lambda db: people.change_role(db, ada.id, Role.USER, ada.id))
    with pytest.raises(Conflict):
        await do(empty_database, lambda db: closing.suspend(db, ada.id, ada.id, "a reason"))
    # One who may do nothing does not count, and may go.
    await do(empty_database, lambda db: people.change_role(db, grace.id, Role.USER, ada.id))
    async with empty_database.transaction(everyone=WHY) as db:
        assert await operators.is_there_one(db)
        with pytest.raises(LastOperator):
            await operators.leave_one(db, ada.id)


@pytest.mark.parametrize("how", ["demote", "suspend", "both"])
async def test_two_operators_who_go_for_each_other_at_once_leave_one(empty_database: Database, how: str) -> None:
    def deed(whom: Person, by: Person, *, demotes: bool) -> Deed:
        if demotes:
            return lambda db: people.change_role(db, whom.id, Role.USER, by.id)
        return lambda db: closing.suspend(db, whom.id, by.id, "a reason")

    for _ in range(5):
        ada, grace = [await new_person(empty_database, name, credits=0, admin=True) for name in ("Ada", "Grace")]
        async with empty_database.transaction(everyone=WHY) as db:
            await db.execute(update(User).where(User.id.not_in([ada.id, grace.id])).values(role=Role.USER))
        done = await asyncio.gather(
            do(empty_database, deed(grace, ada, demotes=how != "suspend")),
            do(empty_database, deed(ada, grace, demotes=how == "demote")),
            return_exceptions=True,
        )
        assert sum(isinstance(each, NotAnOperator) for each in done) == 1, done
        async with empty_database.transaction(everyone=WHY) as db:
            left = select(func.count()).where(User.role == Role.ADMIN, User.status == UserStatus.ACTIVE)
            assert await db.scalar(left) == 1


# Second factor, sessions.


async def test_a_second_factor_is_reset_with_its_codes_and_its_owner_is_told(
    database: Database, alice: Person, ada: Person
) -> None:
    token = await begin(database, alice)
    await set_to(database, alice, totp_secret=b"sealed", totp_since=func.now(), totp_step=5)
    async with database.transaction(everyone=WHY) as db:
        db.add(RecoveryCode(user_id=alice.id, code_hash=b"x" * 32))
    assert await do(database, lambda db: people.reset_second_factor(db, alice.id, ada.id))
    assert await who(database, token) is None
    async with database.transaction(everyone=WHY) as db:
        user = await db.get_one(User, alice.id)
        assert (user.totp_secret, user.totp_since, user.totp_step) == (None, None, None)
        assert await db.scalar(select(func.count()).where(RecoveryCode.user_id == alice.id)) == 0
        told = text("SELECT kind FROM notices WHERE user_id = :user")
        assert list(await db.scalars(told, {"user": alice.id})) == ["second_factor_off"]
    assert not await do(database, lambda db: people.reset_second_factor(db, alice.id, ada.id))
    assert (await acts(database, alice)).count("second_factor.reset") == 1
    with pytest.raises(people.YourOwnSecondFactor):
        await do(database, lambda db: people.reset_second_factor(db, ada.id, ada.id))


async def test_somebody_is_signed_out_everywhere_and_nobody_else(
    database: Database, alice: Person, bob: Person, ada: Person
) -> None:
    tokens = [await begin(database, alice) for _ in range(3)]
    other = await begin(database, bob)
    assert await do(database, lambda db: people.end_sessions(db, alice.id, ada.id)) == 3
    assert [await who(database, token) for token in tokens] == [None] * 3
    assert await who(database, other) == bob.id
    assert await do(database, lambda db: people.end_sessions(db, alice.id, ada.id)) == 0


# Making people.


async def test_the_first_operator_is_made_once_however_many_try(empty_database: Database) -> None:
    def make(number: int) -> Deed:
        words = {"email": f"a{number}@example.org", "name": "Ada", "locale": "en", "zone": "UTC"}
        return lambda db: people.create_admin(db, **words, actor=None)

    done = await asyncio.gather(*(do(empty_database, make(n)) for n in range(5)), return_exceptions=True)
    assert sum(isinstance(each, NotAnOperator) for each in done) == 4, done
    async with empty_database.transaction(everyone=WHY) as db:
        assert await db.scalar(select(func.count()).select_from(User)) == 1
        (made,) = await db.scalars(select(User))
    assert made.email_confirmed_at is None
    page = await do(empty_database, lambda db: audit_log.page(db, Filter()))
    assert [entry.act for entry in page.entries] == ["link.issued", "user.made"]


async def test_an_invitation_is_for_nobody_who_is_here_already(database: Database, alice: Person, ada: Person) -> None:
    async def invite(email: str | None) -> Any:
        return await do(database, lambda db: people.invite(db, email=email, role=Role.USER, locale="en", actor=ada.id))

    for spelled in (f"alice.{alice.id.hex}@example.org", f" ALICE.{alice.id.hex}@EXAMPLE.org"):
        with pytest.raises(HasAnAccount):
            await invite(spelled)
    for hostile in ("x@example.org\r\nBcc: y@example.org", "x", "", "@", "x@", "\0@example.org", f"{'x' * 999}@a.de"):
        with pytest.raises(NoAddress):
            await invite(hostile)
    assert (await invite(f"{uuid.uuid4().hex}@example.org")).token != (await invite(None)).token


# Visits.


async def test_a_visit_is_bounded_and_written_down_at_its_beginning_and_its_end(
    database: Database, alice: Person, ada: Person
) -> None:
    link = await do(database, lambda db: people.sign_in_as(db, alice.id, VisitReason.BILLING, ada.id))
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.redeem(db, link, address="192.0.2.1", browser="Test")
        assert token is not None
        identity = await sessions.identify(db, token)
        assert identity is not None
        assert (identity.user_id, identity.actor_id, identity.acts_as) == (alice.id, ada.id, ada.id)
        lasts = text("SELECT extract(epoch FROM expires_at - created_at)::int FROM sessions WHERE id = :id")
        assert await db.scalar(lasts, {"id": identity.session_id}) == 30 * 60
        await sessions.end(db, token)
    entries = await log_of(database, alice)
    assert [entry.act for entry in entries] == ["visit.allowed", "link.issued", "session.began", "session.ended"]
    assert {entry.actor_id for entry in entries} == {ada.id}
    assert entries[0].after == {"reason": "billing", "minutes_max": 30}


async def test_a_visit_whose_time_ran_out_has_an_end_in_the_log_once(
    database: Database, alice: Person, ada: Person
) -> None:
    token, other = await begin(database, alice, actor=ada), await begin(database, alice, actor=ada)
    own = await begin(database, alice)
    past = text(
        "UPDATE sessions SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 minute'"
        " WHERE user_id = :user AND actor_id IS NOT NULL AND token_hash = sha256(convert_to(:token, 'UTF8'))"
    )
    await do(database, lambda db: db.execute(past, {"user": alice.id, "token": token}))
    assert await who(database, token) is None
    await asyncio.gather(*(do(database, people.note_ended_visits) for _ in range(3)))
    assert (await acts(database, alice)).count("session.ended") == 1
    assert (await log_of(database, alice))[-1].door == "worker"
    assert (await who(database, other), await who(database, own)) == (alice.id, alice.id)


async def test_a_visit_to_somebody_who_was_made_an_operator_meanwhile_does_not_begin_or_ends(
    database: Database, alice: Person, bob: Person, ada: Person
) -> None:
    link = await do(database, lambda db: people.sign_in_as(db, alice.id, VisitReason.FAULT, ada.id))
    await do(database, lambda db: people.change_role(db, alice.id, Role.ADMIN, ada.id))
    began = await do(database, lambda db: sessions.redeem(db, link, address="192.0.2.1", browser="Test"))
    assert began is None
    visit = await begin(database, bob, actor=ada)
    await set_to(database, bob, role=Role.ADMIN)  # however it came about
    assert await who(database, visit) is None


async def test_nobody_visits_an_operator_or_who_may_not_come_in(database: Database, alice: Person, ada: Person) -> None:
    async def visit(whom: uuid.UUID, actor: uuid.UUID = ada.id) -> Any:
        return await do(database, lambda db: people.sign_in_as(db, whom, VisitReason.FAULT, actor))

    grace = await new_person(database, "Grace", credits=0, admin=True)
    for whom in (grace.id, ada.id):
        with pytest.raises(NoVisit):
            await visit(whom)
    link = await visit(alice.id)
    await set_to(database, alice, status=UserStatus.SUSPENDED)
    with pytest.raises(NoVisit):
        await visit(alice.id)
    async with database.transaction(everyone=WHY) as db:
        assert await sessions.redeem(db, link, address=None, browser=None) is None
    await set_to(database, alice, status=UserStatus.CLOSED)
    with pytest.raises(ClosedAccount):
        await visit(alice.id)
    with pytest.raises(NoSuchPerson):
        await visit(alice.agent)


# Who may.


async def test_nobody_else_does_any_of_it_and_nothing_is_left_of_the_try(
    database: Database, alice: Person, bob: Person
) -> None:
    gone = await new_person(database, "Gone", credits=0, admin=True)
    await set_to(database, gone, status=UserStatus.CLOSED)
    token = await begin(database, alice)
    before = await acts(database, alice)

    def deeds(actor: uuid.UUID) -> list[Deed]:
        made = {"email": f"{uuid.uuid4().hex}@example.org", "locale": "en"}
        return [
            lambda db: people.change_role(db, alice.id, Role.ADMIN, actor),
            lambda db: people.reset_second_factor(db, alice.id, actor),
            lambda db: people.end_sessions(db, alice.id, actor),
            lambda db: people.invite(db, **made, role=Role.USER, actor=actor),
            lambda db: people.create_admin(db, **made, name="X", zone="UTC", actor=actor),
            lambda db: people.sign_in_as(db, alice.id, VisitReason.FAULT, actor),
            lambda db: closing.suspend(db, alice.id, actor, "a reason"),
            lambda db: closing.activate(db, alice.id, actor),
        ]

    for actor in (alice.id, bob.id, gone.id, alice.agent):
        for deed in deeds(actor):
            with pytest.raises(NotAnOperator):
                await do(database, deed)
    assert await acts(database, alice) == before
    assert await who(database, token) == alice.id


async def test_a_closed_account_is_not_worked_on_any_more(database: Database, alice: Person, ada: Person) -> None:
    await set_to(database, alice, status=UserStatus.CLOSED)
    refused: list[Deed] = [
        lambda db: people.change_role(db, alice.id, Role.ADMIN, ada.id),
        lambda db: people.reset_second_factor(db, alice.id, ada.id),
    ]
    for deed in refused:
        with pytest.raises(ClosedAccount):
            await do(database, deed)
    assert await do(database, lambda db: people.end_sessions(db, alice.id, ada.id)) == 0


async def test_a_customer_reads_no_list_of_people(database: Database, alice: Person) -> None:
    async with database.transaction(user=alice.id) as db:
        with pytest.raises(Exception, match="permission denied"):
            await people.listed(db)
