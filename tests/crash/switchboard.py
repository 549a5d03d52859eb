"""A phone company in a test's hands: the part of Twilio's API that looks calls up and ends them, on a real port.

Unlike the simulated phone company it counts the seconds that a test tells it to, so that a charge can be foreseen.
"""

import base64
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from talktime.carriers.simulated import Simulated, SimulatedAccount
from talktime.inbox import Incoming
from talktime.simulate.server import listen, serve

ACCOUNT = "AC" + "0" * 32
TOKEN = "a token of this test"
_REPORT = "carrier.report"  # `hooks.calls.REPORT`, without all that a door needs


@dataclass
class Leg:
    """A call as the company sees it."""

    seconds: int
    """How long it will have been connected when it ends."""
    status: str = "in-progress"
    hang_ups: int = 0
    dials: int = 0
    person: "Leg | None" = None
    """Whom its caller is put through to, and what will have become of that when somebody asks."""


@dataclass
class Switchboard:
    """The company. Calls that nobody placed are unknown to it."""

    port: int = 0
    legs: dict[str, Leg] = field(default_factory=dict)

    @property
    def account(self) -> SimulatedAccount:
        return SimulatedAccount(ACCOUNT, TOKEN, "nothing to control", f"http://127.0.0.1:{self.port}")

    def carrier(self) -> Simulated:
        return Simulated(self.account)

    async def call(self, request: Request) -> Response:
        """`/2010-04-01/Accounts/…/Calls/….json`"""
        expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return JSONResponse({"code": 20003}, 401)
        sid = request.path_params["sid"]
        leg = self.legs.get(sid)
        if leg is None:
            return JSONResponse({"code": 20404}, 404)
        asked = parse_qs((await request.body()).decode())
        if "Twiml" in asked:
            assert leg.person is not None, asked
            leg.person.dials += 1
            self.legs[leg_of(sid)] = leg.person
        elif request.method == "POST":
            assert asked == {"Status": ["completed"]}, asked
            leg.status = "completed"
            leg.hang_ups += 1
        return JSONResponse(_shown(sid, leg))

    async def children(self, request: Request) -> Response:
        """`/2010-04-01/Accounts/…/Calls.json?ParentCallSid=…`"""
        child = leg_of(request.query_params["ParentCallSid"])
        return JSONResponse({"calls": [_shown(child, self.legs[child])] if child in self.legs else []})


@contextlib.asynccontextmanager
async def switchboard() -> AsyncIterator[Switchboard]:
    """One for as long as the block."""
    board = Switchboard()
    listener = listen(0)
    board.port = listener.getsockname()[1]
    routes = [
        Route("/2010-04-01/Accounts/{account}/Calls/{sid}.json", board.call, methods=["GET", "POST"]),
        Route("/2010-04-01/Accounts/{account}/Calls.json", board.children, methods=["GET"]),
    ]
    async with serve(Starlette(routes=routes), listener):
        yield board
    listener.close()


def new_sid() -> str:
    """A name for a call, of the company's form."""
    return f"CA{uuid.uuid4().hex}"


def leg_of(sid: str) -> str:
    """The name of the leg to the person whom a call's caller is put through to."""
    return f"CA{sid[:1:-1]}"


def _shown(sid: str, leg: Leg) -> dict[str, str | None]:
    is_over = leg.status != "in-progress"
    return {"sid": sid, "status": leg.status, "duration": str(leg.seconds) if is_over else None}


def kind_of(sid: str) -> str:
    """Each call's reports are a kind of their own here, so that many lives in one database leave each other's alone."""
    return f"{_REPORT}/{sid}"


def report(sid: str, status: str, *, sequence: int, seconds: int | None = None) -> Incoming:
    """What the company posts of a call, as our door stores it."""
    fields = {"AccountSid": ACCOUNT, "CallSid": sid, "CallStatus": status, "SequenceNumber": str(sequence)}
    if seconds is not None:
        # Billed minutes stand beside the seconds, under the better name.
        fields |= {"CallDuration": str(seconds), "Duration": str(-(-seconds // 60))}
    return Incoming(
        provider=Simulated.name,
        account=ACCOUNT,
        event_id=f"{sid}:{sequence}:{status}",
        kind=kind_of(sid),
        body=urlencode(fields).encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
