"""What differs between two versions, as it is shown: field by field in words, line by line in long texts.

The rule: nothing that differs is left out; only lines that are the same are folded together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from talktime.agents.content import Content
from talktime.agents.differences import Change, DiffLine
from talktime.web import local
from talktime.web.agents import parts, words
from talktime.web.language import _

_AROUND = 2
"""So many lines that are the same stand around one that is not."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a long text, or the note that some are left out."""

    kind: str
    """`same`, `gone`, `new`, `folded`."""
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs."""

    title: str
    what: str
    """In a word: it is new, it is gone, it is another."""
    tone: str
    lines: Sequence[Line]
    """Of a long text."""
    before: Sequence[str]
    after: Sequence[str]


def changes_shown(changes: Sequence[Change]) -> list[Difference]:
    """All of them."""
    return [_difference(change) for change in changes]


def sections_of(says: Content) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Everything that a version says, part by part; what is empty is left out."""
    stored = says.to_json()
    found = []
    for part in parts.PARTS.values():
        fields = [(words.field_name(name), words.values(name, stored[name])) for name in part.fields]
        found.append((part.title, [(title, lines) for title, lines in fields if lines]))
    return [(title, fields) for title, fields in found if fields]


def _difference(change: Change) -> Difference:
    before = [] if change.lines else words.values(change.field, change.before)
    after = [] if change.lines else words.values(change.field, change.after)
    has_before = bool(before) or any(line.sign != "+" for line in change.lines)
    has_after = bool(after) or any(line.sign != "-" for line in change.lines)
    what, tone = _("changed"), ""
    if not has_before:
        what, tone = _("new"), "ok"
    elif not has_after:
        what, tone = _("taken out"), "bad"
    return Difference(words.field_name(change.field), what, tone, tuple(_folded(change.lines)), before, after)


def _folded(lines: Sequence[DiffLine]) -> Iterator[Line]:
    near = [
        any(each.sign != " " for each in lines[max(0, place - _AROUND) : place + _AROUND + 1])
        for place in range(len(lines))
    ]
    left_out = 0
    for line, is_near in zip(lines, near, strict=True):
        if not is_near:
            left_out += 1
            continue
        if left_out:
            yield _fold(left_out)
            left_out = 0
        yield Line({" ": "same", "-": "gone", "+": "new"}[line.sign], line.text)
    if left_out:
        yield _fold(left_out)


def _fold(count: int) -> Line:
    said = _("1 line stays as it is") if count == 1 else _("{count} lines stay as they are")
    return Line("folded", said.format(count=local.figure(count)))
