"""The few sentences that an agent says whatever it was told, by language.

The rule here: none of them speaks of money, blames anybody, or promises what nobody may keep.
"""

from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """Sentences of one language."""

    filler: str
    """While something takes long."""
    still_there: str
    goodbye: str
    """Neutral: for silence, for the end of the agent's own wish, and for the meter."""
    not_understood: str
    """After a failure of ours that one more try may mend."""
    ai_down: str
    """After one that it will not."""

    @property
    def all(self) -> tuple[str, ...]:
        return astuple(self)


_ENGLISH = Phrases(
    filler="One moment, please.",
    still_there="Are you still there?",
    goodbye="Thank you for calling. Goodbye.",
    not_understood="I am sorry, I missed that. Could you say it again, please?",
    ai_down="I am sorry, I am having technical trouble. Please call again later. Goodbye.",
)
_GERMAN = Phrases(
    filler="Einen Moment, bitte.",
    still_there="Sind Sie noch da?",
    goodbye="Vielen Dank für Ihren Anruf. Auf Wiederhören.",
    not_understood="Entschuldigung, das habe ich nicht verstanden. Können Sie das bitte wiederholen?",
    ai_down="Entschuldigung, ich habe technische Schwierigkeiten. Bitte rufen Sie später wieder an. Auf Wiederhören.",
)


def phrases(language: str) -> Phrases:
    """The sentences of a language (BCP 47); English where we have none."""
    return _GERMAN if language.lower().split("-")[0] == "de" else _ENGLISH
