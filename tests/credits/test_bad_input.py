"""What cannot be meant: each verb with each of its words wrong gets a typed error that says so, and changes nothing."""

import math
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits import adjustments, batches, ledger, money
from talktime.credits.models import HoldState, TransactionType
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.errors import BadInput, Conflict, NotFound, Refused, TalktimeError
from tests.credits import books as stage
from tests.people import WHY, Person

OWNER = "voice-1"


@dataclass(frozen=True)
class Scene:
    """Alice has a call that rings, one that runs, one that is settled, and a purchase; Bob has one of each too."""

    alice: Person
    bob: Person
    ada: Person
    rings: uuid.UUID
    runs: uuid.UUID
    settled: uuid.UUID
    bought: uuid.UUID
    unpaid: uuid.UUID
    bobs_call: uuid.UUID
    bobs_purchase: uuid.UUID


@pytest.fixture
async def scene(database: Database, alice: Person, bob: Person, ada: Person) -> Scene:
    calls = [new_id() for _ in range(4)]
    async with database.transaction(everyone=WHY) as db:
        for call in calls:
            await stage.rings(db, bob.id if call == calls[3] else alice.id, call)
        for user, call in [(alice.id, calls[1]), (alice.id, calls[2]), (bob.id, calls[3])]:
            await ledger.authorise(db, user, call)
            await ledger.answer(db, user, call, OWNER)
        await ledger.settle(db, alice.id, calls[2], 40)
        await money.rent(db, alice.id, alice.agent, date(2026, 10, 1), 10)
        bought = [await stage.bought(db, user, 100) for user in (alice.id, bob.id)]
        await money.purchase(db, alice.id, bought[0])
        await money.purchase(db, bob.id, bought[1])
        unpaid = await stage.bought(db, alice.id, 100, paid=False)
        await stage.calls_follow(db, [alice.id, bob.id])
    return Scene(alice, bob, ada, calls[0], calls[1], calls[2], bought[0], unpaid, calls[3], bought[1])


Verb = Callable[..., Awaitable[Any]]
Words = Mapping[str, Any]


def verbs(scene: Scene) -> dict[str, tuple[Verb, Words]]:
    """Every public verb on Alice's books, with words that are right."""
    ours = {"db": None, "user": scene.alice.id}
    reversal = {"kind": TransactionType.REFUND, "reference": "refund:a", "credits": 5}
    posting = {"reference": "r", "amount": 5, "reason": "why not", "actor": scene.ada.id}

    async def heartbeat(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, owner: str, seconds: int) -> Any:
        return await ledger.heartbeat(db, owner, {(user, call): seconds})

    async def post_many(db: AsyncSession, user: uuid.UUID, *, actor: uuid.UUID, **item: Any) -> Any:
        good = batches.Adjustment(scene.bob.id, "good", 7, "a good one goes first")
        return await batches.post_many(db, [good, batches.Adjustment(user, **item)], actor)

    async def settle_many(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, seconds: int) -> Any:
        return await batches.settle_many(db, [(scene.bob.id, scene.bobs_call, 5), (user, call, seconds)])

    async def extend_many(db: AsyncSession, user: uuid.UUID, call: uuid.UUID, request_no: int, **words: Any) -> Any:
        items = [(scene.bob.id, scene.bobs_call, 1), (user, call, request_no)]
        return await batches.extend_many(db, items=items, **words)

    extension = {"call": scene.runs, "owner": OWNER, "request_no": 1, "slice_seconds": 60}
    return {
        "authorise": (ledger.authorise, {**ours, "call": scene.rings}),
        "answer": (ledger.answer, {**ours, "call": scene.runs, "owner": OWNER}),
        "heartbeat": (heartbeat, {**ours, "call": scene.runs, "owner": OWNER, "seconds": 5}),
        "extend": (ledger.extend, {**ours, **extension}),
        "cut": (ledger.cut, {**ours, "call": scene.runs, "owner": OWNER}),
        "settle": (ledger.settle, {**ours, "call": scene.runs, "seconds": 5}),
        "lose": (ledger.lose, {**ours, "call": scene.runs}),
        "give_up": (ledger.give_up, {**ours, "call": scene.runs}),
        "purchase": (money.purchase, {**ours, "purchase_id": scene.bought}),
        "reverse": (money.reverse, {**ours, "purchase_id": scene.bought, **reversal}),
        "correct": (money.correct, {**ours, "call": scene.settled, "seconds": 90}),
        "waive": (money.waive, {**ours, "call": scene.settled, "reason": "spam", "actor": scene.ada.id}),
        "claim": (money.claim, {**ours, "call": scene.settled, "reason": "spam"}),
        "decide_claim": (money.decide_claim, {**ours, "call": scene.settled, "grant": True, "actor": scene.ada.id}),
        "adjust": (money.adjust, {**ours, **posting}),
        "request": (adjustments.request, {**ours, **posting, "limit": 100}),
        "request above": (adjustments.request, {**ours, **posting, "limit": 0}),
        "payout": (money.payout, {**ours, "reference": "p", "actor": scene.ada.id}),
        "rent": (money.rent, {**ours, "number": scene.alice.agent, "month": date(2026, 11, 1), "credits": 5}),
        "set_limits": (money.set_limits, {**ours, "grace_limit": 5, "max_open_calls": 5}),
        "set_guards": (money.set_guards, {**ours, "per_day": 5, "per_call": 5, "per_caller": 5}),
        "set_low_balance": (money.set_low_balance, {**ours, "threshold": 5}),
        "block": (money.block, {**ours, "reason": "suspended"}),
        "close": (money.close, ours),
        "post_many": (post_many, {**ours, **posting}),
        "settle_many": (settle_many, {**ours, "call": scene.runs, "seconds": 5}),
        "extend_many": (extend_many, {**ours, **extension}),
    }


NO_NUMBERS = (1.5, 2.0, True, math.nan, math.inf, "5", 10**30)
NO_AMOUNTS = (0, 10**12 + 1, -(10**12) - 1, None, *NO_NUMBERS)
NO_TEXTS = ("", "  ", None, "a\0b", "x" * 2000, 5, "\ud800")
NO_SECONDS = (-1, 10**6 + 1, 2**31, None, *NO_NUMBERS)
NO_NUMBER_OF_REQUEST = (0, -1, 2**31, None, *NO_NUMBERS)
NO_SLICE = (0, -1, 3601, None, *NO_NUMBERS)
NO_LIMIT = (-1, 10**12 + 1, *NO_NUMBERS)
OURS = ("correction:1:1", "rent:1:2026-01", "refund:x", "dispute:x:withdrawn", "payout:x")

WRONG: dict[str, dict[str, tuple[Any, ...]]] = {
    "answer": {"owner": ("", None)},
    "heartbeat": {"seconds": (2**31, None, *NO_NUMBERS)},
    "extend": {"request_no": NO_NUMBER_OF_REQUEST, "slice_seconds": NO_SLICE, "owner": ("", None, "voice-2")},
    "settle": {"seconds": NO_SECONDS, "not_charged_reason": ("", " ", "because", "SPAM")},
    "reverse": {
        "credits": NO_AMOUNTS,
        "reference": (*NO_TEXTS, "refund:", "refund: ", "refund:a:b", "dispute:a:withdrawn", "refund:a:failed:x", "r"),
    },
    "correct": {"seconds": NO_SECONDS},
    "waive": {"reason": ("", " ", "because", "SPAM", None), "actor": (None,)},
    "claim": {"reason": ("", " ", "because", "platform_fault", None)},
    "decide_claim": {"grant": (None,), "actor": (None,)},
    "adjust": {"amount": NO_AMOUNTS, "reference": (*NO_TEXTS, *OURS), "reason": NO_TEXTS, "actor": (None,)},
    "request": {"amount": NO_AMOUNTS, "reference": (*NO_TEXTS, *OURS), "reason": NO_TEXTS, "limit": (-1, *NO_NUMBERS)},
    "request above": {"amount": NO_AMOUNTS, "reference": (*NO_TEXTS, *OURS), "reason": NO_TEXTS},
    "payout": {"reference": NO_TEXTS, "actor": (None,)},
    "rent": {"credits": (-1, *NO_AMOUNTS), "number": (None,), "month": (None,)},
    "set_limits": {"grace_limit": NO_LIMIT, "max_open_calls": (-1, 100_001, 2**31, *NO_NUMBERS)},
    "set_guards": {"per_day": NO_LIMIT, "per_call": NO_LIMIT, "per_caller": NO_LIMIT},
    "set_low_balance": {"threshold": NO_LIMIT},
    "post_many": {"amount": NO_AMOUNTS, "reference": (*NO_TEXTS, *OURS), "reason": NO_TEXTS, "actor": (None,)},
    "settle_many": {"seconds": NO_SECONDS},
    "extend_many": {"request_no": NO_NUMBER_OF_REQUEST, "slice_seconds": NO_SLICE},
}


def everything(eyes: stage.Eyes, scene: Scene) -> Any:
    return eyes.state(scene.alice.id, scene.bob.id)


async def attempt(database: Database, verb: Verb, words: Words, user: uuid.UUID | None = None) -> Any:
    """As the operator, or in the name of one user."""
    async with database.transaction(user=user, everyone=None if user else WHY) as db:
        return await verb(**{**words, "db": db})


@pytest.mark.parametrize("name", WRONG)
async def test_what_cannot_be_meant_is_refused_and_changes_nothing(
    database: Database, eyes: stage.Eyes, scene: Scene, name: str
) -> None:
    verb, right = verbs(scene)[name]
    before = everything(eyes, scene)
    unexpected = []
    for word, values in WRONG[name].items():
        for value in values:
            try:
                got = await attempt(database, verb, {**right, word: value})
            except (BadInput, ledger.NotTheOwner) as error:
                if not str(error):
                    unexpected.append((word, value, "says nothing"))
            except Exception as error:  # noqa: BLE001  all of them are listed
                unexpected.append((word, value, repr(error)[:300]))
            else:
                unexpected.append((word, value, f"done: {got}"))
    assert unexpected == []
    assert everything(eyes, scene) == before


ELSEWHERE: dict[str, type[TalktimeError]] = {
    **dict.fromkeys(("extend", "settle", "correct", "waive", "claim", "decide_claim", "settle_many"), NotFound),
    **dict.fromkeys(("authorise", "purchase", "reverse"), NotFound),
}


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_what_is_somebody_elses_or_nobodys_is_not_there(
    database: Database, eyes: stage.Eyes, scene: Scene, name: str
) -> None:
    verb, right = verbs(scene)[name]
    before = everything(eyes, scene)
    word = "purchase_id" if "purchase_id" in right else "call"
    bobs = scene.bobs_purchase if word == "purchase_id" else scene.bobs_call
    for which in (bobs, new_id()):
        with pytest.raises(ELSEWHERE[name]):
            await attempt(database, verb, {**right, word: which})
    assert everything(eyes, scene) == before


async def test_what_needs_no_answer_says_no_to_somebody_elses_call(
    database: Database, eyes: stage.Eyes, scene: Scene
) -> None:
    before = everything(eyes, scene)
    for which in (scene.bobs_call, new_id()):
        table = verbs(scene)
        said = [
            await attempt(database, verb, {**words, "call": which})
            for verb, words in (table[name] for name in ("answer", "heartbeat", "cut", "lose", "give_up"))
        ]
        answer, heartbeat, cut, loss, given_up = said
        assert (answer.claimed, heartbeat, cut, loss.lost, given_up) == (False, set(), False, False, False)
    assert everything(eyes, scene) == before


async def test_a_call_that_nobody_owns_is_not_extended_by_nobody(
    database: Database, eyes: stage.Eyes, scene: Scene
) -> None:
    async with database.transaction(everyone=WHY) as db:
        await ledger.authorise(db, scene.alice.id, scene.rings)
    before = everything(eyes, scene)
    verb, words = verbs(scene)["extend"]
    with pytest.raises(ledger.NotTheOwner):
        await attempt(database, verb, {**words, "call": scene.rings, "owner": None})
    assert everything(eyes, scene) == before


async def test_no_verb_works_in_another_customers_transaction(
    database: Database, eyes: stage.Eyes, scene: Scene
) -> None:
    before = everything(eyes, scene)
    for name, (verb, words) in verbs(scene).items():
        # Some are forbidden to customers by the database itself, before anything is asked.
        with pytest.raises((Refused, DBAPIError)) as refused:
            await attempt(database, verb, words, user=scene.bob.id)
        assert isinstance(refused.value, Refused) or "permission denied" in str(refused.value), name
    assert everything(eyes, scene) == before


async def test_nobody_can_be_named_as_the_actor_who_does_not_exist(
    database: Database, eyes: stage.Eyes, scene: Scene
) -> None:
    before = everything(eyes, scene)
    for name in ("adjust", "waive", "post_many", "request", "request above"):
        verb, words = verbs(scene)[name]
        with pytest.raises(TalktimeError):
            await attempt(database, verb, {**words, "actor": new_id()})
    assert everything(eyes, scene) == before


async def test_a_reference_is_used_for_one_thing(database: Database, eyes: stage.Eyes, scene: Scene) -> None:
    table = verbs(scene)
    for name in ("adjust", "reverse", "rent"):
        await attempt(database, *table[name])
    before = everything(eyes, scene)
    others: list[tuple[str, Words]] = [
        ("adjust", {"amount": 6}),
        ("adjust", {"reason": "another"}),
        ("adjust", {"actor": scene.bob.id}),
        ("reverse", {"credits": 6}),
        ("reverse", {"purchase_id": scene.unpaid}),
        ("rent", {"credits": 6}),
        ("post_many", {"amount": 6}),
    ]
    for name, other in others:
        verb, words = table[name]
        with pytest.raises(Conflict):
            await attempt(database, verb, {**words, **other})
    assert everything(eyes, scene) == before


async def test_a_batch_with_one_bad_item_does_none(database: Database, eyes: stage.Eyes, scene: Scene) -> None:
    before = everything(eyes, scene)
    good = batches.Adjustment(scene.alice.id, "a", 5, "good")
    bad: list[tuple[batches.Adjustment, type[TalktimeError]]] = [
        (batches.Adjustment(scene.bob.id, "b", -5000, "more than there is"), money.NotEnoughCredit),
        (batches.Adjustment(scene.alice.id, "start", 5, "another line's name"), Conflict),
        (batches.Adjustment(scene.alice.id, "a", 6, "twice in one batch"), Conflict),
        (batches.Adjustment(new_id(), "b", 5, "nobody"), NotFound),
    ]
    for item, error in bad:
        with pytest.raises(error):
            async with database.transaction(everyone=WHY) as db:
                await batches.post_many(db, [good, item, good], scene.ada.id)
    with pytest.raises(BadInput, match="different calls"):
        async with database.transaction(everyone=WHY) as db:
            twice = [(scene.alice.id, scene.runs, 1), (scene.alice.id, scene.runs, 2)]
            await batches.extend_many(db, OWNER, twice)
    with pytest.raises(BadInput):
        async with database.transaction(everyone=WHY) as db:
            await batches.post_many(
                db, [batches.Adjustment(scene.alice.id, f"n{n}", 1, "many") for n in range(10_001)], scene.ada.id
            )
    assert everything(eyes, scene) == before


async def test_closing_an_account_ends_its_calls_first_and_what_is_due_still_works(
    database: Database, eyes: stage.Eyes, scene: Scene
) -> None:
    user = scene.alice.id
    async with database.transaction(everyone=WHY) as db:
        more = await stage.bought(db, user, 40)
        await stage.lease_ends(db, user, scene.runs, -1)
        assert await money.close(db, user) == [scene.runs]
        with pytest.raises(Conflict, match="not settled yet"):
            async with db.begin_nested():
                await money.payout(db, user, "p", scene.ada.id)
        assert (await ledger.extend(db, user, scene.runs, OWNER, 1)).reason == "cut"
        assert (await ledger.authorise(db, user, scene.rings)).reason == "blocked"
        # Everything that is due to somebody is still taken in.
        assert (await ledger.lose(db, user, scene.runs)).lost
        assert (await ledger.settle(db, user, scene.runs, 30)).state == HoldState.SETTLED
        assert (await money.correct(db, user, scene.settled, 0)).amount == 15
        assert (await money.purchase(db, user, more)).fresh
        assert (
            await money.reverse(
                db, user, scene.bought, kind=TransactionType.DISPUTE, reference="dispute:d:withdrawn", credits=100
            )
        ).taken == 100
        assert await money.close(db, user) == []
        paid = await money.payout(db, user, "p", scene.ada.id)
        assert not (await money.payout(db, user, "p", scene.ada.id)).fresh
        await stage.calls_follow(db, [user])
    assert (paid.balance_after, paid.amount) == (0, -eyes.state(user).lines[user][-2]["balance_after"])


@pytest.mark.parametrize("state", ["suspended", "closed", "in debt"])
async def test_settle_lose_correct_reverse_and_purchase_work_in_every_state_of_an_account(
    database: Database, eyes: stage.Eyes, scene: Scene, state: str
) -> None:
    user = scene.alice.id
    async with database.transaction(everyone=WHY) as db:
        more = await stage.bought(db, user, 40)
        await stage.lease_ends(db, user, scene.runs, -1)
        match state:
            case "suspended":
                await money.block(db, user, "suspended")
            case "closed":
                await money.close(db, user)
            case _:
                await money.adjust(
                    db, user, reference="d", amount=-5000, reason="debt", actor=scene.ada.id, as_debt=True
                )
        assert (await ledger.lose(db, user, scene.runs)).lost
        settled = await ledger.settle(db, user, scene.runs, 30)
        assert (settled.charged, settled.unbilled) == (15, 0)
        assert (await money.correct(db, user, scene.settled, 0)).fresh
        reversal = {"kind": TransactionType.REFUND, "reference": "refund:x", "credits": 30}
        assert (await money.reverse(db, user, scene.bought, **reversal)).taken == 30  # type: ignore[arg-type]
        assert (await money.purchase(db, user, more)).amount == 40
        await stage.calls_follow(db, [user])
    account = eyes.state(user).accounts[user]
    assert (account["held"], account["open_calls"]) == (0, 0)
