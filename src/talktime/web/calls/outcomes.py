"""What became of a call, in words a shop owner would use: a word or two for a list, and a sentence.

The rule: values in, words out, in the language of the request. A reason that this version does not know is shown as it
is, rather than hidden.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from talktime.calls.models import Call, CallStatus
from talktime.calls.routing import Route
from talktime.carriers.browser import NAME as BROWSER
from talktime.web import local
from talktime.web.language import _, gettext
from talktime.web.words import Tone


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call."""

    tag: str
    tone: Tone
    sentence: str
    caller_got: str = ""
    """When the agent did not answer: what the caller got instead."""


def outcome_of(call: Call) -> Outcome:
    """What became of a call, or what it is doing."""
    if call.status == CallStatus.RINGING:
        if call.carrier == BROWSER:
            return Outcome(_("ringing"), "live", _("The line from your browser is being opened."))
        return Outcome(_("ringing"), "live", _("The phone is ringing."))
    if call.status == CallStatus.IN_PROGRESS:
        return Outcome(_("talking"), "live", _("They are talking right now."))
    reason = call.end_reason or ""
    if call.parent_id is not None:
        return _outcome_of_leg(reason)
    known = _routes(local.language()).get(call.route)
    if known is None and call.outcome is not None and call.status == CallStatus.COMPLETED:
        known = _noted(local.language()).get(call.outcome)
    if known is None and call.carrier == BROWSER:
        known = _own_endings(local.language()).get(reason)
    known = known or _endings(local.language()).get(reason)
    if known is not None:
        return known
    said = _("The call ended: {reason}.").format(reason=reason.replace("_", " ")) if reason else ""
    if call.status == CallStatus.FAILED:
        return Outcome(_("failed"), "bad", said)
    return Outcome(_("no answer") if call.status == CallStatus.NO_ANSWER else _("over"), "", said)


def _outcome_of_leg(reason: str) -> Outcome:
    """What became of putting a caller through to a person."""
    endings = _endings(local.language())
    if reason == "credit_ended":
        return Outcome(endings[reason].tag, "warn", _("The credit ran out, so the call ended."))
    if reason == "never_answered":
        return endings["nobody_answered"]
    if reason in endings:
        return endings[reason]
    refused = _routes(local.language()).get(reason)
    if refused is not None:
        went_on = _("{why} So the agent went on.").format(why=refused.sentence)
        return Outcome(refused.tag, refused.tone, went_on)
    said = _("The caller was not put through: {reason}.").format(reason=reason.replace("_", " "))
    return Outcome(endings["nobody_answered"].tag, "warn", said)


# Each table is made once for each language: every row of a list looks into them.


@cache
def _noted(spoken: str) -> Mapping[str, Outcome]:
    """What an agent noted of a call."""

    def _(message: str) -> str:
        return gettext(message, spoken)

    return {"message": Outcome(_("message taken"), "ok", _("The agent took a message."))}


@cache
def _endings(spoken: str) -> Mapping[str, Outcome]:
    """How a call ended that the agent answered, or one that a caller was put through on."""

    def _(message: str) -> str:
        return gettext(message, spoken)

    put_through, not_reached = _("put through"), _("not reached")
    silent = _("went silent")
    return {
        "caller_hung_up": Outcome(_("answered"), "ok", _("The caller hung up.")),
        "agent_hung_up": Outcome(_("answered"), "ok", _("The agent said goodbye.")),
        "silence": Outcome(silent, "", _("Nobody spoke any more, so the agent said goodbye.")),
        "longest": Outcome(
            _("longest call"), "warn", _("The call had lasted as long as a call may, so the agent said goodbye.")
        ),
        "credit_ended": Outcome(_("credit ran out"), "warn", _("The credit ran out, so the agent said goodbye.")),
        "shutdown": Outcome(_("ended early"), "warn", _("The server was being stopped, so the agent said goodbye.")),
        "caller_gave_up": Outcome(_("gave up"), "", _("The caller hung up before the agent answered.")),
        "never_answered": Outcome(
            _("not connected"), "warn", _("The phone company never connected the call to the agent.")
        ),
        "lost": Outcome(_("connection lost"), "warn", _("The connection to the call was lost.")),
        "line_dead": Outcome(_("line failed"), "bad", _("The phone company sent no sound any more.")),
        "line_blocked": Outcome(_("line failed"), "bad", _("The phone company took no sound any more.")),
        "transferred": Outcome(put_through, "ok", _("The agent put the caller through.")),
        "leg_ended": Outcome(put_through, "ok", _("They talked, and one of them hung up.")),
        "nobody_answered": Outcome(not_reached, "warn", _("Nobody answered there.")),
        "never_dialled": Outcome(not_reached, "warn", _("The phone company never rang there.")),
        "carrier_refused": Outcome(not_reached, "warn", _("The phone company refused to ring there.")),
        "ai_down": Outcome(_("failed"), "bad", _("The agent could not think of answers; that is our fault.")),
        "error": Outcome(_("failed"), "bad", _("Something failed here; that is our fault.")),
    }


@cache
def _own_endings(spoken: str) -> Mapping[str, Outcome]:
    """The same where the customer called from the browser and no phone company was there."""

    def _(message: str) -> str:
        return gettext(message, spoken)

    return {
        "caller_hung_up": Outcome(_("answered"), "ok", _("You hung up.")),
        "never_answered": Outcome(_("not connected"), "", _("The line from your browser never opened.")),
        "line_dead": Outcome(_("line failed"), "warn", _("Nothing came from your browser any more.")),
        "line_blocked": Outcome(_("line failed"), "warn", _("Your browser took no sound any more.")),
    }


@cache
def _routes(spoken: str) -> Mapping[str, Outcome]:
    """What a caller got instead of the agent, and why."""

    def _(message: str) -> str:
        return gettext(message, spoken)

    got = _("The caller got your fallback: your own words or number if you gave some, else a friendly sentence.")
    not_answered, no_credit = _("not answered"), _("no credit")

    def refused(tag: str, sentence: str, tone: Tone = "warn") -> Outcome:
        return Outcome(tag, tone, sentence, got)

    return {
        Route.AFTER_HOURS: refused(_("after hours"), _("You were closed."), ""),
        Route.SUSPENDED: refused(not_answered, _("Your account is suspended.")),
        Route.NO_AGENT: refused(_("no agent"), _("No agent is switched on for this number.")),
        Route.DRAINING: refused(not_answered, _("The server was being stopped.")),
        Route.NO_CREDIT: refused(no_credit, _("There was no credit to begin a call with.")),
        Route.TOO_MANY_CALLS: refused(_("lines busy"), _("As many calls were running as may.")),
        Route.DEBT: refused(no_credit, _("The account owes credits.")),
        Route.BLOCKED: refused(not_answered, _("The account is blocked.")),
        Route.NO_PRICE: refused(not_answered, _("No price is set for calls.")),
        Route.DAY_LIMIT: refused(_("limit of the day"), _("What you let be spent in a day was spent.")),
        Route.CALL_LIMIT: refused(_("limit of a call"), _("A call costs more than you let one cost.")),
        Route.CALLER_LIMIT: refused(_("limit of a caller"), _("What you let one caller cost in a day was spent.")),
    }
