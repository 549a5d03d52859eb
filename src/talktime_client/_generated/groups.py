"""The groups of requests, as a client has them.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from talktime_client._generated.awaited.about import AsyncAboutGroup
from talktime_client._generated.awaited.account import AsyncAccountGroup
from talktime_client._generated.awaited.admin_adjustments import AsyncAdminAdjustmentsGroup
from talktime_client._generated.awaited.admin_alerts import AsyncAdminAlertsGroup
from talktime_client._generated.awaited.admin_approvals import AsyncAdminApprovalsGroup
from talktime_client._generated.awaited.admin_audit import AsyncAdminAuditGroup
from talktime_client._generated.awaited.admin_available_numbers import AsyncAdminAvailableNumbersGroup
from talktime_client._generated.awaited.admin_calls import AsyncAdminCallsGroup
from talktime_client._generated.awaited.admin_claims import AsyncAdminClaimsGroup
from talktime_client._generated.awaited.admin_cost_rates import AsyncAdminCostRatesGroup
from talktime_client._generated.awaited.admin_credits import AsyncAdminCreditsGroup
from talktime_client._generated.awaited.admin_events import AsyncAdminEventsGroup
from talktime_client._generated.awaited.admin_invitations import AsyncAdminInvitationsGroup
from talktime_client._generated.awaited.admin_limits import AsyncAdminLimitsGroup
from talktime_client._generated.awaited.admin_margins import AsyncAdminMarginsGroup
from talktime_client._generated.awaited.admin_number_drift import AsyncAdminNumberDriftGroup
from talktime_client._generated.awaited.admin_number_imports import AsyncAdminNumberImportsGroup
from talktime_client._generated.awaited.admin_number_orders import AsyncAdminNumberOrdersGroup
from talktime_client._generated.awaited.admin_numbers import AsyncAdminNumbersGroup
from talktime_client._generated.awaited.admin_packs import AsyncAdminPacksGroup
from talktime_client._generated.awaited.admin_prices import AsyncAdminPricesGroup
from talktime_client._generated.awaited.admin_purchases import AsyncAdminPurchasesGroup
from talktime_client._generated.awaited.admin_refunds import AsyncAdminRefundsGroup
from talktime_client._generated.awaited.admin_reversals import AsyncAdminReversalsGroup
from talktime_client._generated.awaited.admin_transactions import AsyncAdminTransactionsGroup
from talktime_client._generated.awaited.admin_ungranted_payments import AsyncAdminUngrantedPaymentsGroup
from talktime_client._generated.awaited.admin_users import AsyncAdminUsersGroup
from talktime_client._generated.awaited.agent_templates import AsyncAgentTemplatesGroup
from talktime_client._generated.awaited.agents import AsyncAgentsGroup
from talktime_client._generated.awaited.billing_details import AsyncBillingDetailsGroup
from talktime_client._generated.awaited.calls import AsyncCallsGroup
from talktime_client._generated.awaited.credits import AsyncCreditsGroup
from talktime_client._generated.awaited.invoices import AsyncInvoicesGroup
from talktime_client._generated.awaited.keys import AsyncKeysGroup
from talktime_client._generated.awaited.me import AsyncMeGroup
from talktime_client._generated.awaited.number_proofs import AsyncNumberProofsGroup
from talktime_client._generated.awaited.numbers import AsyncNumbersGroup
from talktime_client._generated.awaited.packs import AsyncPacksGroup
from talktime_client._generated.awaited.purchases import AsyncPurchasesGroup
from talktime_client._generated.awaited.statements import AsyncStatementsGroup
from talktime_client._generated.awaited.top_up import AsyncTopUpGroup
from talktime_client._generated.awaited.transactions import AsyncTransactionsGroup
from talktime_client._generated.awaited.webhooks import AsyncWebhooksGroup
from talktime_client._generated.waiting.about import AboutGroup
from talktime_client._generated.waiting.account import AccountGroup
from talktime_client._generated.waiting.admin_adjustments import AdminAdjustmentsGroup
from talktime_client._generated.waiting.admin_alerts import AdminAlertsGroup
from talktime_client._generated.waiting.admin_approvals import AdminApprovalsGroup
from talktime_client._generated.waiting.admin_audit import AdminAuditGroup
from talktime_client._generated.waiting.admin_available_numbers import AdminAvailableNumbersGroup
from talktime_client._generated.waiting.admin_calls import AdminCallsGroup
from talktime_client._generated.waiting.admin_claims import AdminClaimsGroup
from talktime_client._generated.waiting.admin_cost_rates import AdminCostRatesGroup
from talktime_client._generated.waiting.admin_credits import AdminCreditsGroup
from talktime_client._generated.waiting.admin_events import AdminEventsGroup
from talktime_client._generated.waiting.admin_invitations import AdminInvitationsGroup
from talktime_client._generated.waiting.admin_limits import AdminLimitsGroup
from talktime_client._generated.waiting.admin_margins import AdminMarginsGroup
from talktime_client._generated.waiting.admin_number_drift import AdminNumberDriftGroup
from talktime_client._generated.waiting.admin_number_imports import AdminNumberImportsGroup
from talktime_client._generated.waiting.admin_number_orders import AdminNumberOrdersGroup
from talktime_client._generated.waiting.admin_numbers import AdminNumbersGroup
from talktime_client._generated.waiting.admin_packs import AdminPacksGroup
from talktime_client._generated.waiting.admin_prices import AdminPricesGroup
from talktime_client._generated.waiting.admin_purchases import AdminPurchasesGroup
from talktime_client._generated.waiting.admin_refunds import AdminRefundsGroup
from talktime_client._generated.waiting.admin_reversals import AdminReversalsGroup
from talktime_client._generated.waiting.admin_transactions import AdminTransactionsGroup
from talktime_client._generated.waiting.admin_ungranted_payments import AdminUngrantedPaymentsGroup
from talktime_client._generated.waiting.admin_users import AdminUsersGroup
from talktime_client._generated.waiting.agent_templates import AgentTemplatesGroup
from talktime_client._generated.waiting.agents import AgentsGroup
from talktime_client._generated.waiting.billing_details import BillingDetailsGroup
from talktime_client._generated.waiting.calls import CallsGroup
from talktime_client._generated.waiting.credits import CreditsGroup
from talktime_client._generated.waiting.invoices import InvoicesGroup
from talktime_client._generated.waiting.keys import KeysGroup
from talktime_client._generated.waiting.me import MeGroup
from talktime_client._generated.waiting.number_proofs import NumberProofsGroup
from talktime_client._generated.waiting.numbers import NumbersGroup
from talktime_client._generated.waiting.packs import PacksGroup
from talktime_client._generated.waiting.purchases import PurchasesGroup
from talktime_client._generated.waiting.statements import StatementsGroup
from talktime_client._generated.waiting.top_up import TopUpGroup
from talktime_client._generated.waiting.transactions import TransactionsGroup
from talktime_client._generated.waiting.webhooks import WebhooksGroup
from talktime_client._transport import AsyncTransport, Transport


class AdminGroup:
    """`client.admin`: what operators do."""

    def __init__(self, transport: Transport) -> None:
        self.adjustments: AdminAdjustmentsGroup = AdminAdjustmentsGroup(transport)
        self.alerts: AdminAlertsGroup = AdminAlertsGroup(transport)
        self.approvals: AdminApprovalsGroup = AdminApprovalsGroup(transport)
        self.audit: AdminAuditGroup = AdminAuditGroup(transport)
        self.available_numbers: AdminAvailableNumbersGroup = AdminAvailableNumbersGroup(transport)
        self.calls: AdminCallsGroup = AdminCallsGroup(transport)
        self.claims: AdminClaimsGroup = AdminClaimsGroup(transport)
        self.cost_rates: AdminCostRatesGroup = AdminCostRatesGroup(transport)
        self.credits: AdminCreditsGroup = AdminCreditsGroup(transport)
        self.events: AdminEventsGroup = AdminEventsGroup(transport)
        self.invitations: AdminInvitationsGroup = AdminInvitationsGroup(transport)
        self.limits: AdminLimitsGroup = AdminLimitsGroup(transport)
        self.margins: AdminMarginsGroup = AdminMarginsGroup(transport)
        self.number_drift: AdminNumberDriftGroup = AdminNumberDriftGroup(transport)
        self.number_imports: AdminNumberImportsGroup = AdminNumberImportsGroup(transport)
        self.number_orders: AdminNumberOrdersGroup = AdminNumberOrdersGroup(transport)
        self.numbers: AdminNumbersGroup = AdminNumbersGroup(transport)
        self.packs: AdminPacksGroup = AdminPacksGroup(transport)
        self.prices: AdminPricesGroup = AdminPricesGroup(transport)
        self.purchases: AdminPurchasesGroup = AdminPurchasesGroup(transport)
        self.refunds: AdminRefundsGroup = AdminRefundsGroup(transport)
        self.reversals: AdminReversalsGroup = AdminReversalsGroup(transport)
        self.transactions: AdminTransactionsGroup = AdminTransactionsGroup(transport)
        self.ungranted_payments: AdminUngrantedPaymentsGroup = AdminUngrantedPaymentsGroup(transport)
        self.users: AdminUsersGroup = AdminUsersGroup(transport)


class Groups:
    """What a client is asked for."""

    def __init__(self, transport: Transport) -> None:
        self.about: AboutGroup = AboutGroup(transport)
        self.account: AccountGroup = AccountGroup(transport)
        self.agents: AgentsGroup = AgentsGroup(transport)
        self.agent_templates: AgentTemplatesGroup = AgentTemplatesGroup(transport)
        self.billing_details: BillingDetailsGroup = BillingDetailsGroup(transport)
        self.calls: CallsGroup = CallsGroup(transport)
        self.credits: CreditsGroup = CreditsGroup(transport)
        self.invoices: InvoicesGroup = InvoicesGroup(transport)
        self.keys: KeysGroup = KeysGroup(transport)
        self.me: MeGroup = MeGroup(transport)
        self.number_proofs: NumberProofsGroup = NumberProofsGroup(transport)
        self.numbers: NumbersGroup = NumbersGroup(transport)
        self.packs: PacksGroup = PacksGroup(transport)
        self.purchases: PurchasesGroup = PurchasesGroup(transport)
        self.statements: StatementsGroup = StatementsGroup(transport)
        self.top_up: TopUpGroup = TopUpGroup(transport)
        self.transactions: TransactionsGroup = TransactionsGroup(transport)
        self.webhooks: WebhooksGroup = WebhooksGroup(transport)
        self.admin: AdminGroup = AdminGroup(transport)


class AsyncAdminGroup:
    """`client.admin`: what operators do."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.adjustments: AsyncAdminAdjustmentsGroup = AsyncAdminAdjustmentsGroup(transport)
        self.alerts: AsyncAdminAlertsGroup = AsyncAdminAlertsGroup(transport)
        self.approvals: AsyncAdminApprovalsGroup = AsyncAdminApprovalsGroup(transport)
        self.audit: AsyncAdminAuditGroup = AsyncAdminAuditGroup(transport)
        self.available_numbers: AsyncAdminAvailableNumbersGroup = AsyncAdminAvailableNumbersGroup(transport)
        self.calls: AsyncAdminCallsGroup = AsyncAdminCallsGroup(transport)
        self.claims: AsyncAdminClaimsGroup = AsyncAdminClaimsGroup(transport)
        self.cost_rates: AsyncAdminCostRatesGroup = AsyncAdminCostRatesGroup(transport)
        self.credits: AsyncAdminCreditsGroup = AsyncAdminCreditsGroup(transport)
        self.events: AsyncAdminEventsGroup = AsyncAdminEventsGroup(transport)
        self.invitations: AsyncAdminInvitationsGroup = AsyncAdminInvitationsGroup(transport)
        self.limits: AsyncAdminLimitsGroup = AsyncAdminLimitsGroup(transport)
        self.margins: AsyncAdminMarginsGroup = AsyncAdminMarginsGroup(transport)
        self.number_drift: AsyncAdminNumberDriftGroup = AsyncAdminNumberDriftGroup(transport)
        self.number_imports: AsyncAdminNumberImportsGroup = AsyncAdminNumberImportsGroup(transport)
        self.number_orders: AsyncAdminNumberOrdersGroup = AsyncAdminNumberOrdersGroup(transport)
        self.numbers: AsyncAdminNumbersGroup = AsyncAdminNumbersGroup(transport)
        self.packs: AsyncAdminPacksGroup = AsyncAdminPacksGroup(transport)
        self.prices: AsyncAdminPricesGroup = AsyncAdminPricesGroup(transport)
        self.purchases: AsyncAdminPurchasesGroup = AsyncAdminPurchasesGroup(transport)
        self.refunds: AsyncAdminRefundsGroup = AsyncAdminRefundsGroup(transport)
        self.reversals: AsyncAdminReversalsGroup = AsyncAdminReversalsGroup(transport)
        self.transactions: AsyncAdminTransactionsGroup = AsyncAdminTransactionsGroup(transport)
        self.ungranted_payments: AsyncAdminUngrantedPaymentsGroup = AsyncAdminUngrantedPaymentsGroup(transport)
        self.users: AsyncAdminUsersGroup = AsyncAdminUsersGroup(transport)


class AsyncGroups:
    """What a client is asked for."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.about: AsyncAboutGroup = AsyncAboutGroup(transport)
        self.account: AsyncAccountGroup = AsyncAccountGroup(transport)
        self.agents: AsyncAgentsGroup = AsyncAgentsGroup(transport)
        self.agent_templates: AsyncAgentTemplatesGroup = AsyncAgentTemplatesGroup(transport)
        self.billing_details: AsyncBillingDetailsGroup = AsyncBillingDetailsGroup(transport)
        self.calls: AsyncCallsGroup = AsyncCallsGroup(transport)
        self.credits: AsyncCreditsGroup = AsyncCreditsGroup(transport)
        self.invoices: AsyncInvoicesGroup = AsyncInvoicesGroup(transport)
        self.keys: AsyncKeysGroup = AsyncKeysGroup(transport)
        self.me: AsyncMeGroup = AsyncMeGroup(transport)
        self.number_proofs: AsyncNumberProofsGroup = AsyncNumberProofsGroup(transport)
        self.numbers: AsyncNumbersGroup = AsyncNumbersGroup(transport)
        self.packs: AsyncPacksGroup = AsyncPacksGroup(transport)
        self.purchases: AsyncPurchasesGroup = AsyncPurchasesGroup(transport)
        self.statements: AsyncStatementsGroup = AsyncStatementsGroup(transport)
        self.top_up: AsyncTopUpGroup = AsyncTopUpGroup(transport)
        self.transactions: AsyncTransactionsGroup = AsyncTransactionsGroup(transport)
        self.webhooks: AsyncWebhooksGroup = AsyncWebhooksGroup(transport)
        self.admin: AsyncAdminGroup = AsyncAdminGroup(transport)
