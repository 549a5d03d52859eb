"""Payment companies knock here: a checkout was paid, money went back. The signature is checked on the raw body first;
what is not signed is not believed, not stored, and gets no hint.
"""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from talktime import inbox, log
from talktime.errors import NotFound
from talktime.gateways.contract import BadMessage, BadSignature
from talktime.http.context import context_of
from talktime.http.problems import problem
from talktime.payments import till

_BODY_BYTES_MAX = 256 * 1024
_BODY_SECONDS = 5.0
_LOGGER = log.get(__name__)

router = APIRouter(prefix="/hooks/payments")


@router.post("/{gateway}")
async def told(gateway: str, request: Request) -> Response:
    """Store what happened, then say so. What cannot be stored is not acknowledged, and comes again."""
    context = context_of(request)
    company = context.gateways.get(gateway)
    if company is None:
        raise NotFound("There is no such payment company here.")
    body = await _body(request)
    if isinstance(body, Response):
        return body
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        notice = company.verify(headers, body, datetime.now(UTC))
    except BadSignature:
        _LOGGER.warning("a request without the payment company's signature was refused", gateway=company.name)
        return problem(400, "The signature does not match.")
    except BadMessage as error:
        _LOGGER.warning("a request of the payment company made no sense", gateway=company.name, error=str(error))
        return problem(400, "The request is not of the payment company's form.")
    await inbox.accept(context.database, context.jobs, till.told(company, notice, body, headers))
    return Response(status_code=204)


async def _body(request: Request) -> bytes | Response:
    """The body as it came, bounded in size and in time; else the answer to give."""
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length) > _BODY_BYTES_MAX:
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
    return bytes(body)
