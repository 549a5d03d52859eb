"""What the pages ask of the process around them, and calls made by the product's own functions."""

import uuid
from dataclasses import dataclass, field
from typing import Any, cast

from fastapi import FastAPI
from pydantic import SecretStr

from talktime import web
from talktime.calls import lifecycle
from talktime.carriers.contract import Carrier, Ring
from talktime.credits import ledger
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.gateways.contract import Gateway
from talktime.http import problems
from talktime.http.context import Context
from talktime.jobs import Jobs
from talktime.settings import Settings
from tests.people import Person

SITE = "https://talktime.example"
SECRET = SecretStr("a secret of the tests, and of nobody else")
OWNER = "web-test"
CALLER = "+15550100123"


@dataclass
class Stage:
    """The parts of a Context that pages touch."""

    settings: Settings
    database: Database
    gateway: Gateway | None = None
    leaving: bool = False
    demo: bool = False
    carriers: dict[str, Carrier] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    jobs: Jobs = field(init=False)
    """What is enqueued lies in the database; nobody does it here."""

    def __post_init__(self) -> None:
        address = self.database.engine.url.set(drivername="postgresql")
        self.jobs = Jobs(address.render_as_string(hide_password=False))
        if self.settings.secret_key is None:  # or one would be made in the folder that the tests run in
            self.settings = self.settings.model_copy(update={"secret_key": SECRET})

    @property
    def gateways(self) -> dict[str, Gateway]:
        """The payment companies, by name."""
        return {"simulated": self.gateway} if self.gateway is not None else {}


async def ring(database: Database, person: Person, caller: str = CALLER) -> uuid.UUID:
    """Somebody rings; the call may ring on, or be over already when only the ladder answered."""
    rang = Ring(account="AC1", call_id=f"CA{new_id().hex}", caller=caller, dialled=person.number)
    async with database.transaction(everyone=lifecycle.RING_WHY) as db:
        decision = await lifecycle.ring(db, "simulated", rang)
    assert decision.call_id is not None
    return decision.call_id


async def answer(database: Database, person: Person, caller: str = CALLER) -> uuid.UUID:
    """Somebody rings, and the agent answers."""
    call = await ring(database, person, caller)
    async with database.transaction(user=person.id) as db:
        assert await lifecycle.answer(db, person.id, call, OWNER) is not None
    return call


async def say(database: Database, person: Person, call: uuid.UUID, turn_no: int, text: str, **more: Any) -> None:
    """Store a turn; odd ones are the agent's unless told otherwise."""
    turn = {
        "user_id": person.id,
        "call_id": call,
        "turn_no": turn_no,
        "speaker": "AGENT" if turn_no % 2 else "CALLER",
        "text": text,
        "began_ms": turn_no * 4000 - 4000,
        "ended_ms": turn_no * 4000 - 500,
        "interrupted": False,
        "latency": None,
        "tools": [],
        "sources": [],
        **more,
    }
    async with database.transaction(user=person.id) as db:
        await lifecycle.write_turn(db, turn)


async def extend(database: Database, person: Person, call: uuid.UUID, times: int = 1) -> None:
    """Ask for more time, as the meter does."""
    async with database.transaction(user=person.id) as db:
        for number in range(1, times + 1):
            await ledger.extend(db, person.id, call, OWNER, number)


async def finish(database: Database, person: Person, call: uuid.UUID, seconds: int, **more: Any) -> None:
    """The call is over."""
    async with database.transaction(user=person.id) as db:
        await lifecycle.finish(db, person.id, call, **{"seconds": seconds, "reason": "caller_hung_up", **more})


def app_on(stage: Stage) -> FastAPI:
    """The pages as the product mounts them."""
    app = FastAPI(openapi_url=None)
    problems.install(app)
    app.include_router(web.router)
    web.install(app)
    app.state.context = cast(Context, stage)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a fault of ours, with a secret in it")

    return app
