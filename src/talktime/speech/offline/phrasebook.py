"""What the rule book listens for and says, in one language; `phrasebook_en.py` and `phrasebook_de.py` fill it in.

The one rule: an agent that follows this book sounds helpful, says only what it knows, and never claims to be a person.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


def any_of(*alternatives: str) -> re.Pattern[str]:
    """Any of these expressions, as whole words."""
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b")


@dataclass(frozen=True, slots=True)
class Phrasebook:
    """Patterns are matched against words in lower case without punctuation, as `sentences.words` gives them."""

    # What callers say.
    weekdays: tuple[str, ...]
    """From Monday; a caller may put an s behind them."""
    today: re.Pattern[str]
    tomorrow: re.Pattern[str]
    weekend: re.Pattern[str]
    now: re.Pattern[str]
    hours: re.Pattern[str]
    """A question about opening hours."""
    when_closing_or_opening: re.Pattern[str]
    """…that is about today, if no day is named."""
    is_open: re.Pattern[str]
    """…that is about this very moment, if no day is named."""
    what_about: re.Pattern[str]
    """Asks the last question again, for another day."""
    greeting: re.Pattern[str]
    thanks: re.Pattern[str]
    goodbye: re.Pattern[str]
    nothing_else: re.Pattern[str]
    yes: re.Pattern[str]
    no: re.Pattern[str]
    repeat: re.Pattern[str]
    leave_message: re.Pattern[str]
    person: re.Pattern[str]
    who_are_you: re.Pattern[str]
    help: re.Pattern[str]
    never_mind: re.Pattern[str]
    my_name_is: re.Pattern[str]
    """What comes before a name, or around it."""
    separators: re.Pattern[str]
    """Words between two questions in one breath."""

    # How words of one meaning are brought together.
    synonyms: Mapping[str, str]
    endings: tuple[str, ...]
    """Of inflected words, the longest first."""
    empty_words: frozenset[str]
    """Words that say nothing of what a question is about."""

    # What the agent says.
    says_hello: str
    says_welcome: str
    says_goodbye: str
    says_who: str
    says_help: str
    asks_on: str
    asks_anything_else: str
    asks_again: tuple[str, ...]
    offers_message: str
    offers_message_for_person: str
    asks_name: str
    asks_message: str
    says_taken: str
    says_not_taken: str
    says_dropped: str
    says_cannot_take: str
    says_transferring: str
    says_no_hours: str
