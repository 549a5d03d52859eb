"""What a person must see: mailed to the operator, counted, and listed until somebody acknowledges it by name."""

from talktime.alerts.board import acknowledge, amend_alerts, open_alerts, put_away, raise_alert
from talktime.alerts.models import Alert

__all__ = ["Alert", "acknowledge", "amend_alerts", "open_alerts", "put_away", "raise_alert"]
