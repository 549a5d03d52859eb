"""REST for integrators: `/v1`, and `/v1/admin` for operators. JSON in, JSON out, and never a page.

One file per resource, each with its `router`; routing, caller, paging, writing and body are what they share. What is
done here is done by the verbs of the domains: no SQL, no rule of the business.
"""

from fastapi import APIRouter

from talktime.api import (
    account,
    admin_costs,
    admin_credits,
    admin_events,
    admin_money,
    admin_number_orders,
    admin_numbers,
    admin_prices,
    admin_users,
    admin_watch,
    agent_templates,
    agent_versions,
    agents,
    calls,
    document,
    funds,
    keys_of,
    me,
    numbers,
    packs,
    purchases,
    statements,
    webhooks,
)
from talktime.http.problems import API

router = APIRouter(prefix=API)
router.include_router(document.router)
router.include_router(me.router)
router.include_router(account.router)
router.include_router(agents.router)
router.include_router(agent_versions.router)
router.include_router(agent_templates.router)
router.include_router(calls.router)
router.include_router(funds.router)
router.include_router(funds.transactions)
router.include_router(packs.router)
router.include_router(purchases.router)
router.include_router(purchases.top_up)
router.include_router(statements.router)
router.include_router(statements.documents)
router.include_router(statements.billing)
router.include_router(keys_of.router)
router.include_router(admin_users.router)
router.include_router(admin_users.invitations)
router.include_router(admin_credits.router)
router.include_router(admin_credits.approvals)
router.include_router(admin_prices.catalogue)
router.include_router(admin_prices.price_list)
router.include_router(admin_money.payments)
router.include_router(admin_money.reversals)
router.include_router(admin_money.ungranted)
router.include_router(admin_money.disputed)
router.include_router(admin_costs.cost_rates)
router.include_router(admin_costs.margin)
router.include_router(admin_events.router)
router.include_router(admin_watch.alerts)
router.include_router(admin_watch.audit)
router.include_router(numbers.router)
router.include_router(numbers.proofs)
router.include_router(admin_numbers.router)
router.include_router(admin_number_orders.available)
router.include_router(admin_number_orders.orders)
router.include_router(admin_number_orders.imports)
router.include_router(admin_number_orders.differences)
router.include_router(webhooks.router)

__all__ = ["router"]
