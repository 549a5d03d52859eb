"""What a process does to the books of many, and what an operator does with a second one's word; able to break off
anywhere, and each made so that it can be done again from its beginning.
"""

import uuid

from talktime.credits import adjustments, batches, ledger
from talktime.credits.batches import Adjustment
from talktime.credits.models import Approval
from tests.crash.killing import Life
from tests.crash.restart import WHY

OWNER = "a process that may die"
LIMIT = 100
"""Credits that one operator gives alone."""
SECONDS = (95, 61)
"""Of the two calls that are settled together."""


def items(users: list[str], name: str) -> list[Adjustment]:
    """A month's gifts: two for each, under references of their own."""
    return [
        Adjustment(uuid.UUID(user), f"{name}:{number}", 10 * number, "a gift") for user in users for number in (1, 2)
    ]


async def post_many(life: Life, users: list[str], actor: str, name: str) -> None:
    """Two batches, of which the second repeats a part of the first."""
    for many in (items(users[:2], name), items(users, name)):
        async with life.database.transaction(everyone=WHY) as db:
            posted = await batches.post_many(db, many, uuid.UUID(actor))
        assert len(posted) == len(many)


async def settle_many(life: Life, calls: list[tuple[str, str]]) -> None:
    """Calls of many, extended and then settled together."""
    whose = [(uuid.UUID(user), uuid.UUID(call)) for user, call in calls]
    async with life.database.transaction(everyone=WHY) as db:
        for user, call in whose:
            await ledger.answer(db, user, call, OWNER)
    async with life.database.transaction(everyone=WHY) as db:
        await batches.extend_many(db, OWNER, [(user, call, 1) for user, call in whose])
    async with life.database.transaction(everyone=WHY) as db:
        await batches.settle_many(db, [(user, call, SECONDS[number % 2]) for number, (user, call) in enumerate(whose)])


async def approved(life: Life, user: str, asking: str, agreeing: str) -> None:
    """One operator gives more than one may, and a second one says yes; a small one goes through at once."""
    for reference, amount in (("small", 50), ("large", 500)):
        async with life.database.transaction(everyone=WHY) as db:
            asked = await adjustments.request(
                db,
                user=uuid.UUID(user),
                reference=reference,
                amount=amount,
                reason="goodwill",
                actor=uuid.UUID(asking),
                limit=LIMIT,
            )
    assert isinstance(asked, Approval)
    async with life.database.transaction(everyone=WHY) as db:
        await adjustments.approve(db, asked.id, uuid.UUID(agreeing))
