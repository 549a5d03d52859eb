"""Three people and one installation for the matrix: whose things stand in addresses, and who sits at the browser.

The rule: what works once is made anew for each request, and a person is afterwards as they were before.
"""

import contextlib
import itertools
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from talktime.accounts import keys, links, passwords, sessions
from talktime.accounts.models import LinkPurpose
from talktime.alerts import raise_alert
from talktime.app import create_app
from talktime.calls import corrections
from talktime.credits import adjustments, money
from talktime.credits.models import Approval, CreditPack, NotCharged
from talktime.db.base import new_id
from talktime.db.session import Database, connect
from talktime.http.context import Context
from talktime.http.security import cookie_name
from talktime.notices.choices import path_off
from talktime.numbers.models import NumberProof, PhoneNumber
from talktime.payments import invoices
from talktime.security import token_hash
from talktime.settings import Settings
from talktime.speech.choose import Trio
from talktime.web.assets import address_of
from talktime.webhooks import deliveries, endpoints
from talktime.webhooks.endpoints import Keeping
from tests.db.everything import become_owner
from tests.house import Parrot, Scripted, Tones
from tests.payments.counter import Counter, open_counter
from tests.people import WHY, Person, new_person
from tests.web.stage import SECRET, SITE, answer, finish, say

_LINKS = {
    "/sign-in": LinkPurpose.SIGN_IN,
    "/welcome": LinkPurpose.SIGN_UP,
    "/reset": LinkPurpose.RESET,
    "/confirm-email": LinkPurpose.CHANGE_EMAIL,
}
_PLACES = itertools.count()
PASSWORD = "nine otters in a rowing boat"
OFTEN: dict[str, Any] = {"api_requests_per_minute": 1_000_000, "api_requests_burst": 1_000_000}
"""Programs are never told to wait."""


@dataclass
class World:
    """One installation with a shop, as its routes see it."""

    app: FastAPI
    database: Database
    counter: Counter
    pack: CreditPack
    password_hash: str

    @property
    def settings(self) -> Settings:
        return cast(Context, self.app.state.context).settings

    def browser(self) -> httpx.AsyncClient:
        # From anywhere, or the many that are told to wait would be one.
        client = (f"198.18.{next(_PLACES) % 250}.{next(_PLACES) % 250}", 4711)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=client)
        return httpx.AsyncClient(transport=transport, base_url=SITE, headers={"accept": "text/html"})

    async def do(self, statement: str, **values: object) -> None:
        """Change the stage behind everybody's back."""
        async with self.database.transaction(everyone=WHY) as db:
            await db.execute(text(statement), values)


@dataclass
class Cast:
    """Alice, whose things these are; Bob, who is somebody else; Ada, the operator."""

    world: World
    alice: Person
    bob: Person
    ada: Person
    emails: Mapping[uuid.UUID, str]
    things: Mapping[str, str]
    """What stands in addresses and forms: of Alice's."""
    words: frozenset[str]
    """What is Alice's alone, and must be read by nobody else."""


def application(home: Path, database_url: str, **more: Any) -> FastAPI:
    """All of Talktime, with all that a demo has; nobody works off jobs here, so that what is done stays to be seen."""
    settings = Settings(home=home, public_url=SITE, secret_key=SECRET, **more)
    trio = Trio(Scripted(), Parrot(), Tones())
    return create_app(settings, database_url, parts=("web", "voice"), demo=True, trio=trio)


@contextlib.asynccontextmanager
async def open_world(home: Path, database_url: str, **more: Any) -> AsyncIterator[World]:
    """It, with a shop, for as long as the block."""
    database, app = connect(database_url), application(home, database_url, **more)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        counter = await stack.enter_async_context(open_counter(database, home))
        await stack.enter_async_context(app.router.lifespan_context(app))
        app.state.context = replace(app.state.context, till=counter.till)
        yield World(app, database, counter, await counter.pack(), await passwords.hash_of(PASSWORD))


async def make_people(world: World) -> Cast:
    """Three people who never met, and something of Alice's of every kind."""
    database, tag = world.database, uuid.uuid4().hex[:8]
    alice = await new_person(database, f"Alice{tag}", credits=1000)
    bob = await new_person(database, f"Bob{tag}", credits=1000)
    ada = await new_person(database, f"Ada{tag}", credits=1000, admin=True)
    bert = await new_person(database, f"Bert{tag}", credits=0, admin=True)
    caller = f"+1555{int(tag, 16) % 10**7:07d}"
    calls = [await answer(database, alice, caller) for _ in range(2)]
    for call in calls:
        await say(database, alice, call, 1, f"What {tag} said.")
        await finish(database, alice, call, 40)
    await world.do("UPDATE calls SET summary = :said WHERE id = :call", said=f"About {tag}.", call=calls[0])
    purchase, payment = await world.counter.bought(alice, world.pack)
    keeping = Keeping(world.settings.secret)
    async with database.transaction(user=alice.id) as db:
        made = await endpoints.create(db, alice.id, keeping, url=f"https://crm.example.org/{tag}", events=["*"])
        endpoint, delivery = made[0].id, await deliveries.test(db, alice.id, made[0].id)
        [invoice] = await invoices.of_purchase(db, alice.id, purchase.id)
        await corrections.record(db, alice.id, calls[0], 1, f"What {tag} should have been told.")
        await money.claim(db, alice.id, calls[1], NotCharged.SPAM)
    async with database.transaction(everyone=WHY) as db:
        number_id = await db.scalar(
            text("SELECT id FROM phone_numbers WHERE number = :number"), {"number": alice.number}
        )
        proof = NumberProof(
            user_id=alice.id, number=caller, carrier="simulated", expires_at=datetime.now(UTC) + timedelta(minutes=10)
        )
        db.add(proof)
        await db.flush()
        await raise_alert(db, "unknown_payment", alice.id, {"payment_id": tag})
        alert = await db.scalar(text("SELECT id FROM alerts WHERE detail ->> 'payment_id' = :tag"), {"tag": tag})
        approval = await adjustments.request(
            db, user=alice.id, reference=tag, amount=500, reason=f"for {tag}", actor=bert.id, limit=10
        )
        event = await db.scalar(text("SELECT id FROM provider_events WHERE handled_at IS NOT NULL LIMIT 1"))
        users = {"hash": world.password_hash, "users": [alice.id, bob.id, ada.id]}
        await db.execute(text("UPDATE users SET password_hash = :hash WHERE id = ANY (:users)"), users)
        # What is granted at once nobody has to decide.
        await become_owner(db)
        await db.execute(text("UPDATE charge_claims SET state = 'REQUESTED' WHERE call_id = :call"), {"call": calls[1]})
    assert isinstance(approval, Approval)
    emails = {each.id: f"{name}{tag}.{each.id.hex}@example.org" for name, each in _named(alice, bob, ada)}
    email = emails[alice.id]
    things = {
        "call": str(calls[0]), "agent": str(alice.agent), "turn": "1", "claimed": str(calls[1]),
        "invoice": str(invoice.id), "user": str(alice.id), "alert": str(alert), "approval": str(approval.id),
        "purchase_key": purchase.request_key or "",
        "agent_id": str(alice.agent), "version_no": "1", "day": "2026-12-25",
        "password": PASSWORD, "month": f"{datetime.now(UTC):%Y-%m}", "pack": str(world.pack.id), "email": email,
        "number": caller, "choice": "digest", "number_id": str(number_id), "proof_id": str(proof.id),
        "endpoint": str(endpoint), "delivery": str(delivery),
        "proof": path_off(world.settings.secret, alice.id, "digest").rpartition("/")[2],
        "purchase": str(purchase.id), "event": str(event), "job": str(2**40), "kind": "CALL",
        "leg": str(new_id()), "carrier": "simulated", "gateway": "simulated", "code": "de",
        "name": address_of("look.css").rpartition("/")[2],
    }  # fmt: skip
    hers = {str(call) for call in calls} | {alice.number, caller, email, payment, invoice.number, tag}
    hers |= {f"https://crm.example.org/{tag}", str(number_id), str(proof.id), str(endpoint), str(delivery)}
    hers |= {str(each) for each in (alice.id, alice.agent, purchase.id, invoice.id, alert, approval.id)}
    return Cast(
        world, alice, bob, ada, emails, things, frozenset(hers - {tag}) | {f"Alice{tag}", f"What {tag}", f"About {tag}"}
    )


def _named(alice: Person, bob: Person, ada: Person) -> list[tuple[str, Person]]:
    return [("alice", alice), ("bob", bob), ("ada", ada)]


async def fill(people: Cast, path: str) -> str:
    """A path with Alice's things in it; what works once is made anew each time."""
    things = dict(people.things)
    if path.startswith("/operator/money/claims"):
        things["call"] = things["claimed"]
    if path.startswith("/operator/numbers") and path.endswith(("/release", "/give-up")):
        things["number_id"] = await free_number(people)
    for begin, purpose in _LINKS.items():
        if path.startswith(f"{begin}/{{token}}"):
            things["token"] = await make_link(people, purpose)
    if "{session}" in path:
        async with people.world.database.transaction(everyone=WHY) as db:
            token = await sessions.begin(db, people.alice.id, address=None, browser=None)
            found = await db.scalar(
                text("SELECT id FROM sessions WHERE token_hash = :hash"), {"hash": token_hash(token)}
            )
            things["session"] = str(found)
    if "{key}" in path:
        async with people.world.database.transaction(everyone=WHY) as db:
            things["key"] = str((await keys.make(db, people.alice.id, "a program", ["account:read"]))[0].id)
    missing = set(re.findall(r"{(\w+)(?::\w+)?}", path)) - set(things)
    assert not missing, f"which of Alice's things is {missing}? Say so in the fixture `people`."
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: things[found[1]], path)


@contextlib.asynccontextmanager
async def browser_of(people: Cast, who: str) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """The browser of one of them, and the token that their forms carry; on the way in and out the stage is set."""
    world, alice = people.world, people.alice
    person = {"other": people.bob, "operator": people.ada, "acting": alice}.get(who, alice)
    if who.startswith("operator's"):
        person = people.ada
    async with world.browser() as browser:
        if who == "signed out":
            yield browser, await token_of(browser)
            return
        if who == "API key":
            async with world.database.transaction(everyone=WHY) as db:
                _, key = await keys.make(db, alice.id, "all of it", set(keys.Scope) - keys.OPERATORS_SCOPES)
            browser.headers["authorization"] = f"Bearer {key}"
            yield browser, await token_of(browser)
            return
        session = await sign_in(people, browser, person, visitor=people.ada if who == "acting" else None)
        token = await token_of(browser)
        if who == "no token":
            token = ""
        elif who == "garbage":
            token = token[:-1] + ("A" if token[-1] != "A" else "B")
        elif who == "token of an earlier session":
            await sign_in(people, browser, person)
            assert await token_of(browser) != token
        elif who == "somebody else's token":
            async with world.browser() as bobs:
                await sign_in(people, bobs, people.bob)
                token = await token_of(bobs)
        async with stage_set(world, who, session, person):
            yield browser, token


@contextlib.asynccontextmanager
async def stage_set(world: World, who: str, session: bytes, person: Person) -> AsyncIterator[None]:
    """What happened since they signed in; a person is as before afterwards."""
    status = {"suspended": "SUSPENDED", "closed": "CLOSED"}.get(who)
    change = {
        "session over": "created_at = now() - interval '61 days', expires_at = now() - interval '1 second'",
        "session idle": "last_seen_at = now() - interval '14 days 1 minute'",
        "operator's session over": "created_at = now() - interval '8 days', expires_at = now() - interval '1 second'",
        "operator's session idle": "last_seen_at = now() - interval '12 hours 1 minute'",
        "not confirmed lately": "confirmed_at = now() - interval '16 minutes'",
        "second factor due": "second_factor_due = true",
    }.get(who)
    if change:
        await world.do(f"UPDATE sessions SET {change} WHERE token_hash = :hash", hash=session)
    if status:
        await world.do("UPDATE users SET status = CAST(:to AS user_status) WHERE id = :id", to=status, id=person.id)
    yield
    if status:
        await world.do("UPDATE users SET status = 'ACTIVE' WHERE id = :id", id=person.id)


async def sign_in(people: Cast, browser: httpx.AsyncClient, person: Person, *, visitor: Person | None = None) -> bytes:
    """Begin a session in this browser; gives what the database knows it by."""
    async with people.world.database.transaction(everyone=WHY) as db:
        token = await sessions.begin(
            db, person.id, address="198.18.0.1", browser="a test", actor=visitor.id if visitor else None
        )
    browser.cookies.set(cookie_name(people.world.settings), token, domain="talktime.example", path="/")
    return token_hash(token)


async def token_of(browser: httpx.AsyncClient) -> str:
    """What the forms carry that this browser is shown."""
    answer = await browser.get("/sign-in/whatever")
    found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert found, answer.text
    return found[1]


async def free_number(people: Cast) -> str:
    """A number of the pool that nobody has."""
    async with people.world.database.transaction(everyone=WHY) as db:
        number = PhoneNumber(number=f"+1555{uuid.uuid4().int % 10**7:07d}", carrier="simulated")
        db.add(number)
        await db.flush()
        return str(number.id)


async def make_link(people: Cast, purpose: LinkPurpose) -> str:
    """A link that nobody has opened yet."""
    async with people.world.database.transaction(everyone=WHY) as db:
        new = f"{uuid.uuid4().hex}@example.org"
        user = None if purpose == LinkPurpose.SIGN_UP else people.alice.id
        email = new if purpose in (LinkPurpose.SIGN_UP, LinkPurpose.CHANGE_EMAIL) else None
        return (await links.issue(db, purpose, user=user, email=email, locale=None if user else "en")).token
