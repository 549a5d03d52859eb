"""The first page of somebody who is signed in: how the day goes, who is on the line, and what needs looking at.

The one rule: whose page it is comes from the session alone. Who is not signed in reads what this is.
"""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import drafts
from talktime.agents.reading import agents_of
from talktime.calls import corrections, history, usage, watching
from talktime.calls.today import reply_milliseconds, today
from talktime.credits.account import guards_of
from talktime.credits.forecast import days_left
from talktime.db.session import Session
from talktime.http.context import Context, context_of
from talktime.numbers.assigned import numbers_of
from talktime.numbers.models import PhoneNumber
from talktime.web import words
from talktime.web.begin.progress import progress_of
from talktime.web.begin.start import start_page
from talktime.web.calls.live import come_back, stamp
from talktime.web.calls.views import RowView, row_view
from talktime.web.overview import attention, day
from talktime.web.overview.agents import agent_view
from talktime.web.routing import PageRoute
from talktime.web.sheet import clock_of, sheet
from talktime.web.who import who_asks
from talktime.web.words import Clock

CALLS_SHOWN = 8
AGENTS_SHOWN = 6
MATTERS_SHOWN = 6
"""The most urgent: who has many agents finds the rest at each of them."""
_NUMBERS_WHY = "a number's owner is looked up in the pool, which is nobody's own"

router = APIRouter(route_class=PageRoute)


@router.get("/")
async def overview(request: Request) -> Response:
    """How the day goes; for somebody who is not signed in, what this is and how to get in."""
    identity = await who_asks(request)
    if identity is None:
        return await start_page(request)
    return await _overview(request, identity, "overview/page.html")


@router.get("/live")
async def overview_since(request: Request, version: str = "") -> Response:
    """What the page is now, if it is another than the browser has."""
    identity = await who_asks(request)
    if identity is None:
        return come_back()
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        if await _version(db, identity) == version:
            return Response(status_code=204)
    return await _overview(request, identity, "overview/live.html")


async def _overview(request: Request, identity: Identity, template: str) -> Response:
    numbers = await _numbers(context_of(request), identity)
    clock, user = clock_of(identity), identity.user_id
    here = clock.local(clock.now)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    async with context_of(request).database.transaction(user=user, snapshot=True) as db:
        paper = await sheet(request, db, identity, "overview")
        funds = paper.funds
        own = await agents_of(db, user)
        agents = [agent_view(agent, numbers, clock.now) for agent in own]
        rows = await _rows(db, identity, clock)
        used = day.by_day(
            await usage.used(db, user, zone=identity.zone, days=day.DAYS_READ, now=clock.now, each_agent=False)
        )
        figures = day.figures(
            midnight.date(), await today(db, user, midnight), used, await reply_milliseconds(db, user)
        )
        lasts = await days_left(db, user, clock.now, zone=identity.zone)
        matters = [
            *attention.of_credit(funds, await guards_of(db, user, clock.now), lasts),
            *attention.of_agents(agents, await drafts.open_since(db, user), await corrections.count_open(db, user)),
        ]
        progress = await progress_of(db, user, numbers, funds, agents=own)
        version = await _version(db, identity)
    return paper.page(
        template,
        greeting=words.greeting(here),
        sentence=words.people(paper.around["live_count"]),
        figures=figures,
        calls=rows,
        chart=day.talk_chart(midnight.date(), used),
        matters=matters[:MATTERS_SHOWN],
        agents=agents[:AGENTS_SHOWN],
        progress=progress,
        try_agent=next((agent for agent in agents if agent.is_published), None),
        watch="/live",
        version=version,
    )


async def _rows(db: Session, identity: Identity, clock: Clock) -> Sequence[RowView]:
    """The newest calls; those that are live stand on top, however long they have been running."""
    live = await watching.running(db, identity.user_id)
    newest = await history.newest(db, identity.user_id, limit=CALLS_SHOWN)
    return [row_view(record, clock) for record in (*live, *(each for each in newest if not each.is_live))]


async def _numbers(context: Context, identity: Identity) -> Sequence[PhoneNumber]:
    async with context.database.transaction(everyone=_NUMBERS_WHY) as db:
        return await numbers_of(db, identity.user_id)


async def _version(db: Session, identity: Identity) -> str:
    return stamp(await watching.version(db, identity.user_id, limit=CALLS_SHOWN), clock_of(identity))
