"""What we tell a customer's own programs: endpoints, events, deliveries, signatures (Standard Webhooks).

`await webhooks.emit(db, user, "agent.published", {"agent_id": …})` in the transaction of the fact is all that others
need of it.
"""

from talktime.webhooks.events import emit

__all__ = ["emit"]
