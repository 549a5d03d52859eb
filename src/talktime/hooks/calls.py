"""Carriers knock here: a number rings, a call has news. The signature is checked on the raw request first; what is not
signed is not believed, not stored, and gets no hint.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from talktime import inbox, log
from talktime.calls import lifecycle
from talktime.calls.routing import Route, fallback_answer
from talktime.carriers import contract
from talktime.carriers.contract import Answer, BadMessage, BadSignature, Carrier, Ring, Talk
from talktime.errors import NotFound
from talktime.hooks.token import media_parameters
from talktime.http.context import Context, context_of
from talktime.http.problems import DATABASE_AWAY, problem
from talktime.inbox import Incoming

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
    """Somebody is calling: answer with what the carrier is to do. No network on this path, one transaction."""
    context = context_of(request)
    company = company_of(context, carrier)
    rang = await _read(request, context, company, company.read_ring)
    if isinstance(rang, Response):
        return rang
    decision = await _decide(context, carrier, rang)
    if decision.route == Route.TALK and decision.agent is not None:
        context.socket_promised(rang.call_id)
        context.receptionists.expect(decision.agent)
    if decision.route == Route.UNKNOWN_NUMBER:
        _LOGGER.warning("a number that nobody answers was called", carrier_call_id=rang.call_id)
    reply = company.reply(_answer(context, carrier, rang.call_id, decision))
    return Response(reply.body, media_type=reply.content_type)


@router.post("/{carrier}/report")
async def report(carrier: str, request: Request) -> Response:
    """A call has news: store it, then say so. What cannot be stored is not acknowledged, and comes again."""
    context = context_of(request)
    company = company_of(context, carrier)
    told = await _read(request, context, company, company.read_report)
    if isinstance(told, Response):
        return told
    event = Incoming(
        provider=carrier,
        account=told.account,
        event_id=told.event_id,
        kind=REPORT,
        body=await request.body(),
        headers=dict(request.headers),
    )
    await inbox.accept(context.database, context.jobs, event)
    return Response(status_code=204)


async def _decide(context: Context, carrier: str, rang: Ring) -> lifecycle.Decision:
    """What the caller gets. Whatever goes wrong here, they hear a voice, well before the carrier gives up on us."""
    try:
        async with asyncio.timeout(_DECIDE_SECONDS):
            async with context.database.transaction(everyone=lifecycle.RING_WHY) as db:
                return await lifecycle.ring(db, carrier, rang, taking_calls=context.taking_calls)
    except DATABASE_AWAY as error:
        # What was not committed is not held; what was is released with its ring lease.
        _LOGGER.error("a ring did not reach the database", carrier_call_id=rang.call_id, error=type(error).__name__)
    except Exception as error:  # a dead line is the worst answer to a mistake of ours
        _LOGGER.error("a ring could not be decided", carrier_call_id=rang.call_id, exc_info=error)
    return lifecycle.Decision(Route.TROUBLE)


def company_of(context: Context, name: str) -> Carrier:
    """The carrier of this name, if this installation has it."""
    try:
        return context.carriers[name]
    except KeyError:
        raise NotFound("There is no such carrier here.") from None


async def _read(
    request: Request, context: Context, company: Carrier, read: Callable[[contract.Request], Read]
) -> Read | Response:
    """The carrier's words, if they are its own and of its form; else the answer to give."""
    if int(request.headers.get("content-length") or 0) > _BODY_BYTES_MAX:
        return problem(413, "The request is too large.")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _BODY_BYTES_MAX:
                    return problem(413, "The request is too large.")
    except (ClientDisconnect, TimeoutError):
        return problem(408, "The request did not come to its end.")
    request._body = bytes(body)
    query = f"?{request.url.query}" if request.url.query else ""
    # The address is the public one that the carrier was given, whatever a proxy in between made of it.
    signed = contract.Request(
        method=request.method,
        url=f"{context.settings.base_url}{request.url.path}{query}",
        headers={name.lower(): value for name, value in request.headers.items()},
        body=bytes(body),
    )
    try:
        company.verify(signed)
        return read(signed)
    except BadSignature:
        _LOGGER.warning("a request without the carrier's signature was refused", carrier=company.name)
        return problem(403, "The signature does not match.")
    except BadMessage as error:
        _LOGGER.warning("a request of the carrier made no sense", carrier=company.name, error=str(error))
        return problem(400, "The request is not of the carrier's form.")


def _answer(context: Context, carrier: str, carrier_call_id: str, decision: lifecycle.Decision) -> Answer:
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
