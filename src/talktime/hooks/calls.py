"""Carriers knock here: a number rings, a call has news. The signature is checked on the raw request first; what is not
signed is not believed, not stored, and gets no hint.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from fastapi import APIRouter, Request, Response

from talktime import inbox, log
from talktime.calls import coming_back, legs, lifecycle, standing_in, transfers
from talktime.calls.coming_back import Returned
from talktime.calls.routing import Route, fallback_answer
from talktime.calls.standing_in import StandIn
from talktime.carriers import contract
from talktime.carriers.contract import (
    Announce,
    Answer,
    BadMessage,
    BadSignature,
    Carrier,
    Forward,
    LegState,
    Report,
    Ring,
    Talk,
    TurnAway,
)
from talktime.db.base import new_id
from talktime.errors import NotFound
from talktime.http.body import read_body
from talktime.http.context import Context, context_of
from talktime.http.media_token import BACK_FROM, media_parameters
from talktime.http.problems import DATABASE_AWAY, problem
from talktime.inbox import Incoming
from talktime.settings import Settings

REPORT = "carrier.report"
"""Kind of the inbox's events that come from here."""

_BODY_BYTES_MAX = 64 * 1024
_BODY_SECONDS = 5.0
_DECIDE_SECONDS = 8.0
_LOGGER = log.get(__name__)

router = APIRouter(prefix="/hooks")
Read = TypeVar("Read")


@router.post("/{carrier}/ring")
async def ring(carrier: str, request: Request) -> Response:
    """Somebody is calling: answer with what the carrier is to do. No network on this path; what is decided is decided
    in one transaction."""
    context = context_of(request)
    company = company_of(context, carrier)
    began, began_ns = time.perf_counter(), time.time_ns()
    rang = _read(company, await _signed(request, context), company.read_ring)
    if isinstance(rang, Response):
        return rang
    decision, instead = await _decide(context, carrier, rang)
    if decision.route == Route.TALK and decision.agent is not None:
        context.socket_promised(rang.call_id)
        context.receptionists.expect(decision.agent)
    if decision.route == Route.UNKNOWN_NUMBER:
        _LOGGER.warning("a number that nobody answers was called", carrier_call_id=rang.call_id)
    reply = company.reply(_answer(context, carrier, rang.call_id, decision, instead))
    context.counters.rang(decision.route, time.perf_counter() - began)
    if decision.fresh and decision.user_id is not None and decision.call_id is not None:
        talks = decision.route == Route.TALK
        context.traces.rang(decision.user_id, decision.call_id, decision.route.value, began_ns=began_ns, talks=talks)
    return Response(reply.body, media_type=reply.content_type)


@router.post("/{carrier}/report")
async def report(carrier: str, request: Request) -> Response:
    """A call has news: store it, then say so. What cannot be stored is not acknowledged, and comes again."""
    context = context_of(request)
    company = company_of(context, carrier)
    signed = await _signed(request, context)
    told = _read(company, signed, company.read_report)
    if isinstance(told, Response):
        return told
    await inbox.accept(context.database, _event(carrier, told, signed))
    return Response(status_code=204)


@router.post("/{carrier}/leg/{user}/{leg}")
async def leg_report(carrier: str, user: uuid.UUID, leg: uuid.UUID, request: Request) -> Response:
    """A leg to a person has news. Only our own markup names this address, and the carrier signs it: so it says which
    leg the carrier's name of the call belongs to, and from then on the leg is reported on like any call."""
    context = context_of(request)
    company = company_of(context, carrier)
    signed = await _signed(request, context)
    told = _read(company, signed, company.read_report)
    if isinstance(told, Response):
        return told
    event = _event(carrier, told, signed)
    async with context.database.transaction(everyone=transfers.REPORT_WHY) as db:
        await legs.name(db, carrier, user, leg, told.call_id)
        # That it rings changes nothing: what is stored and not over was answered (`lifecycle.report`).
        if told.state is not LegState.RINGING and await inbox.store(db, event):
            await context.jobs.enqueue_once(db, inbox.DRAIN_JOB)
    return Response(status_code=204)


@router.post("/{carrier}/leg/{user}/{leg}/after")
async def after_leg(carrier: str, user: uuid.UUID, leg: uuid.UUID, request: Request) -> Response:
    """The leg is over: who talked to the person hangs up, and who did not goes back to the agent, or is told. How long
    it was is not read from here but from its report."""
    context = context_of(request)
    company = company_of(context, carrier)
    asked = _read(company, await _signed(request, context), company.read_forwarded)
    if isinstance(asked, Response):
        return asked
    answer: Answer = Announce(text="", language="en")  # says nothing, and hangs up
    if not asked.answered:
        try:
            async with asyncio.timeout(_DECIDE_SECONDS), context.database.transaction(user=user) as db:
                back = await coming_back.come_back(db, user, leg, new_id()) if context.taking_calls else None
                if back is None:
                    answer = await coming_back.unanswered(db, user, leg)
            if back is not None:
                answer = _back(context, carrier, leg, back)
        except DATABASE_AWAY as error:
            _LOGGER.error("a transfer's end did not reach the database", leg_id=str(leg), error=type(error).__name__)
    reply = company.reply(answer)
    return Response(reply.body, media_type=reply.content_type)


def forward_to(settings: Settings, carrier: str, user: uuid.UUID, leg: uuid.UUID, *, number: str) -> Forward:
    """What `transfers.begin` needs to know of a person's number: the carrier reports the leg to us, here."""
    return _reported(settings, carrier, user, leg, Forward(number=number))


def _reported(settings: Settings, carrier: str, user: uuid.UUID, leg: uuid.UUID, forward: Forward) -> Forward:
    doors = f"{settings.base_url}/hooks/{carrier}/leg/{user}/{leg}"
    return replace(forward, reports_url=doors, after_url=f"{doors}/after")


def _event(carrier: str, told: Report, signed: contract.Request) -> Incoming:
    return Incoming(
        provider=carrier,
        account=told.account,
        event_id=told.event_id,
        kind=REPORT,
        body=signed.body,
        headers=signed.headers,
    )


async def _decide(context: Context, carrier: str, rang: Ring) -> tuple[lifecycle.Decision, StandIn | None]:
    """What the caller gets, and who is rung instead of the agent. Whatever goes wrong here, they hear a voice, well
    before the carrier gives up on us."""
    try:
        async with asyncio.timeout(_DECIDE_SECONDS):
            found = await lifecycle.find_ring(context.database, carrier, rang)
            if found is None or not found.rings_people:
                taking_calls = context.taking_calls
                return await lifecycle.decide(context.database, carrier, rang, found, taking_calls=taking_calls), None
            async with context.database.transaction(everyone=lifecycle.RING_WHY) as db:
                decision = await lifecycle.ring(db, carrier, rang, taking_calls=context.taking_calls)
                return decision, await standing_in.stand_in(db, decision)
    except DATABASE_AWAY as error:
        # What was not committed is not held; what was is released with its ring lease.
        _LOGGER.error("a ring did not reach the database", carrier_call_id=rang.call_id, error=type(error).__name__)
    except Exception as error:  # a dead line is the worst answer to a mistake of ours
        _LOGGER.error("a ring could not be decided", carrier_call_id=rang.call_id, exc_info=error)
    return lifecycle.Decision(Route.TROUBLE), None


def company_of(context: Context, name: str) -> Carrier:
    """The carrier of this name, if this installation has it."""
    try:
        return context.carriers[name]
    except KeyError:
        raise NotFound("There is no such carrier here.") from None


async def _signed(request: Request, context: Context) -> contract.Request:
    """What the carrier says, as it signed it."""
    body = await read_body(request, bytes_max=_BODY_BYTES_MAX, seconds_max=_BODY_SECONDS)
    query = f"?{request.url.query}" if request.url.query else ""
    # The address is the public one that the carrier was given, whatever a proxy in between made of it.
    return contract.Request(
        method=request.method,
        url=f"{context.settings.base_url}{request.url.path}{query}",
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )


def _read(company: Carrier, signed: contract.Request, read: Callable[[contract.Request], Read]) -> Read | Response:
    """The carrier's words, if they are its own and of its form; else the answer to give."""
    try:
        company.verify(signed)
        return read(signed)
    except BadSignature:
        _LOGGER.warning("a request without the carrier's signature was refused", carrier=company.name)
        return problem(403, "The signature does not match.")
    except BadMessage as error:
        _LOGGER.warning("a request of the carrier made no sense", carrier=company.name, error=str(error))
        return problem(400, "The request is not of the carrier's form.")


def _back(context: Context, carrier: str, leg: uuid.UUID, back: Returned) -> Answer:
    """Connect a caller to their agent again; that they come back from a leg is said for the agent's first words."""
    user, _, _ = back.agent
    context.socket_promised(back.carrier_call_id)
    context.receptionists.expect(back.agent)
    signed = media_parameters(context.settings.secret, carrier, back.carrier_call_id, user, back.call_id)
    return Talk(
        stream_url=f"{context.settings.media_url}/hooks/{carrier}/media", parameters={**signed, BACK_FROM: str(leg)}
    )


def _answer(
    context: Context, carrier: str, carrier_call_id: str, decision: lifecycle.Decision, instead: StandIn | None
) -> Answer:
    if instead is not None and instead.forward is None:
        return TurnAway()
    if instead is not None and instead.forward is not None:
        assert decision.user_id is not None
        return _reported(context.settings, carrier, decision.user_id, instead.leg_id, instead.forward)
    if decision.route == Route.TALK:
        assert decision.user_id is not None
        assert decision.call_id is not None
        return Talk(
            stream_url=f"{context.settings.media_url}/hooks/{carrier}/media",
            parameters=media_parameters(
                context.settings.secret, carrier, carrier_call_id, decision.user_id, decision.call_id
            ),
        )
    return fallback_answer(
        decision.route, business=decision.business, language=decision.language, fallback=decision.fallback or {}
    )
