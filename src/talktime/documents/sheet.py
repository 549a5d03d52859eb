"""Sheets of A4 that are laid out first and drawn afterwards, so that every page can say how many there are.

The rule: nothing is placed below the text's edge; who places a block asks for room first. Lengths are points, and y is
counted from the top.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from talktime.documents.faces import Weight, face, printable
from talktime.documents.fitting import size_to_fit, wrap

PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89
LEFT, RIGHT = 62.0, 538.0
WIDTH = RIGHT - LEFT
TOP = 62.0
BOTTOM, LOW_BOTTOM = 742.0, 788.0
"""The text's edge: above a footer of several lines, and above one of a single line."""
_FOOTER_GAP = 22.0
BODY = 9.0
SMALL = 7.5
LEADING = 1.42
"""Distance of lines, as a part of the size."""


class Ink(StrEnum):
    """The colours of the pages on the web, as they are on paper."""

    BLACK = "#1b1a17"
    GREY = "#57534a"
    FAINT = "#6f6a5e"
    GREEN = "#0b6e4f"


class Tint(StrEnum):
    """The colours of rules and fields."""

    LINE = "#e4e1d9"
    STRONG = "#cfcabe"
    GREEN = "#0b6e4f"
    SOFT = "#f3f1ec"
    GREEN_SOFT = "#e3f1eb"


@dataclass(frozen=True, slots=True)
class Text:
    """Words at a place: x is the left edge, y the line they stand on."""

    x: float
    y: float
    text: str
    size: float
    weight: Weight
    ink: Ink


@dataclass(frozen=True, slots=True)
class Box:
    """A field of one colour; a rule is a low one."""

    x: float
    y: float
    width: float
    height: float
    tint: Tint


Mark = Text | Box


class Sheet:
    """Pages, and the place where the next block goes."""

    def __init__(self, *, bottom: float = BOTTOM) -> None:
        self.pages: list[list[Mark]] = [[]]
        self.y = TOP
        self._bottom = bottom

    @property
    def foot(self) -> float:
        """Where the footer's first line stands."""
        return self._bottom + _FOOTER_GAP

    def turn(self) -> None:
        """Begin a new page."""
        self.pages.append([])
        self.y = TOP

    def make_room(self, height: float) -> bool:
        """Turn the page unless a block of this height fits on it; True when it was turned."""
        if self.y + height <= self._bottom or self.y == TOP:
            return False
        self.turn()
        return True

    def put(
        self,
        text: str,
        x: float,
        y: float,
        *,
        size: float = BODY,
        weight: Weight = Weight.REGULAR,
        ink: Ink = Ink.BLACK,
        right: bool = False,
    ) -> None:
        """One line that is known to fit; with `right`, x is its right edge."""
        if right:
            x -= face(weight).measure(text, size)
        self.pages[-1].append(Text(x, y, text, size, weight, ink))

    def figure(
        self, text: str, right: float, y: float, width: float, *, size: float = BODY, weight: Weight = Weight.REGULAR,
        ink: Ink = Ink.BLACK,
    ) -> None:  # fmt: skip
        """A figure that ends at `right`; smaller rather than cut when it is wider than its column."""
        text = printable(text)
        self.put(text, right, y, size=size_to_fit(text, width, size, weight), weight=weight, ink=ink, right=True)

    def rule(
        self, y: float, *, x: float = LEFT, width: float = WIDTH, tint: Tint = Tint.LINE, height: float = 0.6
    ) -> None:
        """A line across."""
        self.pages[-1].append(Box(x, y, width, height, tint))

    def field(self, y: float, height: float, *, x: float = LEFT, width: float = WIDTH, tint: Tint = Tint.SOFT) -> None:
        """A tinted field, to be filled afterwards."""
        self.pages[-1].append(Box(x, y, width, height, tint))

    def stack(
        self, lines: Iterable[str], x: float, y: float, *, size: float = BODY, weight: Weight = Weight.REGULAR,
        ink: Ink = Ink.BLACK,
    ) -> float:  # fmt: skip
        """Lines under each other; gives the y below them."""
        for line in lines:
            self.put(line, x, y, size=size, weight=weight, ink=ink)
            y += size * LEADING
        return y

    def flow(self, lines: Iterable[str], *, size: float = BODY, ink: Ink = Ink.BLACK) -> None:
        """Lines of any number, over as many pages as they take."""
        for line in lines:
            self.make_room(size * LEADING)
            self.y += size * LEADING
            self.put(line, LEFT, self.y - size * (LEADING - 1), size=size, ink=ink)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    label: str
    width: float
    is_figure: bool = False
    """Figures stand at the right, are never broken, and get smaller rather than cut."""
    lines_max: int = 4
    ink: Ink = Ink.BLACK


class Table:
    """Rows under a head that comes again on every page."""

    _GAP = 10.0

    def __init__(self, sheet: Sheet, columns: Sequence[Column], *, size: float = BODY, padding: float = 5.0) -> None:
        self._sheet = sheet
        self._columns = columns
        self._size = size
        self._padding = padding
        self._head()

    def row(self, cells: Sequence[str], *, weight: Weight = Weight.REGULAR) -> None:
        """One row; it stays together."""
        laid = [
            [printable(cell)]
            if column.is_figure
            else wrap(cell, column.width - self._GAP, self._size, weight=weight, lines_max=column.lines_max)
            for column, cell in zip(self._columns, cells, strict=True)
        ]
        height = max(len(lines) for lines in laid) * self._size * LEADING + 2 * self._padding
        if self._sheet.make_room(height):
            self._head()
        x, y = LEFT, self._sheet.y + self._padding + self._size
        for column, lines in zip(self._columns, laid, strict=True):
            if column.is_figure:
                room = column.width - self._GAP / 2
                self._sheet.figure(lines[0], x + column.width, y, room, size=self._size, weight=weight, ink=column.ink)
            else:
                self._sheet.stack(lines, x, y, size=self._size, weight=weight, ink=column.ink)
            x += column.width
        self._sheet.y += height
        self._sheet.rule(self._sheet.y)

    def _head(self) -> None:
        sheet, x = self._sheet, LEFT
        sheet.make_room(60)
        for column in self._columns:
            right = column.is_figure
            sheet.put(column.label, x + column.width * right, sheet.y + SMALL, size=SMALL, ink=Ink.FAINT, right=right)
            x += column.width
        sheet.y += SMALL + 6
        sheet.rule(sheet.y, tint=Tint.STRONG, height=0.9)
