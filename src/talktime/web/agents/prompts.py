"""The prompt as it will be sent: everything that a language model is told before a caller speaks, to the letter."""

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from talktime.agents import versions
from talktime.agents.prompt import whole
from talktime.http.context import context_of
from talktime.web import local
from talktime.web.agents.desk import desk
from talktime.web.routing import PageRoute
from talktime.web.who import signed_in

router = APIRouter(route_class=PageRoute)


@router.get("/agents/{agent_id}/prompt")
async def prompt(
    request: Request, agent_id: uuid.UUID, which: Annotated[Literal["draft", "published"], Query()] = "draft"
) -> Response:
    """What the draft would be told now, or what is published."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        page = await desk(request, db, identity, agent_id)
        is_there = which == "draft" or page.agent.published is not None
        says = await versions.said_by(db, identity.user_id, agent_id, which) if is_there else None
    text = whole(says, page.paper.clock.now) if says is not None else ""
    return page.paper.page(
        "agents/prompt.html",
        **page.shown(),
        which=which,
        text=text,
        characters=local.figure(len(text)),
        text_words=local.figure(len(text.split())),
    )
