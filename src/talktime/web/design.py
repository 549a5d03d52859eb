"""Every component in every state on one page, for whoever builds or checks a page: `/design`, for operators.

The one rule: what a page is made of is shown here first; what is not here is no component.
"""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from talktime.http.context import context_of
from talktime.web import local
from talktime.web.charts import Bar, Chart, bars
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.who import operator

_COLOURS = (
    "paper", "card", "sunk", "line", "line-strong", "ink", "ink-2", "ink-3", "accent", "accent-soft", "live",
    "live-soft", "warn", "warn-soft", "bad", "bad-soft", "caller", "agent", "shade-1", "shade-2", "shade-3", "shade-4",
    "shade-5",
)  # fmt: skip

router = APIRouter(route_class=PageRoute)


@router.get("/design")
async def design(request: Request) -> Response:
    """The components."""
    identity = await operator(request)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "design")
    said = [
        {"when": local.moment(paper.clock.now, paper.clock), "iso": paper.clock.now.isoformat(), "title": title,
         "tone": tone, "text": text}
        for title, tone, text in (
            (_("Version 3 answers"), "ok", _("The greeting was shortened.")),
            (_("A caller is on the line"), "live", _("It costs 15 credits so far.")),
            (_("A card was declined"), "warn", _("It is tried again tomorrow.")),
            (_("A payment was taken back"), "bad", _("500 credits went with it.")),
        )
    ]  # fmt: skip
    return paper.page(
        "design.html",
        colours=_COLOURS,
        moments=said,
        chart=_chart(two=False),
        stacked=_chart(two=True),
        nothing=bars(_("Minutes a day"), [], series=[_("Minutes")], heads=[_("Day"), _("Minutes")]),
        wrong={"name": _("Give it a name."), "limit": _("A whole number of credits."), "form": _("Nothing was saved.")},
        filled={
            "name": "Praxis Lindner",
            "limit": "500",
            "words": _("We open at nine."),
            "mail": "jonas@talktime.example",
        },
    )


def _chart(*, two: bool) -> Chart:
    """Four weeks that never were."""
    today = datetime.now(UTC).date()
    days = []
    for ago in range(27, -1, -1):
        one, other = (ago * 37) % 61 + 4, (ago * 23) % 31
        parts = (one, other) if two else (one,)
        days.append(Bar(local.short_day(today - timedelta(days=ago)), parts, [local.figure(part) for part in parts]))
    series = ["Praxis Lindner", "Salon Bella"] if two else [_("Minutes")]
    return bars(_("Minutes a day"), days, series=series, heads=[_("Day"), *series], highest=_("minutes"))
