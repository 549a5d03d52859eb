"""What the agent should know: where the business is, when it is open, what it costs, what callers ask most.

The one rule: all of it is one form, which is kept as a whole or not at all, and nothing in it has to be filled in.
"""

from typing import Any

from babel.dates import get_day_names
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.agents import drafts, limits
from talktime.agents.content import Content
from talktime.agents.opening_hours import DAYS
from talktime.agents.problems import UnfitAgent
from talktime.credits.account import funds_of
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web import local
from talktime.web.agents.routing import LongFormRoute
from talktime.web.begin import hours, saying
from talktime.web.begin.desk import business_first, desk_of, is_by_script, own_numbers, saved_by_script
from talktime.web.begin.progress import KNOWLEDGE, progress_of
from talktime.web.begin.saying import QUESTIONS_SHOWN, Known
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.refusals import in_words
from talktime.web.who import signed_in

ADDRESS_LENGTH_MAX = 300
PRICES_LENGTH_MAX = 1000
QUESTION_LENGTH_MAX = 150
ANSWER_LENGTH_MAX = 400
"""Shorter than an agent may know (`agents.limits`): these are read out on a phone, and fit into one form."""
_AFTER_HOURS = "after_hours"

router = APIRouter(route_class=LongFormRoute)


@router.get("/begin/knowledge")
async def ask(request: Request) -> Response:
    """What it knows so far, to be added to."""
    return await _page(request, await signed_in(request))


@router.post("/begin/knowledge")
async def take(request: Request) -> Response:
    """Keep it in the draft."""
    form, identity = await read_form(request), await signed_in(request)
    context = context_of(request)
    numbers = await own_numbers(context, identity)
    known, week = _known(form), hours.read(form)
    if not form.errors:
        try:
            async with context.database.transaction(user=identity.user_id) as db:
                funds = await funds_of(db, identity.user_id)
                progress = await progress_of(db, identity.user_id, numbers, funds, in_full=True)
                if progress.agent is None or progress.draft is None:
                    return business_first()
                sent = _sent(progress.draft.content, known, week, answers_always=form.is_ticked(_AFTER_HOURS))
                agent = progress.agent.id
                await drafts.save(db, identity.user_id, agent, sent, revision=None, actor=identity.acts_as)
        except UnfitAgent as error:
            form.errors.update({_field(name): _(message) for name, message in error.fields.items()})
        except TalktimeError as error:
            form.errors["form"] = in_words(error)
    if is_by_script(request):
        return saved_by_script(form)
    return await _page(request, identity, form) if form.errors else RedirectResponse("/begin/call", 303)


async def _page(request: Request, identity: Identity, form: Form | None = None) -> Response:
    context = context_of(request)
    numbers = await own_numbers(context, identity)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        desk = await desk_of(request, db, identity, numbers)
    if desk.progress.draft is None:
        return business_first()
    content = desk.progress.draft.content
    always = form.is_ticked(_AFTER_HOURS) if form is not None else content.answers_after_hours
    places = max(QUESTIONS_SHOWN, len(saying.known_of(content).questions))
    return desk.page(
        "begin/knowledge.html",
        KNOWLEDGE,
        form=form,
        values=_values(content),
        days=[(hours.field_of(day), name) for day, name in zip(DAYS, _day_names(), strict=True)],
        places=range(1, places + 1),
        answers_always=always,
        longest={
            "address": ADDRESS_LENGTH_MAX,
            "prices": PRICES_LENGTH_MAX,
            "facts": limits.FACTS_LENGTH_MAX,
            "question": QUESTION_LENGTH_MAX,
            "answer": ANSWER_LENGTH_MAX,
        },
    )


def _known(form: Form) -> Known:
    """What the form says; what is too long or half is noted beside its field."""
    places = range(1, limits.ENTRIES_MAX + 1)
    pairs = [
        _pair(form, place) for place in places if f"question_{place}" in form.values or f"answer_{place}" in form.values
    ]
    return Known(
        address=_short(form, "address", ADDRESS_LENGTH_MAX),
        prices=_short(form, "prices", PRICES_LENGTH_MAX),
        facts=_short(form, "facts", limits.FACTS_LENGTH_MAX),
        questions=tuple(pair for pair in pairs if any(pair)),
    )


def _pair(form: Form, place: int) -> tuple[str, str]:
    question = _short(form, f"question_{place}", QUESTION_LENGTH_MAX)
    answer = _short(form, f"answer_{place}", ANSWER_LENGTH_MAX)
    if question and not answer:
        form.errors[f"answer_{place}"] = _("Write the answer, too.")
    if answer and not question:
        form.errors[f"question_{place}"] = _("Write what callers ask.")
    return " ".join(question.split()), answer


def _short(form: Form, name: str, length_max: int) -> str:
    said = form.text(name).replace("\r\n", "\n")
    if len(said) > length_max:
        form.errors[name] = _("Write at most {count} characters.").format(count=local.figure(length_max))
    return said


def _sent(
    content: Content, known: Known, week: dict[str, list[list[str]]] | None, *, answers_always: bool
) -> dict[str, Any]:
    """The fields of the draft that this form is about."""
    after = saying.told(content, known).to_json()
    special = (after["hours"] or {}).get("special", {})
    opens = week is not None and any(week.values())
    return {
        "facts": after["facts"],
        "knowledge": after["knowledge"],
        "hours": {"week": week, "special": special} if week is not None else None,
        # Without hours there is no time to be closed at.
        "answers_after_hours": answers_always or not opens,
    }


def _values(content: Content) -> dict[str, str]:
    known = saying.known_of(content)
    pairs: dict[str, str] = {}
    for place, (question, answer) in enumerate(known.questions, 1):
        pairs |= {f"question_{place}": question, f"answer_{place}": answer}
    own = {"address": known.address, "prices": known.prices, "facts": known.facts}
    return {**own, **pairs, **hours.written(content.hours)}


def _field(name: str) -> str:
    """The field of the form that an error of the agent's is about."""
    return name if name == "facts" else "form"


def _day_names() -> list[str]:
    names = get_day_names("wide", "stand-alone", locale=local.language())
    return [names[number] for number in range(len(DAYS))]
