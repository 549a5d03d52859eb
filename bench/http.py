"""`make bench-http`: how fast lists, rings and the inbox are, with many customers and millions of calls.

One run makes a server of its own, fsync and synchronous_commit on, fills it, and starts `talktime serve` in processes
of its own. What asks is another process, which says how much of a core it took itself. Every event that was
acknowledged must be stored, and handled once; at the end the books must be right. The last line printed is JSON.
"""

import argparse
import asyncio
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.http_load import Job, Outcome
from bench.http_requests import Event, get, new_sid, report, reports, ring
from bench.http_stage import Person, Program, Stage, packed, stage
from talktime.credits import verify
from talktime.db.session import connect

RING_RATE = 100.0
RING_P99_BAR, INTAKE_P99_BAR, INTAKE_BAR, HANDLED_SECONDS_BAR = 100.0, 100.0, 500.0, 60.0
FLAT_BAR = 2.0
"""The farthest page's p99 over the first one's."""
INTAKE_CONNECTIONS = 16
NUMBERS_RUNG = 50
LIST_CONNECTIONS = 4
_PAGE = 50
_LISTS = ("calls", "transactions", "agents", "numbers")
_WRONG = 0.01
"""So many of the carrier's durations differ from ours so much that a charge is corrected."""
_TWICE = 0.02
"""So many events come a second time."""


@dataclass(slots=True)
class Figures:
    """What was measured."""

    users: int
    calls: int
    list_p99_ms: dict[str, float] = field(default_factory=dict)
    routes: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Each route's median and p99, in milliseconds."""
    ring_p99_ms: float = 0.0
    intake_per_s: float = 0.0
    intake_p99_ms: float = 0.0
    handled_s: float = 0.0
    """From the last acknowledgement until all were handled."""
    lost: int = 0
    notes: list[str] = field(default_factory=list)
    books_are_right: bool = False

    def document(self) -> Mapping[str, object]:
        return {
            "list_p99_ms": {page: round(figure, 1) for page, figure in self.list_p99_ms.items()},
            "ring_p99_ms": round(self.ring_p99_ms, 1),
            "intake_per_s": round(self.intake_per_s),
            "intake_p99_ms": round(self.intake_p99_ms, 1),
            "handled_s": round(self.handled_s, 1),
            "lost": self.lost,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when a bar is missed, something is lost or the books are wrong."""
    asked = _parse(arguments)
    figures = Figures(asked.users, asked.calls)
    _say(f"Filling: {asked.users:,} users, {asked.calls:,} calls …")
    with (
        tempfile.TemporaryDirectory(prefix="bench-http-") as folder,
        stage(asked.users, asked.calls, Path(folder), _say) as here,
    ):
        _say(f"… {here.fill_seconds:.0f} s.")
        with here.serving("web") as web:
            _lists(here, web, figures, asked)
        dialled = _busiest(here)
        with here.serving("voice") as voice:
            rung = _rings(here, voice, figures, asked, dialled)
            _intake(here, voice, figures, asked, rung)
        figures.books_are_right = asyncio.run(_are_right(here))
    _say(_table(figures))
    print(json.dumps(figures.document()), flush=True)
    return 0 if passes(figures) else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-http", description="How fast the doors are.")
    parser.add_argument(
        "--quick", action="store_true", help="A small one: two minutes instead of a quarter of an hour."
    )
    parser.add_argument("--users", type=int, help="Customers.")
    parser.add_argument("--calls", type=int, help="Calls they have between them; a fifth is one customer's.")
    parser.add_argument("--pages", type=int, help="The farthest page of that customer's list that is asked for.")
    parser.add_argument("--reads", type=int, help="How often each list is asked for.")
    parser.add_argument("--rings", type=int, help=f"How many calls ring, {RING_RATE:.0f} a second.")
    parser.add_argument("--events", type=int, help="How many events are told, about.")
    asked = parser.parse_args(arguments)
    sizes = {"users": 10_000, "calls": 5_000_000, "pages": 10_000, "reads": 400, "rings": 3_000, "events": 30_000}
    quick = {"users": 500, "calls": 200_000, "pages": 500, "reads": 200, "rings": 1_000, "events": 6_000}
    for name, size in (quick if asked.quick else sizes).items():
        if getattr(asked, name) is None:
            setattr(asked, name, size)
    return asked


# Lists.


def _lists(here: Stage, web: Program, figures: Figures, asked: argparse.Namespace) -> None:
    """First pages of many customers, single things, and the pages of the one with most calls, up to the farthest."""
    watch = _Watch(here, figures, "reading", web)
    for name in _LISTS:
        first = [get(web.port, f"/v1/{name}?limit={_PAGE}", person.key) for person in here.people]
        answers = watch.load(_closed(web.port, (first * asked.reads)[: asked.reads], wants_bodies=True))
        if answers.statuses.count(404) == len(answers.statuses):
            figures.notes.append(f"/v1/{name} is not there")
            continue
        _note_route(figures, f"/v1/{name}", answers)
        single = [
            get(web.port, f"/v1/{name}/{row['id']}", person.key)
            for person, body in zip(here.people * asked.reads, answers.bodies, strict=False)
            for row in json.loads(body)["data"][:3]
            if "id" in row
        ]
        if single:
            answers = watch.load(_closed(web.port, (single * asked.reads)[: asked.reads]))
            if answers.statuses.count(404) < len(answers.statuses):
                _note_route(figures, f"/v1/{name}/…", answers)
    if "/v1/calls" in figures.routes:
        for page, requests in _pages(web, here.people[0], asked.pages).items():
            answers = watch.load(_closed(web.port, (requests * asked.reads)[: asked.reads]))
            _all_are(answers, 200, f"page {page}")
            figures.list_p99_ms[str(page)] = _percentile(answers.milliseconds, 0.99)
    watch.note()


def _pages(web: Program, person: Person, farthest: int) -> Mapping[int, Sequence[bytes]]:
    """Walk through somebody's calls, a hundred at a time; gives how the first page and some far ones are asked for."""
    first = get(web.port, f"/v1/calls?limit={_PAGE}", person.key)
    marks = sorted({page for page in (100, 1000, farthest) if page <= min(farthest, person.calls // _PAGE)})
    found: dict[int, list[bytes]] = {1: [first], **{mark: [] for mark in marks}}
    with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", trust_env=False, timeout=30) as client:
        # One half step first, so that each cursor leads to a page of an even number.
        page, limit, cursor = 1, _PAGE, ""
        while page < max(marks, default=0):
            path = f"/v1/calls?limit={limit}{cursor}"
            body = client.get(path, headers={"authorization": f"Bearer {person.key}"}).raise_for_status().json()
            page, limit, cursor = page + limit // _PAGE, 2 * _PAGE, f"&cursor={body['next_cursor']}"
            for mark in marks:
                if mark - 20 < page <= mark:
                    found[mark].append(get(web.port, f"/v1/calls?limit={_PAGE}{cursor}", person.key))
    return found


def _note_route(figures: Figures, name: str, answers: Outcome) -> None:
    _all_are(answers, 200, name)
    figures.routes[name] = statistics.median(answers.milliseconds), _percentile(answers.milliseconds, 0.99)


# Rings.


def _busiest(here: Stage) -> Sequence[str]:
    """The numbers that are rung. All other agents take a holiday: the offline voice speaks each agent's greeting in the
    process itself, and is not what is measured."""
    here.query(
        "WITH busy AS (SELECT agent_id FROM calls TABLESAMPLE SYSTEM (5) GROUP BY 1 ORDER BY count(*) DESC LIMIT %s)"
        " UPDATE agents SET active = id IN (SELECT agent_id FROM busy) RETURNING 1",
        NUMBERS_RUNG,
    )
    return [
        str(number)
        for (number,) in here.query(
            "SELECT n.number FROM phone_numbers n JOIN agents a ON a.id = n.agent_id AND a.active"
        )
    ]


def _rings(
    here: Stage, voice: Program, figures: Figures, asked: argparse.Namespace, dialled: Sequence[str]
) -> Sequence[tuple[str, str]]:
    """Calls of many callers ring at a fixed rate; gives which rang where."""
    rung = [(new_sid(), random.choice(dialled)) for _ in range(asked.rings)]
    requests = [ring(voice.port, sid, number) for sid, number in rung]
    # Who was just started knows nobody yet, and makes its agents ready for a while.
    here.load(_closed(voice.port, [ring(voice.port, new_sid(), number) for number in dialled]))
    _wait_until_idle(voice)
    watch = _Watch(here, figures, "rings", voice)
    answers = watch.load(Job(voice.port, packed(requests), "open", 32, RING_RATE, wants_bodies=True))
    watch.note()
    _all_are(answers, 200, "a ring")
    talked = sum("<Connect>" in body for body in answers.bodies)
    figures.notes.append(f"{talked:,} of {len(rung):,} rings were connected to an agent")
    figures.ring_p99_ms = _percentile(answers.milliseconds, 0.99)
    figures.routes["a ring"] = statistics.median(answers.milliseconds), figures.ring_p99_ms
    return rung


# The inbox.


def _intake(
    here: Stage, voice: Program, figures: Figures, asked: argparse.Namespace, rung: Sequence[tuple[str, str]]
) -> None:
    """Carriers tell of calls, from sixteen connections, as fast as they are answered; a worker handles it meanwhile."""
    events, corrected = _told(here, voice, asked, rung)
    several = [*events, *random.sample(events, int(len(events) * _TWICE))]
    with here.serving("worker") as worker:
        watch = _Watch(here, figures, "intake", voice, worker)
        requests = packed([event.request for event in several])
        answers = watch.load(Job(voice.port, requests, "closed", INTAKE_CONNECTIONS))
        watch.note()
        ended = time.monotonic()
        acknowledged = {event.id for event, status in zip(several, answers.statuses, strict=True) if status == 204}
        unanswered = len(several) - answers.statuses.count(204)
        while here.query(_WAITING) and time.monotonic() - ended < HANDLED_SECONDS_BAR:
            time.sleep(0.25)
        figures.handled_s = time.monotonic() - ended
    figures.intake_per_s = answers.statuses.count(204) / answers.seconds
    figures.intake_p99_ms = _percentile(answers.milliseconds, 0.99)
    figures.routes["an event"] = statistics.median(answers.milliseconds), figures.intake_p99_ms
    handled = Counter(
        str(event)
        for (event,) in here.query(
            "SELECT event_id FROM provider_events WHERE handled_at IS NOT NULL AND error IS NULL"
        )
    )
    # What was acknowledged and is not there, not handled, or handled in vain.
    figures.lost = sum(handled[event] != 1 for event in acknowledged) + unanswered
    _look_at_corrections(here, figures, corrected)
    verdicts = here.query("SELECT verdict, count(*) FROM provider_events GROUP BY 1 ORDER BY 2 DESC")
    figures.notes.append("verdicts: " + ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts))


def _told(
    here: Stage, voice: Program, asked: argparse.Namespace, rung: Sequence[tuple[str, str]]
) -> tuple[list[Event], int]:
    """The events: of calls that just rang and whose callers gave up, of calls of the past, and of some that nobody
    knows. Gives how many of them correct a charge, too."""
    past = here.query(
        "SELECT carrier_call_id, dialled, seconds FROM calls TABLESAMPLE SYSTEM (10)"
        " WHERE status = 'COMPLETED' AND seconds > 0 LIMIT %s",
        max(0, asked.events - len(rung)) // 3,
    )
    calls = [(str(sid), str(dialled), int(str(seconds))) for sid, dialled, seconds in past]
    events, corrected = reports(voice.port, calls, _WRONG)
    events += [report(voice.port, sid, number, status="no-answer", sequence=2, seconds=0) for sid, number in rung]
    unknown = [new_sid() for _ in range(len(events) // 100)]
    events += [report(voice.port, sid, "+15550000000", status="completed", sequence=3, seconds=5) for sid in unknown]
    random.shuffle(events)
    return events, corrected


_WAITING = "SELECT FROM provider_events WHERE handled_at IS NULL LIMIT 1"


def _look_at_corrections(here: Stage, figures: Figures, corrected: int) -> None:
    """A charge is corrected once, however often its report came."""
    ((lines,),) = here.query("SELECT count(*) FROM credit_transactions WHERE starts_with(reference, 'correction:')")
    ((ringing,),) = here.query("SELECT count(*) FROM calls WHERE status = 'RINGING'")
    figures.notes.append(f"{lines} corrections in the books, {corrected} expected; {ringing} calls still ring")
    figures.lost += abs(int(str(lines)) - corrected)


# Figures.


class _Watch:
    """What programs, generator and machine did meanwhile."""

    def __init__(self, here: Stage, figures: Figures, what: str, *programs: Program) -> None:
        self._here, self._figures, self._what, self._programs = here, figures, what, programs
        self._began = time.monotonic()
        self._spent = [program.cpu_seconds() for program in programs]
        self._busy = _busy_seconds()
        self._generator: list[Outcome] = []

    def load(self, job: Job) -> Outcome:
        outcome = self._here.load(job)
        self._generator.append(outcome)
        return outcome

    def note(self) -> None:
        """Say it below the table."""
        seconds = time.monotonic() - self._began
        requests = sum(len(each.statuses) for each in self._generator)
        shares = []
        for program, before in zip(self._programs, self._spent, strict=True):
            spent = program.cpu_seconds() - before
            each = spent / requests * 1000
            shares.append(f"{program.part} {spent / seconds:.0%} of a core, {each:.1f} ms a request")
        generator = sum(each.cpu_percent * each.seconds for each in self._generator)
        asking = sum(each.seconds for each in self._generator)
        shares.append(f"generator {generator / asking:.0f}% while it asked")
        shares.append(f"machine {(_busy_seconds() - self._busy) / seconds:.0%} of {os.cpu_count()} cores")
        late = max(each.late_milliseconds for each in self._generator)
        load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
        self._figures.notes.append(f"{self._what}: {', '.join(shares)}; load {load}; asked at most {late:.0f} ms late")


def _wait_until_idle(program: Program, seconds_max: float = 300.0) -> None:
    """Until it has used less than a twentieth of a core for two seconds."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        before = program.cpu_seconds()
        time.sleep(2)
        if program.cpu_seconds() - before < 0.1:
            return


def _closed(port: int, requests: Sequence[bytes], *, wants_bodies: bool = False) -> Job:
    return Job(port, packed(requests), "closed", LIST_CONNECTIONS, wants_bodies=wants_bodies)


def _all_are(answers: Outcome, status: int, what: str) -> None:
    others = Counter(each for each in answers.statuses if each != status)
    if others:
        raise SystemExit(f"{what} was answered with {dict(others)} {next(iter(answers.bodies), '')[:500]}")


def _percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]


def _busy_seconds() -> float:
    """Of all cores together, whoever used them."""
    spent = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]]
    return (sum(spent) - spent[3] - spent[4]) / os.sysconf("SC_CLK_TCK")


async def _are_right(here: Stage) -> bool:
    database = connect(here.url)
    try:
        verdict = await verify.verify(database)
        for violation in verdict.violations[:10]:
            _say(f"user {violation.user_id} line {violation.seq}: {violation.problem}")
        return verdict.is_clean
    finally:
        await database.close()


def _bars(figures: Figures) -> Sequence[tuple[str, float, float, bool]]:
    """What is asked for: a name, the figure, the bar, whether the figure passes."""
    bars = [
        ("ring p99, ms", figures.ring_p99_ms, RING_P99_BAR, figures.ring_p99_ms <= RING_P99_BAR),
        ("intake, a second", figures.intake_per_s, INTAKE_BAR, figures.intake_per_s >= INTAKE_BAR),
        ("intake p99, ms", figures.intake_p99_ms, INTAKE_P99_BAR, figures.intake_p99_ms <= INTAKE_P99_BAR),
        ("all handled, s", figures.handled_s, HANDLED_SECONDS_BAR, figures.handled_s <= HANDLED_SECONDS_BAR),
        ("lost", figures.lost, 0, figures.lost == 0),
    ]
    if figures.list_p99_ms:
        first, far = (list(figures.list_p99_ms.values())[place] for place in (0, -1))
        bars.append(("far page over first", far / first, FLAT_BAR, far / first <= FLAT_BAR))
    return bars


def passes(figures: Figures) -> bool:
    return figures.books_are_right and all(passes for *_, passes in _bars(figures))


def _table(figures: Figures) -> str:
    lines = [
        "",
        f"{figures.users:,} users, {figures.calls:,} calls",
        "",
        f"{'milliseconds':32}{'median':>10}{'p99':>10}",
    ]
    lines += [f"{name:32}{median:10.1f}{p99:10.1f}" for name, (median, p99) in figures.routes.items()]
    lines += [f"{f'/v1/calls, page {page}':32}{'':10}{p99:10.1f}" for page, p99 in figures.list_p99_ms.items()]
    lines += ["", f"{'':32}{'figure':>10}{'bar':>10}"]
    for name, figure, bar, passes in _bars(figures):
        lines.append(f"{name:32}{figure:10.1f}{bar:10.1f}  {'pass' if passes else 'FAIL'}")
    lines += ["", *figures.notes, f"The books are {'right' if figures.books_are_right else 'WRONG'}."]
    return "\n".join(lines)


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
