"""What is in an export, table by table, and what is not and why.

The rule: every table with rows of customers is in one of the two lists (a test holds them against the models), and
every column of an exported one is exported unless it is named here. Columns of bytes never are: hashes, and what is
sealed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import LargeBinary
from sqlalchemy.orm import InstrumentedAttribute

from talktime.accounts.models import ApiKey, AuditEntry, Link, Session, User
from talktime.agents.models import Agent, AgentDraft, AgentVersion
from talktime.calls.models import Call, Correction, Turn
from talktime.credits.models import ChargeClaim, CreditAccount, CreditHold, CreditTransaction, Price
from talktime.db.base import Model
from talktime.notices.models import MailChoice, Notice
from talktime.numbers.models import NumberProof, PhoneNumber
from talktime.payments.invoice_models import BillingDetails, Invoice
from talktime.payments.models import PaymentReversal, Purchase, RefundRequest, TopUp
from talktime.payments.ungranted_models import UngrantedPayment
from talktime.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent

_SETTLING = "what the settling of a call goes by; what came of it stands in calls.jsonl and in the ledger"
_PROVIDER = "the payment company's own name of a card or a customer"


@dataclass(frozen=True)
class Shelf:
    """The rows of one table, in one file of the archive."""

    file: str
    """`.jsonl`: a document a line. `.json`: all in one list, of what there is little of."""
    model: type[Model]
    key: tuple[InstrumentedAttribute[Any], ...]
    """What the pages go by: unique among a customer's rows, and never changed."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Columns that are not exported, and why."""
    whose: str = "user_id"
    """The column that says whose a row is."""
    is_directory: bool = False
    """A customer's own transaction does not reach it, because it is read before anybody knows whose a row is."""

    @property
    def owner(self) -> InstrumentedAttribute[Any]:
        found: InstrumentedAttribute[Any] = getattr(self.model, self.whose)
        return found

    @property
    def columns(self) -> list[InstrumentedAttribute[Any]]:
        """What is exported of each row."""
        return [
            getattr(self.model, attribute.key)
            for attribute in self.model.__mapper__.column_attrs
            if attribute.key not in self.left_out and not isinstance(attribute.columns[0].type, LargeBinary)
        ]


SHELVES: tuple[Shelf, ...] = (
    Shelf(
        "account.json",
        User,
        (User.id,),
        {"password_hash": "a secret's hash", "totp_step": "how often the second factor was used"},
        whose="id",
        is_directory=True,
    ),
    Shelf("sign-ins.json", Session, (Session.id,), is_directory=True),
    Shelf("links.json", Link, (Link.id,), is_directory=True),
    Shelf("keys.json", ApiKey, (ApiKey.id,), is_directory=True),
    Shelf("audit.jsonl", AuditEntry, (AuditEntry.seq,)),
    Shelf("notices.jsonl", Notice, (Notice.id,)),
    Shelf("mail-choices.json", MailChoice, (MailChoice.user_id,)),
    Shelf("agents.json", Agent, (Agent.id,)),
    Shelf("agent-versions.jsonl", AgentVersion, (AgentVersion.agent_id, AgentVersion.version_no)),
    Shelf(
        "agent-drafts.json",
        AgentDraft,
        (AgentDraft.agent_id,),
        dict.fromkeys(("opened_revision", "touched"), "how two who write at once are told of each other"),
    ),
    Shelf(
        "numbers.json",
        PhoneNumber,
        (PhoneNumber.id,),
        {
            "carrier_told": "what the operator told the carrier",
            **dict.fromkeys(
                ("carrier_wanted", "carrier_phase", "carrier_tries", "carrier_try_at", "carrier_error"),
                "what the operator has to tell the carrier",
            ),
        },
        is_directory=True,
    ),
    Shelf("number-proofs.json", NumberProof, (NumberProof.id,), is_directory=True),
    Shelf("calls.jsonl", Call, (Call.id,)),
    Shelf("turns.jsonl", Turn, (Turn.call_id, Turn.turn_no)),
    Shelf("corrections.jsonl", Correction, (Correction.call_id, Correction.turn_no)),
    Shelf(
        "charges.jsonl",
        CreditHold,
        (CreditHold.call_id,),
        dict.fromkeys(("lease_owner", "lease_until", "lost_at", "cut_at", "cut_claimed_at", "request_no"), _SETTLING),
    ),
    Shelf("claims.jsonl", ChargeClaim, (ChargeClaim.call_id,)),
    Shelf("credit.json", CreditAccount, (CreditAccount.user_id,)),
    Shelf("prices.json", Price, (Price.id,)),
    Shelf("ledger.jsonl", CreditTransaction, (CreditTransaction.seq,)),
    Shelf(
        "purchases.jsonl",
        Purchase,
        (Purchase.id,),
        {
            **dict.fromkeys(("customer_id", "payment_method_id"), _PROVIDER),
            **dict.fromkeys(("success_url", "cancel_url", "checkout_url"), "a page that was shown once"),
        },
    ),
    Shelf("refunds.jsonl", PaymentReversal, (PaymentReversal.id,)),
    Shelf("refund-requests.jsonl", RefundRequest, (RefundRequest.request_key,)),
    Shelf(
        "other-payments.json",
        UngrantedPayment,
        (UngrantedPayment.gateway, UngrantedPayment.payment_id),
        is_directory=True,
    ),
    Shelf("top-up.json", TopUp, (TopUp.user_id,), dict.fromkeys(("customer_id", "payment_method_id"), _PROVIDER)),
    Shelf(
        "webhooks.json",
        WebhookEndpoint,
        (WebhookEndpoint.id,),
        {"old_secret_until": "until when the secret before signed as well"},
    ),
    Shelf("webhook-events.jsonl", WebhookEvent, (WebhookEvent.id,)),
    Shelf("webhook-deliveries.jsonl", WebhookDelivery, (WebhookDelivery.id,)),
    Shelf("webhook-attempts.jsonl", WebhookAttempt, (WebhookAttempt.delivery_id, WebhookAttempt.attempt_no)),
    Shelf("billing-details.json", BillingDetails, (BillingDetails.user_id,)),
    Shelf("invoices.jsonl", Invoice, (Invoice.id,)),
)

LEFT_OUT: Mapping[str, str] = {
    "alerts": "what the operator must see, and what they noted about it",
    "approvals": "what operators ask of each other before they adjust credits; what came of it is in the ledger",
    "audit_heads": "where the chain of the audit log ends, for its proof",
    "call_costs": "what calls cost the operator",
    "call_directory": "how a carrier's report finds its call, whose name is in calls.jsonl",
    "credit_reversals": "how much of a refund or dispute was taken back; each is a line of the ledger",
    "idempotency_keys": "what programs were answered, sealed, for a day; what they asked for is in the other files",
    "invoice_numbers": "that no number of an invoice is given twice; the invoices are here",
    "ledger_checkpoints": "how far the ledger was proven",
    "purchase_directory": "how a payment company's event finds its purchase",
    **dict.fromkeys(
        ("use_counts", "use_days"), "sums by day; each call is in calls.jsonl, with what it cost in charges.jsonl"
    ),
    "recovery_codes": "hashes of secrets, and nothing else",
}
"""Tables that say whose a row is, and are not exported."""
