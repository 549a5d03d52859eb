"""Shapes of `agent_templates`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from dataclasses import dataclass

from talktime_client._generated.shapes.agents import AgentContent


@dataclass(frozen=True, slots=True)
class Template:
    """A trade in one language."""

    key: str
    """What `template` is when an agent is made."""
    language: str
    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class WholeTemplate:
    """A template with everything that an agent made from it says. `{business}` stands for the name of the business."""

    key: str
    """What `template` is when an agent is made."""
    language: str
    name: str
    summary: str
    content: AgentContent
