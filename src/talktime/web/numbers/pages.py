"""A customer's numbers: the list, one of them, who answers it, testing it, giving it back.

The rules: whose a number is, is asked in the transaction that changes it; and what cannot be taken back is asked once.
"""

import uuid
from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.agents import reading as agents
from talktime.agents.models import Agent
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.numbers import choosing, pool, proof, self_test
from talktime.numbers.assigned import numbers_of
from talktime.numbers.models import PhoneNumber
from talktime.numbers.rounds import all_numbers
from talktime.numbers.rows import theirs
from talktime.numbers.self_test import SelfTest
from talktime.web import refusals
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.numbers.shown import agents_to_choose, number_view, proof_view, test_view
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.who import signed_in, themselves

PATH = "/numbers"
WHY = "a customer's numbers stand in the pool, which is nobody's own"
_AGENTS_MAX = 500
_PROOFS_SHOWN = 20

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def look(request: Request) -> Response:
    """All of them."""
    return await listed(request, await signed_in(request))


@router.get("/{number_id}")
async def look_at(request: Request, number_id: uuid.UUID) -> Response:
    """One of them."""
    return await _one(request, await signed_in(request), number_id)


@router.post("/{number_id}/agent")
async def choose_agent(request: Request, number_id: uuid.UUID) -> Response:
    """Let another agent answer. Calls that go on stay with the agent they began with."""
    form, identity = await read_form(request), await signed_in(request)
    try:
        async with context_of(request).database.transaction(everyone=WHY) as db:
            # Whose it is, before the agent is looked at: of somebody else's number nothing is told.
            await theirs(db, identity.user_id, number_id)
            await pool.point(db, identity.user_id, number_id, agent=_agent_of(form), actor=identity.acts_as)
    except (pool.AgentArchived, pool.CannotHaveNumbers, _NoAgent) as error:
        form.errors["agent"] = refusals.in_words(error)
        return await _one(request, identity, number_id, form)
    return back(f"{PATH}/{number_id}", "agent")


@router.post("/{number_id}/no-agent")
async def take_from_agent(request: Request, number_id: uuid.UUID) -> Response:
    """Let nobody answer it until they choose somebody again; it stays theirs."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(everyone=WHY) as db:
        await pool.unpoint(db, identity.user_id, number_id, actor=identity.acts_as)
    return back(f"{PATH}/{number_id}", "nobody")


@router.post("/{number_id}/test")
async def test(request: Request, number_id: uuid.UUID) -> Response:
    """Call it, and say how far the call came: up to half a minute, and it costs what any call costs."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    try:
        done = await self_test.run(
            context.database,
            all_numbers(context.carriers),
            number_id,
            secret=context.settings.secret,
            user=identity.user_id,
        )
    except TalktimeError as error:
        if error.status == 404:
            raise
        form.errors["test"] = refusals.in_words(error)
        return await _one(request, identity, number_id, form, status=error.status)
    return await _one(request, identity, number_id, tested=done)


@router.get("/{number_id}/test")
async def before_test(request: Request, number_id: uuid.UUID) -> Response:
    """Where a browser comes to that loads the page after a test once more."""
    return await _one(request, await signed_in(request), number_id)


@router.post("/{number_id}/release")
async def release(request: Request, number_id: uuid.UUID) -> Response:
    """Give it back, for good."""
    identity = await themselves(request)
    async with context_of(request).database.transaction(everyone=WHY) as db:
        await pool.release(db, number_id, user=identity.user_id, actor=identity.user_id)
    return back(PATH, "released")


async def listed(request: Request, identity: Identity, form: Form | None = None, status: int | None = None) -> Response:
    """The page with all of them, and with what somebody said of numbers of their own."""
    context, user = context_of(request), identity.user_id
    async with context.database.transaction(everyone=WHY) as db:
        own = await numbers_of(db, user)
        proofs = await proof.of_user(db, user, after=None, limit=_PROOFS_SHOWN)
    async with context.database.transaction(user=user, snapshot=True) as db:
        paper = await sheet(request, db, identity, "numbers", said=_done())
        known = {agent.id: agent for agent in await agents.page(db, user, limit=_AGENTS_MAX)}
    return paper.page(
        "numbers/list.html",
        form=form,
        status=status,
        numbers=[number_view(number, known, paper.clock) for number in own],
        proofs=[proof_view(each, paper.clock) for each in proofs],
        has_agents=any(agent.archived_at is None for agent in known.values()),
        can_choose=len(own) < choosing.HAS_MAX,
        support=context.settings.support_email,
        is_acting=identity.actor_id is not None,
    )


async def _one(
    request: Request,
    identity: Identity,
    number_id: uuid.UUID,
    form: Form | None = None,
    *,
    status: int | None = None,
    tested: SelfTest | None = None,
) -> Response:
    context, user = context_of(request), identity.user_id
    async with context.database.transaction(everyone=WHY) as db:
        found = await theirs(db, user, number_id)
    async with context.database.transaction(user=user, snapshot=True) as db:
        paper = await sheet(request, db, identity, "numbers", said=_done())
        known = {agent.id: agent for agent in await agents.page(db, user, limit=_AGENTS_MAX)}
    return paper.page(
        "numbers/number.html",
        form=form,
        status=status,
        values={"agent": str(found.agent_id or "")},
        number=number_view(found, known, paper.clock),
        agents=_choices(known, is_open=found.agent_id is None),
        tested=test_view(tested) if tested is not None else None,
        can_be_tested=_can_be_tested(found, request),
        is_acting=identity.actor_id is not None,
    )


def _choices(known: Mapping[uuid.UUID, Agent], *, is_open: bool) -> list[tuple[str, str]]:
    """Who may answer; of a number that nobody answers, nobody stands first."""
    choices = agents_to_choose(known.values())
    return [("", _("nobody")), *choices] if choices and is_open else choices


def _can_be_tested(number: PhoneNumber, request: Request) -> bool:
    return number.carrier in all_numbers(context_of(request).carriers)


class _NoAgent(TalktimeError):
    """Choose one of your agents."""

    status = 422


def _agent_of(form: Form) -> uuid.UUID:
    try:
        return uuid.UUID(form.text("agent"))
    except ValueError:
        raise _NoAgent from None


def _done() -> dict[str, str]:
    return {
        "agent": _("Saved: from the next call on."),
        "nobody": _("Nobody answers this number now. It is still yours: choose an agent whenever you like."),
        "taken": _("The number is yours."),
        "released": _("The number is given back. Its rent has ended."),
        "proven": _("The number is proven to be yours."),
    }
