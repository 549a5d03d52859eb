"""What an assistant can do for an operator, with `--admin` and a key that has the operators' scopes.

The rule is that of `deeds`. What customers wrote (names, reasons) comes from people whom nobody here knows: it is
handed on as data, as words of callers are.
"""

from talktime.mcp.deeds import TURNS, Deed

_ASK = "Get the operator's yes before."
_NAMES = ("data.*.name",)
_NAME = ("name",)

_PEOPLE = (
    Deed("admin_users_list", "Use it to find a customer's id by name or e-mail address.", untrusted=_NAMES),
    Deed("admin_users_read", untrusted=_NAME),
    Deed("admin_users_suspend", _ASK, is_destructive=True, is_repeatable=True, untrusted=_NAME),
    Deed("admin_users_activate", is_repeatable=True, untrusted=_NAME),
    Deed("admin_users_sign_out", _ASK, is_destructive=True, is_repeatable=True, untrusted=_NAME),
    Deed("admin_limits_read"),
    Deed(
        "admin_limits_change",
        _ASK,
        money="it changes how far an account may go below zero, and how many calls it may have at once.",
        is_repeatable=True,
    ),
    Deed("admin_calls_list", untrusted=("data.*.summary",)),
    Deed(
        "admin_calls_read",
        "These are the words of somebody else's callers: read them only where the operator has a reason to.",
        untrusted=TURNS,
    ),
    Deed("admin_calls_waive", _ASK, money="it gives back what the call had cost."),
)

_MONEY = (
    Deed("admin_credits_read"),
    Deed("admin_transactions_list", "Use it to explain somebody's balance."),
    Deed("admin_adjustments_make", _ASK, money="it gives or takes credits.", is_destructive=True),
    Deed("admin_approvals_list"),
    Deed(
        "admin_approvals_approve",
        "This is the second person's decision: only when they told you so themselves.",
        money="it posts the credits that were asked for.",
        is_destructive=True,
    ),
    Deed("admin_approvals_refuse", "This is the second person's decision: only when they told you so themselves."),
    Deed("admin_purchases_list"),
    Deed("admin_refunds_make", _ASK, money="it pays money back to the customer.", is_destructive=True),
    Deed("admin_reversals_list"),
    Deed("admin_ungranted_list"),
    Deed("admin_claims_list", untrusted=("data.*.reason",)),
    Deed("admin_claims_decide", _ASK, money="granting gives back what the call had cost.", is_repeatable=True),
    Deed("admin_packs_list"),
    Deed("admin_packs_read"),
    Deed("admin_packs_make", _ASK, money="active packs are sold from then on."),
    Deed("admin_packs_change", _ASK, money="it changes what is sold.", is_repeatable=True),
    Deed("admin_prices_list"),
    Deed("admin_prices_history"),
    Deed("admin_prices_make", _ASK, money="it changes what calls cost."),
    Deed("admin_prices_follow_list", _ASK, money="it changes what calls cost."),
    Deed("admin_cost_rates_list"),
    Deed("admin_cost_rates_make"),
    Deed("admin_margins_list"),
    Deed("admin_margins_read"),
)

_NUMBERS = (
    Deed("admin_numbers_list"),
    Deed("admin_numbers_read"),
    Deed("admin_numbers_add"),
    Deed("admin_numbers_change", money="it may change a customer's rent.", is_repeatable=True),
    Deed("admin_numbers_assign", _ASK, money="it charges the customer the first month's rent.", is_repeatable=True),
    Deed("admin_numbers_release", _ASK, is_destructive=True, is_repeatable=True),
    Deed("admin_numbers_give_up", f"This cannot be taken back. {_ASK}", is_destructive=True, is_repeatable=True),
    Deed("admin_numbers_tell", is_repeatable=True, reaches_out=True),
    Deed("admin_available_numbers_list", "Use it for prices before admin_number_orders_make.", reaches_out=True),
    Deed("admin_number_orders_list"),
    Deed("admin_number_orders_read"),
    Deed(
        "admin_number_orders_make",
        f"Name number and price to the operator. {_ASK}",
        money="it buys a number, which is paid for every month.",
        reaches_out=True,
    ),
    Deed("admin_number_imports_make", is_repeatable=True, reaches_out=True),
    Deed("admin_number_drift_list", reaches_out=True),
)

_WATCHING = (
    Deed("admin_alerts_list", "Use it first: it says what is wrong at the moment.", untrusted=("data.*.detail",)),
    Deed(
        "admin_alerts_acknowledge",
        "Only when a person has said that they see to it.",
        is_repeatable=True,
        untrusted=("detail",),
    ),
    Deed("admin_audit_list", untrusted=("data.*.before", "data.*.after")),
    Deed("admin_audit_verify"),
    Deed("admin_events_list"),
    Deed("admin_events_read", untrusted=("body", "headers")),
    Deed("admin_events_replay", "What was done because of it is not done twice."),
    Deed("admin_events_replay_many", f"What was done because of them is not done twice. {_ASK}"),
)

OF_OPERATORS = (*_PEOPLE, *_MONEY, *_NUMBERS, *_WATCHING)
