"""Numbers, tests and proofs in words: everything is decided here, templates only arrange.

Nothing here reads the database or the clock.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import phonenumbers
from babel import Locale
from babel.core import get_global

from talktime.agents.models import Agent
from talktime.numbers.models import CarrierPhase, NumberProof, PhoneNumber
from talktime.numbers.self_test import Link, SelfTest
from talktime.numbers.shown import international
from talktime.web import local, words
from talktime.web.credits import said
from talktime.web.language import _
from talktime.web.words import Clock

_CARRIERS = {"twilio": "Twilio", "telnyx": "Telnyx", "vonage": "Vonage", "plivo": "Plivo"}


@dataclass(frozen=True, slots=True)
class NumberView:
    """One number of a customer's."""

    id: uuid.UUID
    number: str
    place: str
    """The country it is of."""
    carrier: str
    agent: str
    """Who answers; "" for nobody."""
    agent_id: str
    badge: str
    tone: words.Tone
    sentence: str
    """What there is to know of its state."""
    since: str
    rent: str
    rent_due: str
    is_own: bool
    """They brought it along."""
    can_be_tested: bool


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link of the chain from the phone company to the agent."""

    title: str
    badge: str
    tone: words.Tone


@dataclass(frozen=True, slots=True)
class TestView:
    """How far a call to a number came."""

    holds: bool
    chain: Sequence[LinkView]
    sentence: str
    call: str


@dataclass(frozen=True, slots=True)
class ProofView:
    """Somebody's word that a number is theirs."""

    id: uuid.UUID
    number: str
    badge: str
    tone: words.Tone
    sentence: str
    begun: str
    waits: bool
    """For its code."""


def number_view(number: PhoneNumber, agents: Mapping[uuid.UUID, Agent], clock: Clock) -> NumberView:
    """A number as the pages show it; `agents` are all of its owner's."""
    agent = agents.get(number.agent_id) if number.agent_id else None
    badge, tone, sentence = _state(number, agent)
    return NumberView(
        id=number.id,
        number=international(number.number),
        place=_country(number.number),
        carrier=_carrier(number.carrier),
        agent=agent.name if agent else "",
        agent_id=str(agent.id) if agent else "",
        badge=badge,
        tone=tone,
        sentence=sentence,
        since=local.day(number.assigned_at, clock) if number.assigned_at else "",
        rent=_("{credits} a month").format(credits=said.credits_of(number.rent_credits)) if number.rent_credits else "",
        rent_due=local.short_day(number.rent_due_on) if number.rent_due_on else "",
        is_own=number.owner_id is not None,
        can_be_tested=number.carrier_phase is not CarrierPhase.GONE,
    )


def agents_to_choose(agents: Iterable[Agent]) -> list[tuple[str, str]]:
    """Who may answer a number, by name."""
    choices = [(str(agent.id), agent.name) for agent in agents if agent.archived_at is None]
    return sorted(choices, key=lambda each: each[1].casefold())


def near(zone: str) -> str:
    """What numbers begin with where somebody lives: `Europe/Berlin` → `+49`."""
    country = get_global("zone_territories").get(zone, "")
    code = phonenumbers.country_code_for_region(country)
    return f"+{code}" if code else ""


def test_view(test: SelfTest) -> TestView:
    """What came of calling a number, link by link."""
    titles = {
        Link.CARRIER: _("The phone company takes the call"),
        Link.RING: _("The ring comes to us"),
        Link.ANSWER: _("Your agent answers"),
        Link.MEDIA: _("The sound comes through"),
    }
    return TestView(
        holds=test.broken is None,
        chain=[LinkView(title, *_of_link(link, test)) for link, title in titles.items()],
        sentence=_broken(test.broken),
        call=str(test.call_id or ""),
    )


def proof_view(proof: NumberProof, clock: Clock) -> ProofView:
    """A proof as the pages show it."""
    waits = proof.proven_at is None and proof.ended_at is None and proof.expires_at > clock.now
    if proof.proven_at is not None and proof.ended_at is None:
        badge, tone, sentence = _("proven"), "ok", _("It is yours.")
    elif proof.proven_at is not None:
        badge, tone, sentence = _("over"), "", _("Somebody proved later that the number is theirs.")
    elif proof.error == "refused":
        badge, tone, sentence = _("not called"), "bad", _("The phone company refused to call this number.")
    elif waits:
        until = f"{clock.local(proof.expires_at):%H:%M}"
        badge, tone, sentence = _("waits"), "warn", _("Type the code until {time}.").format(time=until)
    else:
        badge, tone, sentence = _("not proven"), "", _("The code did not come in time, or was wrong too often.")
    tones: dict[str, words.Tone] = {"ok": "ok", "bad": "bad", "warn": "warn", "": ""}
    return ProofView(
        id=proof.id,
        number=international(proof.number),
        badge=badge,
        tone=tones[tone],
        sentence=sentence,
        begun=local.moment(proof.created_at, clock),
        waits=waits,
    )


def _state(number: PhoneNumber, agent: Agent | None) -> tuple[str, words.Tone, str]:
    if number.carrier_phase is CarrierPhase.GONE:
        return (
            _("gone"),
            "bad",
            _("The phone company has this number no more, so nobody reaches you on it. Write to us."),
        )
    if number.carrier_phase is CarrierPhase.REFUSED:
        return _("not connected"), "bad", _("The phone company refused to send calls here. We have been told.")
    if number.rent_unpaid_since is not None:
        day = local.short_day(number.rent_unpaid_since)
        why = _("Its rent could not be paid since {day}. Buy credits, or the number is taken back.").format(day=day)
        return _("rent not paid"), "bad", why
    if number.carrier_phase is CarrierPhase.WANTED:
        return _("being connected"), "warn", _("The phone company is being told to send calls here.")
    if agent is None or agent.archived_at is not None:
        return _("nobody answers"), "warn", _("Choose an agent: until then callers get a friendly sentence.")
    if not agent.active or agent.published_version is None:
        return _("agent is off"), "warn", _("Its agent is switched off or not published: callers get your fallback.")
    return _("answers"), "ok", ""


def _of_link(link: Link, test: SelfTest) -> tuple[str, words.Tone]:
    if link in test.passed:
        return _("works"), "ok"
    return (_("broken"), "bad") if link == test.broken else (_("not reached"), "")


def _broken(link: Link | None) -> str:
    if link is None:
        return _("Every link of the chain holds: whoever calls this number reaches your agent.")
    return {
        Link.CARRIER: _("The phone company did not take our call. The number may be gone: write to us."),
        Link.RING: _(
            "The phone company took the call, and no ring came to us. Try again in some minutes, then write to us."
        ),
        Link.ANSWER: _("The ring came, and no agent took it. Look at the call to see what the caller got instead."),
        Link.MEDIA: _("The agent was to answer, and no sound came to us. Try again in some minutes, then write to us."),
    }[link]


def _country(number: str) -> str:
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ""
    return str(Locale.parse(local.language()).territories.get(region or "", ""))


def _carrier(name: str) -> str:
    return _("Simulated") if name == "simulated" else _CARRIERS.get(name, name.capitalize())
