"""What an agent knows, one answer a page: ways in which callers ask for it, and what is said.

The rule: each answer is written and taken out by itself, so that two people who write different ones both keep theirs;
and of two at the same one the later is shown both.
"""

import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import drafts, limits
from talktime.agents.content import Content
from talktime.agents.problems import UnfitAgent
from talktime.calls import corrections
from talktime.errors import Conflict, NotFound, TalktimeError
from talktime.http.context import context_of
from talktime.web.agents import words
from talktime.web.agents.desk import desk
from talktime.web.agents.keeping import digest
from talktime.web.agents.routing import LongFormRoute
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.sheet import back, wrong
from talktime.web.who import signed_in

_KEY_WORDS = 4
_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})

router = APIRouter(route_class=LongFormRoute)


class NoSuchAnswer(NotFound):
    """This answer is not in the draft any more."""


@router.get("/agents/{agent_id}/answer")
async def show(
    request: Request, agent_id: uuid.UUID, key: str = "", call: uuid.UUID | None = None, turn: int = 0
) -> Response:
    """One answer; without a key, one to be written: empty, or with what somebody said it should have been on a call."""
    identity = await signed_in(request)
    should_have_said = ""
    if call is not None:
        async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
            found = (await corrections.of_call(db, identity.user_id, call)).get(turn)
        should_have_said = found.text if found is not None else ""
    return await _shown(request, identity, agent_id, key, should_have_said=should_have_said)


@router.post("/agents/{agent_id}/answer")
async def save(request: Request, agent_id: uuid.UUID) -> Response:
    """Write an answer, a new one or one that is there."""
    form, identity = await read_form(request), await signed_in(request)
    key = form.text("key")
    questions = [line.strip() for line in form.text("questions").splitlines() if line.strip()]
    if not questions:
        form.errors["questions"] = _("Write at least one way in which callers ask for it.")
    if not form.text("answer"):
        form.errors["answer"] = _("Write what the agent answers.")
    if form.errors:
        return await _shown(request, identity, agent_id, key, form)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            now = await drafts.read_to_change(db, identity.user_id, agent_id)
            entry = {
                "key": key or _key_for(questions[0], now.content),
                "questions": questions,
                "answer": form.text("answer"),
            }
            if key:
                _require_seen(form, _stored(now.content, key), entry)
            sent = {"knowledge": _with(now.content, entry)}
            await drafts.save(db, identity.user_id, agent_id, sent, revision=now.revision, actor=identity.acts_as)
    except _Contested as contested:
        return await _shown(request, identity, agent_id, key, form, status=409, theirs=contested.theirs)
    except UnfitAgent as unfit:
        return await _shown(request, identity, agent_id, key, _noted(form, unfit))
    except TalktimeError as error:
        if error.status == 404:
            raise
        return await _shown(request, identity, agent_id, key, wrong(form, "form", error), status=error.status)
    return back(f"/agents/{agent_id}/knowledge", "saved")


@router.post("/agents/{agent_id}/answer/remove")
async def remove(request: Request, agent_id: uuid.UUID) -> Response:
    """Take an answer out; one that is gone already stays so."""
    form, identity = await read_form(request), await signed_in(request)
    key = form.text("key")
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        now = await drafts.read_to_change(db, identity.user_id, agent_id)
        kept = [entry for entry in now.content.to_json()["knowledge"] if entry["key"] != key]
        await drafts.save(
            db, identity.user_id, agent_id, {"knowledge": kept}, revision=now.revision, actor=identity.acts_as
        )
    return back(f"/agents/{agent_id}/knowledge", "removed")


class _Contested(Conflict):
    """Somebody else changed this answer meanwhile: choose which of the two stays."""

    def __init__(self, theirs: Mapping[str, Any]) -> None:
        super().__init__()
        self.theirs = theirs


async def _shown(
    request: Request,
    identity: Identity,
    agent_id: uuid.UUID,
    key: str,
    form: Form | None = None,
    *,
    status: int | None = None,
    theirs: Mapping[str, Any] | None = None,
    should_have_said: str = "",
) -> Response:
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        page = await desk(request, db, identity, agent_id)
    entry: Mapping[str, Any] | None = {"questions": [], "answer": should_have_said}
    if key:
        entry = _stored(page.draft.content, key)
    if entry is None and form is None:
        raise NoSuchAnswer
    values = {"questions": "\n".join(entry["questions"]), "answer": str(entry["answer"])} if entry else {}
    if form is not None and theirs is not None:
        # Whoever sends it again has seen what the other wrote.
        form.values = {**form.values, "seen": digest(theirs)}
    return page.paper.page(
        "agents/answer.html",
        form=form,
        status=status,
        values={**values, "seen": digest(entry)},
        **page.shown(),
        key=key,
        title=entry["questions"][0] if entry and entry["questions"] else key,
        theirs=[*theirs["questions"], "", *str(theirs["answer"]).splitlines()] if theirs else [],
        longest=limits.ANSWER_LENGTH_MAX,
    )


def _require_seen(form: Form, stands: Mapping[str, Any] | None, mine: Mapping[str, Any]) -> None:
    """Raise when somebody else wrote another answer than the one that the form was shown with; one that is gone is
    written anew."""
    if stands is not None and stands != mine and form.text("seen") != digest(stands):
        raise _Contested(stands)


def _stored(says: Content, key: str) -> dict[str, Any] | None:
    found: Sequence[dict[str, Any]] = says.to_json()["knowledge"]
    return next((entry for entry in found if entry["key"] == key), None)


def _with(says: Content, entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The answers with this one at its place, or as the last one."""
    kept: list[Mapping[str, Any]] = says.to_json()["knowledge"]
    if all(other["key"] != entry["key"] for other in kept):
        return [*kept, entry]
    return [entry if other["key"] == entry["key"] else other for other in kept]


def _key_for(question: str, says: Content) -> str:
    """A name for a new answer, made from how callers ask for it: `where-can-i-park`."""
    plain = unicodedata.normalize("NFKD", question.lower().translate(_LETTERS))
    found = re.findall(r"[a-z0-9]+", plain)
    base = "-".join(found[:_KEY_WORDS])[: limits.ENTRY_KEY_LENGTH_MAX - 4].rstrip("-") or "answer"
    taken = {entry.key for entry in says.knowledge}
    return next(
        key for number in range(1, len(taken) + 2) if (key := f"{base}-{number}" if number > 1 else base) not in taken
    )


def _noted(form: Form, unfit: UnfitAgent) -> Form:
    """What is wrong, beside its field: of an answer only its own two fields can be."""
    for field, message in words.errors(unfit):
        name = next((each for each in ("questions", "answer") if f".{each}" in field), "form")
        form.errors.setdefault(name, message)
    return form
