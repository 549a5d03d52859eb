"""What was published of an agent: a timeline, one version, what differs from another one, and going back to one.

The rule: nothing here changes a version. Going back publishes a copy of an old one as a new one, and can be undone in
the same way.
"""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import content, history, publish, versions
from talktime.agents.differences import between
from talktime.agents.history import Publisher, Step
from talktime.agents.problems import UnfitAgent
from talktime.agents.publish import AlreadyPublished, DraftIsOpen, OpenDraft
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web import local
from talktime.web.agents import words
from talktime.web.agents.changes import changes_shown, sections_of
from talktime.web.agents.desk import Desk, desk
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, wrong
from talktime.web.who import signed_in
from talktime.web.words import Clock

_VERSIONS_A_PAGE = 10
_COMPARABLE_MAX = 100
_NUMBER_MAX = 2**31 - 1

VersionNumber = Annotated[int, Path(ge=1, le=_NUMBER_MAX)]

router = APIRouter(route_class=PageRoute)


@router.get("/agents/{agent_id}/versions")
async def timeline(
    request: Request, agent_id: uuid.UUID, before: Annotated[int | None, Query(ge=1, le=_NUMBER_MAX)] = None
) -> Response:
    """What was published, the newest first."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        page = await desk(request, db, identity, agent_id, said=_said(request))
        found = await history.steps(db, identity.user_id, agent_id, limit=_VERSIONS_A_PAGE + 1, before=before)
    shown = found[:_VERSIONS_A_PAGE]
    here = f"{page.address}/versions"
    return page.paper.page(
        "agents/versions.html",
        **page.shown(),
        items=[_item(step, page, identity) for step in shown],
        undo=_undo(request, page),
        older=f"{here}?before={shown[-1].version_no}" if len(found) > len(shown) else "",
        newest=here if before is not None else "",
    )


@router.get("/agents/{agent_id}/versions/{version_no}")
async def one(
    request: Request,
    agent_id: uuid.UUID,
    version_no: VersionNumber,
    other: Annotated[str, Query(alias="with", pattern=r"^([1-9][0-9]{0,8}|draft|)$")] = "",
) -> Response:
    """What one of them says, or how it differs from another one."""
    return await _shown(request, await signed_in(request), agent_id, version_no, other)


@router.post("/agents/{agent_id}/versions/{version_no}/roll-back")
async def roll_back(request: Request, agent_id: uuid.UUID, version_no: VersionNumber) -> Response:
    """Publish a copy of it."""
    form, identity = await read_form(request), await signed_in(request)
    what = form.text("draft")
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            replaced = (await desk(request, db, identity, agent_id)).agent.published_version
            number = await publish.roll_back(
                db,
                identity.user_id,
                agent_id,
                version_no,
                open_draft=OpenDraft(what) if what in {*OpenDraft} else None,
                actor=identity.acts_as,
            )
    except AlreadyPublished:
        return back(f"/agents/{agent_id}/versions", "nothing")
    except DraftIsOpen:
        said = _("Somebody is writing a draft. Choose what becomes of it.")
        form = wrong(form, "draft", said)
        return await _shown(request, identity, agent_id, version_no, form=form, status=409)
    except UnfitAgent as unfit:
        said = " ".join(message for _field, message in words.errors(unfit))
        form = wrong(form, "form", said)
        return await _shown(request, identity, agent_id, version_no, form=form, status=unfit.status)
    except TalktimeError as error:
        if error.status == 404:
            raise
        form = wrong(form, "form", error)
        return await _shown(request, identity, agent_id, version_no, form=form, status=error.status)
    return back(f"/agents/{agent_id}/versions?version={number}&instead={replaced or ''}", "rolled-back")


async def _shown(
    request: Request,
    identity: Identity,
    agent_id: uuid.UUID,
    version_no: int,
    other: str = "",
    *,
    form: Form | None = None,
    status: int | None = None,
) -> Response:
    user = identity.user_id
    async with context_of(request).database.transaction(user=user, snapshot=True) as db:
        page = await desk(request, db, identity, agent_id)
        _agent, version = await publish.read_version(db, user, agent_id, version_no)
        says = content.of_version(page.agent, version)
        publishers = await history.publishers_of(db, user, agent_id)
        listed = await versions.page(db, user, agent_id, limit=_COMPARABLE_MAX)
        against = await versions.said_by(db, user, agent_id, _which(other)) if other else None
    clock = page.paper.clock
    return page.paper.page(
        "agents/version.html",
        form=form,
        status=status,
        **page.shown(),
        version_no=version_no,
        is_published=version_no == page.agent.published_version,
        when=local.moment(version.created_at, clock),
        who=_who(publishers.get(version_no), identity),
        sections=sections_of(says),
        others=[("", _others(page, [each.version_no for each in listed if each.version_no != version_no]))],
        other=other,
        # From the older to the newer: what the draft says came after every version.
        differences_found=changes_shown(
            between(against, says) if other.isdecimal() and int(other) < version_no else between(says, against)
        )
        if against is not None
        else [],
        compared=_compared(version_no, other) if other else "",
    )


def _others(page: Desk, numbers: list[int]) -> list[tuple[str, str]]:
    draft = [("draft", _("the draft"))] if page.draft.is_open else []
    return [*draft, *((str(number), _("version {number}").format(number=number)) for number in numbers)]


def _compared(version_no: int, other: str) -> str:
    if other == "draft":
        return _("From version {older} to the draft").format(older=version_no)
    older, newer = sorted((version_no, int(other)))
    return _("From version {older} to version {newer}").format(older=older, newer=newer)


def _which(other: str) -> versions.Which:
    return "draft" if other == "draft" else int(other)


def _item(step: Step, page: Desk, identity: Identity) -> dict[str, Any]:
    clock: Clock = page.paper.clock
    if step.copied_from is not None:
        what = _("Went back to version {number}.").format(number=step.copied_from)
    elif step.is_first:
        what = _("The first that was published.")
    else:
        what = ""
    return {
        "title": _("Version {number}").format(number=step.version_no),
        "number": step.version_no,
        "when": local.moment(step.created_at, clock),
        "iso": step.created_at.isoformat(timespec="seconds"),
        "tone": "ok" if step.is_published else "",
        "is_published": step.is_published,
        "who": _who(step.publisher, identity),
        "what": what,
        "changed": words.changed(step.changes),
        "older": "" if step.is_first else str(step.version_no - 1),
    }


def _who(publisher: Publisher | None, identity: Identity) -> str:
    """Who published it, and from where; nothing where nobody knows."""
    if publisher is None or publisher.actor is None:
        return ""
    if publisher.actor != identity.user_id:
        return _("by the operator")
    return _("by you, through a program") if publisher.door == "api" else _("by you")


def _said(request: Request) -> dict[str, str]:
    number = request.query_params.get("version", "")
    number = number if number.isascii() and number.isdecimal() and len(number) < 10 else "?"
    return {
        "published": _("Version {number} is published. Calls that ring from now on get it.").format(number=number),
        "nothing": _("Nothing had to be published: callers hear this already."),
    }


def _undo(request: Request, page: Desk) -> dict[str, Any] | None:
    """How the step back that was just made is taken back."""
    shown = request.query_params
    if shown.get("done") != "rolled-back" or shown.get("version") != str(page.agent.published_version):
        return None
    before = shown.get("instead", "")
    is_there = before.isascii() and before.isdecimal() and len(before) < 10
    return {
        "said": _("Version {number} is published, with what an older one said.").format(number=shown.get("version")),
        "action": f"{page.address}/versions/{int(before)}/roll-back" if is_there else "",
    }
