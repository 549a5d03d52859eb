"""What every page has in common when something goes wrong: a person gets a page that says what to do, never JSON."""

import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from talktime import log
from talktime.errors import TalktimeError
from talktime.http.body import BodyRefused
from talktime.http.problems import DATABASE_AWAY
from talktime.web.render import error_page

_LOGGER = log.get(__name__)
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> _Handler:
        """The route's handler, with its errors turned into pages."""
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await handle(request)
            except BodyRefused as error:
                return error_page(error.status, str(error), error.headers)
            except TalktimeError as error:
                return error_page(error.status, str(error))
            except RequestValidationError:
                # What stands in the address is not of its form, so there is nothing there.
                return error_page(404, "There is no page at this address.")
            except DATABASE_AWAY as error:
                _LOGGER.error("the database is away", route=self.path, error=type(error).__name__)
                return error_page(503, "The database cannot be reached at the moment. Try again in a few seconds.")
            except Exception as error:
                # The last resort: it is reported, and the person is told.
                incident = uuid.uuid4().hex[:12]
                _LOGGER.error("unexpected error", route=self.path, incident=incident, exc_info=error)
                return error_page(500, f"Something went wrong here. We have a record of it: {incident}.")

        return page
