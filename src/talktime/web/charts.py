"""Charts as plain values: bars over days or months, drawn as SVG in percent of the room there is, without a script.

The one rule: a chart shows nothing that its table does not say; who cannot see it reads the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

_SERIES_MAX = 5
_LABELS_MAX = 4
_GAP_PERCENT = 22
"""How much of a bar's room is left free beside it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One day (or month): its label, one value for each series, and the same in words for its row in the table."""

    label: str
    parts: Sequence[int | Decimal]
    words: Sequence[str]
    """The row's cells after the label, as the table shows them."""
    short: str = ""
    """The label as it stands below the bar, where the label itself is long."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of one bar, in percent of the plot; y grows downwards."""

    kind: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Column:
    """The room of one bar: what a pointer finds there."""

    x: str
    width: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, as the macro `chart` draws it."""

    title: str
    series: Sequence[tuple[str, str]]
    """The kind (`s1` …) and the name of each series, in the order in which they lie on each other."""
    pieces: Sequence[Piece]
    columns: Sequence[Column]
    labels: Sequence[tuple[str, str, str]]
    """x in percent, which end of the text stands there, and the text."""
    highest: str
    """What the line at the top stands for."""
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    is_empty: bool


def bars(title: str, days: Sequence[Bar], *, series: Sequence[str], heads: Sequence[str], highest: str = "") -> Chart:
    """Bars, oldest first, their parts on each other. `heads` are the columns of the table: the label's, then one for
    each of a row's `words`. What is below nothing is drawn as nothing: the table says it. At most five series."""
    assert len(series) <= _SERIES_MAX, series
    assert all(len(day.parts) == len(series) for day in days), title
    top = max((sum(max(part, 0) for part in day.parts) for day in days), default=0)
    room = Decimal(100) / max(1, len(days))
    pieces: list[Piece] = []
    for no, day in enumerate(days):
        foot = Decimal(100)
        for kind, part in enumerate(day.parts, 1):
            if part > 0 and top:
                height = Decimal(part) * 100 / top
                foot -= height
                pieces.append(_piece(f"s{kind}", room * no, foot, room * (100 - _GAP_PERCENT) / 100, height))
    return Chart(
        title=title,
        series=[(f"s{no}", name) for no, name in enumerate(series, 1)],
        pieces=pieces,
        columns=[
            Column(_percent(room * no), _percent(room), ": ".join((day.label, ", ".join(day.words))))
            for no, day in enumerate(days)
        ],
        labels=_labels(days, room),
        highest=highest if top else "",
        heads=heads,
        rows=[(day.label, day.words) for day in reversed(days)],
        is_empty=not top,
    )


def _piece(kind: str, x: Decimal, y: Decimal, width: Decimal, height: Decimal) -> Piece:
    return Piece(kind, _percent(x), _percent(y), _percent(width), _percent(height))


def _labels(days: Sequence[Bar], room: Decimal) -> list[tuple[str, str, str]]:
    """The first and the last, and some between them that do not touch."""
    if not days:
        return []
    last = len(days) - 1
    step = max(1, -(-len(days) // _LABELS_MAX))
    shown = [no for no in range(0, last, step) if last - no >= step * 3 / 4] if last else []
    found = [(_percent(room * no), "start" if no == 0 else "middle", days[no].short or days[no].label) for no in shown]
    name = days[last].short or days[last].label
    return [*found, (_percent(Decimal(100)), "end", name) if last else ("0%", "start", name)]


def _percent(value: Decimal) -> str:
    return f"{round(value, 2).normalize():f}%"
