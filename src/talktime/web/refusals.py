"""Why something was not done, in the reader's language.

The one rule: nobody is told half of it in another language. An error that names a value has no sentence that could be
translated as it stands, so it is said with the sentence of its kind.
"""

import inspect

from talktime.errors import TalktimeError
from talktime.web import local
from talktime.web.language import catalogue


def in_words(error: TalktimeError) -> str:
    """What an error says: its own sentence, or, where that has no translation, the one of its kind."""
    own = str(error)
    known = catalogue(local.language())
    if not known or own in known:
        return known.get(own, own)
    for kind in type(error).__mro__:
        sentence = _sentence(kind)
        if sentence in known:
            return known[sentence]
    return own


def _sentence(kind: type) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())
