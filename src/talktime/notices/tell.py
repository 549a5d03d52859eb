"""Writing down what a customer is to be told, in the transaction of the fact. `send` does the telling."""

import uuid
from collections.abc import Mapping

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.db.base import new_id
from talktime.notices.kinds import KINDS
from talktime.notices.models import Notice


async def tell(
    db: AsyncSession, user: uuid.UUID, kind: str, subject: str, detail: Mapping[str, str | int | bool]
) -> bool:
    """Have a customer told, once for each subject of a kind; False when it was said already, and nothing changed."""
    assert KINDS[kind].needs <= detail.keys(), (kind, sorted(detail))
    written = await db.execute(
        insert(Notice)
        .values(user_id=user, id=new_id(), kind=kind, subject=subject, detail=dict(detail))
        .on_conflict_do_nothing(index_elements=[Notice.user_id, Notice.kind, Notice.subject])
        .returning(Notice.id)
    )
    return written.first() is not None
