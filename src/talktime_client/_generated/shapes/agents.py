"""Shapes of `agents`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from talktime_client._values import OpenEnum


class AgentStatus(OpenEnum):
    """Which agents a list has."""

    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


AgentStatusName: TypeAlias = Literal["active", "paused", "archived"]


class OpenDraft(OpenEnum):
    """What becomes of a draft when an older version is published again."""

    KEEP = "keep"
    DISCARD = "discard"


OpenDraftName: TypeAlias = Literal["keep", "discard"]


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent. Business, language and zone are those of the published version; they are changed in the draft."""

    id: UUID
    name: str
    """What you call it; callers never hear it."""
    business: str
    language: str
    zone: str
    active: bool
    """False while it is paused: then callers hear your fallback text."""
    archived_at: datetime | None
    published_version: int | None
    """Null until something is published; until then it answers nothing."""
    created_at: datetime
    updated_at: datetime
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to whom callers may be put through."""

    name: str
    """As callers and the agent say it."""
    number: str
    """E.164, no premium number."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When the business is open, in the agent's own zone."""

    week: Mapping[str, Sequence[Sequence[str]]]
    """From and to, by day; a day that is missing is closed. 24:00 is the end of a day, and a span that ends before
    it
    begins goes on past midnight.
    """
    special: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict[str, Sequence[Sequence[str]]])
    """Days that go otherwise than their weekday; empty for closed."""


@dataclass(frozen=True, slots=True)
class KnowledgeEntry:
    """Something that the agent knows."""

    key: str
    """Names it among the sources of a turn."""
    answer: str = ""
    questions: Sequence[str] = ()
    """Ways in which callers ask for it."""


@dataclass(frozen=True, slots=True)
class AgentContent:
    """Everything that a version of an agent says and knows."""

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
    knowledge: tuple[KnowledgeEntry, ...]
    phrases: tuple[str, ...]
    tools: tuple[Literal["take_message"], ...]
    people: tuple[Contact, ...]
    turn_settings: Mapping[str, int | float]
    fallback_texts: Mapping[str, str]
    fallback_forwards: Mapping[str, str]
    call_seconds_max: int


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a long text."""

    sign: Literal[" ", "-", "+"]
    """A space when it is in both, `-` when only in the older one, `+` when only in the newer one."""
    text: str


@dataclass(frozen=True, slots=True)
class DiffChange:
    """One field that differs."""

    field: str
    """With dots: `greeting`, `knowledge.parking`, `hours.week.monday`."""
    kind: Literal["added", "removed", "changed"]
    before: Any
    after: Any
    lines: tuple[DiffLine, ...]
    """Of a long text, all of its lines; else none."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between two versions, or one and the draft."""

    older: str
    newer: str
    changes: tuple[DiffChange, ...]
    """In the order of the fields; none when they say the same."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is being written for an agent; while nothing is, what is published. Its ETag is its revision."""

    agent_id: UUID
    revision: int
    """Grows with every change, also of what is published."""
    is_open: bool
    """Whether something is being written that is not published."""
    based_on: int | None
    """The version that it began from."""
    saved_at: datetime | None
    content: AgentContent
    etag: str | None = field(default=None, compare=False)
    """The state that it is in, for `if_match`; None in a list."""


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A version, as a row of a list."""

    version_no: int
    is_published: bool
    """Whether calls that ring now get it."""
    copied_from: int | None
    """The version that was rolled back to."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a language model is told before the conversation, to the letter."""

    which: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version with everything that it says. It is never changed."""

    version_no: int
    is_published: bool
    """Whether calls that ring now get it."""
    copied_from: int | None
    """The version that was rolled back to."""
    created_at: datetime
    agent_id: UUID
    content: AgentContent
