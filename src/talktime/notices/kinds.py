"""What customers are told: the kinds, what each needs to be told with, and which page it leads to.

The rule: a detail holds ids and sums, never personal data and never a caller's number; so there is nothing in a notice
that a mail could give away. The words stand in `templates/`, in English and in German.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LANGUAGES = ("en", "de")
CREDITS_PAGE = "/credits"
CALL_PAGE = "/calls/{call_id}"
SECOND_FACTOR_PAGE = "/settings/second-factor"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice."""

    needs: frozenset[str]
    """The keys that its detail must have; others are ignored."""
    page: str = CREDITS_PAGE


KINDS: Mapping[str, Kind] = {
    "low_balance": Kind(frozenset({"balance", "threshold"})),
    "credit_exhausted": Kind(frozenset({"call_id"})),
    "calls_refused": Kind(frozenset({"reason", "on"})),
    "guard_reached": Kind(frozenset({"reason", "limit", "on"})),
    "top_up_done": Kind(frozenset({"purchase_id", "credits"})),
    "top_up_declined": Kind(frozenset({"purchase_id", "reason", "tries"})),
    "top_up_stopped": Kind(frozenset({"reason"})),
    "purchase_paid": Kind(frozenset({"purchase_id", "credits"})),
    "refunded": Kind(frozenset({"purchase_id", "credits"})),
    "charge_claim_decided": Kind(frozenset({"call_id", "granted"}), CALL_PAGE),
    "password_changed": Kind(frozenset(), "/settings/password"),
    "second_factor_on": Kind(frozenset(), SECOND_FACTOR_PAGE),
    "second_factor_off": Kind(frozenset(), SECOND_FACTOR_PAGE),
    "recovery_code_used": Kind(frozenset({"left"}), SECOND_FACTOR_PAGE),
}


def page_of(kind: str, detail: Mapping[str, Any]) -> str:
    """Where the customer finds out more, from the root of the site."""
    page = KINDS[kind].page
    # An id and nothing else: the database's functions wrote it, but it ends up in a link.
    return page.format(call_id=uuid.UUID(str(detail["call_id"]))) if "{call_id}" in page else page


def language_of(locale: str) -> str:
    """Which of our languages somebody reads: `de`, `de-AT` and `de_CH` are German; English is for everybody else."""
    spoken = locale.replace("_", "-").partition("-")[0].lower()
    return spoken if spoken in LANGUAGES else LANGUAGES[0]
