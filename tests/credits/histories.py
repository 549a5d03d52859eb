"""How a random history is played: in the database, in the model, and then the two are held against each other.

The rule: after every step the answers are the same, the database is where the model is, and what must hold does.
"""

import asyncio
import copy
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts.models import User
from talktime.credits.functions import NotEnoughCredit
from talktime.credits.models import Price, PriceKind
from talktime.credits.pricing import Rate
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import Conflict, NotFound, Refused, TalktimeError
from tests.credits import books as stage
from tests.credits.model import CLOSED, MAY_OWE, Books, Denied
from tests.credits.verbs import OPERATORS, VERBS, set_price
from tests.people import WHY

RATES = (Rate(15), Rate(7, 3, 1, 1, 0), Rate(61, 0, 20, 7, 10), Rate(100, 50, 90, 30, 0), Rate(0), Rate(0, 5, 6, 6, 0))
OWNERS = ("voice-1", "voice-2")
FOLLOWER = 2
"""This customer had no price of their own when a history began."""


@dataclass(frozen=True)
class Deed:
    """One verb on one customer, with its words."""

    who: int
    name: str
    words: dict[str, Any]


class Stage(RuleBasedStateMachine):
    """Three customers of one operator, and two voice processes."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    eyes: ClassVar[stage.Eyes]
    operator: ClassVar[uuid.UUID]
    zone: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.books: list[Books] = []
        self.calls: list[list[uuid.UUID]] = []
        self.shops: list[list[uuid.UUID]] = []
        self.day_is_known: list[bool] = []
        self.last: Deed | None = None
        self.debts: list[int] = []
        self.unrung: set[uuid.UUID] = set()
        """Calls that the model has and the database does not yet."""

    # The stage.

    @initialize(
        credits=st.lists(st.sampled_from([15, 45, 200, 5000, 0]), min_size=3, max_size=3),
        rates=st.lists(st.sampled_from(range(len(RATES))), min_size=4, max_size=4),
        graces=st.lists(st.sampled_from([0, 0, 5, 100]), min_size=3, max_size=3),
        caps=st.lists(st.sampled_from([10, 10, 2]), min_size=3, max_size=3),
    )
    def people(self, credits: list[int], rates: list[int], graces: list[int], caps: list[int]) -> None:
        self.runner.run(self._people(rates))
        self.last = None
        for who in range(3):
            self.do(who, "set_limits", grace_limit=graces[who], max_open_calls=caps[who])
            if credits[who]:
                words: dict[str, Any] = {"reference": "start", "amount": credits[who], "reason": "to begin with"}
                self.do(who, "adjust", actor=self.operator, **words)

    async def _people(self, rates: list[int]) -> None:
        async with self.database.transaction(everyone=WHY) as db:
            everybodys = {str(kind): RATES[rates[n]] for n, kind in ((2, PriceKind.CALL), (3, PriceKind.TRANSFER))}
            for kind, rate in everybodys.items():
                await set_price(db, None, kind=PriceKind(kind), rate=rate, actor=self.operator)
            for who in range(3):
                user = new_id()
                db.add(User(id=user, email=f"{who}.{user.hex}@example.org", name=f"P{who}", zone=self.zone))
                await db.flush()
                prices: dict[uuid.UUID, Rate] = {}
                for n, rate in enumerate(RATES if who != FOLLOWER else ()):
                    # Of a user's own prices the newest holds; the others can be named.
                    begins = datetime.now(UTC) - timedelta(hours=1 if n == rates[who] else 2)
                    price = Price(user_id=user, valid_from=begins, **asdict(rate))
                    db.add(price)
                    await db.flush()
                    prices[price.id] = rate
                own: dict[str, Rate | None] = {PriceKind.CALL: RATES[rates[who]]} if prices else {}
                self.books.append(Books(user, prices, own, everybodys))
                self.calls.append([])
                self.shops.append([])
                self.new_call(who, None)
                self.day_is_known.append(False)
                self.debts.append(0)

    # How a step is done and looked at.

    def do(
        self,
        who: int,
        name: str,
        *,
        alone: bool = False,
        before: Callable[[AsyncSession], Awaitable[None]] | None = None,
        **words: Any,
    ) -> Any:
        """Do it in the database and in the model, and compare the answers. `alone`: as one statement of its own. Gives
        the database's."""
        books = self.books[who]
        try:
            expected = getattr(books, name)(**words)
            self._remember_day(who, name, expected)
        except Denied as denied:
            expected = denied.error

        async def act(db: AsyncSession) -> Any:
            if name == "authorise" and words["call"] in self.unrung:
                await stage.rings(db, books.user, words["call"], books.callers[words["call"]])
                self.unrung.discard(words["call"])
            if before is not None:
                await before(db)
            return await VERBS[name](db, books.user, **words)

        if alone:
            got = self.runner.run(self._alone(name, books.user, words))
        else:
            got = self.runner.run(self._attempt(who, act, operator=name in OPERATORS))
        self._compare(got, expected, f"{name} {words}")
        self.last = Deed(who, name, words)
        self.look({name})
        return got

    def _remember_day(self, who: int, name: str, answer: Any) -> None:
        """Verbs that spend bring the day's sum up to date."""
        self.day_is_known[who] |= (
            (name in {"authorise", "begin_leg"} and answer["fresh"] and answer["allowed"])
            or (name in {"settle", "end_leg"} and answer["fresh"])
            or (name == "extend" and answer["reason"] not in {"over", "repeated", "stale", "cut"})
        )

    def _batch(
        self,
        singly: Callable[[], list[dict[str, Any]]],
        verb: Callable[[AsyncSession], Awaitable[Sequence[Any]]],
        name: str,
    ) -> None:
        before = copy.deepcopy((self.books, self.day_is_known))
        try:
            expected: Any = singly()
        except Denied:
            self.books, self.day_is_known = before
            expected = None
        got = self.runner.run(self._attempt(0, verb, operator=True))
        if expected is None:
            assert got in {Conflict, NotEnoughCredit, NotFound}, (name, got)
        else:
            assert isinstance(got, list), (name, got)
            for each, wanted in zip(got, expected, strict=True):
                self._compare(each, wanted, name)
        self.last = None
        self.look({name})

    async def _attempt(
        self, who: int, verb: Callable[[AsyncSession], Awaitable[Any]], *, operator: bool | None = None
    ) -> Any:
        """The answer, or the error's type."""
        user, everyone = (None, WHY) if operator else (self.books[who].user, None)
        try:
            async with self.database.transaction(user=user, everyone=everyone) as db:
                answer = await verb(db)
                await stage.calls_follow(db, [books.user for books in self.books])
                return answer
        except TalktimeError as error:
            return type(error)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == "42501":
                return Refused
            raise

    async def _alone(self, name: str, user: uuid.UUID, words: dict[str, Any]) -> Any:
        try:
            answer = await VERBS[name](self.database, user, **words)
        except TalktimeError as error:
            return type(error)
        async with self.database.transaction(everyone=WHY) as db:
            await stage.calls_follow(db, [user])
        return answer

    def _compare(self, got: Any, expected: Any, what: str) -> None:
        if isinstance(expected, dict) and not isinstance(got, type):
            got = {name: getattr(got, name) for name in expected}
        elif isinstance(expected, set):
            got = set(got)
        assert got == expected, f"{what}: {got}, and not {expected}"

    def _shift(self, user: uuid.UUID, *statements: str) -> None:
        async def shift() -> None:
            async with self.database.transaction(everyone=WHY) as db, stage.as_owner(db):
                for statement in statements:
                    await db.execute(text(statement), {"user": user})

        self.runner.run(shift())
        self.last = None
        self.look(set())

    def call(self, who: int, which: int, *wanted: str) -> uuid.UUID:
        """One of a customer's calls: those whose hold is in a wanted state first, and of these the newest."""
        holds = self.books[who].holds
        newest_first = list(reversed(self.calls[who]))
        fitting = [call for call in newest_first if call in holds and holds[call].state in wanted]
        ordered = fitting + [call for call in newest_first if call not in fitting]
        return ordered[which % len(ordered)]

    def owner(self, who: int, call: uuid.UUID, *, its_own: bool) -> str:
        hold = self.books[who].holds.get(call)
        is_first = (hold is not None and hold.owner == OWNERS[0]) == its_own
        return OWNERS[0] if is_first else OWNERS[1]

    def new_call(self, who: int, caller: str | None) -> uuid.UUID:
        call = new_id()
        self.calls[who].append(call)
        self.unrung.add(call)
        self.books[who].callers[call] = caller
        return call

    def shop(self, who: int, which: int) -> uuid.UUID:
        shop = self.shops[who]
        return shop[-1 - which % len(shop)] if shop else uuid.UUID(int=5)

    def look(self, deeds: set[str]) -> None:
        """The database is where the model is, and what must hold does."""
        state = self.eyes.state(*(books.user for books in self.books))
        today = datetime.now(ZoneInfo(self.zone)).date()
        for who, books in enumerate(self.books):
            assert_same(books, state)
            if self.day_is_known[who]:
                account = state.accounts[books.user]
                assert (account["spent_on"], account["spent_today"]) == (today, books.spent_today)
            assert books.debt <= self.debts[who] or deeds & MAY_OWE, f"{deeds} made debt grow"
            self.debts[who] = books.debt


def assert_same(books: Books, state: stage.State) -> None:
    """One customer's books: what the model says, and what the database says."""
    user = books.user
    account = state.accounts.get(user, _NO_ACCOUNT)
    assert {name: account[name] for name in _ACCOUNT} == {
        **{name: getattr(books, name) for name in _ACCOUNT if name != "clawback_debt"},
        "clawback_debt": books.debt,
    }
    holds = {call: row for (of, call), row in state.holds.items() if of == user}
    assert holds.keys() == books.holds.keys()
    for call, hold in books.holds.items():
        row = holds[call]
        assert {name: row[_COLUMNS.get(name, name)] for name in _HOLD} == {name: getattr(hold, name) for name in _HOLD}
        assert Rate(*(row[name] for name in _RATE)) == hold.rate
        flags = (row["lost_at"] is not None, row["cut_claimed_at"] is not None, row["settled_at"] is not None)
        assert flags == (hold.lost, hold.cut_claimed, hold.state in CLOSED), call
    columns = ("type", "amount", "call_id", "purchase_id", "reference", "actor_id")
    assert [tuple(row[name] for name in columns) for row in state.lines[user]] == [
        (line.type, line.amount, line.call, line.purchase, line.reference, line.actor) for line in books.lines
    ]
    assert {
        purchase: (row["credits"], row["credited_at"] is not None, row["reversed_credits"])
        for (of, purchase), row in state.purchases.items()
        if of == user
    } == {purchase: (each.credits, each.credited, each.reversed) for purchase, each in books.purchases.items()}
    assert {
        call: (row["reason"], row["state"], row["automatic"], row["credits"])
        for (of, call), row in state.claims.items()
        if of == user
    } == {call: (each.reason, each.state, each.automatic, each.credits) for call, each in books.claims.items()}
    assert state.alerts[user] == books.alerts
    # What guards and refusals say is named by days and callers, and mails about calls are not the books'; these have
    # tests of their own.
    told = {notice for notice in state.notices[user] if notice[0] not in _OF_OTHERS}
    assert told == books.notices


_OF_OTHERS = {"calls_refused", "guard_reached", "missed_calls", "message_taken", "call_summary"}
_ACCOUNT = (
    *("balance", "held", "clawback_debt", "open_calls", "max_open_calls", "grace_limit", "blocked_reason"),
    *("day_limit", "call_limit", "caller_limit", "low_balance"),
)
# An account is made by the first verb that needs it.
_NO_ACCOUNT: stage.Row = {
    **dict.fromkeys(_ACCOUNT, 0),
    **dict.fromkeys(("blocked_reason", "day_limit", "call_limit", "caller_limit", "low_balance")),
    "max_open_calls": 10,
}
_RATE = ("credits_per_minute", "connection_fee", "initial_seconds", "increment_seconds", "free_seconds")
_HOLD = (
    *("state", "denied_reason", "granted", "used", "held", "held_peak", "charged", "corrected", "corrections"),
    *("corrected_seconds", "unbilled", "request_no", "final_reason", "owner", "settled_seconds", "not_charged_reason"),
)
_COLUMNS = {"granted": "granted_seconds", "used": "used_seconds", "owner": "lease_owner"}
