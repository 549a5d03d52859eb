"""What stands at the edge of every page, put there when it is known how many there are."""

from collections.abc import Sequence

from talktime.documents.faces import printable
from talktime.documents.fitting import wrap
from talktime.documents.sheet import LEFT, RIGHT, SMALL, Ink, Mark, Sheet
from talktime.documents.words import Words

_SIZE = 7.0
_LEADING = 9.6
_LINES_MAX = 5
_WIDTH = 394.0
_COLUMN_WIDTHS = (146.0, 112.0, 136.0)
_RUNNING_Y = 38.0


def finish(sheet: Sheet, words: Words, *, running: str, columns: Sequence[Sequence[str]] = ()) -> list[list[Mark]]:
    """The pages with their footers: up to three columns of small print, the number of the page, and from the second
    page on what document this is.
    """
    # A single column is a single line: pages that have no more to say leave no more room for it.
    widths, lines_max = (_COLUMN_WIDTHS, _LINES_MAX) if len(columns) > 1 else ((_WIDTH,), 1)
    small_print = [_column(lines, width, lines_max) for lines, width in zip(columns, widths, strict=False)]
    count = len(sheet.pages)
    for number in range(1, count + 1):
        page = Sheet()
        page.rule(sheet.foot - 12)
        x = LEFT
        for lines, width in zip(small_print, widths, strict=False):
            for index, text in enumerate(lines):
                page.put(text, x, sheet.foot + index * _LEADING, size=_SIZE, ink=Ink.FAINT)
            x += width
        label = words.page.format(number=number, count=count)
        page.put(printable(label), RIGHT, sheet.foot, size=_SIZE, ink=Ink.FAINT, right=True)
        if number > 1:
            page.stack(wrap(running, RIGHT - LEFT, SMALL, lines_max=1), LEFT, _RUNNING_Y, size=SMALL, ink=Ink.FAINT)
        sheet.pages[number - 1].extend(page.pages[0])
    return sheet.pages


def _column(lines: Sequence[str], width: float, lines_max: int) -> list[str]:
    """Each line over as many lines as it takes, and in all as many as there is room; empty ones take none."""
    wrapped = [part for line in lines for part in wrap(line, width - 12, _SIZE, lines_max=lines_max)]
    if len(wrapped) > lines_max:
        wrapped = [
            *wrapped[: lines_max - 1],
            *wrap(" ".join(wrapped[lines_max - 1 :]), width - 12, _SIZE, lines_max=1),
        ]
    return wrapped
