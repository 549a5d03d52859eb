"""The route of pages on which long texts are written."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response

from talktime.web.forms import expect_long_form
from talktime.web.routing import PageRoute


class LongFormRoute(PageRoute):
    """A page's route whose forms may be as long as an agent's texts."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The page's handler, which reads longer forms than others."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            expect_long_form(request)
            return await handle(request)

        return answer
