"""Two questions of a load balancer: does this process live, and may it be sent work?

`/healthz` looks at nothing outside the process, so that a database that is away does not get every process restarted.
Who asks it with a challenge learns whether the process that answers has their secret: `talktime doctor` asks so whether
the public address leads here. The proof is good for nothing else.
"""

import asyncio
import re

import orjson
from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import DBAPIError

from talktime.accounts import sessions
from talktime.http.context import Context, context_of
from talktime.http.problems import DATABASE_AWAY
from talktime.security import sign
from talktime.settings import Settings

DATABASE_SECONDS = 2.0

router = APIRouter()


@router.get("/healthz")
async def healthz(request: Request, challenge: str | None = None) -> Response:
    """The process lives."""
    if challenge is None or re.fullmatch(r"[\w-]{20,64}", challenge, re.ASCII) is None:
        return _answer(200, {"status": "ok"})
    return _answer(200, {"status": "ok", "proof": proof_of(context_of(request).settings, challenge)})


def proof_of(settings: Settings, challenge: str) -> str:
    """What only an installation with this secret can answer to a challenge."""
    return sign(settings.secret, "health", challenge)


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Work may be sent here; if not, the reasons say why."""
    context = context_of(request)
    reasons = ["it is shutting down and takes no new calls"] if context.leaving else []
    if context.dead:
        reasons.append(f"its {' and '.join(context.dead)} died and must be started again")
    if trouble := await _database_trouble(context):
        reasons.append(trouble)
    if reasons:
        return _answer(503, {"status": "not ready", "reasons": reasons})
    return _answer(200, {"status": "ready"})


async def _database_trouble(context: Context) -> str | None:
    """What is wrong with the database; None when it answers, and has our tables."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            async with context.database.transaction(everyone="readiness is nobody's in particular") as db:
                await sessions.identify(db, "nobody has this token")
    except DATABASE_AWAY:
        return f"the database did not answer within {DATABASE_SECONDS:.0f} s"
    except DBAPIError:
        return "the database answers, but not with our tables: it is not migrated"
    return None


def _answer(status: int, body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
