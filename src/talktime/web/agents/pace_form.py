"""Voice and pace as a form: who is heard, how long the agent waits, how long a call may be.

The rule: an empty field means the usual, which stands in it in grey; so an agent that is never touched here gets better
with us.
"""

from collections.abc import Mapping
from typing import Any

from talktime.agents import limits
from talktime.agents.content import Content
from talktime.agents.turn_settings import LIMITS, TurnSettings, is_whole
from talktime.errors import BadInput
from talktime.web import local
from talktime.web.agents import words
from talktime.web.forms import Form
from talktime.web.language import _

COMMON = ("silence_seconds", "still_there_times", "end_silence_ms", "dictation_silence_ms")
FINER = (
    *("end_silence_ms_min", "end_silence_ms_max", "interrupt_ms", "interrupt_ms_no_words", "interrupt_ms_no_guesses"),
    *("turn_seconds_max", "keys_seconds"),
)
_FIGURE_LENGTH_MAX = 12


def show(content: Content) -> dict[str, str]:
    """What stands in the form."""
    kept = {name: words.plain_figure(content.turn_settings[name]) for name in _names() if name in content.turn_settings}
    minutes = round(content.call_seconds_max / 60, 2)
    return {"voice": content.voice, "minutes": words.plain_figure(minutes), **kept}


def read(form: Form, content: Content) -> Mapping[str, Any]:
    """What the form says."""
    settings: dict[str, Any] = {}
    for name in _names():
        number = _number(form, name)
        if number is not None:
            settings[name] = number
            _check(form, name, number)
    if not form.errors:
        try:
            TurnSettings.from_json(settings)
        except BadInput:
            said = _("This must lie between the wait after a whole sentence and the wait in the middle of one.")
            form.errors["end_silence_ms"] = said
    return {"voice": form.text("voice"), "turn_settings": settings, "call_seconds_max": _seconds(form, content)}


def _names() -> tuple[str, ...]:
    return (*COMMON, *FINER)


def _seconds(form: Form, content: Content) -> int:
    minutes = _number(form, "minutes")
    if minutes is None:
        form.errors.setdefault("minutes", _("Write how many minutes a call may take, such as 30."))
        return content.call_seconds_max
    seconds = round(minutes * 60)
    if not limits.CALL_SECONDS_MIN <= seconds <= limits.CALL_SECONDS_MAX:
        most = local.figure(limits.CALL_SECONDS_MAX // 60)
        form.errors["minutes"] = _("Between half a minute and {most} minutes.").format(most=most)
    return seconds


def _number(form: Form, name: str) -> float | None:
    """A figure as it was typed, with a comma or a point; None where nothing stands."""
    written = form.text(name).replace(",", ".")
    if not written:
        return None
    try:
        # No infinity, no exponents, no thousands of digits: a figure that people type.
        if len(written) > _FIGURE_LENGTH_MAX or not written.replace(".", "", 1).isdecimal():
            raise ValueError(written)
        number = float(written)
    except ValueError:
        form.errors[name] = _("Write a number, such as 7.")
        return None
    return int(number) if number == int(number) else number


def _check(form: Form, name: str, number: float) -> None:
    """Note a figure that no call could be held with."""
    low, high = LIMITS[name]
    if not low <= number <= high:
        said = _("Between {low} and {high} {unit}.")
        shown = {"low": words.plain_figure(low), "high": words.plain_figure(high)}
        form.errors[name] = said.format(**shown, unit=words.unit(name))
    elif is_whole(name) and number != int(number):
        form.errors[name] = _("Write a whole number, such as 550.")
