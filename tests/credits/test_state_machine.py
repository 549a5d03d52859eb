"""Random histories of everything that can happen to the books, against a model of the rules in plain Python.

After each step the database must be where the model is, its answer must be the model's, and every invariant must hold.
A small budget by default, a large one with TALKTIME_TEST_LONG=1.
"""

import asyncio
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import Role, User
from talktime.calls import lifecycle
from talktime.credits import batches, ledger
from talktime.credits.models import TransactionType
from talktime.credits.operators import NotAnOperator
from talktime.credits.verify import verify
from talktime.db.base import new_id
from talktime.db.session import connect
from talktime.errors import NotFound, Refused
from tests.credits import books as stage
from tests.credits.deeds import PricesAndLegs
from tests.credits.dice import ANSWERED, DEEDS, ITS_OWN, RUNNING, WHICH, WHO, Some, deed
from tests.credits.histories import FOLLOWER, OWNERS
from tests.credits.model import Bought, Denied
from tests.credits.verbs import OPERATORS, VERBS
from tests.people import WHY

LONG = bool(os.environ.get("TALKTIME_TEST_LONG"))
CALLERS = (None, "+4915112345678", "+4915187654321")


class Deeds(PricesAndLegs):
    """What happens to three customers of one operator, whose calls two voice processes carry."""

    # The life of a charge.

    @deed(2, who=WHO, which=range(-1, 4), price=("now", "now", "named", "not theirs"))
    def ring(self, who: int, which: int, price: str) -> None:
        """A call rings: a new one, or one that did before."""
        call = self.new_call(who, None) if which < 0 else self.call(who, which)
        books = self.books[who]
        named = {
            "now": None,
            "named": list(books.prices)[len(self.calls[who]) % len(books.prices)] if books.prices else None,
            # Of one who surely has some, and of nobody for themselves.
            "not theirs": next(iter(self.books[(who + 1) % FOLLOWER].prices)),
        }[price]
        self.do(who, "authorise", call=call, price=named)

    @deed(3, who=WHO, owner=OWNERS, caller=CALLERS)
    def begin(self, who: int, owner: str, caller: str | None) -> None:
        """A call rings and is answered."""
        call = self.new_call(who, caller)
        self.do(who, "authorise", call=call)
        self.do(who, "answer", call=call, owner=owner)

    @deed(2, who=WHO, which=WHICH, owner=OWNERS)
    def answer(self, who: int, which: int, owner: str) -> None:
        self.do(who, "answer", call=self.call(who, which, "AUTHORISED"), owner=owner)

    @deed(
        1,
        owner=OWNERS,
        beats=Some(range(5 + 1), range(3), range(6), range(301)),
    )
    def heartbeat(self, owner: str, beats: list[tuple[int, int, int]]) -> None:
        used = {(who, self.call(who, which, "ACTIVE", "FINAL")): seconds for who, which, seconds in beats}
        expected: set[tuple[uuid.UUID, uuid.UUID]] = set()
        for who, books in enumerate(self.books):
            theirs = {call: seconds for (of, call), seconds in used.items() if of == who}
            expected |= {(books.user, call) for call in books.heartbeat(owner, theirs)}

        async def beat() -> None:
            async with self.database.transaction(everyone=WHY) as db:
                words = {(self.books[who].user, call): seconds for (who, call), seconds in used.items()}
                assert await ledger.heartbeat(db, owner, words) == expected

        self.runner.run(beat())
        self.look(set())

    @deed(
        4,
        who=WHO,
        which=WHICH,
        its_own=ITS_OWN,
        ahead=(1, 1, 1, 3, 0, -1),
        slice_seconds=(60, 60, 1, 7, 125),
        alone=(True, False),
    )
    def extend(self, who: int, which: int, its_own: bool, *, ahead: int, slice_seconds: int, alone: bool) -> None:
        call = self.running(who, which, *ANSWERED)
        hold = self.books[who].holds.get(call)
        owner = self.owner(who, call, its_own=its_own)
        number = max(1, (hold.request_no if hold else 0) + ahead)
        self.do(who, "extend", alone=alone, call=call, owner=owner, request_no=number, slice_seconds=slice_seconds)

    @deed(3, who=WHO, which=WHICH, times=range(1, 5))
    def talk(self, who: int, which: int, times: int) -> None:
        """The call's own process asks for more, as long as somebody talks."""
        call = self.running(who, which, *ANSWERED)
        hold = self.books[who].holds.get(call)
        for _ in range(times if hold and hold.owner else 0):
            assert hold is not None and hold.owner is not None
            self.do(who, "extend", call=call, owner=hold.owner, request_no=hold.request_no + 1)

    @deed(
        2,
        who=WHO,
        which=WHICH,
        its_own=ITS_OWN,
        due=("not yet", "owner", "anyone"),
    )
    def cut(self, who: int, which: int, its_own: bool, due: str) -> None:
        call = self.call(who, which, "FINAL", "ACTIVE")
        owner, user = self.owner(who, call, its_own=its_own), self.books[who].user
        if call in self.books[who].holds:
            self.books[who].holds[call].cut_due = due
        seconds = {"not yet": 30.0, "owner": -0.3, "anyone": -5.0}[due]
        self.do(who, "cut", before=lambda db: stage.cut_comes(db, user, call, seconds), call=call, owner=owner)

    @deed(
        5,
        who=WHO,
        which=WHICH,
        seconds=(0, 1, 9, 10, 29, 30, 60, 61, 125, 600),
        reason=(None, None, None, "platform_fault"),
        alone=(True, False),
    )
    def settle(self, who: int, which: int, seconds: int, reason: str | None, alone: bool) -> None:
        self.do(
            who,
            "settle",
            alone=alone,
            call=self.running(who, which, *ANSWERED),
            seconds=seconds,
            not_charged_reason=reason,
        )

    @deed(3, who=WHO, which=WHICH, seconds=range(201))
    def finish(self, who: int, which: int, seconds: int) -> None:
        """The way calls end in real life: the call and its hold in one."""
        call, books = self.running(who, which, *RUNNING), self.books[who]
        if any(leg.parent == call for leg in books.legs.values()):
            return  # how much of it was the agent's part is the clock's to say: `tests/calls` looks at that
        hold = books.holds.get(call)
        proven = seconds if hold is None or hold.owner else 0
        expected: Any = NotFound
        if hold is not None:
            settled = books.settle(call=call, seconds=proven)
            expected = {name: settled[name] for name in ("charged", "unbilled")}
            self.day_is_known[who] |= settled["fresh"]
        got = self.runner.run(
            self._attempt(who, lambda db: lifecycle.finish(db, books.user, call, seconds=seconds, reason="hang-up"))
        )
        self._compare(got, expected, f"finish {call}")
        self.last = None
        self.look({"finish"})

    @deed(3, who=WHO, which=WHICH, ran_out=(True, False))
    def lose(self, who: int, which: int, ran_out: bool) -> None:
        call = self.running(who, which, "ACTIVE", "FINAL", "AUTHORISED")
        user = self.books[who].user
        if call in self.books[who].holds:
            self.books[who].holds[call].lease_ran_out = ran_out
        seconds = -1 if ran_out else 30
        self.do(who, "lose", before=lambda db: stage.lease_ends(db, user, call, seconds), call=call)

    @deed(2, who=WHO, which=WHICH)
    def give_up(self, who: int, which: int) -> None:
        self.do(who, "give_up", call=self.call(who, which, "RECONCILE"))

    def running(self, who: int, which: int, *states: str) -> uuid.UUID:
        """A call to do something to; when there is none that fits, mostly one is made."""
        if which == 0 and not any(hold.state in states for hold in self.books[who].holds.values()):
            self.begin(who, OWNERS[len(self.calls[who]) % 2], None)
        return self.call(who, which, *states)

    # What is put right afterwards.

    @deed(5, who=WHO, which=WHICH, seconds=(0, 5, 29, 61, 130, 1000))
    def correct(self, who: int, which: int, seconds: int) -> None:
        self.do(who, "correct", call=self.call(who, which, "SETTLED"), seconds=seconds)

    @deed(2, who=WHO, which=WHICH, reason=("platform_fault", "spam"))
    def waive(self, who: int, which: int, reason: str) -> None:
        self.do(who, "waive", call=self.call(who, which, "SETTLED"), reason=reason, actor=self.operator)

    @deed(4, who=WHO, which=WHICH, reason=("spam", "not_a_call"))
    def claim(self, who: int, which: int, reason: str) -> None:
        self.do(who, "claim", call=self.call(who, which, "SETTLED"), reason=reason)

    @deed(3, who=WHO, which=WHICH, grant=(True, False))
    def decide_claim(self, who: int, which: int, grant: bool) -> None:
        self.do(who, "decide_claim", call=self.claimed(who, which), grant=grant, actor=self.operator)

    def claimed(self, who: int, which: int) -> uuid.UUID:
        waiting = [call for call, claim in self.books[who].claims.items() if claim.state == "REQUESTED"]
        return waiting[-1] if waiting and which == 0 else self.call(who, which, "SETTLED")

    # Money.

    @deed(4, who=WHO, credits=(1000, 100, 10, 1), paid=(True, True, False))
    def buy(self, who: int, credits: int, paid: bool) -> None:
        async def insert() -> uuid.UUID:
            async with self.database.transaction(everyone=WHY) as db:
                return await stage.bought(db, self.books[who].user, credits, paid=paid)

        purchase = self.runner.run(insert())
        self.books[who].purchases[purchase] = Bought(credits, paid)
        self.shops[who].append(purchase)
        self.do(who, "purchase", purchase_id=purchase)

    @deed(1, who=WHO, which=WHICH)
    def purchase(self, who: int, which: int) -> None:
        self.do(who, "purchase", purchase_id=self.shop(who, which))

    @deed(
        5,
        who=WHO,
        which=WHICH,
        deed=("refund:{}", "refund:{}:failed", "dispute:{}:withdrawn", "dispute:{}:reinstated"),
        event=range(1, 4),
        credits=(1, 7, 100, 5000),
    )
    def reverse(self, who: int, which: int, deed: str, event: int, credits: int) -> None:
        """Taken back or given back, in parts, in any order, also what was never taken."""
        sign = -1 if deed.endswith(("failed", "reinstated")) else 1
        kind = TransactionType.REFUND if deed.startswith("refund") else TransactionType.DISPUTE
        purchase = self.shop(who, which)
        words: dict[str, Any] = {"kind": kind, "reference": deed.format(event), "credits": sign * credits}
        self.do(who, "reverse", purchase_id=purchase, **words)

    @deed(
        3,
        who=WHO,
        name=range(13),
        amount=(1, 40, 500, -1, -15, -40, -500),
        as_debt=(True, False),
    )
    def adjust(self, who: int, name: int, amount: int, as_debt: bool) -> None:
        words: dict[str, Any] = {"reference": f"r{name}", "amount": amount, "reason": "dice", "actor": self.operator}
        self.do(who, "adjust", as_debt=as_debt, **words)

    @deed(1, who=WHO, number=range(1, 3), month=range(1, 4), credits=(40, 90))
    def rent(self, who: int, number: int, month: int, credits: int) -> None:
        self.do(who, "rent", number=uuid.UUID(int=number), month=date(2026, month, 17), credits=credits)

    @deed(1, who=WHO, name=range(1, 3), closes=(True, False))
    def payout(self, who: int, name: int, closes: bool) -> None:
        if closes:
            self.do(who, "close")
            for call in list(self.books[who].holds):
                self.do(who, "settle", call=call, seconds=20)
        self.do(who, "payout", reference=f"p{name}", actor=self.operator)
        self._reopen(who)

    @deed(
        2,
        who=WHO,
        grace_limit=(None, 100, 5, 1000, 0),
        max_open_calls=(None, None, 10, 10, 2, 0),
    )
    def set_limits(self, who: int, grace_limit: int | None, max_open_calls: int | None) -> None:
        self.do(who, "set_limits", grace_limit=grace_limit, max_open_calls=max_open_calls)

    @deed(
        2,
        who=WHO,
        per_day=(None, None, None, 90, 30, 0),
        per_call=(None, None, None, 61, 30, 0),
        per_caller=(None, None, None, 60, 30, 0),
    )
    def set_guards(self, who: int, per_day: int | None, per_call: int | None, per_caller: int | None) -> None:
        self.do(who, "set_guards", per_day=per_day, per_call=per_call, per_caller=per_caller)

    @deed(1, who=WHO, threshold=(None, 0, 30, 100))
    def set_low_balance(self, who: int, threshold: int | None) -> None:
        self.do(who, "set_low_balance", threshold=threshold)

    @deed(2, who=WHO, reason=(None, None, None, "suspended", "  "))
    def block(self, who: int, reason: str | None) -> None:
        self.do(who, "block", reason=reason)

    @deed(1, who=WHO, reopens=(True, True, False))
    def close(self, who: int, reopens: bool) -> None:
        self.do(who, "close")
        if reopens:
            self._reopen(who)

    def _reopen(self, who: int) -> None:
        self.books[who].reopen()
        self._shift(self.books[who].user, "UPDATE credit_accounts SET blocked_reason = NULL WHERE user_id = :user")

    # Many at once.

    @deed(
        3,
        items=Some(range(1, 8 + 1), range(3), range(21), (1, 40, 40, -1, -40)),
        as_debt=(True, False),
    )
    def post_many(self, items: list[tuple[int, int, int]], as_debt: bool) -> None:
        asked = [batches.Adjustment(self.books[who].user, f"r{name}", amount, "dice") for who, name, amount in items]

        def singly() -> list[dict[str, Any]]:
            return [
                self.books[who].adjust(
                    reference=item.reference,
                    amount=item.amount,
                    reason="dice",
                    actor=self.operator,
                    as_debt=as_debt,
                )
                for (who, _, _), item in zip(items, asked, strict=True)
            ]

        self._batch(singly, lambda db: batches.post_many(db, asked, self.operator, as_debt=as_debt), "post_many")

    @deed(
        3,
        items=Some(range(1, 6 + 1), range(3), range(6), (0, 10, 61, 600)),
    )
    def settle_many(self, items: list[tuple[int, int, int]]) -> None:
        known = [
            (who, self.call(who, which, *RUNNING), seconds)
            for who, which, seconds in items
            # One that nobody knows refuses all: seldom wanted.
            if self.call(who, which, *RUNNING) in self.books[who].holds or (seconds, which) == (600, 5)
        ]
        asked = [(self.books[who].user, call, seconds) for who, call, seconds in known]

        def singly() -> list[dict[str, Any]]:
            settled = [self.books[who].settle(call=call, seconds=seconds) for who, call, seconds in known]
            for (who, _, _), each in zip(known, settled, strict=True):
                self.day_is_known[who] |= each["fresh"]
            return settled

        self._batch(singly, lambda db: batches.settle_many(db, asked), "settle_many")

    @deed(
        3,
        owner=OWNERS,
        items=Some(range(1, 6 + 1), range(3), range(6), (1, 1, 1, 2, 0, -1)),
        slice_seconds=(60, 7),
    )
    def extend_many(self, owner: str, items: list[tuple[int, int, int]], slice_seconds: int) -> None:
        numbers = {}
        for who, which, ahead in items:
            call = self.call(who, which, *ANSWERED)
            hold = self.books[who].holds.get(call)
            numbers[who, call] = max(1, (hold.request_no if hold else 0) + ahead)

        def singly() -> list[dict[str, Any]]:
            found = []
            for (who, call), number in numbers.items():
                key = {"user_id": self.books[who].user, "call_id": call}
                words: dict[str, Any] = {
                    "call": call,
                    "owner": owner,
                    "request_no": number,
                    "slice_seconds": slice_seconds,
                }
                try:
                    found.append({**key, **self.books[who].extend(**words)})
                    self._remember_day(who, "extend", found[-1])
                except Denied as denied:
                    reason = "no_hold" if denied.error is NotFound else "not_owner"
                    found.append({**key, "extended": False, "state": None, "held": None, "reason": reason})
            return sorted(found, key=lambda each: (each["user_id"], each["call_id"]))

        async def asked(db: AsyncSession) -> Sequence[Any]:
            wanted = [(self.books[who].user, call, number) for (who, call), number in numbers.items()]
            got = await batches.extend_many(db, owner, wanted, slice_seconds=slice_seconds)
            return sorted(got, key=lambda each: (each.user_id, each.call_id))

        self._batch(singly, asked, "extend_many")

    # Time, repeats, and other people.

    @deed(1, who=WHO)
    def a_day_goes_by(self, who: int) -> None:
        books = self.books[who]
        for hold in books.holds.values():
            hold.settled_today = False
            hold.days_old += 1
        self.day_is_known[who] = False
        self._shift(
            books.user,
            "UPDATE credit_accounts SET spent_on = spent_on - 1, spent_until = now() WHERE user_id = :user",
            "UPDATE credit_holds SET settled_at = settled_at - interval '1 day' WHERE user_id = :user",
            "UPDATE calls SET started_at = started_at - interval '1 day' WHERE user_id = :user",
        )

    @deed(1, who=WHO)
    def a_month_goes_by(self, who: int) -> None:
        for claim in self.books[who].claims.values():
            claim.this_month = False
        moved = "UPDATE charge_claims SET created_at = created_at - interval '40 days' WHERE user_id = :user"
        self._shift(self.books[who].user, moved)

    @deed(4)
    def again(self) -> None:
        """Whatever was done last is asked once more, in the same words."""
        if self.last is not None:
            self.do(self.last.who, self.last.name, **self.last.words)

    @deed(3, who=WHO)
    def by_somebody_else(self, who: int) -> None:
        """Somebody tries the same on another customer's books."""
        if self.last is None or who == self.last.who:
            return
        deed, victim = self.last, self.books[self.last.who].user
        verb = VERBS[deed.name]
        got = self.runner.run(self._attempt(who, lambda db: verb(db, victim, **deed.words), operator=False))
        assert got in {Refused, NotAnOperator}, (got, deed)
        if "call" in deed.words and deed.name not in {"authorise", *OPERATORS}:
            # In their own name, the other's call is simply not there.
            mine = self.books[who].user
            got = self.runner.run(self._attempt(who, lambda db: verb(db, mine, **deed.words), operator=False))
            unknown = {"answer": {"claimed": False}, "cut": False, "give_up": False, "lose": {"lost": False}}
            unknown["name_leg"] = False
            self._compare(got, unknown.get(deed.name, NotFound), f"{deed} by somebody else")
        self.look(set())


OFTEN = [name for name, (weight, _) in DEEDS.items() for _ in range(weight)]


class Histories(Deeds):
    """Any of them, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.thrown: Counter[bytes] = Counter()

    @rule(seed=st.binary(min_size=8, max_size=8))
    def step(self, seed: bytes) -> None:
        # The library's own choices favour small and equal ones, under which few calls live long. Each step has dice of
        # its own, so that a history that fails can still be made short by leaving steps out; the same ones fall anew.
        dice = Random(seed + bytes([self.thrown[seed]]))
        self.thrown[seed] += 1
        name = dice.choice(OFTEN)
        words = {
            word: values.throw(dice) if isinstance(values, Some) else dice.choice(values)
            for word, values in DEEDS[name][1].items()
        }
        note(f"{name} {words}")
        getattr(self, name)(**words)


@pytest.fixture
def machine(new_database_url: Callable[[], str]) -> Iterator[type[Histories]]:
    """The machine, with an event loop, a database and an operator of its own."""
    # Noon is far from midnight: no day begins while a history runs, but where it says so.
    hours = datetime.now(UTC).hour - 12
    zone = f"Etc/GMT{hours:+d}" if hours else "UTC"
    # A factory, so that the loop of the other tests stays what it is.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        url = new_database_url()
        database, eyes, operator = connect(url), stage.Eyes(url), new_id()

        async def hire() -> None:
            async with database.transaction(everyone=WHY) as db:
                db.add(User(id=operator, email="operator@example.org", name="Operator", role=Role.ADMIN))

        runner.run(hire())
        words = {"runner": runner, "database": database, "eyes": eyes, "operator": operator, "zone": zone}
        yield type("Histories", (Histories,), words)
        eyes.close()
        runner.run(database.close())


def test_random_histories_go_as_the_rules_say(machine: type[Histories]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=300 if LONG else 20,
            stateful_step_count=60 if LONG else 40,
            # The same histories every time, or new ones.
            derandomize=not LONG,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    verdict = machine.runner.run(verify(machine.database, full=True))
    assert verdict.lines > 0
    # Nobody sweeps here, and a long run ends minutes after the leases of its first histories.
    wrong = [each for each in verdict.violations if "outlives its lease" not in each.problem]
    assert wrong == []
