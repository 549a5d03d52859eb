"""What stands around every page of somebody who is signed in: where to go, and the credit, which is always in sight."""

from collections.abc import Sequence
from typing import Any

from talktime.accounts.models import Role
from talktime.accounts.sessions import Identity
from talktime.calls.history import CallRecord
from talktime.credits.account import Funds
from talktime.web import words
from talktime.web.views import credit_sentence
from talktime.web.words import Clock

LIVE_SECONDS = 1
QUIET_SECONDS = 5


def frame(identity: Identity, funds: Funds, live: Sequence[CallRecord], clock: Clock, here: str) -> dict[str, Any]:
    """The values of the frame; `here` is the entry of the navigation that the page belongs to."""
    return {
        "name": identity.name,
        "zone": clock.zone,
        "here": here,
        "is_operator": identity.role == Role.ADMIN,
        "live_count": len(live),
        "balance": words.figure(funds.balance),
        "held": words.held_in_words(funds.held, len(live)),
        "credit_sentence": credit_sentence(funds),
        "poll_seconds": LIVE_SECONDS if live else QUIET_SECONDS,
    }
