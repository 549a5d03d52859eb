"""What an alert is called and what it means, in the reader's language."""

from talktime.alerts import kinds
from talktime.web.language import _


def title(kind: str) -> str:
    """A few words for its head; the name itself where this version knows none."""
    said = {
        "call_unbilled": _("A call not billed in full"),
        "reversal_short": _("Fewer credits taken back"),
        "unknown_payment": _("Unknown payment"),
        "wrong_amount": _("Wrong amount"),
        "wrong_currency": _("Wrong currency"),
        "test_event_on_live": _("A test event"),
        "live_event_on_test": _("A live event in test mode"),
        "paid_twice": _("Paid twice"),
        "ungranted_disputed": _("A dispute about nothing"),
        "ungranted_returned": _("Money back with us"),
        "unknown_there": _("Unknown to the payment company"),
        "paid_after_closing": _("Paid after closing"),
        "dispute_opened": _("A dispute"),
        "dispute_lost": _("A dispute lost"),
        "closed_below_zero": _("A closed account below zero"),
        "refund_failed": _("A refund failed"),
        "charge_claimed": _("A charge is claimed back"),
        "ledger_wrong": _("The books are wrong"),
        "audit_wrong": _("The audit log was changed"),
        "job_failed": _("A job was given up"),
        "event_failed": _("An event was given up"),
        "top_up_declined": _("A top-up was declined"),
        "top_up_refused": _("A top-up was refused"),
        "card_not_forgotten": _("A card was not forgotten"),
        "carrier_disagrees": _("A phone company disagrees"),
        "carrier_silent": _("A phone company is silent"),
        "numbers_differ": _("Numbers differ"),
        "order_failed": _("A number was not bought"),
        "notice_failed": _("A mail did not arrive"),
    }
    return said.get(kind, kind.replace("_", " ").capitalize())


def sentence(kind: str) -> str:
    """What happened, and what to do."""
    message = kinds.sentence(kind)
    return _(message)
