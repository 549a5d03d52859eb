"""Forgetting a caller: by the customer they rang, or, for all customers, by the operator.

The rule: afterwards their number stands nowhere, in no spelling, and nothing that comes later brings it back. The calls
stay, without who called and what was said, because the books point at them: every sum is what it was. A call that is
live meanwhile goes on and is charged, and nothing more of it is kept. If the caller rings again, that is a new call.

Of what people say in words ("oh three oh …") on other callers' calls nothing is found; of what cannot be changed (a
line of the ledger, an agent's own knowledge) it is said that the number stands there. The guard on what one caller may
cost a day reads `calls.caller`: for who was forgotten it counts anew, and what they cost today counts with withheld
numbers.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import log
from talktime.accounts import audit, sessions
from talktime.accounts.models import User
from talktime.accounts.operators import require_operator
from talktime.accounts.sessions import Identity
from talktime.db.session import Database
from talktime.errors import NotFound
from talktime.numbers.assigned import numbers_of
from talktime.privacy import emptying
from talktime.privacy.spellings import Spelling, region_of, spelled

WHY = "a caller is forgotten by everybody they ever rang"
_PEOPLE_AT_ONCE = 500
_LOGGER = log.get(__name__)

Progress = Callable[[int, int], None]
"""Told after each customer: how many customers were looked through, and how many calls were emptied so far."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came of it. The number itself is not in it."""

    calls: int
    """Calls and legs that were emptied."""
    mentions: int
    """Other calls, turns and notes that the number was taken out of."""
    events: int
    """Events of providers that were emptied, or that the number was taken out of."""
    mails: int
    """Mails that lie here because there is no mail server."""
    stands_in: Mapping[str, int] = field(default_factory=dict)
    """Where it stands still, and how often, because nobody may change that: a person has to decide."""


async def forget_caller(
    database: Database,
    number: str,
    *,
    user: uuid.UUID | None = None,
    actor: uuid.UUID,
    region: str | None = None,
    home: Path | None = None,
    progress: Progress | None = None,
) -> Forgotten:
    """Forget who calls from this number: with one customer, or with all of them when no `user` is named.

    A customer does it for themselves, else only an operator may. A number without its country is read as in `region`
    (ISO 3166), or as where the customer's own numbers are. `home` is where mails may lie. It can be run again, and must
    be when it did not come to its end. Raises BadInput, NotFound, NotAnOperator.
    """
    async with database.transaction(everyone=WHY) as db:
        if user is None or actor != user:
            await require_operator(db, actor)
        who = spelled(number, region or await _region(db, user))
        email = await _email(db, user) if user is not None else None
        # Whom it was about is not written down: that would be remembering them.
        await audit.record(db, user or actor, actor, "caller.forgetting")
    calls = mentions = people = 0
    stands_in: dict[str, int] = {}
    async for each in _everybody(database, user):
        calls += await emptying.empty_calls_of(database, each, who)
        mentions += await emptying.redact_calls(database, each, who)
        mentions += await emptying.redact_webhooks(database, each, who)
        for place, count in (await _stands_in(database, each, who)).items():
            stands_in[place] = stands_in.get(place, 0) + count
        people += 1
        if progress is not None:
            progress(people, calls)
    # After the calls: a report that comes from now on finds its call forgotten.
    events = await emptying.empty_reports(database, user)
    events += await emptying.redact_events(database, who, user)
    mentions += await emptying.redact_rest(database, who, user)
    mails = await emptying.redact_mails(home, who, email) if home is not None else 0
    counts: dict[str, audit.Value] = {"calls": calls, "mentions": mentions, "events": events, "mails": mails}
    async with database.transaction(everyone=WHY) as db:
        await audit.record(db, user or actor, actor, "caller.forgotten", after=counts)
    _LOGGER.info("a caller was forgotten", actor_id=str(actor), **counts)
    return Forgotten(calls, mentions, events, mails, stands_in)


async def forget_own(
    database: Database, identity: Identity, number: str, *, region: str | None = None, home: Path | None = None
) -> Forgotten:
    """The same, by the customer who is signed in, of their own calls. Raises OwnerOnly, BadInput."""
    sessions.require_owner(identity)
    return await forget_caller(
        database, number, user=identity.user_id, actor=identity.user_id, region=region, home=home
    )


async def _region(db: AsyncSession, user: uuid.UUID | None) -> str | None:
    """Where a customer's own numbers are, which is where their callers leave the country out."""
    if user is None:
        return None
    found = {region_of(number.number) for number in await numbers_of(db, user)} - {None}
    return found.pop() if len(found) == 1 else None


async def _email(db: AsyncSession, user: uuid.UUID) -> str:
    found: str | None = await db.scalar(select(User.email).where(User.id == user))
    if found is None:
        raise NotFound("There is no such user.")
    return found


async def _everybody(database: Database, user: uuid.UUID | None) -> AsyncIterator[uuid.UUID]:
    """The one customer, or all there are: also those who were closed, and whose calls may not be empty yet."""
    if user is not None:
        yield user
        return
    last = uuid.UUID(int=0)
    while True:
        async with database.transaction(everyone=WHY) as db:
            page = select(User.id).where(User.id > last).order_by(User.id).limit(_PEOPLE_AT_ONCE)
            found: Sequence[uuid.UUID] = (await db.scalars(page)).all()
        for each in found:
            yield each
        if not found:
            return
        last = found[-1]


async def _stands_in(database: Database, user: uuid.UUID, who: Spelling) -> dict[str, int]:
    """Where the number stands that only its owner may change, or nobody."""
    async with database.transaction(everyone=WHY) as db:
        rows = await db.execute(text(_STANDS_IN), {"user": user, "pattern": who.pattern, "number": who.number})
        return {row.place: row.times for row in rows if row.times}


_STANDS_IN = """
    SELECT 'ledger' AS place, count(*) AS times FROM credit_transactions t
    WHERE t.user_id = :user AND (t.reason ~ :pattern OR t.reference ~ :pattern)
    UNION ALL
    SELECT 'agents', count(*) FROM agent_versions v
    WHERE v.user_id = :user AND concat_ws(
        ' ', v.business, v.greeting, v.instructions, v.facts, v.tone, v.avoid,
        v.knowledge::text, v.phrases::text, v.tools::text, v.people::text, v.fallback::text
    ) ~ :pattern
    UNION ALL
    SELECT 'drafts of agents', count(*) FROM agent_drafts d WHERE d.user_id = :user AND d.content::text ~ :pattern
    UNION ALL
    SELECT 'billing details', count(*) FROM billing_details b
    WHERE b.user_id = :user AND concat_ws(' ', b.name, b.address) ~ :pattern
    UNION ALL
    SELECT 'invoices', count(*) FROM invoices i WHERE i.user_id = :user AND i.buyer::text ~ :pattern
    UNION ALL
    SELECT 'own numbers', (SELECT count(*) FROM phone_numbers n WHERE n.user_id = :user AND n.number = :number)
        + (SELECT count(*) FROM number_proofs p WHERE p.user_id = :user AND p.number = :number)
"""
