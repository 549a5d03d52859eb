"""Endpoints, events and deliveries in words: everything is decided here, templates only arrange.

Nothing here reads the database or the clock.
"""

import json
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from talktime.web import local, words
from talktime.web.language import _
from talktime.web.words import Clock
from talktime.webhooks import signing
from talktime.webhooks.deliveries import Listed, Told
from talktime.webhooks.events import EVERYTHING, KINDS, TEST
from talktime.webhooks.models import DeliveryState, DisabledReason, WebhookAttempt, WebhookEndpoint

_STATUS = re.compile(r"The answer was ([0-9]{3}), and only 200 to 299 is taken for a yes\.", re.ASCII)
_TOO_SLOW = re.compile(r"There was no complete answer within ([0-9.]+) seconds\.", re.ASCII)
_LISTED_MAX = 3


@dataclass(frozen=True, slots=True)
class EndpointView:
    """Where somebody is told."""

    id: uuid.UUID
    name: str
    """What they called it, else the name of its server."""
    url: str
    events: str
    badge: str
    tone: words.Tone
    sentence: str
    """How it goes."""
    delivered: str
    waiting: int
    is_on: bool
    old_secret: str
    """Until when the secret before signs as well."""
    made: str


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One event at one endpoint."""

    id: uuid.UUID
    event: str
    type: str
    what: str
    when: str
    badge: str
    tone: words.Tone
    answer: str
    tries: int
    due: str
    """When it is tried again."""


@dataclass(frozen=True, slots=True)
class TryView:
    """One try, as a step of a timeline."""

    title: str
    tone: words.Tone
    when: str
    iso: str
    sentence: str
    answer: str


@dataclass(frozen=True, slots=True)
class Choice:
    """An event, or a group of them, that can be asked for."""

    name: str
    said: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Events of one kind of thing."""

    title: str
    everything: Choice
    choices: Sequence[Choice]


def kinds() -> dict[str, str]:
    """Every type of event in words."""
    return {
        "call.started": _("A call rang on one of your numbers."),
        "call.answered": _("Your agent answered a call."),
        "call.ended": _("A call is over. What it cost is in it."),
        "call.summarised": _("What a call led to stands in a sentence."),
        "message.taken": _("A caller left a message with your agent."),
        "credits.low": _("Your credits fell below the mark that you set."),
        "credits.exhausted": _("A call ended because there were no credits left."),
        "credits.purchased": _("Credits that you bought are on your account."),
        "credits.refunded": _("A payment was given back, and its credits were taken off."),
        "agent.published": _("A version of an agent was published: from now on it answers."),
        "number.assigned": _("A number was given to you, or to another of your agents."),
        "number.released": _("A number is no longer yours."),
        "booking.held": _("An appointment is kept free for a caller for some minutes."),
        "booking.confirmed": _("An appointment was made."),
        "booking.changed": _("An appointment was moved."),
        "booking.cancelled": _("An appointment was cancelled."),
        TEST: _("You asked for it, to see whether your endpoint works."),
    }


def groups(chosen: Collection[str]) -> list[Group]:
    """What can be asked for, and what of it is chosen."""
    titles = {
        "call": _("Calls"),
        "message": _("Messages"),
        "booking": _("Appointments"),
        "credits": _("Credits"),
        "agent": _("Agents"),
        "number": _("Numbers"),
    }
    said = kinds()
    found: dict[str, list[Choice]] = {}
    for kind in KINDS:
        if kind != TEST:
            found.setdefault(kind.partition(".")[0], []).append(Choice(kind, said.get(kind, kind), kind in chosen))
    order = [*(name for name in titles if name in found), *(name for name in found if name not in titles)]
    return [Group(titles.get(name, name), _whole(name, chosen), found[name]) for name in order]


def events_in_words(events: Sequence[str]) -> str:
    """What an endpoint asks for, shortly."""
    if EVERYTHING in events:
        return _("everything")
    shown = ", ".join(events[:_LISTED_MAX])
    if len(events) <= _LISTED_MAX:
        return shown
    return _("{events} and {more} more").format(events=shown, more=local.figure(len(events) - _LISTED_MAX))


def endpoint_view(endpoint: WebhookEndpoint, waiting: int, clock: Clock) -> EndpointView:
    """An endpoint, and how it goes."""
    badge, tone, sentence = _health(endpoint, clock)
    old = endpoint.old_secret_until
    return EndpointView(
        id=endpoint.id,
        name=endpoint.description or urlsplit(endpoint.url).hostname or endpoint.url,
        url=endpoint.url,
        events=events_in_words(endpoint.events),
        badge=badge,
        tone=tone,
        sentence=sentence,
        delivered=local.moment(endpoint.delivered_at, clock) if endpoint.delivered_at else "",
        waiting=waiting,
        is_on=endpoint.disabled_at is None,
        old_secret=local.moment(old, clock) if old and old > clock.now else "",
        made=local.moment(endpoint.created_at, clock),
    )


def states() -> dict[DeliveryState, tuple[str, words.Tone]]:
    """What may have become of a delivery."""
    return {
        DeliveryState.PENDING: (_("to be sent"), "warn"),
        DeliveryState.DELIVERED: (_("delivered"), "ok"),
        DeliveryState.FAILED: (_("given up"), "bad"),
        DeliveryState.SKIPPED: (_("not sent"), ""),
    }


def delivery_view(listed: Listed, clock: Clock) -> DeliveryView:
    """A delivery as a row of a list."""
    badge, tone = states()[listed.state]
    return DeliveryView(
        id=listed.id,
        event=signing.message_id(listed.event_id),
        type=listed.type,
        what=kinds().get(listed.type, ""),
        when=local.moment(listed.created_at, clock),
        badge=badge,
        tone=tone,
        answer=_answer(listed),
        tries=listed.attempts,
        due=_ahead(listed.due_at, clock) if listed.state is DeliveryState.PENDING and listed.due_at else "",
    )


def tries_view(told: Told, clock: Clock) -> list[TryView]:
    """Every try, newest first."""
    return [_try(attempt, clock) for attempt in reversed(told.attempts)]


def body_view(body: str) -> str:
    """What is sent, indented so that a person can read it; what is no JSON as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def failure_in_words(error: str) -> str:
    """Why a try failed, in the reader's language."""
    status, slow = _STATUS.fullmatch(error), _TOO_SLOW.fullmatch(error)
    if status:
        return _("The answer was {status}, and only 200 to 299 is taken for a yes.").format(status=status[1])
    if slow:
        return _("There was no complete answer within {seconds} seconds.").format(seconds=slow[1])
    return _failures().get(error, error)


def _failures() -> Mapping[str, str]:
    return {
        "The secret that signs cannot be read here any more: rotate it.": _(
            "The secret that signs cannot be read here any more: make a new one."
        ),
        "The event is gone: it was kept for 30 days.": _("The event is gone: it was kept for 30 days."),
        "The name leads to an address that is not of the public internet, so nothing was sent.": _(
            "The name leads to an address that is not of the public internet, so nothing was sent."
        ),
        "The certificate is not one for this name that browsers would take.": _(
            "The certificate is not one for this name that browsers would take."
        ),
        "No encrypted connection could be agreed on.": _("No encrypted connection could be agreed on."),
        "No connection could be made.": _("No connection could be made."),
        "What came back was no HTTP, or ended before its end.": _(
            "What came back was no HTTP, or ended before its end."
        ),
        "The connection broke off.": _("The connection broke off."),
        "The name leads nowhere.": _("The name leads nowhere."),
    }


def _try(attempt: WebhookAttempt, clock: Clock) -> TryView:
    at = clock.local(attempt.began_at)
    tone: words.Tone
    if attempt.error:
        title, tone, sentence = _("Failed"), "bad", failure_in_words(attempt.error)
    elif attempt.milliseconds is None:
        title, tone = _("No end known"), "warn"
        sentence = _("It goes on, or broke off on our side: it is not known whether it arrived.")
    else:
        title, tone, sentence = _("Delivered"), "ok", ""
    took = f"{local.figure(attempt.milliseconds)} ms" if attempt.milliseconds is not None else ""
    status = f"HTTP {attempt.status}" if attempt.status is not None else ""
    return TryView(
        title=title,
        tone=tone,
        when=local.moment(attempt.began_at, clock),
        iso=at.isoformat(timespec="seconds"),
        sentence=" · ".join(part for part in (sentence, status, took) if part),
        answer=attempt.answer or "",
    )


def _answer(listed: Listed) -> str:
    if listed.last_status is not None:
        return f"HTTP {listed.last_status}"
    return failure_in_words(listed.last_error) if listed.last_error else ""


def _ahead(due: datetime, clock: Clock) -> str:
    """When something is to be: a day, where it is not today."""
    at = clock.local(due)
    if due <= clock.now:
        return _("in a moment")
    return f"{at:%H:%M}" if at.date() == clock.local(clock.now).date() else f"{local.short_day(at.date())} {at:%H:%M}"


def _health(endpoint: WebhookEndpoint, clock: Clock) -> tuple[str, words.Tone, str]:
    if endpoint.disabled_reason is DisabledReason.OWNER:
        return _("paused"), "", _("You paused it: nothing is sent.")
    if endpoint.disabled_reason is DisabledReason.GONE:
        return _("switched off"), "bad", _("It answered that nobody is there any more (410), so nothing is sent.")
    if endpoint.disabled_reason is DisabledReason.FAILING:
        return _("switched off"), "bad", _("Nothing but failures for days, so nothing is sent any more.")
    if endpoint.failing_since is not None:
        since = local.moment(endpoint.failing_since, clock)
        return _("fails"), "warn", _("Nothing was delivered since {moment}; it is tried again.").format(moment=since)
    if endpoint.delivered_at is None:
        return _("new"), "", _("Nothing was sent yet.")
    return _("works"), "ok", ""


def _whole(name: str, chosen: Collection[str]) -> Choice:
    return Choice(f"{name}.*", _("All of these, and what comes later"), f"{name}.*" in chosen)
