"""How the companies are that calls and money go through: heard of when, how much of it failed, what waits."""

from fastapi import APIRouter, Request, Response

from talktime.calls import provider_health
from talktime.calls.provider_health import Health, Trade
from talktime.carriers import browser
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.words import Clock, Tone

_MUCH = 0.1
_SOME = 0.01
"""From which share of failures on something is wrong, and from which one looks at it."""

router = APIRouter(prefix="/operator/health", route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """Each of them, and the last 24 hours with it."""
    identity = await who.operator(request)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "health")
        found = await provider_health.provider_health(db, now=paper.clock.now)
    return paper.page("operator/health.html", rows=[_view(each, paper.clock) for each in found])


def _view(health: Health, clock: Clock) -> dict[str, object]:
    return {
        "provider": health.provider,
        "trade": _("Calls from the customers’ own pages") if health.provider == browser.NAME else _trade(health.trade),
        "heard": local.moment(health.heard_at, clock) if health.heard_at else _("never"),
        "uses": local.figure(health.uses),
        "failures": local.figure(health.failures),
        "share": words.share(health.share) if health.uses else "",
        "state": _state(health),
        "waits": words.waited(clock.now - health.oldest_waiting_at) if health.oldest_waiting_at else "",
    }


def _trade(trade: Trade) -> str:
    return {
        Trade.CARRIER: _("Phone company"),
        Trade.SPEECH: _("Speech and language"),
        Trade.GATEWAY: _("Payment company"),
    }[trade]


def _state(health: Health) -> words.Badge:
    tone: Tone = "ok"
    said = _("well")
    if not health.uses:
        return words.Badge(_("quiet"))
    if health.share >= _MUCH:
        said, tone = _("failing"), "bad"
    elif health.share >= _SOME or health.oldest_waiting_at is not None:
        said, tone = _("look at it"), "warn"
    return words.Badge(said, tone)
