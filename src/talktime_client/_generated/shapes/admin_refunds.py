"""Shapes of `admin_refunds`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from talktime_client._values import OpenEnum


class RefundRequestState(OpenEnum):
    """What became of an operator's wish to give money back."""

    ASKED = "ASKED"
    DONE = "DONE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Refund:
    """What was asked of the payment company; how it goes on stands among the reversals."""

    purchase_id: UUID
    amount_minor: int
    state: RefundRequestState
    refund_id: str | None
    created_at: datetime
