"""What stands in the forms of the agents' pages, and how they are sent as a browser sends them."""

import html
import re
import uuid
from dataclasses import dataclass

import httpx

from tests.web.conftest import Browser

_INPUT = re.compile(r"<input\b([^>]*)>")
_AREA = re.compile(r'<textarea\b[^>]*\bname="([^"]+)"[^>]*>\n?(.*?)</textarea>', re.DOTALL)
_SELECT = re.compile(r'<select\b[^>]*\bname="([^"]+)"[^>]*>(.*?)</select>', re.DOTALL)
_FORM = re.compile(r'<form\b[^>]*\bmethod="post" action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)


def fields_of(page: str, action: str) -> dict[str, str]:
    """What the form to an address would send if nobody touched it."""
    found = [body for to, body in _FORM.findall(page) if to == action]
    assert found, f"no form leads to {action}"
    fields: dict[str, str] = {}
    for attributes in _INPUT.findall(found[0]):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', attributes))
        kind, is_ticked = given.get("type", "text"), re.search(r"\schecked\b", attributes)
        if "name" in given and (kind not in ("radio", "checkbox") or is_ticked):
            fields[given["name"]] = html.unescape(given.get("value", "on" if kind == "checkbox" else ""))
    fields |= {name: html.unescape(text) for name, text in _AREA.findall(found[0])}
    for name, options in _SELECT.findall(found[0]):
        chosen = re.search(r'<option value="([^"]*)" selected>', options)
        fields[name] = html.unescape(chosen[1]) if chosen else ""
    fields.pop("csrf", None)
    return fields


@dataclass(frozen=True)
class Editing:
    """One browser at the pages of one agent."""

    browser: Browser
    agent: uuid.UUID

    @property
    def address(self) -> str:
        return f"/agents/{self.agent}"

    async def page(self, place: str = "") -> str:
        answer = await self.browser.get(self.address + place)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def fields(self, place: str, action: str = "") -> dict[str, str]:
        return fields_of(await self.page(place), self.address + (action or place))

    async def save(self, part: str, **typed: str | None) -> httpx.Response:
        """Open a part, type into some of its fields and send the form; None is a box that is not ticked."""
        fields = await self.fields(part) | typed
        return await self.send(part, {name: value for name, value in fields.items() if value is not None})

    async def send(self, place: str, fields: dict[str, str] | None = None) -> httpx.Response:
        return await self.browser.post(self.address + place, data=fields or {})
