"""What somebody must know about their credit, whichever page they are on."""

from talktime.credits.account import Funds
from talktime.web import words
from talktime.web.language import _


def credit_sentence(funds: Funds) -> str:
    """Why no call is answered by the agent; "" when all is well."""
    if funds.is_blocked:
        return _("The account is blocked: no call is answered by the agent.")
    if funds.debt:
        owed = words.credits_in_words(funds.debt)
        return _("{credits} are owed: no call is answered by the agent until they are paid.").format(credits=owed)
    if funds.free == 0 and not funds.held:
        return _("There is no credit left: callers get your fallback.")
    return ""
