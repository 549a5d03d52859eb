"""The media socket of a browser: somebody calls their own agent from one of our pages.

The rule: three things must agree before anything is answered. The page is ours (a browser says where it comes from),
the session's user is the one whose call it is, and the token, which works once and only while the call rings, is the
one that the page was given. The token comes in the first message, never in the address.
"""

import asyncio
import time
import uuid

from fastapi import APIRouter, WebSocket

from talktime import log
from talktime.accounts import sessions
from talktime.calls import browser, lifecycle
from talktime.calls.lifecycle import Answered
from talktime.carriers.browser import NAME, Browser, BrowserMedia
from talktime.carriers.contract import Started
from talktime.hooks.browser_live import BrowserCall
from talktime.hooks.media import ANSWER_SECONDS, POLICY, TRY_AGAIN, Arriving, abandon, close, started_by
from talktime.http.context import Context, context_of
from talktime.http.media_token import call_of
from talktime.http.problems import DATABASE_AWAY
from talktime.http.security import is_from_here, session_token
from talktime.voice.receptionists import Receptionist

_LOGGER = log.get(__name__)
_COMPANY = Browser()

router = APIRouter(prefix="/hooks")


@router.websocket(f"/{NAME}/media")
async def media(websocket: WebSocket) -> None:
    """Carry one call, from its first frame to its settled hold."""
    context = context_of(websocket)
    if not is_from_here(websocket, context.settings):
        _LOGGER.warning("a browser's socket from another site was refused")
        await websocket.close(POLICY)
        return
    user = await _signed_in(websocket, context)
    if user is None:
        await websocket.close(POLICY)
        return
    await websocket.accept()
    translator = _COMPANY.media()
    started = await started_by(websocket, translator)
    whose = call_of(context.settings.secret, NAME, started) if started is not None else None
    if started is None or whose is None or whose[0] != user:
        _LOGGER.warning("a browser's socket with a wrong start was closed")
        await close(websocket, POLICY)
        return
    context.socket_came(started.call_id)
    arriving = Arriving()
    context.call_began(arriving)
    try:
        with log.about(user_id=whose[0], call_id=whose[1]):
            await _carry(context, websocket, translator, started=started, whose=whose)
    finally:
        context.call_ended(arriving)


async def _signed_in(websocket: WebSocket, context: Context) -> uuid.UUID | None:
    """Who is signed in at this browser, as themselves: nobody calls in somebody else's place, who would pay for it."""
    token = session_token(websocket, context.settings)
    if token is None:
        return None
    try:
        async with asyncio.timeout(ANSWER_SECONDS), context.database.transaction(everyone=sessions.WHY) as db:
            identity = await sessions.identify(db, token)
    except DATABASE_AWAY as error:
        _LOGGER.error("whose browser it is could not be asked", error=type(error).__name__)
        return None
    return identity.user_id if identity is not None and identity.actor_id is None else None


async def _carry(
    context: Context,
    websocket: WebSocket,
    translator: BrowserMedia,
    *,
    started: Started,
    whose: tuple[uuid.UUID, uuid.UUID],
) -> None:
    answered, began_ns = time.monotonic(), time.time_ns()
    try:
        async with asyncio.timeout(ANSWER_SECONDS), context.database.transaction(user=whose[0]) as db:
            call = await lifecycle.answer(db, *whose, context.meter.owner)
            rate = await browser.rate(db, *whose) if call is not None else None
    except DATABASE_AWAY as error:
        _LOGGER.error("a call could not be answered", call_id=str(whose[1]), error=type(error).__name__)
        await close(websocket, TRY_AGAIN)
        return
    if call is None or rate is None:
        _LOGGER.warning("a browser's socket with a spent token was closed", call_id=str(whose[1]))
        await close(websocket, POLICY)
        return
    context.traces.answered(call.user_id, call.call_id, began_ns=began_ns)
    try:
        live = BrowserCall(
            context,
            _COMPANY,
            websocket,
            translator,
            call=call,
            carrier_call_id=started.call_id,
            receptionist=await _receptionist(context, call),
            answered=answered,
            rate=rate,
        )
        await live.carry()
    except Exception as error:
        # As on a carrier's socket: if the call was settled on the way here this changes nothing; else it costs nothing.
        _LOGGER.error("a call could not be carried", call_id=str(call.call_id), exc_info=error)
        await abandon(context, _COMPANY, call, started.call_id)
        await close(websocket, TRY_AGAIN)


async def _receptionist(context: Context, call: Answered) -> Receptionist:
    if call.agent_version is None:
        return await context.receptionists.draft(call.user_id, call.agent_id)
    return await context.receptionists.get((call.user_id, call.agent_id, call.agent_version))
