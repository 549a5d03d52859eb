"""Agents to begin with: eight trades, each in English and in German. One file per trade.

The rule: a template is found by its key and the agent's language, and one that there is not is an error that names
those that there are.
"""

from talktime.agents.problems import FieldError, UnfitAgent
from talktime.agents.templates import (
    dentist,
    doctor,
    hairdresser,
    law_office,
    online_shop,
    property_manager,
    restaurant,
    trades,
)
from talktime.agents.templates.template import Template, greeting_of

TEMPLATES: tuple[Template, ...] = (
    *(dentist.ENGLISH, dentist.GERMAN, hairdresser.ENGLISH, hairdresser.GERMAN, restaurant.ENGLISH, restaurant.GERMAN),
    *(trades.ENGLISH, trades.GERMAN, law_office.ENGLISH, law_office.GERMAN),
    *(property_manager.ENGLISH, property_manager.GERMAN, online_shop.ENGLISH, online_shop.GERMAN),
    *(doctor.ENGLISH, doctor.GERMAN),
)
KEYS = tuple(dict.fromkeys(template.key for template in TEMPLATES))


def find(key: str, language: str) -> Template:
    """The template of a trade in an agent's language; `de-AT` gets the German one. Raises UnfitAgent."""
    for template in TEMPLATES:
        if template.key == key and template.language == language.partition("-")[0]:
            return template
    raise UnfitAgent([FieldError("template", f"There is no such template. There are: {', '.join(KEYS)}.")])


__all__ = ["KEYS", "TEMPLATES", "Template", "find", "greeting_of"]
