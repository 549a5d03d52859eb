"""What customers want to be told by mail: theirs to say, written down, and taken back from within a mail."""

import uuid
from dataclasses import asdict

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from talktime.accounts.models import AuditEntry
from talktime.db.session import Database
from talktime.notices.choices import CHOICES, Choices, NoSuchLink, check_off, choices_of, choose, path_off
from tests.people import Person

SECRET = b"a secret of this test alone, long enough"


async def choices(database: Database, person: Person) -> Choices:
    async with database.transaction(user=person.id) as db:
        return await choices_of(db, person.id)


async def test_who_never_chose_gets_what_the_defaults_say(database: Database, alice: Person) -> None:
    assert await choices(database, alice) == Choices()
    assert set(asdict(Choices())) == set(CHOICES)


async def test_one_choice_leaves_the_others_as_they_are_and_is_written_down(database: Database, alice: Person) -> None:
    async with database.transaction(user=alice.id) as db:
        now = await choose(db, alice.id, {"digest": False, "messages": True}, actor=alice.id)
    assert now == Choices(digest=False) == await choices(database, alice)
    async with database.transaction(user=alice.id) as db:
        again = await choose(db, alice.id, {"digest": False}, actor=alice.id)
        await choose(db, alice.id, {"summaries": True}, actor=alice.id)
    assert again == Choices(digest=False)
    assert await choices(database, alice) == Choices(digest=False, summaries=True)
    async with database.transaction(user=alice.id) as db:
        entries = select(AuditEntry).where(AuditEntry.act == "mail.chosen").order_by(AuditEntry.seq)
        written = [(entry.before, entry.after) for entry in await db.scalars(entries)]
    # What was so already is no change.
    assert written == [({"digest": True}, {"digest": False}), ({"summaries": False}, {"summaries": True})]


async def test_bob_chooses_nothing_for_alice(database: Database, alice: Person, bob: Person) -> None:
    with pytest.raises(DBAPIError):
        async with database.transaction(user=bob.id) as db:
            await choose(db, alice.id, {"digest": False}, actor=bob.id)
    async with database.transaction(user=alice.id) as db:
        await choose(db, alice.id, {"digest": False}, actor=alice.id)
    async with database.transaction(user=bob.id) as db:
        assert await choices_of(db, alice.id) == Choices()
        assert await db.scalar(text("SELECT count(*) FROM mail_choices")) == 0


def test_a_link_in_a_mail_is_good_for_one_thing_of_one_person() -> None:
    user = uuid.uuid4()
    *_, whose, what, proof = path_off(SECRET, user, "digest").split("/")
    assert (whose, what) == (str(user), "digest")
    check_off(SECRET, user, "digest", proof)
    for secret, other, choice, said in (
        (SECRET, user, "messages", proof),
        (SECRET, uuid.uuid4(), "digest", proof),
        (b"another secret, which is as long as that", user, "digest", proof),
        (SECRET, user, "digest", proof[:-1]),
        (SECRET, user, "digest", ""),
        (SECRET, user, "everything", proof),
        (SECRET, user, "digest", "\u00fc"),
    ):
        with pytest.raises(NoSuchLink):
            check_off(secret, other, choice, said)
