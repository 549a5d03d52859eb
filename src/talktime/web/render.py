"""Turning templates into pages. Everything is escaped, and a name that a template misspells is an error, no blank."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jinja2
from fastapi import Response

from talktime.web import assets

_TITLES = {
    403: "That is not allowed",
    404: "Not found",
    410: "This link was used",
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
    title = _TITLES.get(status, "Something went wrong")
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
    )
    environment.globals["static"] = assets.address_of
    return environment


_ENVIRONMENT = _environment()
