"""Who gets what of the API: one line for every route.

The rule: a route that is not here fails `test_matrix`, by name, and so does a line without a route. What is sent is the
example of the description, unless a line says otherwise; names in braces are Alice's things. Whoever has no key that
works gets 401, and whoever's key lacks the scope 403, everywhere: no line says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """What each of them gets, as HTTP statuses."""

    owner: int
    other: int
    """Another customer, who asks for what is the owner's; at an address about oneself, for their own."""
    operator: int
    """With a key that may do everything."""
    body: Mapping[str, Any] | None = None
    """What is sent; None is the example of the description."""
    query: str = ""
    is_desk: bool = False
    """The operator is meant to see, or to change, what is the owner's."""
    counts: bool = False
    """Being refused is written down: a wrong code is a try."""
    is_noted: bool = False
    """That it was read stands in the audit log."""


def mine(status: int = 200, *, operator: int | None = None, body: Mapping[str, Any] | None = None) -> Entry:
    """About whoever asks."""
    return Entry(status, status, status if operator is None else operator, body)


def thing(status: int = 200, *, body: Mapping[str, Any] | None = None, query: str = "", counts: bool = False) -> Entry:
    """One thing of somebody's; for anybody else there is no such thing."""
    return Entry(status, 404, 404, body, query, counts=counts)


def desk(status: int = 200, *, body: Mapping[str, Any] | None = None, query: str = "", counts: bool = False) -> Entry:
    """The operator's; customers' keys never have its scopes."""
    return Entry(403, 403, status, body, query, is_desk=True, counts=counts)


NO_CARRIER = 502
"""The phone company does not answer in these tests: who gets so far was let in."""
A_SPAN = "since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z"

MATRIX: Mapping[str, Entry] = {
    "GET /v1/me": mine(),
    "GET /v1/account": mine(),
    "PATCH /v1/account": mine(),
    "GET /v1/account/mails": mine(),
    "PATCH /v1/account/mails": mine(),
    # Agents.
    "GET /v1/agents": mine(),
    "POST /v1/agents": mine(201),
    "GET /v1/agents/{agent_id}": thing(),
    "PATCH /v1/agents/{agent_id}": thing(),
    "POST /v1/agents/{agent_id}/archive": thing(),
    "POST /v1/agents/{agent_id}/restore": thing(),
    "GET /v1/agents/{agent_id}/draft": thing(),
    "PATCH /v1/agents/{agent_id}/draft": thing(),
    "DELETE /v1/agents/{agent_id}/draft": thing(),
    "POST /v1/agents/{agent_id}/publish": thing(201, body={"revision": "{revision}"}),
    "GET /v1/agents/{agent_id}/versions": thing(),
    "GET /v1/agents/{agent_id}/versions/{version_no}": thing(),
    "POST /v1/agents/{agent_id}/versions/{version_no}/roll-back": thing(201),
    "GET /v1/agents/{agent_id}/diff": thing(query="older=1&newer=draft"),
    "GET /v1/agents/{agent_id}/prompt": thing(),
    "GET /v1/agent-templates": mine(),
    "GET /v1/agent-templates/{key}": mine(),
    # Calls.
    "GET /v1/calls": mine(),
    "GET /v1/calls/{call_id}": thing(),
    "GET /v1/calls/{call_id}/receipt.pdf": thing(),
    "POST /v1/calls/{call_id}/claim": thing(201),
    # Money.
    "GET /v1/credits": mine(),
    "GET /v1/credits/settings": mine(),
    "PATCH /v1/credits/settings": mine(),
    "GET /v1/transactions": mine(),
    "GET /v1/transactions/{seq}": mine(),
    "GET /v1/packs": mine(),
    "GET /v1/purchases": mine(),
    "POST /v1/purchases": mine(201, body={"pack_id": "{pack_id}"}),
    "GET /v1/purchases/{purchase_id}": thing(),
    "GET /v1/top-up": mine(),
    "PUT /v1/top-up": mine(body={"enabled": False}),
    "DELETE /v1/top-up/card": mine(204),
    "GET /v1/statements": mine(),
    "GET /v1/statements/{month}.csv": mine(),
    "GET /v1/statements/{month}.pdf": mine(),
    "GET /v1/statements/{month}": mine(),
    "GET /v1/invoices": mine(),
    "GET /v1/invoices/{invoice_id}.pdf": thing(),
    "GET /v1/invoices/{invoice_id}": thing(),
    "GET /v1/billing-details": mine(),
    "PUT /v1/billing-details": mine(),
    # Keys.
    "GET /v1/keys": mine(),
    "POST /v1/keys": mine(201),
    "GET /v1/keys/{key_id}": thing(),
    "DELETE /v1/keys/{key_id}": thing(204),
    "POST /v1/keys/{key_id}/rotate": thing(201),
    # Numbers.
    "GET /v1/numbers": mine(),
    "GET /v1/numbers/{number_id}": thing(),
    "PATCH /v1/numbers/{number_id}": thing(body={"agent_id": "{agent_id}"}),
    "POST /v1/numbers/{number_id}/release": thing(),
    "POST /v1/numbers/{number_id}/self-test": thing(),
    "GET /v1/number-proofs": mine(),
    "POST /v1/number-proofs": mine(409),
    "GET /v1/number-proofs/{proof_id}": thing(),
    "POST /v1/number-proofs/{proof_id}/finish": thing(422, body={"code": "000000"}, counts=True),
    # Webhooks.
    "GET /v1/webhooks": mine(),
    "POST /v1/webhooks": mine(201),
    "GET /v1/webhooks/event-types": mine(),
    "GET /v1/webhooks/events": mine(),
    "GET /v1/webhooks/{webhook_id}": thing(),
    "PATCH /v1/webhooks/{webhook_id}": thing(),
    "DELETE /v1/webhooks/{webhook_id}": thing(204),
    "POST /v1/webhooks/{webhook_id}/rotate": thing(201),
    "POST /v1/webhooks/{webhook_id}/test": thing(202),
    "GET /v1/webhooks/{webhook_id}/deliveries": thing(),
    "GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}": thing(),
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": thing(202),
    "POST /v1/webhooks/{webhook_id}/replay": thing(202),
    # The operator: people.
    "GET /v1/admin/users": desk(),
    "GET /v1/admin/users/{user_id}": desk(),
    "POST /v1/admin/users/{user_id}/suspend": desk(),
    "POST /v1/admin/users/{user_id}/activate": desk(),
    "POST /v1/admin/users/{user_id}/close": desk(),
    "POST /v1/admin/users/{user_id}/role": desk(),
    "POST /v1/admin/users/{user_id}/sign-out": desk(),
    "POST /v1/admin/users/{user_id}/reset-second-factor": desk(),
    "GET /v1/admin/users/{user_id}/limits": desk(),
    "PATCH /v1/admin/users/{user_id}/limits": desk(),
    "GET /v1/admin/users/{user_id}/credits": desk(),
    "GET /v1/admin/users/{user_id}/transactions": desk(),
    "POST /v1/admin/users/{user_id}/adjustments": desk(201),
    "GET /v1/admin/users/{user_id}/calls": desk(),
    "GET /v1/admin/users/{user_id}/calls/{call_id}": replace(desk(), is_noted=True),
    "POST /v1/admin/users/{user_id}/calls/{call_id}/waive": desk(201),
    "POST /v1/admin/invitations": desk(201, body={"role": "USER"}),
    "GET /v1/admin/approvals": desk(),
    "POST /v1/admin/approvals/{approval_id}/approve": desk(),
    "POST /v1/admin/approvals/{approval_id}/refuse": desk(),
    # The operator: money.
    "GET /v1/admin/packs": desk(),
    "POST /v1/admin/packs": desk(201),
    "GET /v1/admin/packs/{pack_id}": desk(),
    "PATCH /v1/admin/packs/{pack_id}": desk(body={"position": 2}),
    "GET /v1/admin/prices": desk(),
    "POST /v1/admin/prices": desk(201, body={"kind": "CALL", "credits_per_minute": 15, "user_id": "{user_id}"}),
    "GET /v1/admin/prices/history": desk(),
    "POST /v1/admin/prices/follow-list": desk(409, body={"kind": "CALL", "user_id": "{user_id}"}),
    "GET /v1/admin/purchases": desk(),
    "POST /v1/admin/purchases/{user_id}/{purchase_id}/refunds": desk(201, body={"amount_minor": 1}),
    "GET /v1/admin/reversals": desk(),
    "GET /v1/admin/ungranted-payments": desk(),
    "GET /v1/admin/claims": desk(),
    "POST /v1/admin/claims/{user_id}/{claimed_id}/decide": desk(),
    "GET /v1/admin/cost-rates": desk(),
    "POST /v1/admin/cost-rates": desk(201),
    "GET /v1/admin/margins": desk(query=A_SPAN),
    "GET /v1/admin/margins/{user_id}/{call_id}": desk(),
    # The operator: watching.
    "GET /v1/admin/alerts": desk(),
    "POST /v1/admin/alerts/{alert_id}/acknowledge": desk(),
    "GET /v1/admin/audit": desk(),
    "GET /v1/admin/audit/verify": desk(query="about={user_id}"),
    "GET /v1/admin/events": desk(),
    "GET /v1/admin/events/{event_id}": desk(),
    "POST /v1/admin/events/replay": desk(202),
    "POST /v1/admin/events/{event_id}/replay": desk(202, body={"again": True}),
    # The operator: the pool of numbers.
    "GET /v1/admin/numbers": desk(),
    "POST /v1/admin/numbers": desk(201, body={"carrier": "simulated", "number": "{new_number}"}),
    "GET /v1/admin/numbers/{number_id}": desk(),
    "PATCH /v1/admin/numbers/{number_id}": desk(),
    "POST /v1/admin/numbers/{number_id}/assign": desk(body={"user_id": "{user_id}", "agent_id": "{agent_id}"}),
    "POST /v1/admin/numbers/{number_id}/release": desk(),
    "POST /v1/admin/numbers/{number_id}/give-up": desk(409),
    "POST /v1/admin/numbers/{number_id}/tell": desk(),
    "GET /v1/admin/available-numbers": desk(NO_CARRIER, query="carrier=simulated&country=GB"),
    "GET /v1/admin/number-orders": desk(),
    "POST /v1/admin/number-orders": desk(
        NO_CARRIER,
        body={"carrier": "simulated", "number": "{new_number}", "kind": "LOCAL", "amount_micros": 1, "currency": "USD"},
        counts=True,
    ),
    "GET /v1/admin/number-orders/{order_id}": desk(),
    "POST /v1/admin/number-imports": desk(NO_CARRIER, body={"carrier": "simulated"}),
    "GET /v1/admin/number-drift": desk(NO_CARRIER),
}
