"""The simulated payment company's API: Stripe's REST, as far as the adapter uses it.

The one rule: it is as strict as Stripe. A parameter that Stripe does not know, a key that was used for something else,
two names for one customer: each is refused here, so that it cannot be found out only where real money moves.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from talktime.simulate.answers import bears, in_json
from talktime.simulate.gateway_books import Books, Refusal
from talktime.simulate.gateway_deeds import Faults
from talktime.simulate.gateway_objects import Obj, new_id, shown
from talktime.simulate.gateway_params import (
    Charging,
    CheckoutParams,
    Invalid,
    Listing,
    Nothing,
    Params,
    RefundParams,
    Retrieving,
)

KEYS_KEPT = 10_000
_BODY_BYTES_MAX = 200_000
_PART = re.compile(r"\[([^\[\]]*)\]")
_EXPANDABLE = {"payment_intent": "payment_intent", "payment_method": "payment_method", "customer": "customer"}
_LISTS = {
    "checkout/sessions": "checkout.session",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "customers": "customer",
    "payment_methods": "payment_method",
    "events": "event",
}
Verb = Callable[[dict[str, Any], dict[str, str]], Obj]
"""From parameters and what the address names to an object."""


class Api:
    """Its routes, and the idempotency keys that were used."""

    def __init__(self, books: Books, api_key: str, faults: Callable[[], Faults]) -> None:
        self._books = books
        self._key = api_key
        self._faults = faults
        self._refused = 0
        self._answers: OrderedDict[str, tuple[bytes, int, Obj]] = OrderedDict()

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        made: list[Route] = [
            self._route("POST", "checkout/sessions", self._open_session),
            self._route("POST", "checkout/sessions/{id}/expire", self._expire),
            self._route("POST", "payment_intents", self._charge),
            self._route("POST", "refunds", self._refund),
            self._route("POST", "payment_methods/{id}/detach", self._detach),
        ]
        for path, kind in _LISTS.items():
            made += [
                self._route("GET", path, self._lister(kind, path)),
                self._route("GET", f"{path}/{{id}}", self._retriever(kind)),
            ]
        return made

    def forget_refusals(self) -> None:
        """Faults were set anew: what was refused before counts no more."""
        self._refused = 0

    # The verbs.

    def _open_session(self, given: dict[str, Any], _path: dict[str, str]) -> Obj:
        return self._books.open_session(Params.read(CheckoutParams, given).order())

    def _expire(self, given: dict[str, Any], path: dict[str, str]) -> Obj:
        Params.read(Nothing, given)
        session = self._books.find("checkout.session", path["id"])
        self._books.expire(session)
        return session

    def _charge(self, given: dict[str, Any], _path: dict[str, str]) -> Obj:
        return self._books.charge(Params.read(Charging, given).order(), self._faults().saved_card)

    def _refund(self, given: dict[str, Any], _path: dict[str, str]) -> Obj:
        asked = Params.read(RefundParams, given)
        payment = self._books.find("payment_intent", asked.payment_intent, param="payment_intent")
        return self._books.refund(payment, asked.amount, "succeeded", dict(asked.metadata))

    def _detach(self, given: dict[str, Any], path: dict[str, str]) -> Obj:
        Params.read(Nothing, given)
        method = self._books.find("payment_method", path["id"])
        if method["customer"] is None:
            raise Refusal(
                400, "The payment method you provided is not attached to a customer so detachment is impossible."
            )
        method["customer"] = None
        self._books.changes += 1
        return method

    def _lister(self, kind: str, path: str) -> Verb:
        def listed(given: dict[str, Any], _path: dict[str, str]) -> Obj:
            asked = Params.read(Listing, given)
            items = [each for each in reversed(self._books.shelves[kind].values()) if asked.chooses(each)]
            if asked.starting_after is not None:
                self._books.find(kind, asked.starting_after, param="starting_after")
                places = [place for place, each in enumerate(items) if each["id"] == asked.starting_after]
                items = items[places[0] + 1 :] if places else []
            expanded = [self._expanded(each, asked.expand, "data.") for each in items[: asked.limit]]
            return {"object": "list", "data": expanded, "has_more": len(items) > asked.limit, "url": f"/v1/{path}"}

        return listed

    def _retriever(self, kind: str) -> Verb:
        def retrieved(given: dict[str, Any], path: dict[str, str]) -> Obj:
            asked = Params.read(Retrieving, given)
            return self._expanded(self._books.find(kind, path["id"]), asked.expand, "")

        return retrieved

    def _expanded(self, obj: Obj, paths: list[str], before: str) -> Obj:
        found = dict(shown(obj))
        for path in paths:
            name = path.removeprefix(before)
            if not path.startswith(before) or name not in _EXPANDABLE or name not in obj:
                raise Refusal(400, f"This property cannot be expanded ({path}).", param="expand")
            if isinstance(obj[name], str):
                found[name] = shown(self._books.find(_EXPANDABLE[name], obj[name]))
        return found

    # Around every verb.

    def _route(self, method: str, path: str, verb: Verb) -> Route:
        async def answer(request: Request) -> Response:
            return await self._answer(request, verb)

        return Route(f"/v1/{path}", answer, methods=[method])

    async def _answer(self, request: Request, verb: Verb) -> Response:
        faults = self._faults()
        headers = {"Request-Id": new_id("req_", 14), "Stripe-Version": request.headers.get("stripe-version", "")}
        if not bears(request, self._key):
            error = {"message": "Invalid API Key provided.", "type": "invalid_request_error"}
            return in_json({"error": error}, 401, headers)
        raw = request.url.query.encode() if request.method == "GET" else await _body(request)
        is_down = faults.api_status is not None and (faults.api_refusals is None or self._refused < faults.api_refusals)
        self._refused += is_down
        if not is_down or faults.api_executes:
            status, said, more = self._perform(request, verb, raw)
            headers.update(more)
        await asyncio.sleep(faults.api_delay_seconds)
        if is_down:
            return in_json(
                {"error": {"message": "As ordered.", "type": "api_error"}}, faults.api_status or 500, headers
            )
        return in_json(said, status, headers)

    def _perform(self, request: Request, verb: Verb, raw: bytes) -> tuple[int, Obj, dict[str, str]]:
        """Do it, or give the answer that the same key had: also where that was a refusal."""
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        print_of = hashlib.sha256(f"{request.url.path}\n".encode() + raw).digest()
        if key in self._answers:
            before, status, said = self._answers[key]
            if before != print_of:
                message = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                return 400, {"error": {"message": message, "type": "idempotency_error"}}, {"Idempotency-Key": key}
            return status, said, {"Idempotency-Key": key, "Idempotent-Replayed": "true"}
        try:
            given = nested(raw.decode("utf-8", "strict"))
            status, said, is_kept = 200, shown(verb(given, dict(request.path_params))), True
        except ValueError:
            status, said, is_kept = 400, {"error": {"message": "Invalid.", "type": "invalid_request_error"}}, False
        except Refusal as refusal:
            # What failed before anything was begun is not kept: the same key may be used again for what is right.
            status, said, is_kept = refusal.status, {"error": refusal.error}, not isinstance(refusal, Invalid)
        if key and is_kept:
            self._answers[key] = (print_of, status, orjson.loads(orjson.dumps(said)))
            if len(self._answers) > KEYS_KEPT:
                self._answers.popitem(last=False)
        return status, said, {"Idempotency-Key": key} if key else {}


def nested(text: str) -> dict[str, Any]:
    """Parameters out of a form: `line_items[0][price_data][currency]=eur`. Raises ValueError."""
    root: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=1000):
        first, _, rest = name.partition("[")
        parts = [first, *_PART.findall(f"[{rest}")] if rest else [first]
        if len(parts) > 8:
            raise ValueError("a parameter is nested too deeply")
        inner = root
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ValueError("a parameter is both a value and not")
        # `expand[]=a` names no place: each goes behind the last.
        inner[parts[-1] or str(len(inner))] = value
    return {name: _listed(value) for name, value in root.items()}


def _listed(value: Any) -> Any:
    """Parts that are numbered are a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES_MAX:
            return b""
    return bytes(body)
