"""The first start: nobody knows a password yet, so whoever reads what the server prints is the first to come in.

The rule: such a link is made only while there is no operator, works once, and of any number of starts only the last
one's does. Logs are kept, and read by others: a start with an operator takes back what was never used.
"""

from datetime import timedelta

from sqlalchemy import delete

from talktime.accounts import links, operators
from talktime.accounts.models import Link, LinkPurpose, Role
from talktime.db.session import Database

WHY = "the first operator is let in when there is none yet"
_LASTS = timedelta(days=1)


async def first_link(database: Database) -> str | None:
    """The path of a link that makes its reader the first operator, once, within a day; None when there is one.

    Every link of an earlier start is taken back.
    """
    async with database.transaction(everyone=WHY) as db:
        await operators.one_by_one(db)
        earlier = delete(Link).where(
            Link.purpose == LinkPurpose.INVITE,
            Link.role == Role.ADMIN,
            Link.made_by.is_(None),
            Link.used_at.is_(None),
        )
        await db.execute(earlier)
        if await operators.is_there_one(db):
            return None
        issued = await links.issue(db, LinkPurpose.INVITE, role=Role.ADMIN, lasts=_LASTS)
        return links.path_of(LinkPurpose.INVITE, issued.token)
