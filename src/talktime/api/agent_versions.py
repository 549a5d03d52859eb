"""`/v1/agents/{agent_id}/versions` and what is made of them: what was published, what differs, going back, the prompt.

The rule: nothing here changes a version. Going back publishes a copy of an old one as a new one.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Response

from talktime.accounts.keys import Scope
from talktime.agents import publish, reading, versions
from talktime.agents.differences import Change as Changed
from talktime.agents.publish import OpenDraft
from talktime.api.agent_shapes import ListedVersion, Version
from talktime.api.agents import version_shown
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, When, example, first_example
from talktime.api.writing import Once, only_once, shown
from talktime.db.session import Session

router = api_router("/agents/{agent_id}", "Agents")

VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
Which = Annotated[str, Query(pattern=r"^([1-9][0-9]{0,8}|draft|published)$")]


class RollBack(Fields):
    """What becomes of a draft that is open."""

    model_config = example(draft="keep")

    draft: OpenDraft | None = None
    """Needed while somebody writes one: `keep` leaves it as it is, `discard` throws it away."""


class Line(Resource):
    """A line of a long text."""

    sign: Literal[" ", "-", "+"]
    """A space when it is in both, `-` when only in the older one, `+` when only in the newer one."""
    text: str


class Change(Resource):
    """One field that differs."""

    model_config = example(
        field="tone", kind="added", before=None, after="Warm.", lines=[{"sign": "+", "text": "Warm."}]
    )

    field: str
    """With dots: `greeting`, `knowledge.parking`, `hours.week.monday`."""
    kind: Literal["added", "removed", "changed"]
    before: Any
    after: Any
    lines: list[Line]
    """Of a long text, all of its lines; else none."""

    @classmethod
    def of(cls, change: Changed) -> "Change":
        return cls(
            field=change.field,
            kind=change.kind,
            before=change.before,
            after=change.after,
            lines=[Line(sign=line.sign, text=line.text) for line in change.lines],
        )


class Diff(Resource):
    """What differs between two versions, or one and the draft."""

    model_config = example(older="2", newer="draft", changes=[first_example(Change)])

    older: str
    newer: str
    changes: list[Change]
    """In the order of the fields; none when they say the same."""


class Prompt(Resource):
    """What a language model is told before the conversation, to the letter."""

    model_config = example(
        which="draft", at="2026-11-23T14:05:00Z", text="# Who you are\nYou are the phone assistant of Wonderland Tea. …"
    )

    which: str
    at: Moment
    text: str


@router.get("/versions")
async def agents_versions_list(
    caller: Annotated[Caller, needs(Scope.AGENTS_READ)], agent_id: uuid.UUID, page: Annotated[Paging, pages()]
) -> Page[ListedVersion]:
    """Lists what was published of an agent, the newest first."""
    async with caller.transaction() as db:
        agent = await reading.agent_of(db, caller.user, agent_id)
        rows = await versions.page(db, caller.user, agent_id, limit=page.limit + 1, before=page.single(int))
        return page.of(
            rows,
            key=lambda version: (version.version_no,),
            show=lambda version: ListedVersion.of(version, agent.published_version),
        )


@router.get("/versions/{version_no}", response_model=Version)
async def agents_versions_read(
    caller: Annotated[Caller, needs(Scope.AGENTS_READ)], agent_id: uuid.UUID, version_no: VersionNumber
) -> Response:
    """Gives one version with everything that it says."""
    async with caller.transaction() as db:
        return shown(await version_shown(db, caller.user, agent_id, version_no))


@router.post("/versions/{version_no}/roll-back", status_code=201, response_model=Version)
async def agents_versions_roll_back(
    caller: Annotated[Caller, needs(Scope.AGENTS_WRITE)],
    agent_id: uuid.UUID,
    version_no: VersionNumber,
    body: RollBack,
    once: Annotated[Once, only_once()],
) -> Response:
    """Publishes a copy of an older version as the next one. While a draft is open, say what becomes of it."""

    async def do(db: Session) -> Version:
        number = await publish.roll_back(db, caller.user, agent_id, version_no, open_draft=body.draft)
        return await version_shown(db, caller.user, agent_id, number)

    return await once.do(do, headers=lambda made: {"location": f"/v1/agents/{agent_id}/versions/{made.version_no}"})


@router.get("/diff")
async def agents_diff(
    caller: Annotated[Caller, needs(Scope.AGENTS_READ)],
    agent_id: uuid.UUID,
    older: Which = "published",
    newer: Which = "draft",
) -> Diff:
    """Says what differs, field by field, and line by line in long texts. Each is the number of a version, `draft` or
    `published`."""
    async with caller.transaction() as db:
        changes = await versions.diff(db, caller.user, agent_id, _which(older), _which(newer))
    return Diff(older=older, newer=newer, changes=[Change.of(change) for change in changes])


@router.get("/prompt")
async def agents_prompt(
    caller: Annotated[Caller, needs(Scope.AGENTS_READ)],
    agent_id: uuid.UUID,
    which: Which = "draft",
    at: Annotated[When | None, Query(description="When the call is; now when it is left out.")] = None,
) -> Prompt:
    """Shows the prompt as a language model is sent it on a call at that time: of the draft, of what is published, or of
    a version."""
    at = at or datetime.now(UTC)
    async with caller.transaction() as db:
        text = await versions.preview(db, caller.user, agent_id, at=at, which=_which(which))
    return Prompt(which=which, at=at, text=text)


def _which(said: str) -> versions.Which:
    match said:
        case "draft" | "published":
            return said
    return int(said)
