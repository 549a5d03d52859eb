"""“What is your business?”: the first step, which makes the agent, and changes it when one comes back.

The one rule: an account gets one agent here, however often the form is sent.
"""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.agents import drafts, life, limits, templates
from talktime.agents.problems import UnfitAgent
from talktime.credits.account import funds_of
from talktime.db.session import Session
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.numbers.models import PhoneNumber
from talktime.web import local
from talktime.web.begin import saying
from talktime.web.begin.desk import desk_of, is_by_script, own_numbers, saved_by_script
from talktime.web.begin.progress import BUSINESS, progress_of
from talktime.web.forms import Form, read_form
from talktime.web.language import NAMES, _
from talktime.web.refusals import in_words
from talktime.web.routing import PageRoute
from talktime.web.who import signed_in

_CHANGED = (
    "business",
    "language",
    "zone",
    "greeting",
    "instructions",
    "tone",
    "avoid",
    "hours",
    "knowledge",
    "phrases",
)
"""What is said anew when business, trade or language are others."""

router = APIRouter(route_class=PageRoute)


@router.get("/begin/business")
async def ask(request: Request) -> Response:
    """What is the business called, what does it do, which language and clock does it have?"""
    return await _page(request, await signed_in(request))


@router.post("/begin/business")
async def take(request: Request) -> Response:
    """Make the agent, or change what its draft says of the business."""
    form, identity = await read_form(request), await signed_in(request)
    context = context_of(request)
    _check(form)
    if not form.errors:
        numbers = await own_numbers(context, identity)
        try:
            async with context.database.transaction(user=identity.user_id) as db:
                await _keep(db, identity, form, numbers, context.settings.agents_max)
        except UnfitAgent as error:
            known = ("business", "language", "zone")
            found = {name if name in known else "form": message for name, message in error.fields.items()}
            form.errors.update({name: _(message) for name, message in found.items()})
        except TalktimeError as error:
            form.errors["form"] = in_words(error)
    if is_by_script(request):
        return saved_by_script(form)
    return await _page(request, identity, form) if form.errors else RedirectResponse("/begin/knowledge", 303)


async def _keep(db: Session, identity: Identity, form: Form, numbers: Sequence[PhoneNumber], agents_max: int) -> None:
    user = identity.user_id
    # Of two forms sent at once the second finds the agent that the first made.
    await life.one_by_one(db, user)
    progress = await progress_of(db, user, numbers, await funds_of(db, user), in_full=True)
    business, language, zone = form.text("business"), form.text("language"), form.text("zone")
    if progress.agent is None or progress.draft is None:
        await life.create(
            db,
            user,
            name=_("Reception"),
            business=business,
            language=language,
            zone=zone,
            template=form.text("trade") or None,
            agents_max=agents_max,
            actor=identity.acts_as,
        )
        return
    content = progress.draft.content
    # `de-AT` stays what it is for who chooses German again.
    language = content.language if content.language.partition("-")[0] == language else language
    after = saying.moved(content, trade=form.text("trade"), business=business, language=language, zone=zone).to_json()
    sent = {name: after[name] for name in _CHANGED}
    await drafts.save(db, user, progress.agent.id, sent, revision=None, actor=identity.acts_as)


async def _page(request: Request, identity: Identity, form: Form | None = None) -> Response:
    context = context_of(request)
    numbers = await own_numbers(context, identity)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        desk = await desk_of(request, db, identity, numbers)
    draft = desk.progress.draft
    if draft is None:
        values = {"business": "", "trade": "?", "language": local.language(), "zone": identity.zone}
    else:
        said = draft.content
        language = said.language.partition("-")[0]
        values = {"business": said.business, "trade": saying.trade_of(said), "language": language, "zone": said.zone}
    chosen = {**values, **(form.values if form is not None else {})}
    return desk.page(
        "begin/business.html",
        BUSINESS,
        form=form,
        values=values,
        trades=_trades(),
        spoken=[("", list(NAMES.items()))],
        zones=local.zones(chosen["zone"]),
        chosen=chosen,
        is_new=draft is None,
    )


def _trades() -> list[tuple[str, str, str]]:
    """What there is to begin with, in the reader's language."""
    found = [(each.key, each.name, each.summary) for each in templates.TEMPLATES if each.language == local.language()]
    other = (_("Something else"), _("An agent that says hello and takes messages. You write the rest."))
    return [*found, ("", *other)]


def _check(form: Form) -> None:
    """Note what is missing or cannot be, all of it at once."""
    if not form.text("business"):
        form.errors["business"] = _("Write what your business is called.")
    elif len(form.text("business")) > limits.BUSINESS_LENGTH_MAX:
        said = _("Write at most {count} characters.")
        form.errors["business"] = said.format(count=local.figure(limits.BUSINESS_LENGTH_MAX))
    if form.text("language") not in NAMES:
        form.errors["language"] = _("Choose a language from the list.")
    if form.text("trade") not in ("", *templates.KEYS) or "trade" not in form.values:
        form.errors["trade"] = _("Choose what comes closest.")
