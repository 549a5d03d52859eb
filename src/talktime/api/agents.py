"""`/v1/agents`: agents, the drafts that are written for them, and publishing.

The rule: an agent says on the phone what was published, and nothing else; everything that it says is changed in its
draft, from the revision that the program saw.
"""

import uuid
from enum import StrEnum
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from talktime.accounts.keys import Scope
from talktime.agents import content, drafts, life, limits, publish, reading
from talktime.agents.templates import KEYS
from talktime.api.agent_shapes import Agent, AgentContent, ContentChange, Draft, Version
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, Paging, pages
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, example
from talktime.api.writing import Match, Once, StateChanged, if_match, only_once, shown, tag_of
from talktime.db.session import Session

router = api_router("/agents", "Agents")


class AgentStatus(StrEnum):
    """Which agents a list has."""

    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


_WHICH: dict[AgentStatus | None, dict[str, bool]] = {
    None: {"archived": False},
    AgentStatus.ACTIVE: {"archived": False, "active": True},
    AgentStatus.PAUSED: {"archived": False, "active": False},
    AgentStatus.ARCHIVED: {"archived": True},
}


class NewAgent(Fields):
    """An agent to be made. It answers nothing until its draft is published."""

    model_config = example(
        name="Front desk", business="Rose Lane Dental", language="en", zone="Europe/London", template="dentist"
    )

    name: str = Field(min_length=1, max_length=limits.NAME_LENGTH_MAX)
    """What you call it; callers never hear it."""
    business: str = Field(min_length=1, max_length=limits.BUSINESS_LENGTH_MAX)
    language: str | None = Field(default=None, max_length=35)
    """BCP 47: `de` or `en`, or a kind of these. Yours when it is left out."""
    zone: str | None = Field(default=None, max_length=100)
    """A name of the IANA list. Yours when it is left out."""
    template: str | None = Field(default=None, json_schema_extra={"enum": [*KEYS, None]})
    """What its draft begins with; left out, it only says hello."""


class AgentChange(Fields):
    """What changes; what is left out stays as it is."""

    model_config = example(active=False)

    name: str = Field(default="", min_length=1, max_length=limits.NAME_LENGTH_MAX)
    active: bool = True
    """False pauses it: new calls hear your fallback text, and those that go on go on."""


class Publication(Fields):
    """Which draft is to be published."""

    model_config = example(revision=12)

    revision: int = Field(ge=0, le=2**31 - 1)
    """The draft that you saw, so that you publish nothing that somebody else wrote a moment ago."""


@router.get("")
async def agents_list(
    caller: Annotated[Caller, needs(Scope.AGENTS_READ)],
    page: Annotated[Paging, pages("-created_at", "created_at")],
    status: Annotated[AgentStatus | None, Query(description="All but the archived ones when it is left out.")] = None,
) -> Page[Agent]:
    """Lists your agents."""
    async with caller.transaction() as db:
        rows = await reading.page(
            db,
            caller.user,
            limit=page.limit + 1,
            after=page.moment_and_id,
            newest_first=page.is_descending,
            **_WHICH[status],
        )
    return page.of(rows, key=lambda agent: (agent.created_at, agent.id), show=Agent.of)


@router.post("", status_code=201, response_model=Agent)
async def agents_make(
    caller: Annotated[Caller, needs(Scope.AGENTS_WRITE)], body: NewAgent, once: Annotated[Once, only_once()]
) -> Response:
    """Makes an agent with a draft, from a template if you name one."""

    async def make(db: Session) -> Agent:
        agent = await life.create(
            db,
            caller.user,
            name=body.name,
            business=body.business,
            language=body.language or caller.locale,
            zone=body.zone or caller.zone,
            template=body.template,
            agents_max=caller.context.settings.agents_max,
        )
        await db.refresh(agent)
        return Agent.of(agent)

    return await once.do(make, headers=lambda made: {"location": f"/v1/agents/{made.id}"})


@router.get("/{agent_id}", response_model=Agent)
async def agents_read(caller: Annotated[Caller, needs(Scope.AGENTS_READ)], agent_id: uuid.UUID) -> Response:
    """Gives one agent, also an archived one."""
    async with caller.transaction() as db:
        return shown(Agent.of(await reading.agent_of(db, caller.user, agent_id)))


@router.patch("/{agent_id}", response_model=Agent)
async def agents_change(
    caller: Annotated[Caller, needs(Scope.AGENTS_WRITE)],
    agent_id: uuid.UUID,
    body: AgentChange,
    match: Annotated[Match, if_match()],
) -> Response:
    """Renames an agent, pauses it, or has it answer again. What it says is changed in its draft."""
    async with caller.transaction() as db:
        match.require(tag_of(Agent.of(await reading.locked(db, caller.user, agent_id))))
        agent = Agent.of(await life.change(db, caller.user, agent_id, **body.sent()))
    return shown(agent)


@router.post("/{agent_id}/archive", response_model=Agent)
async def agents_archive(caller: Annotated[Caller, needs(Scope.AGENTS_WRITE)], agent_id: uuid.UUID) -> Response:
    """Puts an agent away. It answers no more; its versions and calls stay. Archived again, it stays as it is."""
    async with caller.transaction() as db:
        agent = Agent.of(await life.archive(db, caller.user, agent_id))
    return shown(agent)


@router.post("/{agent_id}/restore", response_model=Agent)
async def agents_restore(caller: Annotated[Caller, needs(Scope.AGENTS_WRITE)], agent_id: uuid.UUID) -> Response:
    """Brings an archived agent back, paused."""
    async with caller.transaction() as db:
        agents_max = caller.context.settings.agents_max
        agent = Agent.of(await life.restore(db, caller.user, agent_id, agents_max=agents_max))
    return shown(agent)


@router.get("/{agent_id}/draft", response_model=Draft)
async def agents_draft_read(caller: Annotated[Caller, needs(Scope.AGENTS_READ)], agent_id: uuid.UUID) -> Response:
    """Gives what is being written for an agent, or what is published while nothing is."""
    async with caller.transaction() as db:
        draft = Draft.of(await drafts.read(db, caller.user, agent_id))
    return shown(draft, tag=draft.tag)


@router.patch("/{agent_id}/draft", response_model=Draft)
async def agents_draft_save(
    caller: Annotated[Caller, needs(Scope.AGENTS_WRITE)],
    agent_id: uuid.UUID,
    body: ContentChange,
    match: Annotated[Match, if_match()],
) -> Response:
    """Saves some fields of the draft, and begins one if there is none. When somebody else has saved since, the answer
    is a 412 that names the fields which they changed."""
    async with caller.transaction() as db:
        saved = await drafts.save(db, caller.user, agent_id, body.said(), revision=_revision(match))
        draft = Draft.of(saved)
    return shown(draft, tag=draft.tag)


@router.delete("/{agent_id}/draft", response_model=Draft)
async def agents_draft_discard(
    caller: Annotated[Caller, needs(Scope.AGENTS_WRITE)], agent_id: uuid.UUID, match: Annotated[Match, if_match()]
) -> Response:
    """Throws the draft away; the answer is what is published."""
    async with caller.transaction() as db:
        draft = Draft.of(await drafts.discard(db, caller.user, agent_id, revision=_revision(match)))
    return shown(draft, tag=draft.tag)


@router.post("/{agent_id}/publish", status_code=201, response_model=Version, openapi_extra={"x-refusals": ["412"]})
async def agents_publish(
    caller: Annotated[Caller, needs(Scope.AGENTS_WRITE)],
    agent_id: uuid.UUID,
    body: Publication,
    once: Annotated[Once, only_once()],
) -> Response:
    """Publishes the draft as the next version. Calls that ring from now on get it; those that go on keep theirs."""

    async def do(db: Session) -> Version:
        number = await publish.publish_draft(db, caller.user, agent_id, revision=body.revision)
        return await version_shown(db, caller.user, agent_id, number)

    return await once.do(do, headers=lambda made: {"location": f"/v1/agents/{agent_id}/versions/{made.version_no}"})


async def version_shown(db: Session, user: uuid.UUID, agent_id: uuid.UUID, version_no: int) -> Version:
    """A version with everything that it says. Raises NoSuchAgent, NoSuchVersion."""
    await reading.agent_of(db, user, agent_id)
    agent, version = await publish.read_version(db, user, agent_id, version_no)
    return Version(
        agent_id=agent.id,
        version_no=version.version_no,
        is_published=version.version_no == agent.published_version,
        copied_from=version.copied_from,
        created_at=version.created_at,
        content=AgentContent.of(content.of_version(agent, version)),
    )


def _revision(match: Match) -> int | None:
    """The draft that a program saw; None for whichever it is. Raises StateChanged for what was never a draft's tag."""
    if match.tags is None:
        return None
    numbers = [int(said) for tag in match.tags if (said := tag.strip('"')).isdecimal() and len(said) <= _DIGITS_MAX]
    if not numbers:
        raise StateChanged
    return max(numbers)


_DIGITS_MAX = 10
