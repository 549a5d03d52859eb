"""Putting the pages into an application."""

from fastapi import APIRouter, FastAPI, Request, Response

from talktime.http import health
from talktime.http.context import context_of
from talktime.http.heads import answer_heads
from talktime.http.problems import astray, is_for_a_program, problem
from talktime.http.security import harden
from talktime.web import (
    assets,
    design,
    local,
    mail_choices,
    operator,
    resetting,
    settings_pages,
    signing_in,
    signing_up,
    speaking,
    talk,
)
from talktime.web.agents import router as agents
from talktime.web.begin import pages as begin
from talktime.web.calls import pages as calls
from talktime.web.calls import saying
from talktime.web.credits import routes as wallet
from talktime.web.language import _
from talktime.web.numbers import routes as numbers
from talktime.web.overview import pages as overview
from talktime.web.render import error_page, warm
from talktime.web.visit import visiting
from talktime.web.webhooks import routes as webhooks

router = APIRouter(include_in_schema=False)
router.include_router(overview.router)
router.include_router(calls.router)
router.include_router(saying.router)
router.include_router(begin.router)
router.include_router(signing_in.router)
router.include_router(signing_up.router)
router.include_router(resetting.router)
router.include_router(speaking.router)
router.include_router(mail_choices.router)
router.include_router(wallet.router)
router.include_router(numbers.router)
router.include_router(webhooks.router)
router.include_router(settings_pages.router)
router.include_router(operator.router)
router.include_router(talk.router)
router.include_router(agents.router)
router.include_router(design.router)
router.include_router(assets.router)


def install(app: FastAPI) -> None:
    """What every process gets, whichever parts it serves: headers, an answer to HEAD, `/healthz` and `/readyz`, and a
    page for a browser that has lost its way."""
    warm()
    local.warm()
    harden(app)
    answer_heads(app)
    app.include_router(health.router)
    app.add_exception_handler(404, _nowhere)


async def _nowhere(request: Request, error: Exception) -> Response:
    if is_for_a_program(request):
        return astray(request, error)
    if "text/html" in request.headers.get("accept", ""):
        with visiting(request, context_of(request).settings):
            return error_page(404, _("There is no page at this address."))
    return problem(404, "Not Found")
