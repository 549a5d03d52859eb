"""Pages in the reader's language: gettext, from the files in `translations/`, read once at start.

The one rule: the English sentence is the key. What has no translation is shown in English, and a test finds it first.
"""

from functools import cache
from importlib.resources import files
from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from talktime.web import visit
from talktime.web.visit import LANGUAGES

NAMES = {"en": "English", "de": "Deutsch"}
"""What each language calls itself."""


def _(message: str) -> str:
    """A sentence in the language of the request that is being answered."""
    said = visit.current()
    return gettext(message, said.language if said else LANGUAGES[0])


def gettext(message: str, language: str) -> str:
    """A sentence in a language."""
    return catalogue(language).get(message, message) if message else ""


def ngettext_here(one: str, many: str, count: int) -> str:
    """The same with a number in it: English and German both know one, and more than one."""
    return _(one if count == 1 else many)


@cache
def catalogue(language: str) -> dict[str, str]:
    """All sentences of a language, by their English."""
    if language == LANGUAGES[0]:
        return {}
    found: dict[str, str] = {}
    for catalog in catalogs(language).values():
        for message in catalog:
            if message.id and message.string and not message.fuzzy:
                assert isinstance(message.id, str), message.id  # plurals are two sentences here
                assert isinstance(message.string, str), message.id
                found[message.id] = message.string
    return found


@cache
def catalogs(language: str) -> dict[str, Catalog]:
    """The files of a language, by name."""
    folder = files("talktime.web").joinpath("translations", language)
    return {
        file.name: read_po(BytesIO(file.read_bytes()), locale=language)
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".po")
    }
