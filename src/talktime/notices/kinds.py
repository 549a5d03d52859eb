"""What customers are told: the kinds, what each needs to be told with, and which page it leads to.

The rule: a detail holds ids and sums, never personal data and never a caller's number. What a mail says beyond that is
gathered when it is sent, so that who was forgotten meanwhile is in none. The words stand in `templates/`, in English
and in German.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LANGUAGES = ("en", "de")
OVERVIEW_PAGE = "/"
CREDITS_PAGE = "/credits"
CALL_PAGE = "/calls/{call_id}"
SECOND_FACTOR_PAGE = "/settings/second-factor"
KEYS_PAGE = "/settings/keys"
_BILL = frozenset({"invoice", "total"})
_CALL = frozenset({"caller", "at", "agent", "seconds", "summary", "charged"})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice."""

    needs: frozenset[str]
    """The keys that its detail must have; others are ignored."""
    page: str = CREDITS_PAGE
    gathers: frozenset[str] = frozenset()
    """What is put together for it when it is sent, because it is nobody's to keep here: who called, what a bill came
    to. Named in the templates; `None` where nobody gathers it."""
    is_empty_without: bool = False
    """When there is nothing left to gather, there is nothing to tell either."""
    choice: str | None = None
    """Which of `notices.choices.CHOICES` it goes by; None is told in any case."""


KINDS: Mapping[str, Kind] = {
    "low_balance": Kind(frozenset({"balance", "threshold"})),
    "credit_exhausted": Kind(frozenset({"call_id"})),
    "calls_refused": Kind(frozenset({"reason", "on"})),
    "guard_reached": Kind(frozenset({"reason", "limit", "on"})),
    "top_up_done": Kind(frozenset({"purchase_id", "credits"}), gathers=_BILL),
    "top_up_declined": Kind(frozenset({"purchase_id", "reason", "tries"})),
    "top_up_stopped": Kind(frozenset({"reason"})),
    "purchase_paid": Kind(frozenset({"purchase_id", "credits"}), gathers=_BILL),
    "refunded": Kind(frozenset({"purchase_id", "credits"})),
    "charge_claim_decided": Kind(frozenset({"call_id", "granted"}), CALL_PAGE),
    "rent_unpaid": Kind(frozenset({"number_id", "ends", "credits", "release_on"})),
    "number_released": Kind(frozenset({"number_id", "ends", "credits"})),
    "webhook_disabled": Kind(frozenset({"endpoint_id", "reason"}), KEYS_PAGE),
    "password_changed": Kind(frozenset(), "/settings/password"),
    "second_factor_on": Kind(frozenset(), SECOND_FACTOR_PAGE),
    "second_factor_off": Kind(frozenset(), SECOND_FACTOR_PAGE),
    "recovery_code_used": Kind(frozenset({"left"}), SECOND_FACTOR_PAGE),
    "message_taken": Kind(frozenset({"call_id"}), CALL_PAGE, _CALL, is_empty_without=True, choice="messages"),
    "call_summary": Kind(frozenset({"call_id"}), CALL_PAGE, _CALL, is_empty_without=True, choice="summaries"),
    "missed_calls": Kind(
        frozenset({"call_id"}),
        OVERVIEW_PAGE,
        frozenset({"calls", "more"}),
        is_empty_without=True,
        choice="missed_calls",
    ),
    "daily_digest": Kind(
        frozenset({"on"}),
        OVERVIEW_PAGE,
        frozenset({"calls", "missed", "minutes", "messages", "used", "left"}),
        is_empty_without=True,
        choice="digest",
    ),
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
