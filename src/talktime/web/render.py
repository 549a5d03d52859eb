"""Turning templates into pages. Everything is escaped, and a name that a template misspells is an error, no blank."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import jinja2
from fastapi import Response

from talktime.accounts.sessions import VISIT_LASTS
from talktime.web import assets, language, visit, words
from talktime.web.words import clock_zone

_TITLES = {
    401: "Please sign in",
    403: "That is not allowed",
    404: "Not found",
    410: "This link was used",
    421: "This is another address",
    429: "Too many tries",
    503: "Not reachable at the moment",
}


def page(
    template: str, *, status: int = 200, headers: Mapping[str, str] = MappingProxyType({}), **values: Any
) -> Response:
    """A page, or a part of one."""
    text = _ENVIRONMENT.get_template(template).render(**values)
    return Response(text, status, headers=headers, media_type="text/html; charset=utf-8")


def error_page(status: int, message: str, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """A page that says what went wrong, and what to do."""
    title = language._(_TITLES.get(status, "Something went wrong"))
    return page("error.html", status=status, headers=headers, title=title, message=message)


def warm() -> None:
    """Compile every template now: the process that shows pages may be carrying calls, which cannot wait for it."""
    for name in _ENVIRONMENT.list_templates():
        _ENVIRONMENT.get_template(name)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("talktime.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(language._, language.ngettext_here, newstyle=True)  # type: ignore[attr-defined]  # the extension's
    environment.filters["whole_day"] = _whole_day
    environment.globals |= {
        "static": assets.address_of,
        "csrf_field": visit.csrf_field,
        "language": _language,
        "languages": _languages,
        "acting": _acting,
    }
    return environment


def _whole_day(typed: str) -> str:
    """A day as a filter has it, in words; what is no day stays as it was typed."""
    try:
        return words.whole_day(date.fromisoformat(typed))
    except ValueError:
        return typed


def _language() -> str:
    said = visit.current()
    return said.language if said else visit.LANGUAGES[0]


def _languages() -> list[tuple[str, str, str, bool]]:
    """The languages one can change to, each with its own name, where that is done, and whether it is spoken now."""
    said = visit.current()
    back = quote(visit.safe_next(said.path) if said else "/", safe="")
    return [(code, name, f"/language/{code}?next={back}", code == _language()) for code, name in language.NAMES.items()]


def _acting() -> dict[str, str] | None:
    """Whom an operator is signed in as, and until when on their clock; None for everybody who is themselves."""
    said = visit.current()
    identity = said.identity if said else None
    if identity is None or identity.actor_id is None:
        return None
    # In somebody else's place nobody confirms anything: it is when they came in.
    until = (identity.confirmed_at + VISIT_LASTS).astimezone(clock_zone(identity.zone))
    return {"name": identity.name, "email": identity.email, "until": f"{until:%H:%M}", "zone": identity.zone}


_ENVIRONMENT = _environment()
