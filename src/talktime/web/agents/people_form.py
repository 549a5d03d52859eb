"""What the agent may do as a form: taking messages, and the people to whom it puts callers through, one row each.

The rule: a number is read as people write it where the business is; a row without anything in it is nobody.
"""

from collections.abc import Mapping
from typing import Any

from babel.core import get_global

from talktime.agents import limits
from talktime.agents.content import TAKE_MESSAGE, Content
from talktime.numbers import forms
from talktime.numbers.shown import international
from talktime.web.forms import Form

_EMPTY_ROWS = 2


def show(content: Content) -> dict[str, str]:
    """What stands in the form."""
    values = {TAKE_MESSAGE: "on"} if TAKE_MESSAGE in content.tools else {}
    for row, person in enumerate(content.people):
        values[f"people-{row}-name"] = person.name
        values[f"people-{row}-number"] = international(person.number)
    return values


def read(form: Form, content: Content) -> Mapping[str, Any]:
    """What the form says."""
    people = [
        {"name": form.text(f"people-{row}-name"), "number": dialled(form.text(f"people-{row}-number"), content.zone)}
        for row in _rows(form)
    ]
    return {"tools": [TAKE_MESSAGE] if form.is_ticked(TAKE_MESSAGE) else [], "people": people}


def renamed(form: Form) -> Mapping[str, str]:
    """Which row of the form each of the people came from."""
    return {f"people.{place}": f"people.{row}" for place, row in enumerate(_rows(form))}


def rows(content: Content, form: Form | None) -> range:
    """The rows to show: everybody, and room for more."""
    last = max(_rows(form), default=-1) if form is not None else len(content.people) - 1
    return range(min(last + 1 + _EMPTY_ROWS, limits.PEOPLE_MAX))


def dialled(written: str, zone: str) -> str:
    """A number in E.164, if it is one; else as it came, so that the draft says what is wrong with it."""
    if not written:
        return ""
    try:
        return forms.e164(written, get_global("zone_territories").get(zone))
    except forms.NoNumber:
        return written


def _rows(form: Form) -> list[int]:
    """The rows in which something stands."""
    return [
        row
        for row in range(limits.PEOPLE_MAX + _EMPTY_ROWS)
        if form.text(f"people-{row}-name") or form.text(f"people-{row}-number")
    ]
