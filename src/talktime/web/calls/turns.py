"""What the pages show of a conversation, as plain values: who said what, how long an answer took, which tools were
used, and what the customer said of an answer.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from talktime.calls.models import Party, Turn
from talktime.web import local, words
from talktime.web.language import _

_BAR_MS = 2000
"""A latency of this long fills its bar."""


@dataclass(frozen=True, slots=True)
class LatencyView:
    """How long an answer took: three stretches of a bar of 100, and the figure."""

    stretches: Sequence[tuple[str, int, int]]
    """Name, beginning, width."""
    total: str
    explained: str


@dataclass(frozen=True, slots=True)
class ToolView:
    """A tool that the agent used."""

    name: str
    arguments: str
    result: str
    took: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class TurnView:
    """One side's stretch of speech."""

    id: str
    number: int
    side: str
    """`caller` or `agent`."""
    who: str
    at: str
    text: str
    interrupted: bool
    latency: LatencyView | None
    tools: Sequence[ToolView]
    sources: str
    correction: str = ""
    """What the customer says should have been said instead."""


def turn_view(call: uuid.UUID, turn: Turn, correction: str = "") -> TurnView:
    """A turn as the pages show it; `call` is whose it is."""
    is_caller = turn.speaker == Party.CALLER
    return TurnView(
        id=f"turn-{call}-{turn.turn_no}",
        number=turn.turn_no,
        side="caller" if is_caller else "agent",
        who=_("Caller") if is_caller else _("Agent"),
        at=words.length(turn.began_ms // 1000),
        text=turn.text,
        interrupted=turn.interrupted,
        latency=_latency_view(turn.latency) if turn.latency else None,
        tools=[_tool_view(use) for use in turn.tools],
        sources=", ".join(str(source).replace("_", " ") for source in turn.sources),
        correction=correction,
    )


def _latency_view(latency: Mapping[str, int]) -> LatencyView | None:
    total = latency.get("first_audio")
    if total is None:
        return None
    decided = min(latency.get("turn_decided", 0), total)
    thought = min(max(latency.get("first_sentence", decided), decided), total)
    ends = [min(100, round(ms * 100 / _BAR_MS)) for ms in (decided, thought, total)]
    begins = [0, *ends[:2]]
    names = ("heard", "thought", "spoke")
    return LatencyView(
        stretches=[(name, begin, end - begin) for name, begin, end in zip(names, begins, ends, strict=True)],
        total=f"{local.figure(total)} ms",
        explained=_(
            "From the caller’s last sound: {heard} ms until it was clear that they had finished, {thought} ms of"
            " thinking, {spoke} ms until the first sound."
        ).format(
            heard=local.figure(decided),
            thought=local.figure(thought - decided),
            spoke=local.figure(total - thought),
        ),
    )


def _tool_view(use: Mapping[str, Any]) -> ToolView:
    duration = use.get("duration_ms")
    return ToolView(
        name=str(use.get("name", "")).replace("_", " "),
        arguments=_arguments(str(use.get("arguments", ""))),
        # What hanging up answers is a word to the model about its goodbye; to a person the name says it all.
        result="" if use.get("name") == "hang_up" and use.get("succeeded") else str(use.get("result", "")),
        took=f"{duration} ms" if duration is not None else "",
        succeeded=bool(use.get("succeeded", True)),
    )


def _arguments(text: str) -> str:
    """What a tool was called with: `name Bob, message please call back`. What is no JSON object stays as it is."""
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if not isinstance(values, dict):
        return text
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
