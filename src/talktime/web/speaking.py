"""Choosing a language without being signed in.

The one rule: who is signed in reads the language of their settings; this is for everybody else, kept in their browser.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.errors import NotFound
from talktime.http.context import context_of
from talktime.web.door import next_of
from talktime.web.routing import PageRoute
from talktime.web.visit import LANGUAGES, speak

router = APIRouter(route_class=PageRoute)


@router.get("/language/{code}")
async def choose(request: Request, code: str) -> Response:
    """Remember it, and go back to where it was chosen."""
    if code not in LANGUAGES:
        raise NotFound("There is no page at this address.")
    response = RedirectResponse(next_of(request), 303)
    speak(response, context_of(request).settings, code)
    return response
