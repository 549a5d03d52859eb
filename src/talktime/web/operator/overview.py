"""The operator's first page: what is going on, what it brings, what waits for somebody.

The one rule: every figure leads to the page where it is made of something.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from fastapi import APIRouter, Request, Response

from talktime.alerts import board
from talktime.calls import operating
from talktime.calls.claims import claims
from talktime.calls.operating import Books, Now, OperatingDay
from talktime.credits import adjustments
from talktime.gateways import currencies
from talktime.web import local, who
from talktime.web.charts import Bar, Chart, bars
from talktime.web.language import _
from talktime.web.operator import alert_words, desk, words
from talktime.web.operator.alert_details import details_of
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.words import Clock, Tone

PATH = "/operator"
SPANS = (30, 90)
_ALERTS = 5
_DETAILS = 2
"""So many figures of an alert stand here; its own page has all of them."""
_WAITING = 100

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """Now, and the last 30 or 90 days."""
    identity = await who.operator(request)
    span = 90 if request.query_params.get("days") == "90" else 30
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "operator", said={"seen": _("Seen, under your name.")})
        clock = paper.clock
        now = await operating.overview(db, zone=identity.zone, now=clock.now)
        days = await operating.days(db, zone=identity.zone, days=span, now=clock.now)
        alerts = await board.open_alerts(db, limit=_ALERTS + 1)
        waiting = await claims(db, limit=_WAITING)
        pending = await adjustments.pending(db, limit=_WAITING)
    return paper.page(
        "operator/overview.html",
        stats=_stats(now),
        books=_books(now.books, clock),
        queue=_queue(now),
        alerts=[
            {
                "id": str(each.id),
                "title": alert_words.title(each.kind),
                "sentence": alert_words.sentence(each.kind),
                "when": local.moment(each.created_at, clock),
                "details": [detail.text for detail in details_of(each, clock)[:_DETAILS]],
            }
            for each in alerts[:_ALERTS]
        ],
        more_alerts=len(alerts) > _ALERTS,
        claims=_some(len(waiting)),
        approvals=_some(len(pending)),
        spans=[(f"{PATH}?days={each}", _("{count} days").format(count=each)) for each in SPANS],
        span=f"{PATH}?days={span}",
        minutes=_minutes(days),
        money=_money(days),
        totals=_totals(days),
        has_unknown_costs=any(each.unknown_costs for each in days),
        is_estimated=any(each.is_estimated for each in days),
    )


def _some(count: int) -> str:
    """A count; "" for none, and `100+` where more are there than were counted."""
    return f"{_WAITING}+" if count >= _WAITING else local.figure(count) if count else ""


def _stats(now: Now) -> list[dict[str, str]]:
    live = now.ringing + now.talking
    errors = now.errors
    parts = (
        (errors.calls, _("{count} calls failed")),
        (errors.jobs, _("{count} jobs given up")),
        (errors.events, _("{count} events given up")),
        (errors.deliveries, _("{count} webhooks not delivered")),
    )
    return [
        _stat(
            _("Live calls"),
            local.figure(live),
            _("{count} ringing").format(count=local.figure(now.ringing)) if now.ringing else "",
            tone="live" if live else "",
        ),
        _stat(
            _("Minutes today"),
            local.figure(now.seconds_today // 60),
            (_("1 call") if now.calls_today == 1 else _("{count} calls")).format(count=local.figure(now.calls_today)),
        ),
        _stat(_("Revenue today"), words.money_of(now.revenue_today), href="/operator/money/purchases"),
        _stat(
            _("Errors in 24 hours"),
            local.figure(errors.total),
            ", ".join(said.format(count=local.figure(count)) for count, said in parts if count),
            href="/operator/health",
            tone="bad" if errors.total else "",
        ),
    ]


def _stat(label: str, value: str, note: str = "", *, href: str = "", tone: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "note": note, "href": href, "tone": tone}


def _books(books: Books, clock: Clock) -> dict[str, object]:
    """What the last look at the books came to."""
    tone: Tone = "warn"
    said = _("The books were never verified. It happens every night; talktime ledger verify does it now.")
    if books.is_clean is True:
        tone, said = "ok", _("The books are right.")
    elif books.is_clean is False:
        found = (books.violations or 0) + (books.violations_in_all or 0)
        wrong = _("The books do not add up: {count} things are wrong. Change nothing by hand; see the alert.")
        tone, said = "bad", wrong.format(count=local.figure(found))
    facts = []
    if books.verified_at is not None:
        facts.append((_("Looked at"), local.moment(books.verified_at, clock)))
    if books.verified_all_at is not None:
        facts.append((_("From the first line on"), local.moment(books.verified_all_at, clock)))
    return {"tone": tone, "said": said, "facts": facts, "badge": _badge(tone)}


def _badge(tone: Tone) -> str:
    return {"ok": _("right"), "bad": _("wrong")}.get(tone, _("unknown"))


def _queue(now: Now) -> list[tuple[str, str, str]]:
    """What waits: a name, how much or how long, and where it stands."""
    backlog = now.backlog
    oldest = backlog.jobs_oldest_seconds
    return [
        (_("Oldest job waits"), _duration(oldest) if oldest else _("nothing waits"), "/operator/jobs?state=waiting"),
        (_("Jobs given up"), local.figure(now.errors.jobs), "/operator/jobs?state=failed"),
        (_("Events waiting"), local.figure(backlog.events_waiting), "/operator/events?state=waiting"),
        (_("Events given up"), local.figure(now.errors.events), "/operator/events?state=given_up"),
    ]


def _duration(seconds: float) -> str:
    return words.waited(timedelta(seconds=seconds))


def _minutes(days: Sequence[OperatingDay]) -> Chart:
    return bars(
        _("Minutes a day"),
        [
            Bar(
                local.short_day(each.day),
                [Decimal(each.seconds) / 60],
                [local.figure(each.calls), local.figure(each.seconds // 60)],
            )
            for each in days
        ],
        series=[_("Minutes")],
        heads=[_("Day"), _("Calls"), _("Minutes")],
        highest=_("{count} min").format(count=local.figure(max((each.seconds for each in days), default=0) // 60)),
    )


def _money(days: Sequence[OperatingDay]) -> Chart:
    """Money that came in, in the currency of most of it; the table says all of them."""
    currency = _main_currency(days)
    top = max((each.revenue_minor.get(currency, 0) for each in days), default=0)
    return bars(
        _("Revenue a day"),
        [
            Bar(
                local.short_day(each.day),
                [Decimal(max(0, each.revenue_minor.get(currency, 0)))],
                [
                    words.money_of(each.revenue_minor),
                    words.money_of_micros(each.earned_micros),
                    words.money_of_micros(each.cost_micros),
                    _margin(each.margin_micros),
                ],
            )
            for each in days
        ],
        series=[_("Revenue")],
        heads=[_("Day"), _("Revenue"), _("Earned"), _("Cost"), _("Margin")],
        highest=local.amount(top, currency) if top else "",
    )


def _main_currency(days: Sequence[OperatingDay]) -> str:
    sums: dict[str, Decimal] = {}
    for each in days:
        for currency, minor in each.revenue_minor.items():
            decimals = currencies.decimals(currency) if currencies.is_known(currency) else 2
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(minor).scaleb(-decimals)
    return max(sorted(sums), key=lambda currency: sums[currency]) if sums else "EUR"


def _totals(days: Sequence[OperatingDay]) -> list[dict[str, str]]:
    """The whole span in figures."""
    is_unknown = any(each.unknown_costs for each in days)
    margin = None if is_unknown else _sum([each.margin_micros or {} for each in days])
    return [
        _stat(_("Minutes"), local.figure(sum(each.seconds for each in days) // 60)),
        _stat(
            _("Revenue"), words.money_of(_sum([each.revenue_minor for each in days])), _("paid, less what went back")
        ),
        _stat(_("Earned"), words.money_of_micros(_sum([each.earned_micros for each in days])), _("what was talked")),
        _stat(_("Cost"), words.money_of_micros(_sum([each.cost_micros for each in days])), _("what companies take")),
        _stat(_("Margin"), _margin(margin), _("earned, less the cost")),
    ]


def _margin(micros: Mapping[str, int] | None) -> str:
    return _("unknown") if micros is None else words.money_of_micros(micros)


def _sum(parts: Sequence[Mapping[str, int]]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for currency, amount in part.items():
            found[currency] = found.get(currency, 0) + amount
    return found
