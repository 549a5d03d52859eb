"""Everything that an operator does, and a customer whose doings stay written down: how each verb is called, and what
stands in the audit log then. `test_audit` finds the verbs by itself, and fails for one that is not here.
"""

import importlib
import inspect
import pkgutil
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import keys, people, sessions
from talktime.accounts.models import Role, User
from talktime.agents import drafts, life, publish
from talktime.agents.content import Content
from talktime.agents.models import Agent
from talktime.alerts import board
from talktime.calls import closing, costs, lifecycle
from talktime.calls.models import CostKind
from talktime.carriers.contract import Ring
from talktime.credits import adjustments, batches, money, packs, prices
from talktime.credits.models import Approval, PriceKind
from talktime.db.base import new_id
from talktime.numbers import drift, pool, rent
from talktime.payments import billing_details, refunding, saved_card
from talktime.payments.billing_details import Details
from talktime.payments.saved_card import Choice
from tests.payments.counter import Counter
from tests.people import WHY, Person, new_person

FOLDERS = ("accounts", "credits", "payments", "calls", "numbers", "alerts", "agents", "privacy", "webhooks")
Verb = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Scene:
    """Who is there, and at which counter they buy."""

    counter: Counter
    alice: Person
    ada: Person
    grace: Person
    """A second operator."""
    figures: Iterator[int]
    """Each of them once, so that what is set is something else each time."""

    async def call(self, seconds: int = 45) -> uuid.UUID:
        """Alice's call that was charged."""
        database = self.counter.database
        rang = Ring(account="AC1", call_id=f"CA{uuid.uuid4().hex}", caller="+15550100123", dialled=self.alice.number)
        async with database.transaction(everyone=WHY) as db:
            decision = await lifecycle.ring(db, "simulated", rang)
        assert decision.call_id is not None
        async with database.transaction(user=self.alice.id) as db:
            assert await lifecycle.answer(db, self.alice.id, decision.call_id, "voice-1")
        await lifecycle.finish(database, self.alice.id, decision.call_id, seconds=seconds, reason="caller_hung_up")
        return decision.call_id

    async def claimed(self) -> uuid.UUID:
        """The same, of which she says that it was not a real one."""
        call = await self.call()
        async with self.counter.database.transaction(user=self.alice.id) as db:
            await money.claim(db, self.alice.id, call, "spam")
        return call

    async def asked(self) -> Approval:
        """Ada asked for an adjustment, which waits."""
        async with self.counter.database.transaction(everyone=WHY) as db:
            waits = await adjustments.request(db, **self.adjustment(), limit=0)
        assert isinstance(waits, Approval)
        return waits

    def adjustment(self) -> dict[str, Any]:
        named = {"reference": uuid.uuid4().hex, "amount": 7, "reason": "Bob@example.org asked for it"}
        return {"user": self.alice.id, "actor": self.ada.id, **named}

    async def other(
        self, name: str, *, credits: int = 0, admin: bool = False, signed_in: bool = False, second_factor: bool = False
    ) -> Person:
        """Somebody to whom it can be done only once."""
        database = self.counter.database
        person = await new_person(database, name, credits=credits, admin=admin)
        async with database.transaction(everyone=WHY) as db:
            if signed_in:
                await sessions.begin(db, person.id, address="192.0.2.1", browser="Test")
            if second_factor:
                await db.execute(
                    update(User).where(User.id == person.id).values(totp_secret=b"sealed", totp_since=func.now())
                )
        return person

    async def with_card(self, person: Person) -> Choice:
        """Somebody has saved a card, and this is what they choose."""
        await self.counter.card(person)
        pack = await self.counter.pack()
        return Choice(threshold=10, pack=pack.id, ceiling_minor=10_000, price_minor=pack.price_minor)


@dataclass(frozen=True)
class Done:
    """A verb that was made ready: what does it, and whom it is about."""

    work: Callable[[AsyncSession], Awaitable[Any]] | None
    """In a transaction of its caller's; None where the verb opens its own, in `alone`."""
    about: uuid.UUID | None
    """None for somebody whom it makes."""
    by: uuid.UUID
    alone: Callable[[], Awaitable[Any]] | None = None


Ready = Callable[[Scene], Awaitable[Done]]


def verbs() -> Iterator[tuple[str, Verb]]:
    """Every public verb that says who does it, by the name of its file and its own."""
    for folder in FOLDERS:
        package = importlib.import_module(f"talktime.{folder}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if module.ispkg:
                continue
            for name, verb in inspect.getmembers(importlib.import_module(module.name), _is_asynchronous):
                of_people = [
                    each
                    for each in inspect.signature(verb).parameters.values()
                    if each.name in ("actor", "by", "identity") and "UUID" in str(each.annotation)
                ]
                if verb.__module__ == module.name and not name.startswith("_") and of_people:
                    yield f"{folder}.{module.name.rpartition('.')[2]}.{name}", verb


def _is_asynchronous(member: object) -> bool:
    return inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member)


NOT_VERBS: Mapping[str, str] = {
    "accounts.audit.record": "it is what writes the entries",
    "accounts.operators.require_operator": "it asks, and changes nothing",
    "accounts.people.withdraw": "a part of others, which ends visits: change_role, suspend",
    "agents.drafts.save": "a draft saves itself every few seconds and reaches nobody; its publishing is written down",
    "credits.money.adjust": "the books' own verb, in one round trip; the operator's is adjustments.request",
}
"""What takes an actor and writes no entry, each with the reason."""
ELSEWHERE: Mapping[str, str] = {
    "alerts.queue.do_again": "tests/test_jobs_queue.py",
    "numbers.buying.buy": "tests/numbers/test_buying.py",
    "numbers.choosing.take": "tests/numbers/test_pool.py",
    "numbers.drift.take_in": "tests/numbers/test_drift.py",
    "privacy.closing.close_account": "tests/privacy/test_closing.py",
    "privacy.closing.finish": "tests/privacy/test_closing.py",
    "privacy.export.stream": "tests/privacy/test_export.py",
    "privacy.forget.forget_caller": "tests/privacy/test_forget.py",
}
"""What takes steps of its own, with an entry each, and is proven there."""


def deed(
    verb: Callable[[Scene, AsyncSession], Awaitable[Any]], *acts: str, about: str = "alice", by: str = "ada"
) -> tuple[Ready, tuple[str, ...]]:
    """A verb that needs nothing to be there before."""

    async def ready(scene: Scene) -> Done:
        return Done(lambda db: verb(scene, db), getattr(scene, about).id, getattr(scene, by).id)

    return ready, acts


def prepared(
    prepare: Callable[[Scene], Awaitable[Callable[[AsyncSession], Awaitable[Any]]]],
    *acts: str,
    about: str = "alice",
    by: str = "ada",
) -> tuple[Ready, tuple[str, ...]]:
    """A verb that does it to something which is made before."""

    async def ready(scene: Scene) -> Done:
        return Done(await prepare(scene), getattr(scene, about).id, getattr(scene, by).id)

    return ready, acts


async def _approve(scene: Scene) -> Any:
    waits = await scene.asked()
    return lambda db: adjustments.approve(db, waits.id, scene.grace.id)


async def _refuse(scene: Scene) -> Any:
    waits = await scene.asked()
    return lambda db: adjustments.refuse(db, waits.id, scene.grace.id)


async def _request(scene: Scene) -> Any:
    words = scene.adjustment()
    return lambda db: adjustments.request(db, **words, limit=10**6)


async def _request_above(scene: Scene) -> Any:
    words = scene.adjustment()
    return lambda db: adjustments.request(db, **words, limit=0)


async def _post_many(scene: Scene) -> Any:
    items = [batches.Adjustment(scene.alice.id, uuid.uuid4().hex, 5, "a gift") for _ in range(3)]
    return lambda db: batches.post_many(db, items, scene.ada.id)


async def _post_for_many(scene: Scene) -> Any:
    items = [batches.Adjustment(who.id, uuid.uuid4().hex, 5, "a gift") for who in (scene.alice, scene.grace)]
    return lambda db: batches.post_many(db, items, scene.ada.id)


async def _waive(scene: Scene) -> Any:
    call = await scene.call()
    return lambda db: money.waive(db, scene.alice.id, call, "spam", scene.ada.id)


async def _decide(scene: Scene, *, grant: bool) -> Any:
    call = await scene.claimed()
    decided: dict[str, Any] = {"grant": grant, "actor": scene.ada.id, "note": "Alice was asked for it"}
    return lambda db: money.decide_claim(db, scene.alice.id, call, **decided)


async def _payout(scene: Scene) -> Done:
    carol = await scene.other("Carol", credits=50)
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await money.close(db, carol.id)
    return Done(lambda db: money.payout(db, carol.id, "bank 1", scene.ada.id), carol.id, scene.ada.id)


async def _limits(scene: Scene) -> Any:
    grace = next(scene.figures)
    return lambda db: money.set_limits(db, scene.alice.id, grace_limit=grace, actor=scene.ada.id)


async def _guards(scene: Scene) -> Any:
    words: dict[str, Any] = {"per_day": 1000 + next(scene.figures), "per_call": None, "per_caller": None}
    return lambda db: money.set_guards(db, scene.alice.id, **words, actor=scene.ada.id)


async def _low_balance(scene: Scene) -> Any:
    threshold = next(scene.figures)
    return lambda db: money.set_low_balance(db, scene.alice.id, threshold, actor=scene.ada.id)


def _make_pack(scene: Scene, db: AsyncSession) -> Awaitable[Any]:
    words: dict[str, Any] = {"name": "Alice's pack", "credits": 10, "price_minor": 500, "currency": "EUR"}
    return packs.create(db, **words, actor=scene.ada.id)


async def _change_pack(scene: Scene) -> Any:
    pack = await scene.counter.pack()
    changes: dict[str, Any] = {"price_minor": 2500, "name": "Ada's"}
    return lambda db: packs.change(db, pack.id, actor=scene.ada.id, **changes)


async def _rename_pack(scene: Scene) -> Any:
    pack = await scene.counter.pack()
    return lambda db: packs.change(db, pack.id, actor=scene.ada.id, name="Ada's")


async def _deactivate_pack(scene: Scene) -> Any:
    pack = await scene.counter.pack()
    return lambda db: packs.deactivate(db, pack.id, actor=scene.ada.id)


async def _price(scene: Scene) -> Any:
    rate = 15 + next(scene.figures)
    words: dict[str, Any] = {"user": scene.alice.id, "kind": PriceKind.CALL, "credits_per_minute": rate}
    return lambda db: prices.set_price(db, **words, actor=scene.ada.id)


async def _price_for_all(scene: Scene) -> Any:
    rate = 15 + next(scene.figures)
    words: dict[str, Any] = {"user": None, "kind": PriceKind.TRANSFER, "credits_per_minute": rate}
    return lambda db: prices.set_price(db, **words, actor=scene.ada.id)


async def _follow_list(scene: Scene) -> Done:
    carol = await scene.other("Carol")
    async with scene.counter.database.transaction(everyone=WHY) as db:
        rate = 15 + next(scene.figures)
        words: dict[str, Any] = {"kind": PriceKind.CALL, "credits_per_minute": rate, "actor": scene.ada.id}
        await prices.set_price(db, user=None, **words)
    return Done(
        lambda db: prices.follow_list(db, user=carol.id, kind=PriceKind.CALL, actor=scene.ada.id),
        carol.id,
        scene.ada.id,
    )


async def _billing(scene: Scene) -> Any:
    details = Details(name=f"Alice {uuid.uuid4().hex}", country="DE")
    return lambda db: billing_details.keep(db, scene.alice.id, details, actor=scene.ada.id)


async def _refund(scene: Scene) -> Done:
    bought, _ = await scene.counter.bought(scene.alice)

    async def refund() -> None:
        counter = scene.counter
        await refunding.refund(
            counter.database, counter.till.billing, counter.gateway,
            user=scene.alice.id, purchase=bought.id, amount_minor=500, key=bought.id.hex, actor=scene.ada.id,
        )  # fmt: skip

    return Done(None, scene.alice.id, scene.ada.id, refund)


async def _choose(scene: Scene) -> Done:
    carol = await scene.other("Carol")
    choice = await scene.with_card(carol)
    now = datetime.now(UTC)
    return Done(lambda db: saved_card.choose(db, carol.id, choice, now, actor=scene.ada.id), carol.id, scene.ada.id)


async def _off(scene: Scene) -> Done:
    carol = await scene.other("Carol")
    choice = await scene.with_card(carol)
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await saved_card.choose(db, carol.id, choice, datetime.now(UTC))
    return Done(lambda db: saved_card.off(db, carol.id, actor=scene.ada.id), carol.id, scene.ada.id)


async def _forget(scene: Scene) -> Done:
    carol = await scene.other("Carol")
    await scene.with_card(carol)
    counter = scene.counter
    return Done(
        None,
        carol.id,
        scene.ada.id,
        lambda: saved_card.forget(counter.database, counter.gateway, carol.id, actor=scene.ada.id),
    )


async def _suspend(scene: Scene) -> Done:
    carol = await scene.other("Carol")
    return Done(lambda db: closing.suspend(db, carol.id, scene.ada.id, "Alice asked for it"), carol.id, scene.ada.id)


async def _activate(scene: Scene) -> Done:
    carol = await scene.other("Carol")
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await closing.suspend(db, carol.id, scene.ada.id, "a reason")
    return Done(lambda db: closing.activate(db, carol.id, scene.ada.id), carol.id, scene.ada.id)


async def _rate(scene: Scene) -> Any:
    words: dict[str, Any] = {"amount_micros": 5, "units": 1, "currency": "EUR", "valid_from": datetime.now(UTC)}
    provider = uuid.uuid4().hex
    return lambda db: costs.set_rate(db, provider, CostKind.CHARACTERS, **words, actor=scene.ada.id)


async def _add_number(scene: Scene) -> Any:
    number = f"+4930{1_000_000 + next(scene.figures)}"
    return lambda db: pool.add(db, number, carrier="simulated", actor=scene.ada.id)


async def _assign(scene: Scene) -> Any:
    number = f"+4930{2_000_000 + next(scene.figures)}"
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await pool.add(db, number, carrier="simulated")
    alice = scene.alice
    return lambda db: pool.assign(db, number, user=alice.id, agent=alice.agent, actor=scene.ada.id)


async def _free_number(scene: Scene) -> str:
    """One that nobody has."""
    number = f"+4930{3_000_000 + next(scene.figures)}"
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await pool.add(db, number, carrier="simulated")
    return number


async def _their_number(scene: Scene) -> str:
    """One that Alice has."""
    number = await _free_number(scene)
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await pool.assign(db, number, user=scene.alice.id, agent=scene.alice.agent)
    return number


async def _point(scene: Scene) -> Any:
    number = await _their_number(scene)
    agent = new_id()
    async with scene.counter.database.transaction(everyone=WHY) as db:
        db.add(Agent(user_id=scene.alice.id, id=agent, name="Other", business="Alice's", language="en"))
    return lambda db: pool.point(db, scene.alice.id, number, agent=agent, actor=scene.ada.id)


async def _unpoint(scene: Scene) -> Any:
    number = await _their_number(scene)
    return lambda db: pool.unpoint(db, scene.alice.id, number, actor=scene.ada.id)


async def _release(scene: Scene) -> Any:
    number = await _their_number(scene)
    return lambda db: pool.release(db, number, actor=scene.ada.id)


async def _give_up(scene: Scene) -> Any:
    number = await _free_number(scene)
    return lambda db: pool.give_up(db, number, actor=scene.ada.id)


async def _tell_again(scene: Scene) -> Any:
    number = await _free_number(scene)
    return lambda db: drift.tell_again(db, number, actor=scene.ada.id)


async def _set_rent(scene: Scene) -> Any:
    number = await _their_number(scene)
    return lambda db: rent.set_rent(db, number, credits=5 + next(scene.figures), actor=scene.ada.id)


async def _acknowledge(scene: Scene) -> Any:
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await board.raise_alert(db, "call_unbilled", scene.alice.id, {"n": next(scene.figures)})
        alert = (await board.newest_alerts(db, limit=1))[0]
    return lambda db: board.acknowledge(db, alert.id, scene.ada.id, "Alice asked for it")


async def _acknowledge_about_nobody(scene: Scene) -> Any:
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await board.raise_alert(db, "job_failed", None, {"n": next(scene.figures)})
        alert = (await board.newest_alerts(db, limit=1))[0]
    return lambda db: board.acknowledge(db, alert.id, scene.ada.id)


def _make_agent(scene: Scene, db: AsyncSession) -> Awaitable[Any]:
    words: dict[str, Any] = {"name": "Alice's", "business": "Alice's shop", "language": "en", "zone": "Europe/Berlin"}
    return life.create(db, scene.alice.id, **words, actor=scene.ada.id)


def _publish(scene: Scene, db: AsyncSession) -> Awaitable[Any]:
    said = Content(business="Alice's shop", greeting="Alice")
    return publish.publish(db, scene.alice.id, scene.alice.agent, said, actor=scene.ada.id)


async def _other_agent(scene: Scene, *, published: int = 0) -> uuid.UUID:
    """One of Alice's, to whom it can be done only once, with a draft that is open."""
    words: dict[str, Any] = {"name": "Alice's", "business": "Alice's shop", "language": "en", "zone": "Europe/Berlin"}
    async with scene.counter.database.transaction(everyone=WHY) as db:
        agent = await life.create(db, scene.alice.id, **words, agents_max=1000)
        for number in range(published):
            await drafts.save(db, scene.alice.id, agent.id, {"greeting": f"Alice {number}"}, revision=None)
            await publish.publish_draft(db, scene.alice.id, agent.id, revision=None)
        return agent.id


async def _discard_draft(scene: Scene) -> Any:
    agent = await _other_agent(scene)
    return lambda db: drafts.discard(db, scene.alice.id, agent, revision=None, actor=scene.ada.id)


async def _archive_agent(scene: Scene) -> Any:
    agent = await _other_agent(scene)
    return lambda db: life.archive(db, scene.alice.id, agent, actor=scene.ada.id)


async def _change_agent(scene: Scene) -> Any:
    agent = await _other_agent(scene)
    return lambda db: life.change(db, scene.alice.id, agent, name="Alice", active=False, actor=scene.ada.id)


async def _restore_agent(scene: Scene) -> Any:
    agent = await _other_agent(scene)
    async with scene.counter.database.transaction(everyone=WHY) as db:
        await life.archive(db, scene.alice.id, agent)
    return lambda db: life.restore(db, scene.alice.id, agent, agents_max=1000, actor=scene.ada.id)


async def _publish_draft(scene: Scene) -> Any:
    agent = await _other_agent(scene)
    return lambda db: publish.publish_draft(db, scene.alice.id, agent, revision=None, actor=scene.ada.id)


async def _roll_back(scene: Scene) -> Any:
    agent = await _other_agent(scene, published=2)
    return lambda db: publish.roll_back(db, scene.alice.id, agent, 1, actor=scene.ada.id)


async def _role(scene: Scene) -> Done:
    carol = await scene.other("Carol", signed_in=True)
    return Done(lambda db: people.change_role(db, carol.id, Role.ADMIN, scene.ada.id), carol.id, scene.ada.id)


async def _demote(scene: Scene) -> Done:
    dora = await scene.other("Dora", admin=True)
    return Done(lambda db: people.change_role(db, dora.id, Role.USER, scene.ada.id), dora.id, scene.ada.id)


async def _second_factor(scene: Scene) -> Done:
    carol = await scene.other("Carol", second_factor=True)
    return Done(lambda db: people.reset_second_factor(db, carol.id, scene.ada.id), carol.id, scene.ada.id)


async def _sign_out(scene: Scene) -> Done:
    carol = await scene.other("Carol", signed_in=True)
    return Done(lambda db: people.end_sessions(db, carol.id, scene.ada.id), carol.id, scene.ada.id)


def _invite(scene: Scene, db: AsyncSession) -> Awaitable[Any]:
    return people.invite(db, email="new@example.org", role=Role.USER, locale="de", actor=scene.ada.id)


async def _create_admin(scene: Scene) -> Done:
    words = {"email": f"{uuid.uuid4().hex}@example.org", "name": "Alice", "locale": "en", "zone": "UTC"}
    return Done(lambda db: people.create_admin(db, **words, actor=scene.ada.id), None, scene.ada.id)


async def _sign_in_as(scene: Scene) -> Any:
    return lambda db: people.sign_in_as(db, scene.alice.id, people.VisitReason.FAULT, scene.ada.id)


async def _revoke(scene: Scene) -> Any:
    async with scene.counter.database.transaction(everyone=WHY) as db:
        key, _ = await keys.make(db, scene.alice.id, "Alice's", ["account:read"])
    return Done(lambda db: keys.revoke(db, scene.alice.id, key.id, actor=scene.ada.id), scene.alice.id, scene.ada.id)


def _begin(scene: Scene, db: AsyncSession) -> Awaitable[Any]:
    return sessions.begin(db, scene.alice.id, address="192.0.2.1", browser="Alice's", actor=scene.ada.id)


async def _end_all(scene: Scene) -> Done:
    carol = await scene.other("Carol", signed_in=True)
    return Done(lambda db: sessions.end_all(db, carol.id, actor=scene.ada.id), carol.id, scene.ada.id)


async def _end_one(scene: Scene) -> Done:
    carol = await scene.other("Carol", signed_in=True)
    async with scene.counter.database.transaction(everyone=WHY) as db:
        (signed_in,) = await sessions.of_user(db, carol.id)
    return Done(lambda db: sessions.end_one(db, carol.id, signed_in.id, actor=scene.ada.id), carol.id, scene.ada.id)


READY: Mapping[str, tuple[Ready, tuple[str, ...]]] = {
    "accounts.keys.revoke": (_revoke, ("key.revoked",)),
    "accounts.people.change_role": (_role, ("session.ended", "user.role_changed")),
    "accounts.people.create_admin": (_create_admin, ("user.made", "link.issued")),
    "accounts.people.end_sessions": (_sign_out, ("session.ended",)),
    "accounts.people.invite": deed(_invite, "link.issued", about="ada"),
    "accounts.people.reset_second_factor": (_second_factor, ("second_factor.reset",)),
    "accounts.people.sign_in_as": prepared(_sign_in_as, "visit.allowed", "link.issued"),
    "accounts.sessions.begin": deed(_begin, "session.began"),
    "accounts.sessions.end_all": (_end_all, ("session.ended",)),
    "accounts.sessions.end_one": (_end_one, ("session.ended",)),
    "agents.drafts.discard": prepared(_discard_draft, "agent.draft_discarded"),
    "agents.life.archive": prepared(_archive_agent, "agent.archived"),
    "agents.life.change": prepared(_change_agent, "agent.changed"),
    "agents.life.create": deed(_make_agent, "agent.made"),
    "agents.life.restore": prepared(_restore_agent, "agent.restored"),
    "agents.publish.publish": deed(_publish, "agent.published"),
    "agents.publish.publish_draft": prepared(_publish_draft, "agent.published"),
    "agents.publish.roll_back": prepared(_roll_back, "agent.published"),
    "alerts.board.acknowledge": prepared(_acknowledge, "alert.acknowledged"),
    "calls.closing.activate": (_activate, ("user.activated",)),
    "calls.closing.suspend": (_suspend, ("user.suspended",)),
    "calls.costs.set_rate": prepared(_rate, "cost_rate.set", about="ada"),
    "credits.adjustments.approve": prepared(_approve, "adjustment.approved", by="grace"),
    "credits.adjustments.refuse": prepared(_refuse, "adjustment.refused", by="grace"),
    "credits.adjustments.request": prepared(_request, "credits.adjusted"),
    "credits.batches.post_many": prepared(_post_many, "credits.posted_many"),
    "credits.money.decide_claim": prepared(lambda scene: _decide(scene, grant=True), "claim.granted"),
    "credits.money.payout": (_payout, ("credits.paid_out",)),
    "credits.money.set_guards": prepared(_guards, "guards.set"),
    "credits.money.set_limits": prepared(_limits, "limits.set"),
    "credits.money.set_low_balance": prepared(_low_balance, "low_balance.set"),
    "credits.money.waive": prepared(_waive, "call.waived"),
    "credits.packs.change": prepared(_change_pack, "pack.changed", about="ada"),
    "credits.packs.create": deed(_make_pack, "pack.made", about="ada"),
    "credits.packs.deactivate": prepared(_deactivate_pack, "pack.changed", about="ada"),
    "credits.prices.follow_list": (_follow_list, ("price.ended",)),
    "credits.prices.set_price": prepared(_price, "price.set"),
    "numbers.pool.add": prepared(_add_number, "number.added", about="ada"),
    "numbers.pool.assign": prepared(_assign, "number.assigned"),
    "numbers.drift.tell_again": prepared(_tell_again, "number.told_again", about="ada"),
    "numbers.pool.give_up": prepared(_give_up, "number.given_up", about="ada"),
    "numbers.pool.point": prepared(_point, "number.pointed"),
    "numbers.pool.release": prepared(_release, "number.released"),
    "numbers.pool.unpoint": prepared(_unpoint, "number.unpointed"),
    "numbers.rent.set_rent": prepared(_set_rent, "rent.set"),
    "payments.billing_details.keep": prepared(_billing, "billing_details.changed"),
    "payments.refunding.refund": (_refund, ("refund.asked", "refund.done")),
    "payments.saved_card.choose": (_choose, ("top_up.on",)),
    "payments.saved_card.forget": (_forget, ("card.forgotten",)),
    "payments.saved_card.off": (_off, ("top_up.off",)),
}
"""How each verb is done, and what stands in the log then, in order."""

VARIANTS: Mapping[str, tuple[Ready, tuple[str, ...]]] = {
    "a large adjustment waits": prepared(_request_above, "adjustment.asked"),
    "many people's lines": prepared(_post_for_many, "credits.posted_many", about="ada"),
    "a claim is refused": prepared(lambda scene: _decide(scene, grant=False), "claim.refused"),
    "only a pack's name changes": prepared(_rename_pack, "pack.changed", about="ada"),
    "a price for everybody": prepared(_price_for_all, "price.set", about="ada"),
    "an alert about nobody": prepared(_acknowledge_about_nobody, "alert.acknowledged", about="ada"),
    "an operator is one no more": (_demote, ("user.role_changed",)),
}
"""The same verbs where they do something else."""
