"""Every shape that comes and goes, by its name.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.shapes.account import Account, MailChoices, Role, RoleName
from talktime_client._generated.shapes.admin_adjustments import (
    Adjustment,
    Approval,
    ApprovalState,
    ApprovalStateName,
    Posting,
)
from talktime_client._generated.shapes.admin_alerts import Alert
from talktime_client._generated.shapes.admin_audit import AuditEntry, AuditProof, Violation
from talktime_client._generated.shapes.admin_available_numbers import (
    NumberKind,
    NumberKindName,
    OfferedNumber,
    OfferedNumbers,
)
from talktime_client._generated.shapes.admin_calls import Waived
from talktime_client._generated.shapes.admin_claims import AdminClaim, Decided
from talktime_client._generated.shapes.admin_cost_rates import CostKind, CostKindName, CostRate
from talktime_client._generated.shapes.admin_events import (
    OpenedEvent,
    ProviderEvent,
    ProviderEventState,
    ProviderEventStateName,
    Replayed,
)
from talktime_client._generated.shapes.admin_invitations import Invitation
from talktime_client._generated.shapes.admin_limits import Limits
from talktime_client._generated.shapes.admin_margins import Margin, MarginsBy, MarginsByName
from talktime_client._generated.shapes.admin_number_drift import NumberDrift, NumberDriftKind, NumberDrifts
from talktime_client._generated.shapes.admin_number_imports import NumberImport
from talktime_client._generated.shapes.admin_number_orders import NumberOrder, OrderState, OrderStateName
from talktime_client._generated.shapes.admin_numbers import (
    CarrierPhase,
    CarrierPhaseName,
    PhoneStatus,
    PhoneStatusName,
    PoolNumber,
)
from talktime_client._generated.shapes.admin_packs import AdminPack
from talktime_client._generated.shapes.admin_prices import FollowedList, Price, PriceKind, PriceKindName
from talktime_client._generated.shapes.admin_purchases import AdminPurchase
from talktime_client._generated.shapes.admin_refunds import Refund, RefundRequestState
from talktime_client._generated.shapes.admin_reversals import Reversal, ReversalKind, ReversalKindName, ReversalState
from talktime_client._generated.shapes.admin_ungranted_payments import UngrantedPayment
from talktime_client._generated.shapes.admin_users import Closed, OpenedPerson, Person, UserStatus, UserStatusName
from talktime_client._generated.shapes.agent_templates import Template, WholeTemplate
from talktime_client._generated.shapes.agents import (
    Agent,
    AgentContent,
    AgentStatus,
    AgentStatusName,
    Contact,
    Diff,
    DiffChange,
    DiffLine,
    Draft,
    Hours,
    KnowledgeEntry,
    ListedVersion,
    OpenDraft,
    OpenDraftName,
    Prompt,
    Version,
)
from talktime_client._generated.shapes.billing_details import BillingDetails
from talktime_client._generated.shapes.calls import (
    Call,
    CallStatus,
    CallStatusName,
    Claim,
    ClaimState,
    Direction,
    ListedCall,
    NotCharged,
    NotChargedName,
    Party,
    Receipt,
    ReceiptLine,
    Turn,
)
from talktime_client._generated.shapes.credits import Credits, CreditSettings
from talktime_client._generated.shapes.invoices import Invoice, InvoiceKind
from talktime_client._generated.shapes.keys import Key, MadeKey, Scope, ScopeName
from talktime_client._generated.shapes.me import Me
from talktime_client._generated.shapes.number_proofs import NumberProof
from talktime_client._generated.shapes.numbers import Number, ReleasedNumber, SelfTest, SelfTestLink
from talktime_client._generated.shapes.packs import Pack
from talktime_client._generated.shapes.purchases import Purchase, PurchaseKind, PurchaseState, PurchaseStateName
from talktime_client._generated.shapes.statements import (
    Month,
    Statement,
    StatementLine,
    TransactionType,
    TransactionTypeName,
)
from talktime_client._generated.shapes.top_up import Card, TopUp
from talktime_client._generated.shapes.transactions import Transaction
from talktime_client._generated.shapes.webhooks import (
    Attempt,
    DeliveriesReplayed,
    Delivery,
    DeliveryOpened,
    DeliveryState,
    DeliveryStateName,
    DisabledReason,
    Event,
    EventType,
    MadeSecret,
    MadeWebhook,
    Webhook,
)

__all__ = [
    "Account",
    "Adjustment",
    "AdminClaim",
    "AdminPack",
    "AdminPurchase",
    "Agent",
    "AgentContent",
    "AgentStatus",
    "AgentStatusName",
    "Alert",
    "Approval",
    "ApprovalState",
    "ApprovalStateName",
    "Attempt",
    "AuditEntry",
    "AuditProof",
    "BillingDetails",
    "Call",
    "CallStatus",
    "CallStatusName",
    "Card",
    "CarrierPhase",
    "CarrierPhaseName",
    "Claim",
    "ClaimState",
    "Closed",
    "Contact",
    "CostKind",
    "CostKindName",
    "CostRate",
    "CreditSettings",
    "Credits",
    "Decided",
    "DeliveriesReplayed",
    "Delivery",
    "DeliveryOpened",
    "DeliveryState",
    "DeliveryStateName",
    "Diff",
    "DiffChange",
    "DiffLine",
    "Direction",
    "DisabledReason",
    "Draft",
    "Event",
    "EventType",
    "FollowedList",
    "Hours",
    "Invitation",
    "Invoice",
    "InvoiceKind",
    "Key",
    "KnowledgeEntry",
    "Limits",
    "ListedCall",
    "ListedVersion",
    "MadeKey",
    "MadeSecret",
    "MadeWebhook",
    "MailChoices",
    "Margin",
    "MarginsBy",
    "MarginsByName",
    "Me",
    "Month",
    "NotCharged",
    "NotChargedName",
    "Number",
    "NumberDrift",
    "NumberDriftKind",
    "NumberDrifts",
    "NumberImport",
    "NumberKind",
    "NumberKindName",
    "NumberOrder",
    "NumberProof",
    "OfferedNumber",
    "OfferedNumbers",
    "OpenDraft",
    "OpenDraftName",
    "OpenedEvent",
    "OpenedPerson",
    "OrderState",
    "OrderStateName",
    "Pack",
    "Party",
    "Person",
    "PhoneStatus",
    "PhoneStatusName",
    "PoolNumber",
    "Posting",
    "Price",
    "PriceKind",
    "PriceKindName",
    "Prompt",
    "ProviderEvent",
    "ProviderEventState",
    "ProviderEventStateName",
    "Purchase",
    "PurchaseKind",
    "PurchaseState",
    "PurchaseStateName",
    "Receipt",
    "ReceiptLine",
    "Refund",
    "RefundRequestState",
    "ReleasedNumber",
    "Replayed",
    "Reversal",
    "ReversalKind",
    "ReversalKindName",
    "ReversalState",
    "Role",
    "RoleName",
    "Scope",
    "ScopeName",
    "SelfTest",
    "SelfTestLink",
    "Statement",
    "StatementLine",
    "Template",
    "TopUp",
    "Transaction",
    "TransactionType",
    "TransactionTypeName",
    "Turn",
    "UngrantedPayment",
    "UserStatus",
    "UserStatusName",
    "Version",
    "Violation",
    "Waived",
    "Webhook",
    "WholeTemplate",
]
