"""What a webhook's body shows of the things that an event names by their ids: the same as the API shows of them.

The rule: this runs when an event is first sent, in a transaction of its owner; whoever was forgotten by then is not in
it any more. What was said is not in it either: a body has 20 kB, and `GET /v1/calls/{id}` has all of it.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from talktime.api import calls
from talktime.db.session import Session
from talktime.errors import NotFound
from talktime.webhooks.bodies import Renderers


def renderers() -> Renderers:
    """Who puts the body of which event together; the others show their ids and sums."""
    return {"call.*": _call, "message.taken": _call}


async def _call(db: Session, user: uuid.UUID, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        call = await calls.opened(db, user, uuid.UUID(data["call_id"]))
    except NotFound:
        return None
    return {"call": call.model_dump(mode="json", exclude={"turns"})}
