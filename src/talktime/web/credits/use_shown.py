"""Where credits went: by day and agent as a chart, and by agent as a table.

Nothing here reads the database or the clock.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from talktime.calls.usage import SPANS, UsedDay
from talktime.web import charts, local
from talktime.web.charts import Bar, Chart
from talktime.web.credits import said
from talktime.web.language import _
from talktime.web.words import Clock

_AGENTS_MAX = 5
"""So many have a shade of their own; from the sixth on the least of them are one."""
_DAYS_MAX = 90
"""More are shown by months."""


@dataclass(frozen=True, slots=True)
class AgentUse:
    """What an agent's calls took."""

    agent: str
    """Its id; "" where there is none to look at."""
    name: str
    calls: str
    took: str
    credits: str


@dataclass(frozen=True, slots=True)
class Use:
    """What calls took in a span of days."""

    chart: Chart
    agents: Sequence[AgentUse]
    credits: str
    spans: Sequence[tuple[str, str, bool]]
    """Address, what it says, and whether it is this one."""


def slots_of(span: int) -> Literal["day", "month"]:
    """What a bar of so many days stands for."""
    return "month" if span > _DAYS_MAX else "day"


def use_view(used: Sequence[UsedDay], names: Mapping[uuid.UUID, str], span: int, clock: Clock) -> Use:
    """What was used in the `span` days up to today."""
    calls: Counter[uuid.UUID | None] = Counter()
    seconds: Counter[uuid.UUID | None] = Counter()
    spent: Counter[uuid.UUID | None] = Counter()
    for day in used:
        calls[day.agent_id] += day.calls
        seconds[day.agent_id] += day.seconds
        spent[day.agent_id] += day.credits
    # Also those whose calls cost nothing are in the list.
    order = sorted(spent, key=lambda agent: (-spent[agent], str(agent)))
    return Use(
        chart=_chart(used, order, names, span, clock),
        agents=[
            AgentUse(
                agent=str(agent) if agent in names else "",
                name=_name(agent, names),
                calls=local.figure(calls[agent]),
                took=said.talk_time(seconds[agent]),
                credits=local.figure(spent[agent]),
            )
            for agent in order
        ],
        credits=said.credits_of(spent.total()),
        spans=[(f"/credits?days={days}#use", _span(days), days == span) for days in SPANS],
    )


def _span(days: int) -> str:
    return {7: _("7 days"), 30: _("30 days"), 90: _("90 days"), 365: _("A year")}[days]


def _name(agent: uuid.UUID | None, names: Mapping[uuid.UUID, str]) -> str:
    return _("No agent") if agent is None else names.get(agent, _("Another agent"))


def _chart(
    used: Sequence[UsedDay], order: Sequence[uuid.UUID | None], names: Mapping[uuid.UUID, str], span: int, clock: Clock
) -> Chart:
    today = clock.local(clock.now).date()
    days = [today - timedelta(days=back) for back in range(span - 1, -1, -1)]
    slots = list(dict.fromkeys(_slot(day, span) for day in days))
    spent: Counter[tuple[date, uuid.UUID | None]] = Counter()
    for each in used:
        spent[_slot(each.day, span), each.agent_id] += each.credits
    own = list(order) if len(order) <= _AGENTS_MAX else list(order[: _AGENTS_MAX - 1])
    series = [_name(agent, names) for agent in own] or [_("Credits")]
    if len(own) < len(order):
        series.append(_("All others"))
    bars = []
    for slot in slots:
        parts = [spent[slot, agent] for agent in own]
        if len(own) < len(order):
            parts.append(sum(spent[slot, agent] for agent in order[len(own) :]))
        bars.append(_bar(slot, span, parts or [0], is_split=len(series) > 1))
    heads = [
        _("Month") if slots_of(span) == "month" else _("Day"),
        *(series if len(series) > 1 else ()),
        _("Credits used"),
    ]
    highest = max((sum(bar.parts) for bar in bars), default=0)
    return charts.bars(
        _("Credits used by calls"), bars, series=series, heads=heads, highest=said.credits_of(int(highest))
    )


def _bar(slot: date, span: int, parts: Sequence[int], *, is_split: bool) -> Bar:
    each = [local.figure(part) for part in parts] if is_split else []
    cells = [*each, said.credits_of(sum(parts))]
    if slots_of(span) == "month":
        return Bar(said.month_of(slot), parts, cells, short=local.short_month(slot))
    return Bar(local.short_day(slot), parts, cells)


def _slot(day: date, span: int) -> date:
    """The day, or, of a long span, its month."""
    return day.replace(day=1) if slots_of(span) == "month" else day
