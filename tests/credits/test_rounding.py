"""Rounding: Python and the database agree on every price, more talk never costs less, and what credit affords never
costs more than it.
"""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from talktime.credits.pricing import GRANT_SECONDS_MAX, Rate
from talktime.db.session import Database
from tests.people import WHY

INPUTS = 100_000
BATCH = 25_000
RATE_MAX, STEP_MAX, SECONDS_MAX, BUDGET_MAX = 10**9, 3600, 10**6, 10**15

RATES = st.builds(
    Rate,
    credits_per_minute=st.integers(0, RATE_MAX) | st.integers(0, 130),
    connection_fee=st.integers(0, RATE_MAX) | st.integers(0, 100),
    initial_seconds=st.integers(1, STEP_MAX),
    increment_seconds=st.integers(1, STEP_MAX) | st.sampled_from([1, 6, 7, 59, 60, 61]),
    free_seconds=st.integers(0, STEP_MAX) | st.just(0),
)

Input = tuple[Rate, int, int]


def inputs(count: int) -> list[Input]:
    """Rates with seconds of talk and a budget: half of them anywhere, half of them where edges are."""
    dice = random.Random(100_000)

    def near(edge: int, low: int, high: int) -> int:
        return min(high, max(low, edge + dice.choice([-1, 0, 0, 1])))

    drawn = []
    for n in range(count):
        wide = n % 2 == 0
        rate = Rate(
            dice.randint(0, RATE_MAX) if wide else dice.choice([0, 1, 7, 15, 59, 60, 61, 999, RATE_MAX]),
            dice.randint(0, RATE_MAX) if wide else dice.choice([0, 0, 1, 50, RATE_MAX]),
            dice.randint(1, STEP_MAX) if wide else dice.choice([1, 6, 30, 59, 60, 61, STEP_MAX]),
            dice.randint(1, STEP_MAX) if wide else dice.choice([1, 6, 7, 59, 60, 61, STEP_MAX]),
            dice.randint(0, STEP_MAX) if dice.random() < 0.3 else dice.choice([0, 0, 1, 10]),
        )
        step = rate.initial_seconds + dice.randint(0, 200) * rate.increment_seconds
        seconds = (
            dice.randint(0, SECONDS_MAX) if wide else near(dice.choice([0, rate.free_seconds, step]), 0, SECONDS_MAX)
        )
        budget = dice.randint(-100, BUDGET_MAX) if wide else near(always(rate).cost(step), -1, BUDGET_MAX)
        drawn.append((rate, seconds, budget))
    return drawn


def always(rate: Rate) -> Rate:
    """The same price, as a grant is priced: the free seconds are known only at the end of a call."""
    return Rate(rate.credits_per_minute, rate.connection_fee, rate.initial_seconds, rate.increment_seconds)


def spelled_out(rate: Rate, seconds: int) -> int:
    """What a call costs, counted step by step as the price list says it."""
    if seconds == 0 or seconds < rate.free_seconds:
        return 0
    billable = rate.initial_seconds
    while billable < seconds:
        billable += rate.increment_seconds
    sixtieths = rate.credits_per_minute * billable
    whole, rest = divmod(sixtieths, 60)
    return rate.connection_fee + whole + (1 if rest else 0)


async def test_python_and_the_database_agree_on_a_hundred_thousand_inputs(database: Database) -> None:
    drawn = inputs(INPUTS)
    for start in range(0, INPUTS, BATCH):
        part = drawn[start : start + BATCH]
        for (rate, seconds, budget), (cost, grant) in zip(part, await asked(database, part), strict=True):
            assert cost == rate.cost(seconds), (rate, seconds)
            assert grant == rate.affords(budget), (rate, budget)


async def asked(database: Database, part: Sequence[Input]) -> list[tuple[int, int]]:
    """What the database says, in one query: what each costs, and how long a grant each budget affords."""
    query = text(
        "SELECT credit_cost(s, r, f, i, n, z), credit_affords(b, r, f, i, n)"
        " FROM unnest(CAST(:s AS bigint[]), CAST(:r AS bigint[]), CAST(:f AS bigint[]), CAST(:i AS int[]),"
        " CAST(:n AS int[]), CAST(:z AS int[]), CAST(:b AS bigint[]))"
        " WITH ORDINALITY AS x (s, r, f, i, n, z, b, place) ORDER BY place"
    )
    columns = {
        "s": [seconds for _, seconds, _ in part],
        "r": [rate.credits_per_minute for rate, _, _ in part],
        "f": [rate.connection_fee for rate, _, _ in part],
        "i": [rate.initial_seconds for rate, _, _ in part],
        "n": [rate.increment_seconds for rate, _, _ in part],
        "z": [rate.free_seconds for rate, _, _ in part],
        "b": [budget for _, _, budget in part],
    }
    async with database.transaction(everyone=WHY) as db:
        return [(cost, grant) for cost, grant in await db.execute(query, columns)]


def test_what_is_drawn_reaches_every_case() -> None:
    drawn = inputs(20_000)
    assert any(rate.affords(budget) == 0 for rate, _, budget in drawn)
    assert any(0 < rate.affords(budget) < GRANT_SECONDS_MAX for rate, _, budget in drawn)
    assert any(rate.affords(budget) == GRANT_SECONDS_MAX and rate.credits_per_minute for rate, _, budget in drawn)
    assert any(0 < seconds < rate.free_seconds for rate, seconds, _ in drawn)
    assert any(rate.cost(seconds) for rate, seconds, _ in drawn)


def test_a_cost_is_what_counting_step_by_step_comes_to() -> None:
    for rate, seconds, _ in inputs(20_000)[1::2]:
        assert rate.cost(seconds) == spelled_out(rate, seconds), (rate, seconds)


@settings(derandomize=True, database=None, max_examples=400)
@given(rate=RATES, seconds=st.integers(0, SECONDS_MAX), more=st.integers(0, 4000))
def test_more_talk_never_costs_less(rate: Rate, seconds: int, more: int) -> None:
    assert rate.cost(seconds) <= rate.cost(seconds + more)


def test_no_second_costs_less_than_the_one_before() -> None:
    for rate in (Rate(15), Rate(7, 3, 1, 1, 10), Rate(61, 0, 20, 7, 25), Rate(59, 5, 90, 61), Rate(1, 0, 1, 1)):
        costs = [rate.cost(seconds) for seconds in range(2000)]
        assert all(one <= next_one for one, next_one in pairwise(costs)), rate


@settings(derandomize=True, database=None, max_examples=600)
@given(rate=RATES, budget=st.integers(0, 10**12) | st.integers(0, 3000))
def test_what_credit_affords_never_costs_more_than_it_and_the_next_step_does(rate: Rate, budget: int) -> None:
    priced = always(rate)
    grant = priced.affords(budget)
    if grant == 0:
        assert priced.cost(1) > budget
        return
    assert priced.cost(grant) <= budget
    if grant < GRANT_SECONDS_MAX:
        assert (grant - rate.initial_seconds) % rate.increment_seconds == 0
        assert priced.cost(grant + 1) == priced.cost(grant + rate.increment_seconds) > budget
    # A call that is over before its grant is: never charged more than was held.
    assert rate.cost(grant) <= budget


@settings(derandomize=True, database=None, max_examples=200)
@given(rate=RATES, budget=st.integers(0, 10**9), more=st.integers(0, 10**6))
def test_more_credit_never_affords_less(rate: Rate, budget: int, more: int) -> None:
    assert rate.affords(budget) <= rate.affords(budget + more)


@pytest.mark.parametrize(
    ("rate", "seconds", "cost"),
    [
        (Rate(15), 0, 0),
        (Rate(15), 1, 15),
        (Rate(15), 60, 15),
        (Rate(15), 61, 30),
        (Rate(1, 0, 1, 1), 1, 1),
        (Rate(1, 0, 1, 1), 60, 1),
        (Rate(1, 0, 1, 1), 61, 2),
        (Rate(15, 3, 30, 6), 30, 11),
        (Rate(15, 3, 30, 6), 31, 12),
        (Rate(15, 3, 30, 6, 30), 29, 0),
        (Rate(15, 3, 30, 6, 30), 30, 11),
        (Rate(0), SECONDS_MAX, 0),
        (Rate(0, 7), 1, 7),
        (Rate(RATE_MAX, RATE_MAX, STEP_MAX, STEP_MAX), SECONDS_MAX, RATE_MAX + RATE_MAX * 1_000_800 // 60 + 0),
    ],
)
async def test_edges(database: Database, rate: Rate, seconds: int, cost: int) -> None:
    assert rate.cost(seconds) == cost == spelled_out(rate, seconds)
    assert (await asked(database, [(rate, seconds, 0)]))[0][0] == cost
