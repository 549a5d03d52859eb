"""Payment companies knock here: a checkout was paid, money went back. The signature is checked on the raw body first;
what is not signed is not believed, not stored, and gets no hint.
"""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from talktime import inbox, log
from talktime.errors import NotFound
from talktime.gateways.contract import BadMessage, BadSignature
from talktime.http.body import read_body
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
    body = await read_body(request, bytes_max=_BODY_BYTES_MAX, seconds_max=_BODY_SECONDS)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        notice = company.verify(headers, body, datetime.now(UTC))
    except BadSignature as error:
        # Why is for the operator, who may have set a wrong secret; whoever knocked gets no hint.
        _LOGGER.warning(
            "a request without the payment company's signature was refused", gateway=company.name, error=str(error)
        )
        return problem(400, "The signature does not match.")
    except BadMessage as error:
        _LOGGER.warning("a request of the payment company made no sense", gateway=company.name, error=str(error))
        return problem(400, "The request is not of the payment company's form.")
    await inbox.accept(context.database, till.told(company, notice, body, headers))
    return Response(status_code=204)
