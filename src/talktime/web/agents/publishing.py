"""Publishing a draft, and throwing one away.

The rules: who publishes has seen, in words, what changes for callers; and they publish what they saw, never what
somebody else wrote a moment ago.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import drafts, publish
from talktime.agents.drafts import DraftChanged
from talktime.agents.problems import UnfitAgent
from talktime.agents.publish import NothingToPublish
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web.agents.changes import changes_shown, sections_of
from talktime.web.agents.desk import desk
from talktime.web.agents.keeping import revision_of
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, wrong
from talktime.web.who import signed_in

router = APIRouter(route_class=PageRoute)


@router.get("/agents/{agent_id}/publish")
async def look(request: Request, agent_id: uuid.UUID) -> Response:
    """What publishing will change."""
    return await _shown(request, await signed_in(request), agent_id)


@router.post("/agents/{agent_id}/publish")
async def publish_it(request: Request, agent_id: uuid.UUID) -> Response:
    """Publish the draft that was looked at."""
    form, identity = await read_form(request), await signed_in(request)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            number = await publish.publish_draft(
                db, identity.user_id, agent_id, revision=_looked_at(form), actor=identity.acts_as
            )
    except NothingToPublish:
        # Sent twice, or published meanwhile by somebody who wrote the same: it is as it was wanted.
        return back(f"/agents/{agent_id}/versions", "nothing")
    except DraftChanged as error:
        said = _("Somebody changed the draft since you looked at it. This is what it says now.")
        return await _shown(request, identity, agent_id, wrong(form, "form", said), status=error.status)
    except UnfitAgent as unfit:
        return await _shown(request, identity, agent_id, form, status=unfit.status)
    except TalktimeError as error:
        if error.status == 404:
            raise
        return await _shown(request, identity, agent_id, wrong(form, "form", error), status=error.status)
    return back(f"/agents/{agent_id}/versions?version={number}", "published")


@router.post("/agents/{agent_id}/discard")
async def discard(request: Request, agent_id: uuid.UUID) -> Response:
    """Throw the draft away."""
    form, identity = await read_form(request), await signed_in(request)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            await drafts.discard(
                db, identity.user_id, agent_id, revision=_looked_at(form), actor=identity.acts_as
            )  # fmt: skip
    except DraftChanged as error:
        said = _("Somebody changed the draft since you looked at it. This is what it says now.")
        return await _shown(request, identity, agent_id, wrong(form, "form", said), status=error.status)
    return back(f"/agents/{agent_id}", "discarded")


async def _shown(
    request: Request, identity: Identity, agent_id: uuid.UUID, form: Form | None = None, status: int | None = None
) -> Response:
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        page = await desk(request, db, identity, agent_id)
    return page.paper.page(
        "agents/publish.html",
        form=form,
        status=status,
        **page.shown(),
        differences_found=changes_shown(page.changes),
        sections=sections_of(page.draft.content),
        revision=page.draft.revision,
    )


def _looked_at(form: Form) -> int:
    """The draft that was looked at; a form that does not say has looked at none."""
    revision = revision_of(form)
    return -1 if revision is None else revision
