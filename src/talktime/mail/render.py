"""From words to a mail's text and its page. A name that a template misspells is an error, no blank.

The one rule: the wording of a mail is written once, as plain paragraphs in blocks `subject`, `body` and `link`; text
and page are both made from it, so that they cannot say different things.
"""

from collections.abc import Mapping
from typing import Any

import jinja2

from talktime.mail.message import Link, Words


def environment(package: str) -> jinja2.Environment:
    """The templates of a package's folder `templates`: plain text, that only the page around it escapes."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "templates"),
        autoescape=False,  # noqa: S701  # what they make is plain text; the page that it is put into escapes
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = number
    return made


def write(template: jinja2.Template, values: Mapping[str, Any], url: str, *, greeting: str, closing: str) -> Words:
    """Fill in a template with the blocks `subject`, `body` and `link`; an empty `link` leaves the link out."""
    said = {
        name: "".join(template.blocks[name](template.new_context(dict(values)))) for name in ("subject", "body", "link")
    }
    paragraphs = tuple(" ".join(part.split()) for part in said["body"].split("\n\n") if part.strip())
    label = " ".join(said["link"].split())
    assert paragraphs, template.name
    return Words(
        subject=" ".join(said["subject"].split()),
        paragraphs=paragraphs,
        link=Link(label, url) if label else None,
        greeting=greeting,
        closing=closing,
    )


def text_of(words: Words) -> str:
    """The plain text of a mail."""
    return _TEXT.render(words=words)


def html_of(words: Words, language: str) -> str:
    """The same as a small page; everything in it is escaped."""
    return _PAGE.render(words=words, language=language)


def number(value: int, language: str) -> str:
    """A whole number as it is written where the reader lives: 1,000 or 1.000."""
    assert isinstance(value, int), value
    return f"{value:,}".replace(",", ".") if language == "de" else f"{value:,}"


_TEXT = environment("talktime.mail").get_template("layout.txt")
_PAGE = environment("talktime.mail").overlay(autoescape=True).get_template("layout.html")
