"""The media socket: a carrier opens it for a call that rang, with the token that the ring was answered with.

A token works once, for its own call, while that call rings. Everything else is closed without a word, and costs nobody
anything.
"""

import asyncio
import time
import uuid

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from talktime import log
from talktime.calls import coming_back, lifecycle
from talktime.calls.coming_back import Before
from talktime.calls.lifecycle import Answered
from talktime.carriers import contract
from talktime.carriers.contract import BadMessage, BadSignature, Carrier, Media, Started
from talktime.credits.models import NotCharged
from talktime.errors import ProviderError
from talktime.hooks.live import HANG_UP_JOB, LIMIT_JOB, LiveCall
from talktime.hooks.outbox import GONE
from talktime.http.context import Context, context_of
from talktime.http.media_token import BACK_FROM, call_of
from talktime.http.problems import DATABASE_AWAY

_START_SECONDS = 10.0
POLICY = 1008
TRY_AGAIN = 1013
ANSWER_SECONDS = 10.0
_ABANDON_TIMES = 20
_AGAIN_SECONDS = 2.0
_LOGGER = log.get(__name__)

router = APIRouter(prefix="/hooks")


@router.websocket("/{carrier}/media")
async def media(websocket: WebSocket, carrier: str) -> None:
    """Carry one call, from its first frame to its settled hold."""
    context = context_of(websocket)
    company = context.carriers.get(carrier)
    if company is None or not _is_signed(websocket, context, company):
        await websocket.close(POLICY)
        return
    await websocket.accept()
    translator = company.media()
    started = await started_by(websocket, translator)
    if started is None:
        await close(websocket, POLICY)
        return
    whose = call_of(context.settings.secret, carrier, started)
    if whose is None:
        _LOGGER.warning("a media socket with a wrong token was closed", carrier=carrier)
        await close(websocket, POLICY)
        return
    context.socket_came(started.call_id)
    arriving = Arriving()
    context.call_began(arriving)
    try:
        # Whatever is logged from here on, by whomever, says whose call it is about.
        with log.about(user_id=whose[0], call_id=whose[1]):
            await _carry(context, company, websocket, translator, started=started, whose=whose)
    finally:
        context.call_ended(arriving)


class Arriving:
    """A call on its way from its socket to its agent: it counts as live, so that a process does not stop under it."""

    def leave(self) -> None:
        """It has nobody yet who could say goodbye."""


async def _carry(
    context: Context,
    company: Carrier,
    websocket: WebSocket,
    translator: Media,
    *,
    started: Started,
    whose: tuple[uuid.UUID, uuid.UUID],
) -> None:
    answered, began_ns = time.monotonic(), time.time_ns()
    before: Before | None = None
    try:
        async with asyncio.timeout(ANSWER_SECONDS), context.database.transaction(user=whose[0]) as db:
            call = await lifecycle.answer(db, *whose, context.meter.owner)
            if call is not None:
                if BACK_FROM in started.parameters:
                    before = await coming_back.before(db, *whose)
                await context.jobs.enqueue(
                    db,
                    LIMIT_JOB,
                    carrier=company.name,
                    carrier_call_id=started.call_id,
                    user=str(call.user_id),
                    agent=str(call.agent_id),
                    version=_version(call),
                    **({"since_ring_seconds": before.since_ring_seconds} if before is not None else {}),
                )
    except DATABASE_AWAY as error:
        _LOGGER.error("a call could not be answered", call_id=str(whose[1]), error=type(error).__name__)
        await close(websocket, TRY_AGAIN)
        return
    if call is None:
        _LOGGER.warning("a media socket with a spent token was closed", call_id=str(whose[1]))
        await close(websocket, POLICY)
        return
    context.traces.answered(call.user_id, call.call_id, began_ns=began_ns)
    try:
        live = LiveCall(
            context,
            context.engine,
            company,
            websocket,
            translator,
            call=call,
            carrier_call_id=started.call_id,
            receptionist=await context.receptionists.get((call.user_id, call.agent_id, _version(call))),
            answered=answered,
            before=before,
        )
        await live.carry()
    except Exception as error:
        # Our fault, or the database went away at the worst moment. If the call was settled on the way here this changes
        # nothing; else it costs nothing.
        _LOGGER.error("a call could not be carried", call_id=str(call.call_id), exc_info=error)
        await abandon(context, company, call, started.call_id)
        await close(websocket, TRY_AGAIN)


def _version(call: Answered) -> int:
    """Which version of the agent talks; only from a browser does anybody call a draft."""
    assert call.agent_version is not None, call.call_id
    return call.agent_version


async def abandon(context: Context, company: Carrier, call: Answered, carrier_call_id: str) -> None:
    """End a call that we cannot carry, free of charge."""
    hung_up = True
    try:
        await company.hang_up(carrier_call_id)
    except ProviderError as error:
        hung_up = False
        _LOGGER.warning("the carrier did not hang up", call_id=str(call.call_id), error=str(error))
    for _ in range(_ABANDON_TIMES):
        try:
            async with context.database.transaction(user=call.user_id) as db:
                await lifecycle.finish(
                    db,
                    call.user_id,
                    call.call_id,
                    seconds=0,
                    reason="error",
                    failed=True,
                    not_charged_reason=NotCharged.PLATFORM_FAULT,
                )
                if not hung_up:
                    await context.jobs.enqueue(db, HANG_UP_JOB, carrier=company.name, carrier_call_id=carrier_call_id)
        except DATABASE_AWAY:
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return
    _LOGGER.error("a call that failed was left to the sweep", call_id=str(call.call_id))


def _is_signed(websocket: WebSocket, context: Context, company: Carrier) -> bool:
    query = f"?{websocket.url.query}" if websocket.url.query else ""
    handshake = contract.Request(
        method="GET",
        url=f"{context.settings.media_url}{websocket.url.path}{query}",
        headers={name.lower(): value for name, value in websocket.headers.items()},
        body=b"",
    )
    try:
        company.verify(handshake)
    except BadSignature:
        _LOGGER.warning("a media socket without the carrier's signature was refused", carrier=company.name)
        return False
    return True


async def started_by(websocket: WebSocket, translator: Media) -> Started | None:
    """The stream's first words; None when they do not come, or are something else."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            while True:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return None
                event = translator.read(message.get("text") or message.get("bytes") or "")
                if isinstance(event, Started):
                    return event
                if event is not None:
                    return None
    except (TimeoutError, BadMessage, WebSocketDisconnect):
        return None


async def close(websocket: WebSocket, code: int) -> None:
    try:
        async with asyncio.timeout(2):
            await websocket.close(code)
    except (*GONE, TimeoutError):
        pass  # the other side was faster
