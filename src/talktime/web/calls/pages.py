"""The pages of calls: the list, one call, and the fragments that keep both up to date.

The one rule: whose page it is comes from the session alone. Calls, credit and agents are read in that user's own
transaction, so that the database itself shows nobody else's; a call of somebody else is as good as none.
"""

import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import reading
from talktime.calls import corrections, history, search, watching
from talktime.calls.history import CallRecord, Place
from talktime.calls.receipt import claim_of
from talktime.calls.search import Excerpt, Found, NothingToLookFor
from talktime.db.session import Session
from talktime.http.context import context_of
from talktime.web import words
from talktime.web.calls import wanted
from talktime.web.calls.beside import AGENTS_MAX, numbers_asked, numbers_here, way
from talktime.web.calls.live import come_back, stamp
from talktime.web.calls.receipts import claim_view
from talktime.web.calls.views import RowView, call_view
from talktime.web.calls.wanted import Wanted
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import clock_of, sheet
from talktime.web.who import signed_in, who_asks

CALLS_PER_PAGE = 20
_SIMULATED = "simulated"
_NO_EXCERPTS: Mapping[uuid.UUID, Excerpt] = MappingProxyType({})

router = APIRouter(route_class=PageRoute)


@router.get("/calls")
async def listed(request: Request) -> Response:
    """The calls that are asked for, newest first; on the first page those that are live stand on top."""
    return await _listed(request, await signed_in(request), "calls/list.html")


@router.get("/calls/live")
async def listed_since(request: Request, version: str = "") -> Response:
    """What the list is now, if it is another than the browser has."""
    identity = await who_asks(request)
    if identity is None:
        return come_back()
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        if await _version(db, identity, None) == version:
            return Response(status_code=204)
    return await _listed(request, identity, "calls/list_live.html")


@router.get("/calls/{call}")
async def one_call(request: Request, call: uuid.UUID) -> Response:
    """One call on a page of its own."""
    return await show(request, await signed_in(request), call)


@router.get("/calls/{call}/live")
async def one_call_since(request: Request, call: uuid.UUID, version: str = "") -> Response:
    """What the call is now, if it is another than the browser has."""
    identity = await who_asks(request)
    if identity is None:
        return come_back()
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        if await _version(db, identity, call) == version:
            return Response(status_code=204)
    return await show(request, identity, call, template="calls/call_live.html")


async def show(
    request: Request,
    identity: Identity,
    call: uuid.UUID,
    *,
    template: str = "calls/call.html",
    form: Form | None = None,
) -> Response:
    """The page of a call; with a form that has something wrong, that stands where it was typed."""
    numbers = await numbers_asked(request, identity)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "calls", said=_said())
        record = await history.one(db, identity.user_id, call)
        claim = await claim_of(db, identity.user_id, call)
        corrected = await corrections.of_call(db, identity.user_id, call)
        here = Place(record.call.started_at, record.call.id)
        onward = await way(request, db, identity, here, numbers)
        version = await _version(db, identity, call)
    view = call_view(record, paper.clock, corrections={turn: each.text for turn, each in corrected.items()})
    return paper.page(
        template,
        form=form,
        call=view,
        claim=claim_view(record, claim),
        facts=_facts(record, view.row),
        way=onward,
        kept=onward.kept,
        watch=f"/calls/{call}/live{onward.kept}",
        version=version,
        correction_length_max=corrections.TEXT_LENGTH_MAX,
    )


def _said() -> dict[str, str]:
    return {
        "claimed": _("Thank you. What comes of it stands below the receipt."),
        "corrected": _("Noted. It stands below the answer, and with the agent."),
        "withdrawn": _("Withdrawn: the answer stands as it was."),
    }


def _facts(record: CallRecord, row: RowView) -> list[tuple[str, str, str]]:
    """Names and values, and where a value leads."""
    facts: list[tuple[str, str, str]] = []
    if row.agent:
        facts.append((_("Agent"), row.agent, f"/agents/{record.call.agent_id}"))
    if record.call.dialled and record.call.parent_id is None:
        facts.append((_("Number"), words.number(record.call.dialled), ""))
    if row.length and not row.is_live:
        facts.append((_("Length"), row.length, ""))
    return facts


async def _listed(request: Request, identity: Identity, template: str) -> Response:
    numbers = await numbers_here(context_of(request), identity)
    clock = clock_of(identity)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "calls")
        agents = await reading.page(db, identity.user_id, limit=AGENTS_MAX, newest_first=False)
        asked = wanted.read(request, clock, agents, numbers)
        errors = dict(asked.errors)
        records, found = await _found(db, identity, asked, errors)
        version = await _version(db, identity, None)
    first = next((number for number in numbers if number.agent_id is not None), None)
    return paper.page(
        template,
        values=asked.values,
        status=422 if errors else 200,
        asked=asked,
        errors=errors,
        agents=[(str(each.id), each.name) for each in agents],
        numbers=[(str(each.id), words.number(each.number)) for each in numbers],
        outcomes=[(each.value, said) for each, said in wanted.outcomes().items()],
        calls=[call_view(each, clock, excerpt=found.excerpts.get(each.call.id)) for each in records],
        older=asked.address("/calls", found.older.id) if found.older else "",
        newest=asked.address("/calls") if asked.before else "",
        is_first=asked.before is None,
        ring=words.number(first.number) if first else "",
        is_simulated=first is not None and first.carrier == _SIMULATED,
        watch=asked.address("/calls/live"),
        version=version,
        kept=asked.address(""),
    )


async def _found(
    db: Session, identity: Identity, asked: Wanted, errors: dict[str, str]
) -> tuple[Sequence[CallRecord], Found]:
    """The calls of a page; none while something that was asked for is not understood: it is said beside its field."""
    user = identity.user_id
    nothing = Found(calls=[], excerpts=_NO_EXCERPTS, older=None)
    if errors:
        return [], nothing
    after = await history.place_of(db, user, asked.before) if asked.before is not None else None
    try:
        found = await search.search(db, user, asked.which, words=asked.words, limit=CALLS_PER_PAGE, after=after)
    except NothingToLookFor as error:
        errors["words"] = _(str(error))
        return [], nothing
    records = await watching.records_of(db, user, [each.id for each in found.calls])
    if not asked.is_everything:
        return records, found
    # A call that has been running for long is among the live ones, and not a second time where it began.
    live = await watching.running(db, user) if asked.before is None else ()
    return [*live, *(record for record in records if not record.is_live)], found


async def _version(db: Session, identity: Identity, call: uuid.UUID | None) -> str:
    found = await watching.version(db, identity.user_id, call=call, limit=CALLS_PER_PAGE)
    return stamp(found, clock_of(identity))
