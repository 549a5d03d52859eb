"""What was bought, with its invoices, and the statements of every month.

The one rule: a purchase is found by whose it is first; somebody else's is as good as none.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.credits.account import opened_at
from talktime.http.context import context_of
from talktime.payments import checkout, invoices, reading
from talktime.web.credits import purchases_shown as shown
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.who import signed_in

PATH = "/credits/purchases"
_PURCHASES_SHOWN = 25

router = APIRouter(route_class=PageRoute)


@router.get(PATH)
async def look(request: Request, before: uuid.UUID | None = None) -> Response:
    """The newest purchases, or those before one of them."""
    identity = await signed_in(request)
    user = identity.user_id
    async with context_of(request).database.transaction(user=user, snapshot=True) as db:
        paper = await sheet(request, db, identity, "credits")
        last = await checkout.find(db, user, before) if before is not None else None
        place = (last.created_at, last.id) if last is not None else None
        found = await reading.purchases(db, user, before=place, limit=_PURCHASES_SHOWN + 1)
        bought = found[:_PURCHASES_SHOWN]
        documents = await invoices.of_purchases(db, user, [each.id for each in bought])
        months = shown.months(await opened_at(db, user), paper.clock)
    return paper.page(
        "credits/purchases.html",
        purchases=[shown.purchase_view(each, documents, paper.clock) for each in bought],
        months=months,
        newest=PATH if before is not None else "",
        older=f"{PATH}?before={bought[-1].id}" if len(found) > len(bought) else "",
    )
