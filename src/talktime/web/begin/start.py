"""The first page of somebody who is not signed in: what this is, what it costs, how it works, and the ways in.

The one rule: what it costs is what the books charge and what is sold; where nothing is set, nothing is said.
"""

from datetime import UTC, datetime

from fastapi import Request, Response

from talktime.credits import packs, prices
from talktime.http.context import context_of
from talktime.web.begin import costing
from talktime.web.door import door_page

_EXAMPLE_SECONDS = 42
"""How long the call goes on already that is shown as an example."""
WHY = "what talking costs is told to everybody"


async def start_page(request: Request) -> Response:
    """The page."""
    context = context_of(request)
    async with context.database.transaction(everyone=WHY) as db:
        price = await prices.price_for_everybody(db, datetime.now(UTC))
        on_sale = await packs.on_sale(db) if context.gateway is not None else ()
    return door_page(
        request,
        "start.html",
        minute=costing.minute(price),
        packs=costing.offers(on_sale, price),
        so_far=costing.so_far(_EXAMPLE_SECONDS, price),
    )
