"""`make bench-ledger`: how fast the books are, in tpcb-like's transactions.

One run makes a server of its own, fsync and synchronous_commit on, and asks pgbench's tpcb-like and our functions in
turn, so that whatever else the machine does falls on both. A ratio is ours over the mean of the tpcb-like runs just
before and just after it; what counts is the median of the rounds. At the end the books must be right. The last line
printed is JSON.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.ledger_books import Books, measure_books
from bench.ledger_python import POOL, statements_per_second, transactions_per_second
from bench.ledger_stage import CLIENTS, TIDY, Size, Stage, stage
from bench.ledger_work import REQUESTS, WORKS, Work
from talktime.credits import verify
from talktime.db.session import connect

PYTHON_BAR = 0.45
PYTHON_TRANSACTION_BAR = 0.18
STATEMENT_SECONDS_MAX = 1.0
VERIFY_LINES_PER_SECOND_MIN = 200_000


@dataclass(frozen=True, slots=True)
class Result:
    """What the rounds said of one kind of work."""

    name: str
    bar: float
    goal: float
    speeds: Sequence[float]
    """Postings or calls a second."""
    ratios: Sequence[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when a bar is missed or the books are wrong."""
    asked = _parse(arguments)
    size = Size(users=asked.users, scale=asked.scale, rounds=asked.rounds, seconds=asked.seconds)
    began = time.monotonic()
    _say(f"Setting the stage: {size.users:,} users, {size.first_to_authorise(size.rounds + 1):,} calls …")
    with stage(size) as here:
        _say(f"… {time.monotonic() - began:.0f} s. Warming up, then {size.rounds} rounds of {size.seconds} s each run.")
        results = _rounds(here)
        here.run(*TIDY)
        verdict = asyncio.run(_verify(here))
        books = None if asked.without_books else measure_books(here, asked.statement_lines, asked.verify_lines, _say)
    document = _document(results, verdict, books)
    _say(_table(results, books))
    for violation in verdict.violations[:10]:
        _say(f"user {violation.user_id} line {violation.seq}: {violation.problem}")
    _say(f"The books are {'right' if verdict.is_clean else 'WRONG'} after {verdict.lines:,} lines.")
    print(json.dumps(document), flush=True)
    return 0 if verdict.is_clean and all(result.ratio >= result.bar for result in results) else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-ledger", description="How fast the books are.")
    parser.add_argument("--quick", action="store_true", help="One short round: a minute instead of ten.")
    parser.add_argument("--rounds", type=int, help="How often everything is measured; the median counts.")
    parser.add_argument(
        "--seconds", type=int, help="The length of each run; 0 asks only a few times, to see that all is well."
    )
    parser.add_argument("--users", type=int, default=100_000, help="Accounts of ours; a multiple of eight.")
    parser.add_argument("--scale", type=int, default=20, help="pgbench's scale for tpcb-like.")
    parser.add_argument("--statement-lines", type=int, default=1_000_000, help="Lines of the user with a statement.")
    parser.add_argument("--verify-lines", type=int, default=0, help="Verify books of so many lines, in two shapes.")
    parser.add_argument("--without-books", action="store_true", help="Neither statement nor verification.")
    asked = parser.parse_args(arguments)
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    asked.seconds = (2 if asked.quick else 5) if asked.seconds is None else asked.seconds
    asked.without_books = asked.without_books or asked.quick
    return asked


def _rounds(here: Stage) -> list[Result]:
    """Run everything in turn; the order moves on by one in each round, so that nobody is always first."""
    size = here.size
    speeds: dict[str, list[float]] = defaultdict(list)
    ratios: dict[str, list[float]] = defaultdict(list)

    def note(name: str, speed: float, ratio: float) -> None:
        speeds[name].append(speed)
        ratios[name].append(ratio)

    for work in WORKS:
        _speed(here, work, 0)
    before = here.pgbench(None, {})
    for part in range(1, size.rounds + 1):
        begin = (part - 1) % len(WORKS)
        for work in (*WORKS[begin:], *WORKS[:begin]):
            speed = _speed(here, work, part)
            # Python is compared with pgbench asking for the same, just before.
            if work.name == "post":
                python = transactions_per_second(here.url, size)
                note("python_transaction", python, python / speed)
            elif work.name == "extend":
                python = statements_per_second(here.url, size, (size.rounds + part) * REQUESTS)
                note("python", python, python / speed)
            after = here.pgbench(None, {})
            note(work.name, speed, speed / statistics.mean((before, after)))
            before = after
            speeds["tpcb"].append(after)
        _say(f"Round {part}: " + ", ".join(f"{name} {ratio[-1]:.2f}" for name, ratio in ratios.items()))
    bars = {work.name: (work.bar, work.goal) for work in WORKS}
    bars |= {"python": (PYTHON_BAR, PYTHON_BAR), "python_transaction": (PYTHON_TRANSACTION_BAR, PYTHON_TRANSACTION_BAR)}
    results = [Result(name, *bar, speeds[name], ratios[name]) for name, bar in bars.items()]
    return [Result("tpcb", 0, 0, speeds["tpcb"], [1.0]), *results]


def _speed(here: Stage, work: Work, part: int) -> float:
    variables = work.variables(here.size, part)
    return here.pgbench(work.script(here.size), variables, everyone=work.everyone) * work.postings


async def _verify(here: Stage) -> verify.Verdict:
    database = connect(here.url)
    try:
        return await verify.verify(database, full=True)
    finally:
        await database.close()


def _document(results: Sequence[Result], verdict: verify.Verdict, books: Books | None) -> Mapping[str, object]:
    document: dict[str, object] = {
        "ratios": {result.name: round(result.ratio, 3) for result in results if result.name != "tpcb"},
        "per_second": {result.name: round(statistics.median(result.speeds)) for result in results},
        "books_are_right": verdict.is_clean,
    }
    if books is not None:
        document |= books.document()
    return document


def _table(results: Sequence[Result], books: Books | None) -> str:
    lines = [
        "",
        f"{CLIENTS} clients of pgbench, prepared; Python: one process, {POOL} connections, over pgbench's.",
        f"{'':20}{'a second':>12}{'ratio':>9}{'from':>8}{'to':>8}{'bar':>8}{'goal':>8}",
    ]
    for result in results:
        row = f"{result.name:20}{statistics.median(result.speeds):12,.0f}{result.ratio:9.2f}"
        if result.name != "tpcb":
            row += f"{min(result.ratios):8.2f}{max(result.ratios):8.2f}{result.bar:8.2f}{result.goal:8.2f}"
            row += "  pass" if result.ratio >= result.bar else "  FAIL"
            row += ", goal" if result.ratio >= result.goal > result.bar else ""
        lines.append(row)
    return "\n".join([*lines, *(() if books is None else books.rows())])


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
