"""What stands around every page of somebody who is signed in: where to go, and the credit, which is always in sight."""

from typing import Any

from talktime.accounts.models import Role
from talktime.accounts.sessions import Identity
from talktime.credits.account import Funds
from talktime.web import local
from talktime.web.language import _
from talktime.web.navigation import navigation
from talktime.web.standing import credit_sentence
from talktime.web.words import Clock

LIVE_SECONDS = 1
QUIET_SECONDS = 5


def frame(identity: Identity, funds: Funds, live: int, clock: Clock, here: str) -> dict[str, Any]:
    """The values of the frame; `live` calls are running, and `here` is the place that the page belongs to."""
    is_operator = identity.role == Role.ADMIN and identity.actor_id is None
    return {
        "name": identity.name,
        "zone": clock.zone,
        "here": here,
        "is_operator": is_operator,
        "navigation": navigation(here, is_operator=is_operator),
        "remind": is_operator and not identity.has_second_factor,
        "live_count": live,
        "wallet": {"balance": local.figure(funds.balance), "held": _held(funds.held, live)},
        "credit_sentence": credit_sentence(funds),
        "poll_seconds": LIVE_SECONDS if live else QUIET_SECONDS,
    }


def _held(held: int, calls: int) -> str:
    """What is set aside, and for what: `75 held by 2 live calls`."""
    if not held:
        return _("nothing is held")
    if not calls:
        return _("{held} held until a call is settled").format(held=local.figure(held))
    said = _("{held} held by 1 live call") if calls == 1 else _("{held} held by {calls} live calls")
    return said.format(held=local.figure(held), calls=calls)
