"""HEAD: what monitors and browsers ask when they want to know how an answer begins, and not the answer.

The one rule: it is what GET would be, by the same code with the same checks, without its body. So it is answered in one
place and by no route, and none can forget it.
"""

import asyncio

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STOPS_SECONDS = 0.2


class HeadsOnly:
    """Asks the application inside with GET, and passes on what comes before the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        is_over = False

        async def send_head(message: Message) -> None:
            nonlocal is_over
            if message["type"] == "http.response.start":
                await send(message)
            elif not is_over:
                is_over = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                if message.get("more_body"):
                    # Whoever streams hears now that nobody listens any more, and is stopped here: between two pieces of
                    # a table, and not while the database is asked for the next one.
                    await asyncio.sleep(_STOPS_SECONDS)

        await self._app({**scope, "method": "GET"}, receive, send_head)


def answer_heads(app: FastAPI) -> None:
    """Let every address that answers GET answer HEAD, too."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: HeadsOnly(build())  # type: ignore[method-assign]  # around all, errors included
