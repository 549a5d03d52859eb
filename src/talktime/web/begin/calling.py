"""The agent in words, and calling it right there from the browser.

The one rule: a call from here is a real one and costs credits, so whoever has none is told so and shown where to get
some.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from talktime.agents.content import Content
from talktime.credits import prices
from talktime.credits.models import Price
from talktime.http.context import context_of
from talktime.http.security import WITH_MICROPHONE
from talktime.speech.contract import Entry
from talktime.web.begin import costing
from talktime.web.begin.desk import business_first, desk_of, own_numbers
from talktime.web.begin.progress import CALL
from talktime.web.routing import PageRoute
from talktime.web.who import signed_in

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class AgentInWords:
    """What an agent says, does and knows, as its owner reads it."""

    greeting: str
    opening: str
    """Its opening hours as it says them; "" when it does not know any."""
    does: tuple[str, ...]
    avoids: tuple[str, ...]
    knows: tuple[Entry, ...]
    facts: str


@router.get("/begin/call")
async def call(request: Request) -> Response:
    """The draft as it would talk now, and the panel to talk to it."""
    identity = await signed_in(request)
    context = context_of(request)
    numbers = await own_numbers(context, identity)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        desk = await desk_of(request, db, identity, numbers)
        price: Price | None = await prices.price_of(db, identity.user_id, datetime.now(UTC))
    if desk.progress.agent is None or desk.progress.draft is None:
        return business_first()
    return desk.page(
        "begin/call.html",
        CALL,
        headers=WITH_MICROPHONE,
        agent=desk.progress.agent,
        told=_in_words(desk.progress.draft.content),
        can_call=desk.funds.free > 0 and not desk.funds.is_blocked and not desk.funds.debt,
        minute=costing.minute(price),
        onward=desk.onward,
    )


def _in_words(content: Content) -> AgentInWords:
    return AgentInWords(
        greeting=content.greeting,
        opening=content.hours.spoken(content.language)["week"] if content.hours else "",
        does=_lines(content.instructions),
        avoids=_lines(content.avoid),
        knows=content.knowledge,
        facts=content.facts,
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
