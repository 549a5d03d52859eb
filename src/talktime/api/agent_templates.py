"""`/v1/agent-templates`: what an agent can begin with, by trade and language."""

from typing import Annotated

from fastapi import Query

from talktime.accounts.keys import Scope
from talktime.agents import templates
from talktime.agents.content import Content
from talktime.agents.templates import KEYS, TEMPLATES
from talktime.agents.templates import Template as Found
from talktime.api.agent_shapes import AgentContent
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, whole
from talktime.api.routing import api_router
from talktime.api.shapes import Resource, example, example_like, first_example
from talktime.errors import BadInput, NotFound
from talktime.speech.choose import LANGUAGES

router = api_router("/agent-templates", "Agents")
_LANGUAGES = {"enum": sorted(LANGUAGES)}


class NoSuchTemplate(NotFound):
    """There is no such template."""

    def __init__(self) -> None:
        super().__init__(
            f"There is no such template. There are {', '.join(KEYS)}, each in the languages {', '.join(LANGUAGES)}."
        )


class NoSuchLanguage(BadInput):
    """There are no templates in this language."""

    field = "language"

    def __init__(self) -> None:
        super().__init__(f"There are no templates in this language: choose one of {', '.join(LANGUAGES)}.")


class Template(Resource):
    """A trade in one language."""

    model_config = example(
        key="dentist",
        language="en",
        name="Dental practice",
        summary="Takes requests for appointments, sorts out who is in pain, and passes messages on to the front desk.",
    )

    key: str
    """What `template` is when an agent is made."""
    language: str
    name: str
    summary: str

    @classmethod
    def of(cls, template: Found) -> "Template":
        return cls(**{name: getattr(template, name) for name in Template.model_fields})


class WholeTemplate(Template):
    """A template with everything that an agent made from it says. `{business}` stands for the name of the business."""

    model_config = example_like(Template, content=first_example(AgentContent))

    content: AgentContent


@router.get("", dependencies=[needs(Scope.AGENTS_READ)])
async def agent_templates_list(
    language: Annotated[str | None, Query(max_length=35, json_schema_extra=_LANGUAGES)] = None,
) -> Page[Template]:
    """Lists the templates, all of them at once, or those in one language."""
    if language is not None and language not in LANGUAGES:
        raise NoSuchLanguage
    return whole([Template.of(each) for each in TEMPLATES if language in (None, each.language)])


@router.get("/{key}")
async def agent_templates_read(
    caller: Annotated[Caller, needs(Scope.AGENTS_READ)],
    key: str,
    language: Annotated[str | None, Query(max_length=35, description="Yours when it is left out.")] = None,
) -> WholeTemplate:
    """Shows what an agent made from a template says."""
    language = language or caller.locale
    if key not in KEYS or language.partition("-")[0] not in LANGUAGES:
        raise NoSuchTemplate
    found = templates.find(key, language)
    said = found.content(Content(business="{business}", language=found.language, zone=caller.zone))
    return WholeTemplate(**Template.of(found).model_dump(), content=AgentContent.of(said))
