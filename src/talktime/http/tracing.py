"""A trace of each call, for whoever set an address to send them to: ring, answer, turns, tools, end.

A call's own id is the id of its trace, and the id of its first span follows from it: so the process that answers a ring
and the one that carries the call write into one trace without telling each other anything. The rules: a span holds ids,
times and our own few words, never what was said, a number or a name; and without an address nothing is even imported.
"""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from talktime.voice.turns import Turn

Value = str | int | float | bool
_CLOSE_SECONDS = 5.0
_EXPORT_SECONDS = 5
_NS = 1_000_000


class Traces:
    """Where spans go; nowhere, unless there is an address."""

    def __init__(self, sender: "_Otlp | None" = None) -> None:
        self._sender = sender

    @classmethod
    def to(cls, endpoint: str | None, process: str) -> "Traces":
        """Traces to an address (OTLP over HTTP), or nowhere. What sends them is installed: `configuration` looked."""
        return cls(_Otlp(endpoint, process) if endpoint is not None else None)

    @property
    def is_on(self) -> bool:
        return self._sender is not None

    def rang(self, user: uuid.UUID, call: uuid.UUID, decision: str, *, began_ns: int, talks: bool) -> None:
        """A ring was answered just now; a call that nobody talks to is over with it."""
        if self._sender is None:
            return
        now, said = time.time_ns(), _whose(user, call) | {"talktime.decision": decision}
        self._sender.send(call, "ring", began_ns, now, said)
        if not talks:
            self._sender.send_first(call, _began(call, began_ns), now, said)

    def answered(self, user: uuid.UUID, call: uuid.UUID, *, began_ns: int) -> None:
        """Its media socket was opened at `began_ns`, and the call was claimed just now."""
        if self._sender is not None:
            self._sender.send(call, "answer", began_ns, time.time_ns(), _whose(user, call))

    def turn(self, user: uuid.UUID, call: uuid.UUID, turn: Turn, *, answered_ns: int) -> None:
        """A turn ended; `answered_ns` is from when on its times count."""
        if self._sender is None:
            return
        began, ended = (answered_ns + at * _NS for at in (turn.began_ms, turn.ended_ms))
        said: dict[str, Value] = {
            **_whose(user, call),
            "talktime.turn_no": turn.turn_no,
            "talktime.speaker": turn.speaker,
            "talktime.interrupted": turn.interrupted,
        }
        if turn.latency is not None:
            said |= {f"talktime.{stage_ms}": figure for stage_ms, figure in asdict(turn.latency).items()}
        self._sender.send(call, "turn", began, ended, said)
        # A tool's length is known, and that the agent spoke afterwards: so they are put one after the other before it.
        until = began
        for use in reversed(turn.tools):
            since = until - use.duration_ms * _NS
            used = {**_whose(user, call), "talktime.tool": use.name, "talktime.succeeded": use.succeeded}
            self._sender.send(call, "tool", since, until, used)
            until = since

    def finished(
        self, user: uuid.UUID, call: uuid.UUID, *, began_ns: int, reason: str, seconds: int, charged: int, failed: bool
    ) -> None:
        """It is settled just now; `began_ns` is when its end began. With this the trace is whole."""
        if self._sender is None:
            return
        now = time.time_ns()
        said = _whose(user, call) | {"talktime.end_reason": reason, "talktime.seconds": seconds}
        self._sender.send(call, "finish", began_ns, now, {**said, "talktime.charged": charged}, failed=failed)
        self._sender.send_first(call, _began(call, began_ns), now, said, failed=failed)

    async def close(self) -> None:
        """Send what is still here, for a few seconds at most."""
        if self._sender is not None:
            await asyncio.to_thread(self._sender.close)


class _Otlp:
    """Takes spans away, and never waits for anybody: a thread of the library's sends what was collected, and drops what
    it cannot get rid of."""

    def __init__(self, endpoint: str, process: str) -> None:
        from opentelemetry import trace
        from opentelemetry.context import Context
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        self._trace, self._empty = trace, Context()
        self._ids = _ids()
        about = {"service.name": "talktime", "service.version": version("talktime"), "service.instance.id": process}
        self._provider = TracerProvider(
            resource=Resource.create(about), id_generator=self._ids, sampler=ALWAYS_ON, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("talktime")

    def send(
        self,
        call: uuid.UUID,
        name: str,
        began_ns: int,
        ended_ns: int,
        said: Mapping[str, Value],
        *,
        failed: bool = False,
    ) -> None:
        """A part of a call."""
        trace = self._trace
        parent = trace.SpanContext(call.int, _first_id(call), is_remote=True, trace_flags=trace.TraceFlags(1))
        self._ids.next_span_id = None
        within = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        span = self._tracer.start_span(name, context=within, start_time=began_ns, attributes=dict(said))
        self._end(span, ended_ns, failed=failed)

    def send_first(
        self, call: uuid.UUID, began_ns: int, ended_ns: int, said: Mapping[str, Value], *, failed: bool = False
    ) -> None:
        """The call itself, which its parts belong to."""
        self._ids.next_trace_id, self._ids.next_span_id = call.int, _first_id(call)
        span = self._tracer.start_span("call", context=self._empty, start_time=began_ns, attributes=dict(said))
        self._end(span, ended_ns, failed=failed)

    def close(self) -> None:
        """Send what is left. Blocks: for a thread."""
        self._provider.force_flush(int(_CLOSE_SECONDS * 1000))
        self._provider.shutdown()

    def _end(self, span: Any, ended_ns: int, *, failed: bool) -> None:
        if failed:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(end_time=max(span.start_time, ended_ns))


def _ids() -> Any:
    """What the library asks for the next id. Asked and answered in one breath, on one event loop."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        next_trace_id: int | None = None
        next_span_id: int | None = None

        def generate_trace_id(self) -> int:
            return self.next_trace_id or super().generate_trace_id()

        def generate_span_id(self) -> int:
            return self.next_span_id or super().generate_span_id()

    return Ids()


def _first_id(call: uuid.UUID) -> int:
    """The id of a call's first span: whoever knows the call knows it, and two calls never share one."""
    return int.from_bytes(hashlib.sha256(call.bytes).digest()[:8], "big") or 1


def _began(call: uuid.UUID, otherwise_ns: int) -> int:
    """When a call's id was made, which is when it rang (RFC 9562: a UUIDv7 begins with its time)."""
    return (call.int >> 80) * _NS if call.version == 7 else otherwise_ns


def _whose(user: uuid.UUID, call: uuid.UUID) -> dict[str, Value]:
    return {"talktime.user_id": str(user), "talktime.call_id": str(call)}
