"""API keys: shown once, good for what was chosen, and for nothing when their owner may not come in."""

import asyncio
import itertools
import re
from datetime import datetime

import pytest
from sqlalchemy import text

from talktime.accounts import keys
from talktime.accounts.keys import KeyIdentity, NoKeyName, NoScopes, Scope, TooManyKeys
from talktime.accounts.models import ApiKey, Role
from talktime.db.session import Database
from tests.accounts.doors import SECRET, acts_of, entries_of, set_user
from tests.people import WHY, Person

_PLACES = itertools.count()
READ = (Scope.ACCOUNT_READ, Scope.CALLS_READ)


async def make(database: Database, person: Person, name: str = "CRM", *scopes: str) -> tuple[ApiKey, str]:
    async with database.transaction(everyone=WHY) as db:
        return await keys.make(db, person.id, name, scopes or READ)


async def find(database: Database, said: str) -> KeyIdentity | None:
    # From anywhere, or the wrong ones of all tests would be one program's guesses.
    address = f"198.18.{next(_PLACES) % 250}.{next(_PLACES) % 250}"
    found = await keys.enter(database, SECRET, said, address=address, per_minute=600, burst=100)
    return found[0] if found is not None else None


async def names_of(database: Database, person: Person) -> list[str]:
    async with database.transaction(everyone=WHY) as db:
        return [key.name for key in await keys.of_user(db, person.id)]


async def test_a_key_says_whose_it_is_and_what_it_may_do(database: Database, alice: Person) -> None:
    key, said = await make(database, alice, " CRM ", Scope.CALLS_READ, Scope.AGENTS_WRITE, Scope.CALLS_READ)
    assert re.fullmatch(r"tt_live_[A-Za-z0-9_-]{43}", said) and said.startswith(key.prefix) and len(key.prefix) == 12
    found = await find(database, said)
    assert found == KeyIdentity(
        key.id, alice.id, frozenset({"agents:write", "calls:read"}), Role.USER, "Europe/Berlin", "en"
    )
    assert key.name == "CRM" and key.scopes == ["agents:write", "calls:read"]
    async with database.transaction(everyone=WHY) as db:
        row = await db.scalar(text("SELECT k::text FROM api_keys k WHERE id = :id"), {"id": key.id})
    assert said not in row and said[12:] not in row
    [entry] = await entries_of(database, alice)
    assert (entry.act, entry.after) == ("key.made", {"key": str(key.id), "scopes": ["agents:write", "calls:read"]})
    assert "CRM" not in str(entry)


async def test_another_text_is_no_key(database: Database, alice: Person) -> None:
    _, said = await make(database, alice)
    other = said[:-1] + ("A" if said[-1] != "A" else "B")
    wrongs = ("", "x", said[8:], said + "=", said.upper(), f" {said}", said + "\n", "\0", "tt_live_", "ü" * 51)
    for wrong in (other, *wrongs):
        assert await find(database, wrong) is None


async def test_a_revoked_key_opens_nothing_and_only_its_owner_revokes_it(
    database: Database, alice: Person, bob: Person
) -> None:
    key, said = await make(database, alice)
    async with database.transaction(everyone=WHY) as db:
        assert not await keys.revoke(db, bob.id, key.id)
    assert await find(database, said) is not None
    for _ in range(2):
        async with database.transaction(everyone=WHY) as db:
            assert await keys.revoke(db, alice.id, key.id)
    assert await find(database, said) is None
    assert await names_of(database, alice) == []
    assert await acts_of(database, alice) == ["key.made", "key.revoked"]


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
async def test_a_key_of_somebody_who_may_not_come_in_opens_nothing(
    database: Database, alice: Person, status: str
) -> None:
    _, said = await make(database, alice)
    await set_user(database, alice, status=status)
    assert await find(database, said) is None
    await set_user(database, alice, status="ACTIVE")
    assert await find(database, said) is not None


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 81, "\0", "\u202e"], ids=ascii)
async def test_a_key_needs_a_name(database: Database, alice: Person, name: str) -> None:
    with pytest.raises(NoKeyName):
        await make(database, alice, name)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["calls:read", "admin"], ["CALLS:READ"], ["calls:read "]])
async def test_a_key_may_do_what_there_is_and_nothing_else(
    database: Database, alice: Person, scopes: list[str]
) -> None:
    with pytest.raises(NoScopes):
        async with database.transaction(everyone=WHY) as db:
            await keys.make(db, alice.id, "CRM", scopes)
    assert await names_of(database, alice) == []


async def test_there_are_twenty_at_most_however_many_are_made_at_once(database: Database, alice: Person) -> None:
    outcomes = await asyncio.gather(
        *(make(database, alice, f"key {number}") for number in range(25)), return_exceptions=True
    )
    assert sum(isinstance(each, TooManyKeys) for each in outcomes) == 5
    assert len(await names_of(database, alice)) == 20
    [key, _] = next(each for each in outcomes if isinstance(each, tuple))
    async with database.transaction(everyone=WHY) as db:
        await keys.revoke(db, alice.id, key.id)
    assert await make(database, alice, "in its place")


async def test_each_sees_their_own_newest_first(database: Database, alice: Person, bob: Person) -> None:
    for name in ("first", "second"):
        await make(database, alice, name)
    await make(database, bob, "Bob's")
    assert await names_of(database, alice) == ["second", "first"]


async def test_that_a_key_is_in_use_is_written_down_once_a_minute_at_most(database: Database, alice: Person) -> None:
    key, said = await make(database, alice)

    async def used() -> datetime | None:
        assert await find(database, said) is not None
        async with database.transaction(everyone=WHY) as db:
            return (await keys.one(db, alice.id, key.id)).last_used_at

    first = await used()
    assert first is not None
    assert await used() == first
    async with database.transaction(everyone=WHY) as db:
        await db.execute(
            text("UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds' WHERE id = :id"),
            {"id": key.id},
        )
    later = await used()
    assert later is not None
    assert later >= first
    assert await used() == later
