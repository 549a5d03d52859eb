"""Every credit that came and went, newest first, each line with what it was and the balance after it.

The one rule: a page costs the same wherever it is; lines are paged by their numbers, which have no gap.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from talktime.calls import named
from talktime.credits import reading, statements
from talktime.credits.models import TransactionType
from talktime.errors import NotFound
from talktime.http.context import context_of
from talktime.web.credits.lines_shown import kinds, line_view
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.who import signed_in

PATH = "/credits/transactions"
_LINES_SHOWN = 50
_LINES_ABOVE = 10
"""Of a line that is asked for, so many newer ones are shown as well."""
_NUMBER_MAX = 10**15

router = APIRouter(route_class=PageRoute)


@router.get(PATH)
async def look(
    request: Request,
    kind: str = "",
    before: Annotated[int | None, Query(ge=1, le=_NUMBER_MAX)] = None,
    line: Annotated[int | None, Query(ge=1, le=_NUMBER_MAX)] = None,
) -> Response:
    """The newest lines, those before one, or those around one."""
    identity = await signed_in(request)
    chosen = _kind(kind)
    last = before
    if line is not None and chosen is None:
        last = line + _LINES_ABOVE + 1
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "credits")
        found = await reading.lines(db, identity.user_id, kind=chosen, before=last, limit=_LINES_SHOWN)
        lines = await statements.some(db, identity.user_id, [each.seq for each in found.lines])
        calls = await named.of_ids(db, identity.user_id, [each.call_id for each in lines if each.call_id])
    kept = f"kind={chosen.value}&" if chosen else ""
    return paper.page(
        "credits/transactions.html",
        lines=[line_view(each, paper.clock, calls) for each in reversed(lines)],
        kinds=[("", _("Everything")), *((each.value, name) for each, name in kinds().items())],
        kind=chosen.value if chosen else "",
        newest=f"{PATH}?{kept}".rstrip("?&") if last is not None else "",
        older=f"{PATH}?{kept}before={found.older}" if found.older is not None else "",
    )


def _kind(written: str) -> TransactionType | None:
    """Raises NotFound for what is no kind of line."""
    if not written:
        return None
    try:
        return TransactionType(written)
    except ValueError:
        raise NotFound("There is no page at this address.") from None
