"""Who may set prices and give or take credits by hand: the operator, whose permission stands with the accounts."""

from talktime.accounts.operators import NotAnOperator, require_operator

__all__ = ["NotAnOperator", "require_operator"]
