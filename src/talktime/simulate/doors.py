"""The simulated phone company's HTTP: Twilio's REST API for calls, and a door of its own where calls are placed.

The one rule: both doors ask for their own secret before they say anything, and the control door, which no real carrier
has, opens to this machine only.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from talktime.errors import BadInput
from talktime.simulate import numbers_doors, twiml
from talktime.simulate.answers import api_error, as_ordered, form_of, in_json, is_account, refusal_at_control_door
from talktime.simulate.dialled import Dialled
from talktime.simulate.legs import Event, Leg
from talktime.simulate.orders import Order
from talktime.simulate.outgoing import Outgoing

ORDER_BYTES_MAX = 50_000_000


class Company(numbers_doors.Company, Protocol):
    """What the doors lead to."""

    def leg(self, sid: str) -> Leg | Dialled | Outgoing | None:
        """A call by its name."""

    def legs_of(self, sid: str) -> list[Dialled]:
        """What a call was forwarded on, newest first."""

    def place(self, order: Order) -> AsyncGenerator[Event, None]:
        """Make a call. Raises BadInput at the first step."""

    def live(self) -> int:
        """How many calls there are now."""


def application(company: Company) -> Starlette:
    """The ASGI application."""

    async def show_or_change(request: Request) -> Response:
        return await _call_resource(company, request)

    async def list_legs_or_call(request: Request) -> Response:
        if request.method == "POST":
            if not is_account(company, request):
                return api_error(401, 20003, "Authenticate")
            return await numbers_doors.place_call(company, request)
        return await _legs_resource(company, request)

    async def place(request: Request) -> Response:
        refusal = refusal_at_control_door(request, company.control_secret)
        return refusal if refusal is not None else await _place(company, request)

    async def health(request: Request) -> Response:
        refusal = refusal_at_control_door(request, company.control_secret)
        return refusal or in_json({"ok": True, "calls": company.live(), "pid": os.getpid()})

    return Starlette(
        routes=[
            Route("/2010-04-01/Accounts/{account}/Calls/{name}.json", show_or_change, methods=["GET", "POST"]),
            Route("/2010-04-01/Accounts/{account}/Calls.json", list_legs_or_call, methods=["GET", "POST"]),
            *numbers_doors.routes(company),
            Route("/simulate/calls", place, methods=["POST"]),
            Route("/simulate/health", health, methods=["GET"]),
        ]
    )


# Twilio's API.


async def _call_resource(company: Company, request: Request) -> Response:
    if not is_account(company, request):
        return api_error(401, 20003, "Authenticate")
    leg = company.leg(request.path_params["name"])
    if leg is None:
        return api_error(404, 20404, f"The requested resource {request.url.path} was not found")
    refusal = await _fault(leg)
    if refusal is not None:
        return refusal
    if request.method == "POST":
        return await _change(leg, request)
    return in_json(leg.record.shown())


async def _legs_resource(company: Company, request: Request) -> Response:
    """The list of calls, which is asked for one call's legs only."""
    if not is_account(company, request):
        return api_error(401, 20003, "Authenticate")
    parent = request.query_params.get("ParentCallSid", "")
    if not parent:
        return api_error(400, 20001, "Only the legs of a call are listed here")
    legs = company.legs_of(parent)
    if legs and (refusal := await _fault(legs[0])) is not None:
        return refusal
    return in_json({"calls": [leg.record.shown() for leg in legs], "page": 0, "next_page_uri": None})


async def _fault(leg: Leg | Dialled | Outgoing) -> Response | None:
    """What the API answers to whatever is asked about a call, when its order says so."""
    faults = leg.faults
    leg.api_asked += 1
    await asyncio.sleep(faults.api_delay_seconds)
    if faults.api_status is None or (faults.api_refusals is not None and leg.api_asked > faults.api_refusals):
        return None
    return as_ordered(faults.api_status)


async def _change(leg: Leg | Dialled | Outgoing, request: Request) -> Response:
    wanted = await form_of(request)
    if leg.record.state.is_over:
        if "Status" in wanted:
            return api_error(404, 20404, f"The requested resource {request.url.path} was not found")
        return api_error(400, 21220, "Call is not in-progress. Cannot redirect.")
    if "TimeLimit" in wanted:
        if not wanted["TimeLimit"].isdecimal() or int(wanted["TimeLimit"]) < 1:
            return api_error(400, 21218, "TimeLimit is not a number of seconds")
        leg.set_limit(int(wanted["TimeLimit"]))
    if "Twiml" in wanted:
        try:
            leg.redirect(wanted["Twiml"].encode())
        except twiml.BadMarkup as error:
            return api_error(400, 21218, str(error))
    if wanted.get("Status", "completed") not in ("completed", "canceled"):
        return api_error(400, 21218, "Invalid Status")
    if "Status" in wanted:
        leg.hang_up("api")
    return in_json(leg.record.shown())


# The control door.


async def _place(company: Company, request: Request) -> Response:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > ORDER_BYTES_MAX:
            return in_json({"detail": "The order is too large."}, 413)
    try:
        order = Order.model_validate_json(bytes(body))
        events = company.place(order)
        first = await anext(events)
    except ValidationError as error:
        return in_json({"detail": str(error)}, 422)
    except BadInput as error:
        return in_json({"detail": str(error)}, error.status)
    return _EventStream(first, events)


class _EventStream(Response):
    """A call's events, a line of JSON each, as they happen. A client that goes away is a caller who hangs up."""

    def __init__(self, first: Event, events: AsyncGenerator[Event, None]) -> None:
        super().__init__(media_type="application/x-ndjson")
        del self.headers["content-length"]
        self._first = first
        self._events = events

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.create_task(_wait_for_disconnect(receive))
        telling = asyncio.create_task(self._tell(send))
        try:
            await asyncio.wait({gone, telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            telling.cancel()
            results = await asyncio.gather(gone, telling, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _tell(self, send: Send) -> None:
        async with aclosing(_chain(self._first, self._events)) as lines:
            async for event in lines:
                body = orjson.dumps(event) + b"\n"
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _chain(first: Event, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    async with aclosing(events):
        yield first
        async for event in events:
            yield event


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
