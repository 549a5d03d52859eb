"""What happens when the agent cannot talk, as a form: what callers hear, and who is rung instead, by the reason.

The rule: an empty field means our own sentence, which stands under it word by word, so that nobody has to guess what
their callers hear.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from talktime.agents.checking import AI_DOWN, FALLBACKS, FORWARDS
from talktime.agents.content import Content
from talktime.calls.routing import Route, fallback_answer
from talktime.carriers.contract import Announce
from talktime.numbers.shown import international
from talktime.web.agents import words
from talktime.web.agents.people_form import dialled
from talktime.web.forms import Form

_COMMON = ("after_hours", "too_many_calls", "no_agent", "no_credit", AI_DOWN)
"""What every business meets one day; the others are folded away."""
assert set(_COMMON) <= {*FALLBACKS, *FORWARDS}


@dataclass(frozen=True, slots=True)
class Rung:
    """One reason why the agent cannot talk."""

    why: str
    title: str
    ours: str
    """What callers hear when nothing is written; "" where nothing can be written."""
    can_ring: bool


def show(content: Content) -> dict[str, str]:
    """What stands in the form."""
    texts = {f"fallback_texts-{why}": said for why, said in content.fallback_texts.items()}
    return texts | {f"fallback_forwards-{why}": international(to) for why, to in content.fallback_forwards.items()}


def read(form: Form, content: Content) -> Mapping[str, Any]:
    """What the form says."""
    texts = {why: " ".join(form.text(f"fallback_texts-{why}").split()) for why in FALLBACKS}
    numbers = {why: dialled(form.text(f"fallback_forwards-{why}"), content.zone) for why in FORWARDS}
    return {
        "fallback_texts": {why: said for why, said in texts.items() if said},
        "fallback_forwards": {why: number for why, number in numbers.items() if number},
    }


def rungs(content: Content) -> tuple[list[Rung], list[Rung]]:
    """The reasons that every business meets, and the others."""
    others = [why for why in FALLBACKS if why not in _COMMON]
    return [_rung(why, content) for why in _COMMON], [_rung(why, content) for why in others]


def _rung(why: str, content: Content) -> Rung:
    ours = ""
    if why in FALLBACKS:
        business = content.business or "…"
        answer = fallback_answer(Route(why), business=business, language=content.language, fallback={})
        assert isinstance(answer, Announce), why
        ours = answer.text
    return Rung(why, words.reason(why), ours, why in FORWARDS)
