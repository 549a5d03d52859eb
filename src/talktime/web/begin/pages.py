"""The first hour's way: to the next open step, through the steps, and what to do when all is done."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.http.context import context_of
from talktime.numbers.shown import international
from talktime.web.begin import business, calling, credit, knowledge, number
from talktime.web.begin.desk import desk_of, own_numbers
from talktime.web.routing import PageRoute
from talktime.web.who import signed_in

router = APIRouter(route_class=PageRoute)
for step in (business, knowledge, calling, number, credit):
    router.include_router(step.router)


@router.get("/begin")
async def begin(request: Request) -> Response:
    """To the next open step; when there is none, to the overview."""
    identity = await signed_in(request)
    context = context_of(request)
    numbers = await own_numbers(context, identity)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        desk = await desk_of(request, db, identity, numbers)
    return RedirectResponse(desk.progress.address, 303)


@router.get("/begin/done")
async def done(request: Request) -> Response:
    """What to do next; whoever is not there yet is led to what is open."""
    identity = await signed_in(request)
    context = context_of(request)
    numbers = await own_numbers(context, identity)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        desk = await desk_of(request, db, identity, numbers)
    agent = desk.progress.agent
    if agent is None or not desk.progress.is_over:
        return RedirectResponse(desk.progress.address, 303)
    answering = next(each.number for each in numbers if each.agent_id == agent.id)
    return desk.page("begin/done.html", "done", agent=agent, number=international(answering), dialled=answering)
