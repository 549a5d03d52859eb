"""A new agent: a trade, a name, a business; then a draft that is filled in from its template, to be looked through.

The rule: an agent that was just made answers nobody. What the template guesses (hours, answers) stands in the draft,
and only what its owner publishes is ever said to a caller.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import life
from talktime.agents.life import TooManyAgents
from talktime.agents.problems import UnfitAgent
from talktime.agents.templates import KEYS, find
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.speech.choose import LANGUAGES
from talktime.web import local
from talktime.web.agents import words
from talktime.web.agents.editor import languages
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet, wrong
from talktime.web.who import signed_in

_NO_TRADE = "other"

router = APIRouter(route_class=PageRoute)


@router.get("/agents/new")
async def new(request: Request) -> Response:
    """What it is to be."""
    return await _shown(request, await signed_in(request))


@router.post("/agents/new")
async def make(request: Request) -> Response:
    """Make it, and go on in its editor."""
    form, identity = await read_form(request), await signed_in(request)
    context = context_of(request)
    trade = form.text("trade")
    if not trade:
        return await _shown(request, identity, wrong(form, "trade", _("Choose what comes nearest to your business.")))
    try:
        async with context.database.transaction(user=identity.user_id) as db:
            agent = await life.create(
                db,
                identity.user_id,
                name=form.text("name") or form.text("business"),
                business=form.text("business"),
                language=form.text("language"),
                zone=form.text("zone"),
                template=None if trade == _NO_TRADE else trade,
                agents_max=context.settings.agents_max,
                actor=identity.acts_as,
            )
    except UnfitAgent as unfit:
        for field, message in words.errors(unfit):
            # A name that was left empty is the business's, so only that one is asked for.
            place = "business" if field == "name" and not form.text("name") else field
            form.errors.setdefault("trade" if field == "template" else place, message)
        return await _shown(request, identity, form)
    except TooManyAgents:
        most = local.figure(context.settings.agents_max)
        said = _("You have {most} agents, which is as many as you may have: archive one of them first.")
        return await _shown(request, identity, wrong(form, "form", said.format(most=most)), status=409)
    except TalktimeError as error:
        return await _shown(request, identity, wrong(form, "form", error), status=error.status)
    return back(f"/agents/{agent.id}", "made")


async def _shown(request: Request, identity: Identity, form: Form | None = None, status: int | None = None) -> Response:
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "agents")
    chosen = form.values if form is not None else request.query_params
    spoken = identity.locale if identity.locale in LANGUAGES else next(iter(LANGUAGES))
    values = {"trade": chosen.get("trade", ""), "language": spoken, "zone": identity.zone}
    return paper.page(
        "agents/new.html",
        form=form,
        status=status,
        values=values,
        trades=trades(),
        spoken_languages=[("", languages(spoken))],
        zones=local.zones(chosen.get("zone", identity.zone)),
    )


def trades() -> list[tuple[str, str, str]]:
    """The trades to choose from, each with what the agent does there, and one for everybody else."""
    found: list[Any] = [find(key, local.language()) for key in KEYS]
    return [
        *((each.key, each.name, each.summary) for each in found),
        (_NO_TRADE, _("Something else"), _("Says hello and takes messages. You write what it should know.")),
    ]
