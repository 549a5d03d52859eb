"""Each request has a name of its own, which stands on every line that is logged while it is answered, and in the answer
(`X-Request-Id`), so that whoever asks about one can say which. A process that is being stopped says with each answer
that the connection ends with it.

The rule: it is ours. What somebody sends as the name of their request would stand in our logs as they wrote it.
"""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from talktime import log
from talktime.db.base import new_id
from talktime.http.context import Context

HEADER = "x-request-id"


class NamedRequests:
    """Names every request of the application inside: `request.state.request_id`."""

    def __init__(self, app: ASGIApp, is_leaving: Callable[[], bool]) -> None:
        self._app = app
        self._is_leaving = is_leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = str(new_id())
        scope.setdefault("state", {})["request_id"] = name

        async def send_with_name(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[HEADER] = name
                if self._is_leaving():
                    # The next request is to go to another process.
                    headers["connection"] = "close"
            await send(message)

        with log.about(request_id=name):
            await self._app(scope, receive, send_with_name)


def name_requests(app: FastAPI) -> None:
    """Put the names around everything the application answers, its own faults included."""
    build = app.build_middleware_stack

    def is_leaving() -> bool:
        context: Context | None = getattr(app.state, "context", None)
        return context is not None and context.leaving

    app.build_middleware_stack = lambda: NamedRequests(build(), is_leaving)  # type: ignore[method-assign]  # as `harden`
