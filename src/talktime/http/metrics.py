"""`/metrics` for Prometheus: what is open, wrong or waiting, read from the database at each scrape.

So every process of an installation tells the same of it; what only one can know, such as how long its rings took, says
which process it is of (`counters.py`). The rule: with a token only who knows it is answered; without one only this
machine is, and never through a proxy.
"""

import asyncio
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from talktime.alerts import board, marks
from talktime.alerts.backlog import Backlog, backlog
from talktime.calls import watching
from talktime.credits.totals import Totals, totals
from talktime.errors import Refused
from talktime.http.context import Context, context_of
from talktime.http.problems import problem
from talktime.notices.waiting import Waiting, waiting
from talktime.security import is_loopback

_WHY = "metrics count everybody's"
_DATABASE_SECONDS = 5.0
_FORWARDING = (
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for",
    "x-envoy-external-address", "cf-connecting-ip", "fly-client-ip", "true-client-ip",
)  # fmt: skip
"""What proxies add, and every `x-forwarded-…`. One that adds nothing passes the name that was asked for, or cannot be
told from this machine: behind such a one a token is needed."""


class OnlyHere(Refused):
    """Metrics are answered to this machine only. Set TALKTIME_METRICS_TOKEN and send it as a bearer token."""


def router(token: str | None) -> APIRouter:
    """The door, guarded by a token, or without one by where the question comes from."""
    made = APIRouter()

    @made.get("/metrics")
    async def metrics(request: Request) -> Response:
        if token:
            if not _knows(request, token):
                answer = problem(401, "The metrics are guarded by a token.", "Send it as `Authorization: Bearer …`.")
                answer.headers["www-authenticate"] = 'Bearer realm="metrics"'
                return answer
        elif not _is_from_here(request):
            raise OnlyHere
        context = context_of(request)
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                found = await _look(context)
        except TimeoutError:
            # Whoever scrapes takes that for "down", which it is; and a slow database is no mistake of ours.
            return problem(503, "The database did not answer in time.", "Ask again at the next scrape.")
        registry = CollectorRegistry(auto_describe=False)
        registry.register(found)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return made


async def _look(context: Context) -> "_Found":
    async with context.database.transaction(everyone=_WHY) as db:
        return _Found(
            await board.counts(db),
            await board.ledger_violations(db),
            await waiting(db),
            await backlog(db),
            await totals(db),
            await marks.all_done(db),
            await watching.open_by_status(db),
            tuple(context.counters.metrics(context.database, len(context.live))),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Found(Collector):
    """What one scrape saw."""

    alerts: Sequence[board.Count]
    violations: int
    notices: Waiting
    backlog: Backlog
    totals: Totals
    done: Sequence[marks.Done]
    calls: Mapping[str, int]
    own: Sequence[Metric]
    """What this very process counts."""

    def collect(self) -> Iterable[Metric]:
        is_open = GaugeMetricFamily("talktime_alerts_open", "Alerts that nobody has acknowledged.", labels=["kind"])
        ever = CounterMetricFamily("talktime_alerts", "Alerts that were ever raised.", labels=["kind"])
        unmailed = GaugeMetricFamily("talktime_alerts_unmailed", "Open alerts that no mail has told the operator of.")
        for count in self.alerts:
            is_open.add_metric([count.kind], count.open)
            ever.add_metric([count.kind], count.ever)
        unmailed.add_metric([], sum(count.unmailed for count in self.alerts))
        yield from (is_open, ever, unmailed)
        yield GaugeMetricFamily(
            "talktime_ledger_violations", "What verification found wrong in the books.", value=self.violations
        )
        yield GaugeMetricFamily(
            "talktime_notices_waiting", "Notices to customers that are not sent yet.", value=self.notices.count
        )
        yield GaugeMetricFamily(
            "talktime_notices_oldest_seconds",
            "How long the oldest of them has waited.",
            value=self.notices.oldest_seconds,
        )
        yield _by("talktime_calls_open", "Calls that ring or go on, in all processes.", "status", self.calls)
        yield from self._waiting()
        yield from self._credits()
        yield from self._rounds()
        yield from self.own

    def _waiting(self) -> Iterable[Metric]:
        lag = self.backlog
        jobs = {
            "waiting": lag.jobs_waiting,
            "later": lag.jobs_later,
            "doing": lag.jobs_doing,
            "failed": lag.jobs_failed,
        }
        yield _by("talktime_jobs", "Jobs in the queue.", "state", jobs)
        yield GaugeMetricFamily(
            "talktime_jobs_oldest_seconds", "How long the oldest job that is due has waited.", lag.jobs_oldest_seconds
        )
        events = {"waiting": lag.events_waiting, "given_up": lag.events_given_up}
        yield _by("talktime_inbox_events", "Events of providers that are not handled.", "state", events)
        yield GaugeMetricFamily(
            "talktime_inbox_oldest_seconds",
            "How long the oldest that is still tried has waited.",
            lag.events_oldest_seconds,
        )
        yield GaugeMetricFamily(
            "talktime_webhook_deliveries_due",
            "Events that customers' endpoints are to be told now.",
            lag.deliveries_due,
        )
        yield GaugeMetricFamily(
            "talktime_webhook_deliveries_oldest_seconds", "Since when the oldest is due.", lag.deliveries_oldest_seconds
        )
        yield GaugeMetricFamily(
            "talktime_webhook_deliveries_failed", "Those that were given up within the last day.", lag.deliveries_failed
        )

    def _credits(self) -> Iterable[Metric]:
        sums = self.totals
        yield GaugeMetricFamily("talktime_credits_balance", "Credits that were bought and not spent.", sums.balance)
        yield GaugeMetricFamily("talktime_credits_owed", "Credits below zero, of all accounts that are.", sums.owed)
        yield GaugeMetricFamily("talktime_credits_held", "Credits that running calls hold.", sums.held)
        yield GaugeMetricFamily(
            "talktime_credits_spent_today", "Credits spent since midnight where each customer lives.", sums.spent_today
        )

    def _rounds(self) -> Iterable[Metric]:
        at = GaugeMetricFamily(
            "talktime_round_finished_timestamp_seconds", "When a round last came to its end.", labels=["round"]
        )
        for each in self.done:
            at.add_metric([each.name], each.at.timestamp())
        yield at


def _by(name: str, meaning: str, label: str, figures: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, figure in figures.items():
        family.add_metric([value], figure)
    return family


def _knows(request: Request, token: str) -> bool:
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(said.strip().encode(), token.encode())


def _is_from_here(request: Request) -> bool:
    names = request.headers.keys()
    if request.client is None or any(name in _FORWARDING or name.startswith("x-forwarded-") for name in names):
        return False
    # A page elsewhere can make a browser here ask us under a name of its own that leads to this machine.
    return is_loopback(request.client.host) and is_loopback(request.url.hostname or "")
