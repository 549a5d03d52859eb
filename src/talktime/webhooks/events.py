"""The kinds of events, and writing one down in the transaction of the fact. `sending` does the telling.

The rule: the data holds ids, states and sums, never personal data and nothing that was said: what a body shows of a
call is put together when it is first sent (`bodies.py`), so that it can be emptied when a caller is forgotten.
"""

import uuid
from collections.abc import Mapping

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

TEST = "webhook.test"
"""What an owner sends to try an endpoint; no filter asks for it, and none holds it back."""

KINDS: Mapping[str, str] = {
    "call.started": "A call rang on one of your numbers.",
    "call.answered": "Your agent answered a call.",
    "call.ended": "A call is over. What it cost is in it.",
    "call.summarised": "What a call led to stands in a sentence.",
    "message.taken": "A caller left a message with your agent.",
    "credits.low": "Your credits fell below the mark that you set.",
    "credits.exhausted": "A call ended because there were no credits left.",
    "credits.purchased": "Credits that you bought are on your account.",
    "credits.refunded": "A payment was given back, and its credits were taken off.",
    "agent.published": "A version of an agent was published: from now on it answers.",
    "number.assigned": "A number was given to you, or to another of your agents.",
    "number.released": "A number is no longer yours.",
    "booking.held": "An appointment is kept free for a caller for some minutes.",
    "booking.confirmed": "An appointment was made.",
    "booking.changed": "An appointment was moved.",
    "booking.cancelled": "An appointment was cancelled.",
    TEST: "You asked for it, to see whether your endpoint works.",
}
"""Every type of event there is, in words. None is emitted that is not here."""

EVERYTHING = "*"
GROUPS: frozenset[str] = frozenset(f"{kind.partition('.')[0]}.*" for kind in KINDS if kind != TEST)
"""`call.*` and its like: what an endpoint may ask for besides single types and `*`."""

WANTED: frozenset[str] = frozenset({EVERYTHING, *GROUPS, *(kind for kind in KINDS if kind != TEST)})
"""All that an endpoint may ask for."""

Value = str | int | bool | None

_EMIT = text("SELECT webhook_event_v1(:user, :type, :data)").bindparams(bindparam("data", type_=JSONB))


async def emit(db: AsyncSession, user: uuid.UUID, type: str, data: Mapping[str, Value | uuid.UUID]) -> bool:
    """Have a customer's endpoints told, if this transaction commits; False, and nothing written, when none of them
    wants to hear of it. `data` are ids, states and sums; a `call_id` in it says whose words the body may hold."""
    assert type in KINDS, type
    plain = {key: str(value) if isinstance(value, uuid.UUID) else value for key, value in data.items()}
    return await db.scalar(_EMIT, {"user": user, "type": type, "data": plain}) is not None
