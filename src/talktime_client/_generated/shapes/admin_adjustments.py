"""Shapes of `admin_adjustments`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class ApprovalState(OpenEnum):
    """Whether a second person said yes."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


ApprovalStateName: TypeAlias = Literal["PENDING", "APPROVED", "REFUSED"]


@dataclass(frozen=True, slots=True)
class Approval:
    """An adjustment above the limit, which a second operator decides."""

    id: UUID
    user_id: UUID
    reference: str
    amount: int
    reason: str
    as_debt: bool
    state: ApprovalState
    requested_by: UUID
    created_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Posting:
    """A line that was posted."""

    seq: int
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A line of the ledger; or an approval, while nothing is posted."""

    posting: Posting | None
    approval: Approval | None
