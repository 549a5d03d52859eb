"""A counter where credits are sold: our door on a real port, the simulated payment company on another, a database."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from talktime import inbox
from talktime.credits import packs
from talktime.credits.models import CreditPack
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.documents.values import Seller
from talktime.gateways.contract import Gateway, Notice, NoticeKind
from talktime.gateways.simulated import Simulated
from talktime.gateways.simulated_account import SimulatedGatewayAccount
from talktime.hooks import payments as door
from talktime.http import problems
from talktime.http.context import Context
from talktime.jobs import Jobs
from talktime.payments import checkout, open_checkouts, saved_card
from talktime.payments.invoices import Billing
from talktime.payments.models import Purchase, PurchaseDirectory, PurchaseState
from talktime.payments.till import Till, listed
from talktime.privacy.closing import Closed, close_account
from talktime.settings import Settings
from talktime.simulate.gateway import SimulatedGateway
from talktime.simulate.gateway_control import GatewayControl
from talktime.simulate.gateway_deeds import Faults, Means, Pay
from talktime.simulate.server import listen, serve
from talktime.speech.choose import Trio
from talktime.speech.contract import Brief, CallTool, Heard, Hearing, Message, Moment, Say, Tool
from talktime.voice.conversation import Engine
from talktime.voice.meter import Meter
from talktime.voice.receptionists import Receptionists
from tests.people import WHY, Person, lines_of

KEY, WEBHOOK, CONTROL = "sk_test_" + "k" * 24, "whsec_" + "w" * 32, "control-secret"
SELLER = Seller(name="Talktime GmbH", address=("Am Markt 1", "50667 Köln"), country="DE", vat_id="DE123456789")
BACK = "http://127.0.0.1:9"


@dataclass
class Counter:
    database: Database
    company: SimulatedGateway
    gateway: Simulated
    control: GatewayControl
    till: Till
    url: str
    """Where our door is."""

    async def pack(self, *, credits: int = 1000, price_minor: int = 2000, currency: str = "EUR") -> CreditPack:
        async with self.database.transaction(everyone=WHY) as db:
            return await packs.create(db, name="Starter", credits=credits, price_minor=price_minor, currency=currency)

    async def begin(self, person: Person, pack: CreditPack, *, key: str = "", **more: Any) -> Purchase:
        """A checkout that waits for its buyer."""
        key = key or uuid.uuid4().hex
        urls = {"success_url": f"{BACK}/bought", "cancel_url": f"{BACK}/credits"}
        await checkout.begin(self.database, self.gateway, person.id, pack.id, key=key, **{**urls, **more})
        async with self.database.transaction(user=person.id) as db:
            found = await db.scalar(select(Purchase).where(Purchase.request_key == key))
            assert found is not None
            return found

    async def pay(self, purchase: Purchase, how: Means = Means.CARD) -> str:
        """Somebody pays; gives the payment's id."""
        session = await self.control.do(Pay(checkout=await self.checkout_id(purchase), how=how))
        return str(session["payment_intent"])

    async def bought(self, person: Person, pack: CreditPack | None = None, **more: Any) -> tuple[Purchase, str]:
        """A purchase that was paid and handled, and its payment's id."""
        purchase = await self.begin(person, pack or await self.pack(), **more)
        payment = await self.pay(purchase)
        await self.told()
        return await self.now(purchase), payment

    async def card(self, person: Person) -> str:
        """Somebody's card is saved; gives the name that the company has for it."""
        purchase, payment = await self.bought(person, save_card=True)
        assert await saved_card.save(self.database, self.gateway, person.id, purchase.id, payment)
        async with self.database.transaction(user=person.id) as db:
            found = await saved_card.of(db, person.id)
            assert found is not None
            return str(found.payment_method_id)

    async def forget_card(self, user: uuid.UUID) -> bool:
        """What closing an account asks of us."""
        return await saved_card.leave(self.database, self.till.gateways, user)

    async def close(self, person: Person, actor: Person) -> Closed:
        """An operator closes an account, as the command does."""
        return await close_account(
            self.database,
            {},
            person.id,
            actor.id,
            forget_card=self.forget_card,
            end_checkouts=lambda db, user: open_checkouts.end_all(db, self.till.jobs, user),
        )

    async def told(self) -> None:
        """Everything that was to be told has been, and was handled."""
        assert await self.control.settled()
        await self.drain()

    async def drain(self) -> None:
        while await inbox.drain(self.database, self.till.handlers()):
            pass

    async def hear(self, notice: Notice, *, times: int = 1) -> None:
        """A notice comes so many times, each time under another event id, and is handled."""
        for _ in range(times):
            one = replace(notice, event_id=f"evt_{uuid.uuid4().hex}")
            async with self.database.transaction(everyone=WHY) as db:
                assert await inbox.store(db, listed(self.gateway, one))
            await self.drain()

    async def now(self, purchase: Purchase) -> Purchase:
        async with self.database.transaction(everyone=WHY) as db:
            return (await db.execute(select(Purchase).where(Purchase.id == purchase.id))).scalar_one()

    async def state(self, purchase: Purchase) -> PurchaseState:
        return (await self.now(purchase)).state

    async def checkout_id(self, purchase: Purchase) -> str:
        async with self.database.transaction(everyone=WHY) as db:
            return str(
                await db.scalar(
                    select(PurchaseDirectory.checkout_id).where(PurchaseDirectory.purchase_id == purchase.id)
                )
            )

    async def purchases(self, person: Person) -> list[Purchase]:
        async with self.database.transaction(user=person.id) as db:
            return list(await db.scalars(select(Purchase).order_by(Purchase.id)))

    async def bought_lines(self, person: Person) -> list[tuple[str, int]]:
        """What payments did to somebody's ledger."""
        lines = await lines_of(self.database, person)
        return [(line.type.value, line.amount) for line in lines if line.purchase_id is not None]

    async def alerts(self, purchase: Purchase | None = None, **detail: str) -> list[str]:
        """The kinds of alerts about a purchase, or with such a detail."""
        wanted = {"purchase_id": str(purchase.id)} if purchase else detail
        name, value = next(iter(wanted.items()))
        async with self.database.transaction(everyone=WHY) as db:
            return list(
                await db.scalars(
                    text("SELECT kind FROM alerts WHERE detail ->> :name = :value ORDER BY created_at"),
                    {"name": name, "value": value},
                )
            )

    async def notices(self, person: Person) -> list[str]:
        async with self.database.transaction(user=person.id) as db:
            return list(await db.scalars(text("SELECT kind FROM notices ORDER BY created_at, kind")))

    async def verdicts(self, name: str) -> list[str | None]:
        """What handling the events came to whose body names something."""
        async with self.database.transaction(everyone=WHY) as db:
            return list(
                await db.scalars(
                    text(
                        "SELECT verdict FROM provider_events WHERE position(:name IN encode(body, 'escape')) > 0"
                        " ORDER BY received_at"
                    ),
                    {"name": name},
                )
            )


def notice(purchase: Purchase, kind: NoticeKind = NoticeKind.PAID, **more: Any) -> Notice:
    """What the company would say of a purchase."""
    said: dict[str, Any] = {
        "event_id": f"evt_{uuid.uuid4().hex}",
        "kind": kind,
        "type": "test",
        "live": False,
        "created_at": datetime.now(UTC),
        "payment_id": f"pi_{purchase.id.hex}",
        "purchase_id": purchase.id,
        "user_id": purchase.user_id,
        "amount_minor": purchase.price_minor,
        "currency": purchase.currency,
        **more,
    }
    return Notice(**said)


async def open_purchase(
    database: Database, person: Person, gateway: Gateway, *, credits: int = 1000, price_minor: int = 2000, **more: Any
) -> Purchase:
    """A purchase that was begun and not paid, without asking anybody."""
    values: dict[str, Any] = {"currency": "EUR", "name": "Starter", "test": not gateway.live, **more}
    async with database.transaction(everyone=WHY) as db:
        purchase = Purchase(
            user_id=person.id, id=new_id(), credits=credits, price_minor=price_minor, gateway=gateway.name, **values
        )
        db.add(purchase)
        await db.flush()
    return purchase


class Nobody:
    """Neither hears, nor thinks, nor speaks: nobody calls here."""

    name = "nobody"

    async def prepare(self, brief: Brief) -> None:
        raise AssertionError("nobody calls here")

    async def open(self, brief: Brief, on_heard: Callable[[Heard], None]) -> Hearing:
        raise AssertionError("nobody calls here")

    def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Say | CallTool]:
        raise AssertionError("nobody calls here")

    def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
        raise AssertionError("nobody calls here")


@contextlib.asynccontextmanager
async def open_counter(database: Database, home: Path, *, debit_seconds: float = 500) -> AsyncIterator[Counter]:
    """A counter for as long as the block."""
    listener = listen(0)
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    made = SimulatedGateway(
        KEY, WEBHOOK, CONTROL, webhook_url=f"{url}/hooks/payments/simulated", debit_seconds=debit_seconds
    )
    jobs = Jobs(database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(listener.close)
        await stack.enter_async_context(made)
        control = await stack.enter_async_context(made.control())
        gateway = Simulated(SimulatedGatewayAccount(KEY, WEBHOOK, CONTROL, made.api_base))
        stack.push_async_callback(gateway.close)
        till = Till({"simulated": gateway}, Billing(SELLER, 1900, f"T{uuid.uuid4().hex[:8].upper()}"), jobs)
        await stack.enter_async_context(serve(_app(database, home, port, till), listener))
        yield Counter(database, made, gateway, control, till, url)


def _app(database: Database, home: Path, port: int, till: Till) -> FastAPI:
    nobody = Nobody()
    trio, engine = Trio(nobody, nobody, nobody), Engine.warm()
    app = FastAPI()
    problems.install(app)
    app.include_router(door.router)
    app.state.context = Context(
        settings=Settings(home=home, port=port),
        database=database,
        jobs=till.jobs,
        carriers={},
        trio=trio,
        meter=Meter(database, "nobody"),
        engine=engine,
        receptionists=Receptionists(database, trio, engine),
        till=till,
    )
    return app


async def calm(counter: Counter) -> None:
    """Nothing goes wrong any more."""
    await counter.control.go_wrong(Faults())
    await counter.told()


@pytest.fixture(scope="session")
async def the_counter(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counter]:
    """One for all tests of a folder whose conftest imports it."""
    home: Path = tmp_path_factory.mktemp("counter")
    async with open_counter(database, home) as counter:
        yield counter


@pytest.fixture
async def counter(the_counter: Counter) -> Counter:
    """The same, where nothing goes wrong unless a test says so."""
    await calm(the_counter)
    return the_counter


__all__ = ["WHY", "Counter", "calm", "counter", "notice", "open_counter", "open_purchase", "the_counter"]
