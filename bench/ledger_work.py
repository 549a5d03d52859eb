"""What is asked of the books, one function in each transaction, as the product does it: on a connection that carries
the tenant's role, in one statement that sets the tenant and calls the function (`Database.statement`).

What an operator posts goes over a connection that carries everyone's role, as `transaction(everyone=…)` does; so does a
batch, which is for many users. The eight clients are eight operators: adjustments name who made them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.ledger_stage import CLIENTS, OWNER, Size, set_user

BATCH = 100
TALK_SECONDS = 42


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work, and how fast it must be, in tpcb-like's transactions."""

    name: str
    bar: float
    goal: float
    script: Callable[[Size], str]
    variables: Callable[[Size, int], Mapping[str, int]]
    """What the script is told for each of its runs, which have the numbers 0, 1, …."""
    everyone: bool = False
    postings: int = 1
    """In one transaction."""


def _nothing(_size: Size, _part: int) -> Mapping[str, int]:
    return {}


_USER = "set_config('talktime.user_id', lpad(:user::text, 32, '0'), true)::uuid"
_CALL = "lpad(:call::text, 32, '0')::uuid"
_ACTOR = "lpad(:actor::text, 32, '0')::uuid"
_ADJUST = f"""\\set reference random(1, 9000000000000000000)
\\set actor 1 + :client_id
SELECT s.* FROM adjust_v1({_USER}, :reference::text, 1, 'a posting of the bench', {_ACTOR}) s;
"""
_NEXT = f"\\set n :n + 1\n\\set call :base + :n * {CLIENTS} - :client_id\n"


def _post(size: Size) -> str:
    return f"\\set user random(1, {size.users})\n{_ADJUST}"


def _hot(_size: Size) -> str:
    return f"\\set user 1\n{_ADJUST}"


def _batch(size: Size) -> str:
    # A hundred different users, from anywhere; what makes the arrays costs the same few microseconds every time.
    user = f"1 + (:start + place * 7919) % {size.users}"
    return f"""\\set start random(1, {size.users})
\\set reference random(1, 9000000000000000000)
\\set actor 1 + :client_id
SELECT count(p.seq) FROM (
    SELECT array_agg(lpad(({user})::text, 32, '0')::uuid) AS users, array_agg(:reference::text) AS names,
        array_agg(1::bigint) AS amounts, array_agg('a posting of the bench'::text) AS reasons
    FROM generate_series(1, {BATCH}) place
) i CROSS JOIN LATERAL post_many_v1(i.users, i.names, i.amounts, i.reasons, {_ACTOR}) p;
"""


def _authorise(size: Size) -> str:
    return f"{_NEXT}{set_user(size)}SELECT s.* FROM authorise_v1({_USER}, {_CALL}) s;\n"


def _settle(size: Size) -> str:
    return f"{_NEXT}{set_user(size)}SELECT s.* FROM settle_v1({_USER}, {_CALL}, {TALK_SECONDS}) s;\n"


def _extend(size: Size) -> str:
    # Each client has its own share of the running calls, so that the numbers of its requests rise.
    return f"""\\set n :n + 1
\\set call random(1, {size.users // CLIENTS}) * {CLIENTS} - :client_id
\\set request :base + :n
{set_user(size)}SELECT s.* FROM extend_v1({_USER}, {_CALL}, '{OWNER}', :request::integer) s;
"""


REQUESTS = 1_000_000
"""So many numbers of requests each run has."""

WORKS = (
    Work("post", 1.4, 2.0, _post, _nothing, everyone=True),
    Work("authorise", 1.0, 1.0, _authorise, lambda size, part: {"n": 0, "base": size.first_to_authorise(part)}),
    Work("extend", 1.0, 1.0, _extend, lambda _size, part: {"n": 0, "base": part * REQUESTS}),
    Work("settle", 1.0, 1.0, _settle, lambda size, part: {"n": 0, "base": size.first_to_settle(part)}),
    Work("batch", 10.0, 15.0, _batch, _nothing, everyone=True, postings=BATCH),
    Work("hot", 0.5, 0.5, _hot, _nothing, everyone=True),
)
