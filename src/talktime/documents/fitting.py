"""Fitting text into a width: lines broken at spaces, long words anywhere, too much of it ended with an ellipsis."""

from collections.abc import Iterator

from talktime.documents.faces import Face, Weight, face, printable

ELLIPSIS = "…"
_SIZE_MIN = 4.0


def wrap(
    text: str, width: float, size: float, *, weight: Weight = Weight.REGULAR, lines_max: int | None = None
) -> list[str]:
    """The text as lines no wider than `width` points; what does not fit into `lines_max` is cut, and shows it."""
    letters = face(weight)
    lines: list[str] = []
    for line in _lines(printable(text), width / size, letters):
        if lines_max is not None and len(lines) == lines_max:
            lines[-1] = _with_ellipsis(f"{lines[-1]} {line}", width / size, letters)
            break
        lines.append(line)
    return lines


def paragraphs(text: str, width: float, size: float) -> list[str]:
    """Longer text, whose line breaks are kept."""
    return [line for paragraph in text.splitlines() for line in (wrap(paragraph, width, size) or [""])]


def size_to_fit(text: str, width: float, size: float, weight: Weight) -> float:
    """The size at which a figure, which must never be broken or cut, fits into the width."""
    natural = face(weight).measure(text, size)
    return size if natural <= width else max(_SIZE_MIN, size * width / natural)


def _lines(text: str, width: float, letters: Face) -> Iterator[str]:
    """Widths are parts of the size here, so that they need no multiplication per character."""
    line, taken = "", 0.0
    space = letters.measure(" ", 1)
    for word in text.split(" "):
        for part, part_width in _parts(word, width, letters):
            if line and taken + space + part_width <= width:
                line, taken = f"{line} {part}", taken + space + part_width
            else:
                if line:
                    yield line
                line, taken = part, part_width
    if line:
        yield line


def _parts(word: str, width: float, letters: Face) -> Iterator[tuple[str, float]]:
    """The word, or pieces of it that each fill a line."""
    natural = letters.measure(word, 1)
    if natural <= width:
        yield word, natural
        return
    begin, taken = 0, 0.0
    for at, char in enumerate(word):
        advance = letters.widths[ord(char)]
        if at > begin and taken + advance > width:
            yield word[begin:at], taken
            begin, taken = at, 0.0
        taken += advance
    yield word[begin:], taken


def _with_ellipsis(line: str, width: float, letters: Face) -> str:
    while line and letters.measure(line + ELLIPSIS, 1) > width:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS
