"""What an agent looks like to a program: the agent, everything that a version of it says, its draft.

The rule: what is described here is what the domain allows (`agents/limits.py`); what fits the description may still be
refused, for reasons that no description has, but nothing else is taken.
"""

import uuid
from typing import Annotated, Any, Literal

from pydantic import Field

from talktime.agents import limits
from talktime.agents.content import Content
from talktime.agents.drafts import CurrentDraft
from talktime.agents.models import Agent as AgentRow
from talktime.agents.models import AgentVersion as VersionRow
from talktime.api.shapes import Fields, Moment, Resource, example

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Time = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Span = Annotated[list[Time], Field(min_length=2, max_length=2)]
Spans = Annotated[list[Span], Field(max_length=8)]
Date = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
ToolName = Literal["take_message"]
TurnSetting = Literal[
    "end_silence_ms_min", "end_silence_ms", "end_silence_ms_max", "dictation_silence_ms", "interrupt_ms",
    "interrupt_ms_no_words", "interrupt_ms_no_guesses", "silence_seconds", "still_there_times", "turn_seconds_max",
    "keys_seconds",
]  # fmt: skip
Reason = Literal[
    "after_hours", "suspended", "no_agent", "draining", "no_credit", "too_many_calls", "debt", "blocked", "no_price",
    "day_limit", "call_limit", "caller_limit",
]  # fmt: skip
ForwardReason = Literal["after_hours", "no_agent", "draining", "too_many_calls", "ai_down"]
_AGENT = "0199c8f5-0000-7000-8000-000000000001"
_SAID: dict[str, Any] = {
    "business": "Wonderland Tea",
    "language": "en",
    "zone": "Europe/London",
    "greeting": "Hello, this is Wonderland Tea. You are talking to an assistant, not a person. How can I help?",
    "instructions": "You take orders for tea. Ask for the kind and how many, and take it as a message.",
    "facts": "We are in Mill Street, next to the post office.",
    "tone": "Warm and brief.",
    "avoid": "Do not promise a time of delivery.",
    "voice": "",
    "hours": {
        "week": {
            **{day: [["09:00", "18:00"]] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")},
            "saturday": [["10:00", "13:00"]],
            "sunday": [],
        },
        "special": {"2026-12-25": []},
    },
    "answers_after_hours": True,
    "knowledge": [
        {
            "key": "parking",
            "questions": ["where can i park", "is there parking"],
            "answer": "There is a free car park behind the house.",
        }
    ],
    "phrases": ["two pounds of green tea please"],
    "tools": ["take_message"],
    "people": [{"name": "the workshop", "number": "+442079460958"}],
    "turn_settings": {"silence_seconds": 8},
    "fallback_texts": {"after_hours": "We are closed. Please call again tomorrow."},
    "fallback_forwards": {"too_many_calls": "+442079460958"},
    "call_seconds_max": 1800,
}


class Agent(Resource):
    """An agent. Business, language and zone are those of the published version; they are changed in the draft."""

    model_config = example(
        id=_AGENT,
        name="Front desk",
        business="Wonderland Tea",
        language="en",
        zone="Europe/London",
        active=True,
        archived_at=None,
        published_version=3,
        created_at="2026-10-01T08:20:00Z",
        updated_at="2026-11-20T09:31:00Z",
    )

    id: uuid.UUID
    name: str
    """What you call it; callers never hear it."""
    business: str
    language: str
    zone: str
    active: bool
    """False while it is paused: then callers hear your fallback text."""
    archived_at: Moment | None
    published_version: int | None
    """Null until something is published; until then it answers nothing."""
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, agent: AgentRow) -> "Agent":
        return cls(**{name: getattr(agent, name) for name in cls.model_fields})


class Entry(Fields):
    """Something that the agent knows."""

    model_config = example(**_SAID["knowledge"][0])

    key: str = Field(pattern=rf"^[a-z0-9][a-z0-9_-]{{0,{limits.ENTRY_KEY_LENGTH_MAX - 1}}}$")
    """Names it among the sources of a turn."""
    questions: list[Annotated[str, Field(max_length=limits.QUESTION_LENGTH_MAX)]] = Field(
        default_factory=list, max_length=limits.QUESTIONS_MAX
    )
    """Ways in which callers ask for it."""
    answer: str = Field(default="", max_length=limits.ANSWER_LENGTH_MAX)


class Contact(Fields):
    """Somebody to whom callers may be put through."""

    model_config = example(**_SAID["people"][0])

    name: str = Field(max_length=limits.PERSON_NAME_LENGTH_MAX)
    """As callers and the agent say it."""
    number: str = Field(max_length=16)
    """E.164, no premium number."""


class Hours(Fields):
    """When the business is open, in the agent's own zone."""

    model_config = example(**_SAID["hours"])

    week: dict[Day, Spans]
    """From and to, by day; a day that is missing is closed. 24:00 is the end of a day, and a span that ends before it
    begins goes on past midnight."""
    special: dict[Date, Spans] = Field(default_factory=dict, max_length=400)
    """Days that go otherwise than their weekday; empty for closed."""


class AgentContent(Resource):
    """Everything that a version of an agent says and knows."""

    model_config = example(**_SAID)

    business: str
    language: str
    zone: str
    greeting: str
    instructions: str
    facts: str
    tone: str
    avoid: str
    voice: str
    hours: Hours | None
    answers_after_hours: bool
    knowledge: list[Entry]
    phrases: list[str]
    tools: list[ToolName]
    people: list[Contact]
    turn_settings: dict[TurnSetting, int | float]
    fallback_texts: dict[Reason, str]
    fallback_forwards: dict[ForwardReason, str]
    call_seconds_max: int

    @classmethod
    def of(cls, said: Content) -> "AgentContent":
        return cls(**said.to_json())


class ContentChange(Fields):
    """What changes in a draft; what is left out stays as it is. It may be unfinished until it is published."""

    model_config = example(tone="Warm and brief.", avoid="Do not promise a time of delivery.")

    business: str = Field(default="", max_length=limits.BUSINESS_LENGTH_MAX)
    """What the business is called."""
    language: str = Field(default="en", max_length=35)
    """BCP 47: `de`, `en`, or a kind of it such as `de-AT`."""
    zone: str = Field(default="Europe/Berlin", max_length=100)
    """A name of the IANA list, such as `Europe/Berlin`: whose hours and whose today the agent knows."""
    greeting: str = Field(default="", max_length=limits.GREETING_LENGTH_MAX)
    """What it says when it answers. Say there that an assistant, not a person, is speaking."""
    instructions: str = Field(default="", max_length=limits.INSTRUCTIONS_BYTES_MAX)
    """What it is to do, in your words: at most 20,000 bytes of UTF-8."""
    facts: str = Field(default="", max_length=limits.FACTS_LENGTH_MAX)
    """What is true of the business: address, parking, who works there."""
    tone: str = Field(default="", max_length=limits.TONE_LENGTH_MAX)
    avoid: str = Field(default="", max_length=limits.AVOID_LENGTH_MAX)
    voice: str = Field(default="", max_length=limits.VOICE_LENGTH_MAX)
    """The name of a voice; empty for the one that is spoken with by itself."""
    hours: Hours | None = None
    """Null when they are not to be told."""
    answers_after_hours: bool = True
    """False: outside the hours callers hear the fallback text for `after_hours`, which costs nothing."""
    knowledge: list[Entry] = Field(default_factory=list, max_length=limits.ENTRIES_MAX)
    phrases: list[Annotated[str, Field(max_length=limits.PHRASE_LENGTH_MAX)]] = Field(
        default_factory=list, max_length=limits.PHRASES_MAX
    )
    """Further sentences that callers are likely to say, so that they are understood."""
    tools: list[ToolName] = Field(default_factory=list, max_length=1)
    """What it may do besides talking."""
    people: list[Contact] = Field(default_factory=list, max_length=limits.PEOPLE_MAX)
    """To whom it may put callers through. Whoever is put through costs what your price for transfers says."""
    turn_settings: dict[TurnSetting, int | float] = Field(default_factory=dict)
    """How it takes turns, where it differs from the usual."""
    fallback_texts: dict[Reason, Annotated[str, Field(max_length=limits.FALLBACK_LENGTH_MAX)]] = Field(
        default_factory=dict
    )
    """What callers hear when the agent cannot talk, by the reason; ours where you say nothing."""
    fallback_forwards: dict[ForwardReason, Annotated[str, Field(max_length=16)]] = Field(default_factory=dict)
    """Who is rung instead, by the reason: a number, for which you pay as for a transfer."""
    call_seconds_max: int = Field(default=1800, ge=limits.CALL_SECONDS_MIN, le=limits.CALL_SECONDS_MAX)

    def said(self) -> dict[str, Any]:
        """The fields that were sent, as plain values."""
        return self.model_dump(mode="json", include=self.model_fields_set)


class Draft(Resource):
    """What is being written for an agent; while nothing is, what is published. Its ETag is its revision."""

    model_config = example(
        agent_id=_AGENT, revision=12, is_open=True, based_on=3, saved_at="2026-11-20T09:40:12Z", content=_SAID
    )

    agent_id: uuid.UUID
    revision: int
    """Grows with every change, also of what is published."""
    is_open: bool
    """Whether something is being written that is not published."""
    based_on: int | None
    """The version that it began from."""
    saved_at: Moment | None
    content: AgentContent

    @classmethod
    def of(cls, draft: CurrentDraft) -> "Draft":
        return cls(
            agent_id=draft.agent_id,
            revision=draft.revision,
            is_open=draft.is_open,
            based_on=draft.based_on if draft.is_open else None,
            saved_at=draft.saved_at,
            content=AgentContent.of(draft.content),
        )

    @property
    def tag(self) -> str:
        return f'"{self.revision}"'


class ListedVersion(Resource):
    """A version, as a row of a list."""

    model_config = example(version_no=3, is_published=True, copied_from=1, created_at="2026-11-20T09:31:00Z")

    version_no: int
    is_published: bool
    """Whether calls that ring now get it."""
    copied_from: int | None
    """The version that was rolled back to."""
    created_at: Moment

    @classmethod
    def of(cls, version: VersionRow, published: int | None) -> "ListedVersion":
        return cls(
            version_no=version.version_no,
            is_published=version.version_no == published,
            copied_from=version.copied_from,
            created_at=version.created_at,
        )


class Version(ListedVersion):
    """A version with everything that it says. It is never changed."""

    model_config = example(
        version_no=3,
        is_published=True,
        copied_from=1,
        created_at="2026-11-20T09:31:00Z",
        agent_id=_AGENT,
        content=_SAID,
    )

    agent_id: uuid.UUID
    content: AgentContent
