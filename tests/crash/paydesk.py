"""The payment company of these tests, and a bag that collects what it tells.

The bag is nobody's door: it keeps bodies and signatures as they came, so that a test can bring them to a process when,
in what order and as often as it likes.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from talktime import inbox
from talktime.db.session import Database
from talktime.documents.values import Seller
from talktime.gateways.simulated import Simulated
from talktime.gateways.simulated_account import SimulatedGatewayAccount
from talktime.inbox import Handle, Incoming
from talktime.jobs import Jobs
from talktime.payments.invoices import Billing
from talktime.payments.till import TOLD, Till, told
from talktime.simulate.gateway import SimulatedGateway
from talktime.simulate.gateway_control import GatewayControl
from talktime.simulate.server import listen, serve

KEY, WEBHOOK, CONTROL = "sk_test_" + "c" * 24, "whsec_" + "c" * 32, "control-secret"
SELLER = Seller(name="Talktime GmbH", address=("Am Markt 1", "50667 Köln"), country="DE", vat_id="DE123456789")
BACK = "http://127.0.0.1:9"
SERIES = "CRASH"


@dataclass(frozen=True)
class Letter:
    """One delivery of one event, as it came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def type(self) -> str:
        return str(orjson.loads(self.body)["type"])


@dataclass
class Paydesk:
    """How to reach the company and the bag; the same in every process."""

    api_base: str
    bag_url: str

    def stage(self) -> dict[str, str]:
        """For a child."""
        return {"api_base": self.api_base, "bag_url": self.bag_url}

    def gateway(self) -> Simulated:
        return Simulated(SimulatedGatewayAccount(KEY, WEBHOOK, CONTROL, self.api_base))

    def control(self) -> GatewayControl:
        return GatewayControl(self.api_base, CONTROL)

    def till(self, url: str, gateway: Simulated) -> Till:
        return Till({gateway.name: gateway}, Billing(SELLER, 1900, SERIES), Jobs(url))

    async def letters(self, *names: str) -> Sequence[Letter]:
        """What was told so far with one of these names in it, oldest first, once nothing is under way any more."""
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=40) as client:
            key = {"Authorization": f"Bearer {CONTROL}"}
            async with asyncio.timeout(30):
                # No: meanwhile somebody else's payment made new ones.
                while not (await client.get(f"{self.api_base}/simulate/settled", headers=key)).json()["settled"]:
                    pass
            answer = await client.get(self.bag_url, params={"name": list(names)})
        return [Letter(headers, body.encode()) for headers, body in answer.json()]


@dataclass
class _Bag:
    letters: list[Letter] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.letters.append(Letter(headers, await request.body()))
        return Response(status_code=204)

    async def show(self, request: Request) -> Response:
        names = [name.encode() for name in request.query_params.getlist("name")]
        found = [each for each in self.letters if any(name in each.body for name in names)]
        shown: Any = [[each.headers, each.body.decode()] for each in found]
        return Response(orjson.dumps(shown), media_type="application/json")


@contextlib.asynccontextmanager
async def paydesk(**company: Any) -> AsyncIterator[Paydesk]:
    """A company and a bag for as long as the block."""
    bag, listener = _Bag(), listen(0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/bag"
    routes = [Route("/bag", bag.take, methods=["POST"]), Route("/bag", bag.show, methods=["GET"])]
    made = SimulatedGateway(KEY, WEBHOOK, CONTROL, webhook_url=url, **company)
    async with serve(Starlette(routes=routes), listener), made:
        yield Paydesk(made.api_base, url)
    listener.close()


def incoming(gateway: Simulated, letter: Letter, scope: str = "") -> Incoming:
    """What our door stores of a letter, after the signature was found right.

    With a `scope` the event is of a kind of its own, so that many lives in one database leave each other's alone.
    """
    # A company signs anew whenever it tries again; in a long run these letters are older than a signature may be.
    signed = re.search(r"\bt=([0-9]+)", letter.headers["stripe-signature"])
    assert signed is not None, letter.headers
    notice = gateway.verify(letter.headers, letter.body, datetime.fromtimestamp(int(signed[1]), UTC))
    event = told(gateway, notice, letter.body, letter.headers)
    return replace(event, kind=kind_of(scope)) if scope else event


def kind_of(scope: str) -> str:
    return f"{TOLD}/{scope}"


def handlers_of(till: Till, *scopes: str) -> Mapping[str, Handle]:
    """Who handles the events of these scopes, and those without one: as the till says it."""
    handlers = till.handlers()
    return {**handlers, **{kind_of(scope): handlers[TOLD] for scope in scopes}}


async def deliver(
    database: Database, till: Till, gateway: Simulated, letters: Sequence[Letter], *, scope: str = ""
) -> None:
    """The company brings letters to our door; nobody drains the inbox yet."""
    for letter in letters:
        await inbox.accept(database, incoming(gateway, letter, scope))
