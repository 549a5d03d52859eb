"""`/metrics` for Prometheus: what is open, wrong or waiting, read from the database at each scrape.

So every process of an installation tells the same, and none keeps a count of its own. The rule: with a token only who
knows it is answered; without one only this machine is, and never through a proxy.
"""

import asyncio
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from talktime.alerts import board
from talktime.errors import Refused
from talktime.http.context import context_of
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
        async with asyncio.timeout(_DATABASE_SECONDS):
            async with context_of(request).database.transaction(everyone=_WHY) as db:
                found = _Found(await board.counts(db), await board.ledger_violations(db), await waiting(db))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(found)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return made


@dataclass(frozen=True, slots=True, eq=False)
class _Found(Collector):
    """What one scrape saw."""

    alerts: Sequence[board.Count]
    violations: int
    notices: Waiting

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


def _knows(request: Request, token: str) -> bool:
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(said.strip().encode(), token.encode())


def _is_from_here(request: Request) -> bool:
    names = request.headers.keys()
    if request.client is None or any(name in _FORWARDING or name.startswith("x-forwarded-") for name in names):
        return False
    # A page elsewhere can make a browser here ask us under a name of its own that leads to this machine.
    return is_loopback(request.client.host) and is_loopback(request.url.hostname or "")
