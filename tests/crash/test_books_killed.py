"""SIGKILL at each step of a batch and of an adjustment that two must agree to: done again, it is there once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from talktime.credits import ledger
from tests.crash.exact import assert_books_are_exact
from tests.crash.fork_server import Death, ForkServer
from tests.crash.history_books import SECONDS
from tests.crash.restart import WHY, Books
from tests.people import PER_MINUTE, Person, account_of, charges, new_call, new_person


async def die_and_do_again(
    forks: ForkServer, books: Books, history: str, stages: Sequence[dict[str, Any]], *, unharmed: dict[str, Any]
) -> list[Death]:
    """Let a history run unharmed, die once at each of its points, and do it again after each death."""
    life = await forks.live(history, books.url, unharmed)
    assert 0 < len(life.passed) <= len(stages), life
    lives = [(point, books.url, stage) for point, stage in enumerate(stages[: len(life.passed)], 1)]
    deaths = await forks.run(history, lives)
    assert [death.passed[-1] for death in deaths] == list(life.passed)
    await forks.run(history, [(0, url, stage) for _, url, stage in lives])
    return deaths


async def test_a_batch_that_is_killed_anywhere_and_posted_again_is_posted_once(forks: ForkServer, books: Books) -> None:
    ada = await new_person(books.database, "Ada", credits=0, admin=True)
    people = [await new_person(books.database, "Alice", credits=1000) for _ in range(4)]
    users = [str(person.id) for person in people]

    def stage(name: str) -> dict[str, Any]:
        return {"users": users, "actor": str(ada.id), "name": name}

    stages = [stage(f"gift {number}") for number in range(1, 7)]
    deaths = await die_and_do_again(forks, books, "history_books.post_many", stages, unharmed=stage("gift 0"))
    for person in people:
        # Of each name one gift of 10 and one of 20, whatever was interrupted.
        assert sorted(await charges(books.database, person)) == sorted([10, 20] * (1 + len(deaths)))
    await assert_books_are_exact(books.database)


async def test_calls_that_are_settled_together_are_charged_once_wherever_it_is_killed(
    forks: ForkServer, books: Books
) -> None:
    lives: list[list[tuple[Person, Any]]] = []
    for _ in range(8):
        calls = []
        for _ in range(2):
            person = await new_person(books.database, "Alice", credits=1000)
            call = await new_call(books.database, person)
            async with books.database.transaction(user=person.id) as db:
                assert (await ledger.authorise(db, person.id, call)).allowed
            calls.append((person, call))
        lives.append(calls)
    stages = [{"calls": [(str(person.id), str(call)) for person, call in calls]} for calls in lives]
    deaths = await die_and_do_again(forks, books, "history_books.settle_many", stages[1:], unharmed=stages[0])
    for number, calls in enumerate(lives[: 1 + len(deaths)]):
        for (person, _), seconds in zip(calls, SECONDS, strict=True):
            assert await charges(books.database, person) == [-PER_MINUTE.cost(seconds)], number
            account = await account_of(books.database, person)
            assert (account.held, account.open_calls) == (0, 0), number
        async with books.database.transaction(everyone=WHY) as db:
            # These calls had no carrier and no end: whoever settles them says so.
            await db.execute(text("SELECT set_config('role', 'none', true)"))
            await db.execute(
                text("UPDATE calls SET status = 'COMPLETED', ended_at = now() WHERE id = ANY (:calls)"),
                {"calls": [call for _, call in calls]},
            )
    await assert_books_are_exact(books.database)


async def test_an_adjustment_of_two_operators_that_is_killed_anywhere_is_posted_once(
    forks: ForkServer, books: Books
) -> None:
    ada = await new_person(books.database, "Ada", credits=0, admin=True)
    grace = await new_person(books.database, "Grace", credits=0, admin=True)
    people = [await new_person(books.database, "Alice", credits=1000) for _ in range(12)]
    stages = [{"user": str(each.id), "asking": str(ada.id), "agreeing": str(grace.id)} for each in people]
    deaths = await die_and_do_again(forks, books, "history_books.approved", stages[1:], unharmed=stages[0])
    for person, death in zip(people[1:], deaths, strict=False):
        assert await charges(books.database, person) == [50, 500], death.where
    async with books.database.transaction(everyone=WHY) as db:
        waiting = await db.scalar(text("SELECT count(*) FROM approvals WHERE state <> 'APPROVED'"))
    assert waiting == 0
    await assert_books_are_exact(books.database)
