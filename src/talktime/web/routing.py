"""What every page has in common: whom it is for, that its forms are ours, and what is shown when something goes wrong.
A person gets a page that says what to do, never JSON.

The one rule: whatever changes something is looked at here first, whichever page it belongs to: from this site, by a
form that this very browser was shown.
"""

import uuid
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from talktime import log
from talktime.accounts import audit
from talktime.accounts.sessions import ConfirmFirst
from talktime.errors import TalktimeError
from talktime.http.address import client_address
from talktime.http.body import BodyRefused
from talktime.http.context import context_of
from talktime.http.problems import DATABASE_AWAY
from talktime.http.security import refuse_other_sites
from talktime.web.forms import read_form
from talktime.web.language import _
from talktime.web.render import error_page
from talktime.web.visit import FIELD, HEADER, StaleForm, Visit, give_seed, refuse_other_hosts, visiting

_LOGGER = log.get(__name__)
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_SAFE = ("GET", "HEAD", "OPTIONS")


class NotSignedIn(TalktimeError):
    """You are not signed in, or were signed out meanwhile. Sign in, then send it once more."""

    status = 401


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> _Handler:
        """The route's handler, with what goes before it, and with its errors turned into pages."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            settings = context_of(request).settings
            with visiting(request, settings) as visit, audit.came_from("web", client_address(request, settings)):
                try:
                    refuse_other_hosts(request, settings)
                    if request.method not in _SAFE:
                        await _refuse_forged(request, visit)
                    response = await handle(request)
                except NotSignedIn as error:
                    response = _sign_in_first(request, error)
                except ConfirmFirst:
                    response = _confirm_first(request)
                except BodyRefused as error:
                    response = error_page(error.status, _(str(error)), error.headers)
                except TalktimeError as error:
                    response = error_page(error.status, _(str(error)), _told(error))
                except RequestValidationError:
                    # What stands in the address is not of its form, so there is nothing there.
                    response = error_page(404, _("There is no page at this address."))
                except DATABASE_AWAY as error:
                    _LOGGER.error("the database is away", route=self.path, error=type(error).__name__)
                    said = _("The database cannot be reached at the moment. Try again in a few seconds.")
                    response = error_page(503, said)
                except HTTPException:
                    raise
                except Exception as error:
                    # Said here, because the address of a page may hold the token of somebody's link: no log gets it.
                    incident = uuid.uuid4().hex[:12]
                    _LOGGER.error("unexpected error", route=self.path, incident=incident, exc_info=error)
                    said = _("That was a mistake of ours. We have a record of it: {incident}.")
                    response = error_page(500, said.format(incident=incident))
                give_seed(visit, response)
                return response

        return answer


async def _refuse_forged(request: Request, visit: Visit) -> None:
    """Raise Refused unless the request comes from a page that this browser was shown."""
    refuse_other_sites(request, visit.settings)
    token = request.headers.get(HEADER) or (await read_form(request)).text(FIELD)
    if not visit.is_ours(token):
        raise StaleForm


def _sign_in_first(request: Request, error: NotSignedIn) -> Response:
    """To the page where one signs in, and from there back; what was sent with a form is not kept, so that is said."""
    if request.method != "GET":
        return error_page(error.status, _(str(error)))
    path = _path(request)
    return RedirectResponse("/sign-in" if path == "/" else f"/sign-in?next={quote(path, safe='')}", 303)


def _confirm_first(request: Request) -> Response:
    """To the page that asks for the password once more, and from there back to the page of what was wanted: a form is
    sent to its page's own address. What was sent is not kept."""
    sent = "" if request.method in _SAFE else "&sent=1"
    return RedirectResponse(f"/confirm?next={quote(_path(request), safe='')}{sent}", 303)


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _told(error: TalktimeError) -> dict[str, str]:
    wait = getattr(error, "retry_after", None)
    return {"retry-after": str(max(1, round(wait)))} if wait is not None else {}
