"""The editor of an agent: its parts on the left, each a form that saves itself; the agent to try on the right.

The rule: a save never fails silently and never loses a word: what cannot be is said beside its field, and when somebody
else changed the same field meanwhile, both are shown and one is chosen.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import drafts, life
from talktime.agents.content import Content
from talktime.agents.problems import UnfitAgent
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.http.security import WITH_MICROPHONE
from talktime.settings import Settings
from talktime.speech.choose import LANGUAGES, voices
from talktime.web import local
from talktime.web.agents import hours_form, pace_form, parts, people_form, standing_in_form, words
from talktime.web.agents.desk import Desk, desk, numbers_of_everybody
from talktime.web.agents.keeping import Contested, keep, seen, seen_values, theirs_stay
from talktime.web.agents.parts import PARTS, Part
from talktime.web.agents.routing import LongFormRoute
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.sheet import back, wrong
from talktime.web.visit import FIELD
from talktime.web.who import signed_in

router = APIRouter(route_class=LongFormRoute)


@router.get("/agents/{agent_id}")
async def show_first(request: Request, agent_id: uuid.UUID) -> Response:
    """The editor, at its first part."""
    return await shown(request, await signed_in(request), agent_id, PARTS[parts.FIRST])


def _offer(part: Part) -> None:
    """The two routes of a part."""

    async def show(request: Request, agent_id: uuid.UUID) -> Response:
        return await shown(request, await signed_in(request), agent_id, part)

    async def save(request: Request, agent_id: uuid.UUID) -> Response:
        return await _saved(request, agent_id, part)

    path = f"/agents/{{agent_id}}/{part.key}"
    router.add_api_route(path, show, methods=["GET"], name=f"agent_{part.key}")
    router.add_api_route(path, save, methods=["POST"], name=f"agent_{part.key}_save")


for _part in PARTS.values():
    _offer(_part)


async def _saved(request: Request, agent_id: uuid.UUID, part: Part) -> Response:
    form, identity = await read_form(request), await signed_in(request)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            now = await drafts.read(db, identity.user_id, agent_id)
            sent = part.read(form, now.content)
            if not form.errors:
                await keep(db, identity, agent_id, theirs_stay(form, sent), seen(form, part.fields))
                if part.key == "business":
                    await life.change(db, identity.user_id, agent_id, name=form.text("name"), actor=identity.acts_as)
    except UnfitAgent as unfit:
        return await shown(request, identity, agent_id, part, form=_noted(form, unfit, part))
    except Contested as contested:
        return await _contested(request, identity, agent_id, part=part, form=form, contested=contested)
    except TalktimeError as error:
        if error.status == 404:
            raise
        return await shown(request, identity, agent_id, part, form=wrong(form, "form", error), status=error.status)
    if form.errors:
        return await shown(request, identity, agent_id, part, form=form)
    return back(f"/agents/{agent_id}/{part.key}", "saved")


async def shown(
    request: Request,
    identity: Identity,
    agent_id: uuid.UUID,
    part: Part,
    *,
    form: Form | None = None,
    status: int | None = None,
) -> Response:
    """The editor at one part; with a form, what was typed in it and what is wrong with it."""
    numbers = await numbers_of_everybody(request, identity)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        page = await desk(request, db, identity, agent_id, numbers=numbers, said=said())
    content = page.draft.content
    # Of a form that comes back everything is as it was typed: a box that was not ticked sends nothing.
    kept = {**part.show(content), **seen_values(page.draft, part.fields), "name": page.agent.name}
    return page.paper.page(
        part.template,
        form=form,
        status=status,
        headers=WITH_MICROPHONE,
        values=kept if form is None else {},
        undo_off=request.query_params.get("done") == "off" and not page.agent.active,
        **page.shown(),
        **_furniture(page, part),
        **_more(part, content, form, context_of(request).settings),
    )


async def _contested(
    request: Request, identity: Identity, agent_id: uuid.UUID, *, part: Part, form: Form, contested: Contested
) -> Response:
    """Both, side by side, and everything that was typed in the form that comes next."""
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        page = await desk(request, db, identity, agent_id)
    theirs = contested.current.content.to_json()
    hidden = {name: value for name, value in form.values.items() if name != FIELD and not name.startswith("keep-")}
    return page.paper.page(
        "agents/contested.html",
        status=409,
        **page.shown(),
        **_furniture(page, part),
        action=f"{page.address}/{part.key}",
        again={**hidden, "revision": str(contested.current.revision)},
        both=[
            {
                "field": name,
                "title": words.field_name(name),
                "theirs": words.values(name, theirs[name]),
                "mine": words.values(name, contested.mine[name]),
            }
            for name in contested.fields
        ],
    )


def said() -> dict[str, str]:
    """What may just have been done, on the pages of an agent."""
    return {
        "saved": _("Saved. Callers hear it once you publish it."),
        "made": _("Your agent is ready to be tried. Look through what it says, then publish it."),
        "on": _("The agent answers calls again."),
        "discarded": _("The draft is thrown away. This is what is published."),
        "settled": _("Noted as done."),
        "removed": _("It is taken out of the draft."),
        "restored": _("The agent is back. It is switched off until you switch it on."),
    }


def _noted(form: Form, unfit: UnfitAgent, part: Part) -> Form:
    """What is wrong, beside the field where it stands, else above the form."""
    renamed = part.renamed(form)
    for field, message in words.errors(unfit):
        place = field
        for stored, typed in renamed.items():
            if field == stored or field.startswith(f"{stored}."):
                place = typed + field.removeprefix(stored)
        name = place.replace(".", "-")
        # `phrases.3` is a line of the field `phrases`.
        name = name if name in form.values else name.partition("-")[0]
        form.errors.setdefault(name if name in form.values else "form", message)
    return form


def _furniture(page: Desk, part: Part) -> dict[str, Any]:
    return {
        "part": part,
        "parts": [(f"{page.address}/{each.key}", each.title, each.key) for each in PARTS.values()],
    }


def _more(part: Part, content: Content, form: Form | None, settings: Settings) -> Mapping[str, Any]:
    """What a part shows besides its values."""
    match part.key:
        case "business":
            return {"zones": local.zones(content.zone), "spoken_languages": [("", languages(content.language))]}
        case "hours":
            return {
                "week": hours_form.week(content),
                "special": hours_form.special(content),
                "special_fields": hours_form.special_fields(),
                "zone_of_hours": content.zone,
            }
        case "knowledge":
            return {"entries": content.knowledge}
        case "people":
            return {"rows": people_form.rows(content, form)}
        case "voice":
            return {
                "common": _settings(pace_form.COMMON),
                "finer": _settings(pace_form.FINER),
                "voices": voices(settings, content.language),
            }
        case "instead":
            common, others = standing_in_form.rungs(content)
            return {"common": common, "others": others}
        case _:
            return {}


def languages(chosen: str) -> list[tuple[str, str]]:
    """The languages that an agent may speak, with the one that it speaks."""
    tags = [*LANGUAGES, *([chosen] if chosen not in LANGUAGES else [])]
    return sorted(((tag, words.language_name(tag)) for tag in tags), key=lambda each: each[1])


def _settings(names: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    return [(name, words.turn_setting(name), words.usual(name), words.unit(name)) for name in names]
