"""What one process counts by itself: rings, and how long they and the agent's answers took.

Nothing of it is in the database, because counting must cost a call nothing. So each figure says which start of which
process it is of (`process`): several may answer at one address, one after the other or at once, and no scrape takes the
figures of one for another's. The rule: labels are our own few words, never anything that somebody sent.
"""

import gc
import os
import resource
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from talktime.calls.routing import Route
from talktime.db.session import Database
from talktime.voice.turns import Latency

_RING_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 8.0)
_ANSWER_SECONDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
_STAGES = ("turn_decided", "first_token", "first_sentence", "first_audio")


class Counters:
    """The figures of this process."""

    def __init__(self) -> None:
        self.process = secrets.token_hex(4)
        self._began = time.time()
        self._registry = CollectorRegistry(auto_describe=False)
        self._rings = Counter("talktime_rings", "Rings that were answered.", ["decision"], registry=self._registry)
        self._ring_seconds = Histogram(
            "talktime_ring_duration_seconds",
            "From a ring's first byte to its answer.",
            registry=self._registry,
            buckets=_RING_SECONDS,
        )
        self._answers = Histogram(
            "talktime_turn_latency_seconds",
            "From the last sound of the caller's speech to a stage of the agent's answer.",
            ["stage"],
            registry=self._registry,
            buckets=_ANSWER_SECONDS,
        )
        self._tools = Counter("talktime_tools", "Tools that agents used.", ["outcome"], registry=self._registry)
        for route in Route:
            self._rings.labels(route.value)
        self._stages = {stage: self._answers.labels(stage) for stage in _STAGES}

    def rang(self, route: Route, seconds: float) -> None:
        """A ring was answered."""
        self._rings.labels(route.value).inc()
        self._ring_seconds.observe(seconds)

    def answered(self, latency: Latency) -> None:
        """An agent answered what a caller said."""
        for stage, child in self._stages.items():
            child.observe(getattr(latency, f"{stage}_ms") / 1000)

    def used_tool(self, *, succeeded: bool) -> None:
        """An agent used a tool."""
        self._tools.labels("succeeded" if succeeded else "failed").inc()

    def metrics(self, database: Database, live_calls: int) -> Iterator[Metric]:
        """All of it, each figure with the process it is of."""
        found = [*self._registry.collect(), *self._machine(), *_pools(database)]
        live = GaugeMetricFamily("talktime_calls_live", "Calls that this process carries.")
        live.add_metric([], live_calls)
        for metric in (*found, live):
            # What a counter was made is a time of its own, which nobody asks for.
            metric.samples = [
                sample._replace(labels={**sample.labels, "process": self.process})
                for sample in metric.samples
                if not sample.name.endswith("_created")
            ]
            yield metric

    def _machine(self) -> Iterable[Metric]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = CounterMetricFamily("process_cpu_seconds", "User and system time.")
        cpu.add_metric([], used.ru_utime + used.ru_stime)
        yield cpu
        yield GaugeMetricFamily("process_start_time_seconds", "When it began, in Unix time.", value=self._began)
        memory, files = _memory_bytes(), _open_files()
        if memory is not None:
            yield GaugeMetricFamily("process_resident_memory_bytes", "Memory in use.", value=memory)
        if files is not None:
            yield GaugeMetricFamily("process_open_fds", "Open files and sockets.", value=files)
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield GaugeMetricFamily("process_max_fds", "So many it may open.", value=limit)
        collections = CounterMetricFamily("python_gc_collections", "Garbage collections.", labels=["generation"])
        for generation, figures in enumerate(gc.get_stats()):
            collections.add_metric([str(generation)], figures["collections"])
        yield collections


def _pools(database: Database) -> Iterable[Metric]:
    connections = GaugeMetricFamily(
        "talktime_database_connections", "Connections to the database.", labels=["pool", "state"]
    )
    limit = GaugeMetricFamily("talktime_database_connections_max", "So many there may be.", labels=["pool"])
    waiting = GaugeMetricFamily("talktime_database_waiting", "Who waits for a connection.", labels=["pool"])
    for name, pool in database.pools().items():
        connections.add_metric([name, "in_use"], pool.in_use)
        connections.add_metric([name, "idle"], pool.idle)
        limit.add_metric([name], pool.size_max)
        waiting.add_metric([name], pool.waiting)
    return connections, limit, waiting


def _memory_bytes() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None  # only Linux tells so


def _open_files() -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None
