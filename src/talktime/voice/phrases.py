"""The few sentences that an agent says whatever it was told, by language.

Those about people are apart, because only agents that put callers through need them spoken beforehand.

The rule here: none of them speaks of money, blames anybody, or promises what nobody may keep.
"""

from dataclasses import astuple, dataclass

from talktime.speech.contract import is_german


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


@dataclass(frozen=True, slots=True)
class PeoplePhrases:
    """Sentences of one language around putting a caller through."""

    putting_through: str
    """When the model says nothing itself."""
    not_possible: str
    """It was to be done, and cannot be."""
    not_answered: str
    """The caller is back: {person} did not pick up."""
    somebody: str
    """For {person}, where nobody knows any more who it was."""
    in_trouble: str
    """The agent cannot go on, and somebody is rung instead."""
    offer_message: str
    offer_help: str
    """Where the agent takes no messages."""


_ENGLISH_PEOPLE = PeoplePhrases(
    putting_through="One moment, please, I am putting you through.",
    not_possible="I am sorry, I cannot put you through right now.",
    not_answered="I am sorry, {person} cannot be reached right now.",
    somebody="the person",
    in_trouble="I am sorry, I am having technical trouble.",
    offer_message="Shall I take a message?",
    offer_help="Is there anything else I can do for you?",
)
_GERMAN_PEOPLE = PeoplePhrases(
    putting_through="Einen Moment, bitte, ich verbinde Sie.",
    not_possible="Es tut mir leid, ich kann Sie gerade nicht verbinden.",
    not_answered="Es tut mir leid, {person} ist gerade nicht zu erreichen.",
    somebody="die Person",
    in_trouble="Entschuldigung, ich habe technische Schwierigkeiten.",
    offer_message="Soll ich eine Nachricht aufnehmen?",
    offer_help="Kann ich sonst noch etwas für Sie tun?",
)


def phrases(language: str) -> Phrases:
    """The sentences of a language (BCP 47); English where we have none."""
    return _GERMAN if is_german(language) else _ENGLISH


def people_phrases(language: str) -> PeoplePhrases:
    """The same, about people."""
    return _GERMAN_PEOPLE if is_german(language) else _ENGLISH_PEOPLE
