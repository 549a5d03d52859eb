"""Who is asking, as pages want to know it.

The one rule: a page that is somebody's begins with one of these, and everything on it is theirs.
"""

from datetime import UTC, datetime

from fastapi import Request

from talktime.accounts import sessions
from talktime.accounts.models import Role
from talktime.accounts.sessions import ConfirmFirst, Identity
from talktime.errors import NotFound, Refused
from talktime.http.context import context_of
from talktime.http.security import session_token
from talktime.web import visit
from talktime.web.routing import NotSignedIn
from talktime.web.visit import LANGUAGES


class NotYourself(Refused):
    """You are signed in as somebody else: this only they can do."""


async def who_asks(request: Request) -> Identity | None:
    """Who is signed in at this browser; None for nobody. Asked once for each request."""
    if not hasattr(request.state, "identity"):
        request.state.identity = await _find(request)
    identity: Identity | None = request.state.identity
    return identity


async def signed_in(request: Request) -> Identity:
    """Who is signed in at this browser. Raises NotSignedIn for nobody: they are shown where to."""
    identity = await who_asks(request)
    if identity is None:
        raise NotSignedIn
    return identity


async def themselves(request: Request) -> Identity:
    """The same, and no operator in their place. Raises NotYourself."""
    identity = await signed_in(request)
    if identity.actor_id is not None:
        raise NotYourself
    return identity


async def just_confirmed(request: Request) -> Identity:
    """The same, and their password was typed a short while ago. Raises ConfirmFirst: the page asks for it."""
    identity = await themselves(request)
    if not identity.is_confirmed(datetime.now(UTC)):
        raise ConfirmFirst
    return identity


async def operator(request: Request) -> Identity:
    """The operator, as themselves. For anybody else there is no such page."""
    identity = await signed_in(request)
    if identity.role != Role.ADMIN or identity.actor_id is not None:
        raise NotFound("There is no page at this address.")
    return identity


async def _find(request: Request) -> Identity | None:
    context = context_of(request)
    token = session_token(request, context.settings)
    if token is None:
        return None
    async with context.database.transaction(everyone=sessions.WHY) as db:
        identity = await sessions.identify(db, token)
    said = visit.current()
    if identity is not None and said is not None:
        said.identity = identity
        spoken = identity.locale.replace("_", "-").partition("-")[0].lower()
        said.language = spoken if spoken in LANGUAGES else LANGUAGES[0]
    return identity
