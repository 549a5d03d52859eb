"""What each kind of alert means: what happened, and what to do. The database's functions raise alerts, too, so a kind
that is missing here is still shown, with its name.
"""

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
    "call_unbilled": "A call cost more than was set aside for it, and the rest is our loss. Look at the call's receipt:"
    " one that was cut off too late is a mistake of ours; otherwise nothing is to be done.",
    "reversal_short": "A payment was taken back, but fewer credits were left of it than it bought; the rest is our"
    " loss. Look at what the customer did before the refund or dispute, and suspend the account if it was meant.",
    "unknown_payment": "The payment company reports money for a purchase that we do not know. Find it on their pages by"
    " its id: refund it, or credit the customer by an adjustment. Granted after all, it says so and goes.",
    "wrong_amount": "A payment came with another amount than its purchase asked for, so nothing was credited. Compare"
    " it on the payment company's pages, then refund it or credit what was paid. Granted after all, it says so"
    " and goes.",
    "wrong_currency": "A payment came in another currency than its purchase asked for, so nothing was credited. Compare"
    " it on the payment company's pages, then refund it or credit what was paid. Granted after all, it says so"
    " and goes.",
    "test_event_on_live": "The payment company sent a test event to this installation, which runs live; it was left"
    " alone. Look at which address and secret the test mode is set up with.",
    "live_event_on_test": "The payment company sent a live event to this installation, which runs in test mode; it was"
    " left alone. Look at which address and secret the live mode is set up with.",
    "paid_twice": "A purchase was paid by two payments, and credited once. Refund the payment that is named here on the"
    " payment company's pages; refunding the other one would take the credits back. What went back already stands here,"
    " and what is left; when nothing is left, nothing is to be done.",
    "ungranted_disputed": "A customer's bank disputes a payment that granted nothing, such as the second one of a"
    " purchase. The money is the customer's: accept the dispute on the payment company's pages, or show there that it"
    " was refunded.",
    "ungranted_returned": "Money of a payment that granted nothing was on its way back to the customer and is with us"
    " again: its refund failed, or the bank gave it back. It is not ours: see what is left of the payment in its own"
    " alert, and pay the customer another way.",
    "unknown_there": "A payment, refund or dispute stands in our books, and the payment company does not list it. Look"
    " for it on their pages by its id; if it is not there, find out who told us of it.",
    "paid_after_closing": "A purchase was paid after its account was closed, and its credits are on that account. Give"
    " the money back: refund the purchase, or pay out what is left.",
    "dispute_opened": "A customer's bank disputes a payment. Answer it on the payment company's pages before its date;"
    " calls and receipts of this customer are the evidence.",
    "dispute_lost": "A dispute was lost: the money is gone, and the credits were taken back as far as there were any."
    " Decide whether this customer may go on.",
    "closed_below_zero": "Money went back of a purchase on a closed account, and the account is now so many credits"
    " below zero: they were spent or paid out before, and nobody will pay them. Ask the customer for the"
    " money, or write it off.",
    "refund_failed": "A refund did not reach the customer: the money is back with us, and so are the credits with them."
    " Pay the customer another way, or refund again.",
    "charge_claimed": "A customer says that a call was not a real one. Listen to what is kept of it, then grant the"
    " claim or refuse it; the customer is told, and this goes.",
    "ledger_wrong": "The books do not add up. Run `talktime ledger verify --full`, change nothing by hand, and find out"
    " who wrote to the database before anything else.",
    "audit_wrong": "The audit log was changed: an entry is another one, or missing, or a chain does not end where it"
    " should. Run `talktime users audit-verify`, compare with the newest copy that `talktime users audit-export` made,"
    " and find out who wrote to the database before anything else.",
    "job_failed": "A job was tried as often as it may be and given up; its error is in the log. For these tasks there"
    " is something to do: calls.hang_up, see on the carrier's pages whether the call goes on, and end it there;"
    " payments.save_card, ask the customer to save the card with their next purchase; ledger.verify and"
    " ledger.verify_full, run `talktime ledger verify --full`; audit.verify, run `talktime users audit-verify`."
    " The others come again by themselves, or have something"
    " behind them that does it.",
    "event_failed": "An event of a provider could not be handled and was given up. Its error stands here, and whole in"
    " the inbox (`provider_events`). Mend the cause, then have it handled again:"
    " `talktime ledger payments again ID --by YOU`, with the event_id that stands here, for a payment's event"
    " (payment.told, payment.listed) and for a carrier's.",
    "top_up_declined": "A customer's card was declined when it should have topped up their credit. The customer is"
    " told; nothing is to be done unless many are declined at once.",
    "top_up_refused": "The payment company would not take the charge of a saved card: not the card was declined, but"
    " our key or our question was refused. Look at the key, and at the customer on their pages; it is tried again every"
    " hour.",
    "card_not_forgotten": "An account was closed, and the payment company did not forget its saved card. It is not"
    " charged any more; close the account again (`talktime users close`), which asks the company once more.",
    "carrier_disagrees": "A carrier refused what one of our numbers needs, or does not have the number any more, so"
    " whoever rings it may not reach us. Its error stands here. See `talktime numbers sync`, mend the cause on the"
    " carrier's pages, then have it told again: `talktime numbers sync --tell NUMBER --by YOU`.",
    "carrier_silent": "A carrier has not answered for minutes when it was to be told about one of our numbers. It is"
    " tried again, later and later; look at the carrier's status page, and at `talktime numbers sync` afterwards.",
    "numbers_differ": "The pool of numbers and what the phone companies have are not the same; how many numbers differ"
    " in what way stands here. Run `talktime numbers sync`, which says what each of them means and what to do.",
    "order_failed": "A number that was ordered was not bought: the carrier gave no answer at first, and does not have"
    " it for us. Nothing was paid. Look for it once on the carrier's pages, then order again, or choose another one.",
    "notice_failed": "A customer could not be told something by mail. Look at their address, and tell them another way"
    " if it matters.",
}


def sentence(kind: str) -> str:
    """What happened and what to do, for any kind."""
    return KINDS.get(kind, f"Something of the kind {kind!r} happened, which has no description here: look at it.")
