"""A whole call, as whoever watches us sees it: figures, a trace, and logs in which nobody stands.

The call is real, with its media socket; it runs in a process of its own, because logs are set up once for each.
"""

import asyncio
import json
import os
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from talktime.app import create_app
from talktime.http.context import Context
from talktime.http.tracing import Traces
from talktime.settings import Settings
from tests.alerts.test_metrics import values
from tests.house import TALK, free_ports, open_house
from tests.people import new_person

CALLER = "+493012345678"
WORDS = "my secret words about the dripping tap"
_PROGRAM = """
import asyncio, json, logging, sys
from pathlib import Path
from talktime import log
log.configure("DEBUG", pretty=False)
from tests.house import TALK, Scripted, open_house
from tests.people import new_person

async def main():
    url, home, endpoint, words, caller = sys.argv[1:]
    ears = Scripted([words])
    async with open_house(url, Path(home), ears=ears, otlp_endpoint=endpoint or None) as house:
        alice = await new_person(house.database, "Alice", credits=1000)
        events = await house.call(alice, *TALK, caller=caller)
        record = await house.record(alice, events)
        refused = await new_person(house.database, "Bob", credits=0)
        await house.call(refused, *TALK, caller=caller)
        said = {
            "call": str(record.call.id), "user": str(alice.id), "number": alice.number, "turns": len(record.turns),
            "heard": " ".join(turn.text for turn in record.turns), "seconds": record.call.seconds,
            "secret": house.settings.secret.decode(), "email": f"alice.{alice.id.hex}@example.org",
        }
    print(json.dumps(said))

asyncio.run(main())
"""


@dataclass
class Receiver:
    """What takes traces: an OTLP server of our own."""

    endpoint: str = ""
    requests: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for body in self.requests
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Receive traces for as long as the block."""
    made = Receiver()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import gzip

        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                said = head.decode().lower()
                length = int(re.findall(r"content-length: (\d+)", said)[0])
                body = await reader.readexactly(length)
                made.requests.append(gzip.decompress(body) if "content-encoding: gzip" in said else body)
                assert said.startswith("post /v1/traces ")
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    made.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


@dataclass(frozen=True)
class Watched:
    """What a whole call left behind."""

    said: dict[str, Any]
    log: str
    spans: list[Any]


@pytest.fixture(scope="module")
async def watched(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A call to Alice and one that nobody took, seen from everywhere."""
    async with receiver() as taken:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROGRAM,
            new_database_url(), str(tmp_path_factory.mktemp("home")), taken.endpoint, WORDS, CALLER,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parent.parent.parent,
            env={name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ},
        )  # fmt: skip
        # Seconds on a machine that has nothing else to do.
        async with asyncio.timeout(300):
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return Watched(json.loads(out), err.decode(), taken.spans)


def test_a_whole_call_leaves_nobody_in_its_log(watched: Watched) -> None:
    said = watched.said
    assert WORDS in said["heard"]
    assert "call finished" in watched.log
    forbidden = {CALLER, CALLER[1:], CALLER.removeprefix("+49"), said["number"], said["number"][2:], said["secret"]}
    forbidden |= {said["email"], "secret words", "dripping", "You said", "example.org"}
    for word in forbidden:
        assert word not in watched.log, word
    # Nor a token, a signature or a password: anything as long and as random as those are.
    ids = re.sub(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(AC|CA|MZ)?[0-9a-f]{32}", "", watched.log
    )
    assert re.findall(r"[A-Za-z0-9+/_-]{40,}", ids.replace(str(Path(__file__).parent.parent.parent), "")) == []


def test_every_line_is_a_document_and_those_of_a_call_say_whose_it_is(watched: Watched) -> None:
    lines = [json.loads(line) for line in watched.log.splitlines()]
    [finished] = [line for line in lines if line["event"] == "call finished"]
    assert (finished["call_id"], finished["user_id"]) == (watched.said["call"], watched.said["user"])
    assert all(line["level"] and line["timestamp"] for line in lines)


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def test_a_call_is_one_trace_from_its_ring_to_its_end(watched: Watched) -> None:
    call = watched.said["call"]
    mine = [span for span in watched.spans if attributes(span)["talktime.call_id"] == call]
    names = [span.name for span in mine]
    assert sorted(set(names)) == ["answer", "call", "finish", "ring", "turn"]
    assert names.count("turn") == watched.said["turns"]
    assert {span.trace_id.hex() for span in mine} == {call.replace("-", "")}
    [first] = [span for span in mine if span.name == "call"]
    assert first.parent_span_id == b""
    assert {span.parent_span_id for span in mine if span is not first} == {first.span_id}
    assert len({span.span_id for span in mine}) == len(mine)
    for span in mine:
        assert first.start_time_unix_nano - 10**9 <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= first.end_time_unix_nano + 10**9
    assert attributes(first)["talktime.seconds"] == watched.said["seconds"]
    answers = [attributes(span) for span in mine if "talktime.first_audio_ms" in attributes(span)]
    assert answers
    assert all(said["talktime.speaker"] == "AGENT" for said in answers)


def test_a_call_that_nobody_took_is_a_trace_of_a_ring(watched: Watched) -> None:
    others = [span for span in watched.spans if attributes(span)["talktime.call_id"] != watched.said["call"]]
    assert sorted(span.name for span in others) == ["call", "ring"]
    assert {attributes(span)["talktime.decision"] for span in others} == {"no_credit"}


def test_a_trace_holds_nobodys_words_and_no_number(watched: Watched) -> None:
    text = " ".join(str(span) for span in watched.spans)
    for word in (CALLER[1:], watched.said["number"][1:], "secret words", "dripping", "Alice", "Bob", "example.org"):
        assert word not in text


async def test_without_an_address_nothing_is_sent_and_nothing_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from talktime import app; from talktime.http.tracing import Traces;"
        "assert not Traces.to(None, 'x').is_on;"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    out, _ = await process.communicate()
    assert out.decode().strip() == "[]"


async def test_an_address_where_nobody_is_costs_a_call_nothing() -> None:
    [port] = free_ports(1)
    traces = Traces.to(f"http://127.0.0.1:{port}", "x")
    began = time.thread_time()
    for _ in range(1000):
        traces.rang(uuid.uuid4(), uuid.uuid4(), "talk", began_ns=1, talks=False)
    # Of our own time: nobody waits for whoever does not answer.
    assert time.thread_time() - began < 1
    async with asyncio.timeout(60):
        await traces.close()


async def test_figures_of_a_whole_call(new_database_url: Callable[[], str], tmp_path: Path) -> None:
    async with open_house(new_database_url(), tmp_path) as house:
        house.ears.words.append("hello")
        alice = await new_person(house.database, "Alice", credits=1000)
        bob = await new_person(house.database, "Bob", credits=0)
        await house.record(alice, await house.call(alice, *TALK))
        await house.call(bob, *TALK)
        async with httpx.AsyncClient(base_url=house.settings.base_url, trust_env=False) as client:
            first = (await client.get("/metrics")).text
            second = (await client.get("/metrics")).text
        process = house.context.counters.process
    found = values(first)
    assert found[f"talktime_rings_total[talk][{process}]"] == 1
    assert found[f"talktime_rings_total[no_credit][{process}]"] == 1
    assert found[f"talktime_rings_total[debt][{process}]"] == 0
    assert found[f"talktime_ring_duration_seconds_count[{process}]"] == 2
    assert 0 < found[f"talktime_ring_duration_seconds_sum[{process}]"] < 10
    assert found[f"talktime_turn_latency_seconds_count[{process}][first_audio]"] >= 1
    assert found[f"talktime_calls_live[{process}]"] == 0
    assert found["talktime_calls_open[in_progress]"] == found["talktime_calls_open[ringing]"] == 0
    assert found["talktime_credits_held"] == 0
    assert found["talktime_credits_balance"] + found["talktime_credits_spent_today"] == 1000
    assert found["talktime_inbox_events[given_up]"] == 0
    assert found["talktime_jobs[failed]"] == 0
    assert (
        found[f"talktime_database_connections_max[transactions][{process}]"] == house.settings.database_connections_max
    )
    assert found[f"process_resident_memory_bytes[{process}]"] > 10**7
    # Who called whom, and what was said, is in no figure; and asking twice makes no series more.
    for word in (alice.number, bob.number, str(alice.id), "hello", "Alice"):
        assert word not in first
    assert found.keys() == values(second).keys()


async def test_every_figure_has_a_unit_a_meaning_and_few_labels(
    new_database_url: Callable[[], str], tmp_path: Path
) -> None:
    url = new_database_url()
    app = create_app(Settings(home=tmp_path), url, parts=("web",), demo=True)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            text = (await client.get("/metrics")).text
    allowed = {
        "kind",
        "status",
        "state",
        "decision",
        "stage",
        "outcome",
        "pool",
        "round",
        "process",
        "le",
        "generation",
    }
    for family in text_string_to_metric_families(text):
        assert family.name.startswith(("talktime_", "process_", "python_")), family.name
        assert family.documentation, family.name
        for sample in family.samples:
            assert set(sample.labels) <= allowed, sample
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)


def test_a_context_that_nobody_told_counts_and_sends_nothing() -> None:
    fields = {name: each for name, each in Context.__dataclass_fields__.items() if name in ("counters", "traces")}
    assert set(fields) == {"counters", "traces"}
    assert not Traces().is_on
