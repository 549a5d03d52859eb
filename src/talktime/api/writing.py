"""Writing without losing what somebody else wrote, and without doing anything twice.

The rules: what is changed is changed from the state that the program saw (If-Match), compared in the transaction that
changes it; what is made is made once for each Idempotency-Key, whose row is written in the same transaction.

    @router.patch("/{agent_id}")
    async def agents_change(caller, agent_id, body: AgentChange, match: Annotated[Match, if_match()]) -> Response:
        async with caller.transaction() as db:
            match.require(tag_of(Agent.of(await drafts.locked(db, caller.user, agent_id))))
            ...
        return shown(Agent.of(agent))

    @router.post("", status_code=201, response_model=Agent)
    async def agents_make(caller, body: NewAgent, once: Annotated[Once, only_once()]) -> Response:
        async def make(db: Session) -> Agent:
            return Agent.of(await drafts.create(db, caller.user, ...))
        return await once.do(make)
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from talktime.accounts import idempotency
from talktime.accounts.idempotency import Answer, Asked
from talktime.api.caller import Caller
from talktime.db.session import Session, Transaction
from talktime.errors import BadInput, ProviderError, TalktimeError

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')
_REPLAYED = "idempotency-replayed"


class StateUnknown(TalktimeError):
    """Say which state you change: send the ETag that you got with it, as If-Match."""

    status = 428
    field = "If-Match"


class StateChanged(TalktimeError):
    """Somebody changed this since you read it. Read it again, and send your change with its new ETag."""

    status = 412


class NoTag(BadInput):
    """If-Match is an ETag as it came, in its quotes, or several of them with commas."""

    field = "If-Match"


class NoIdempotencyKey(BadInput):
    """An Idempotency-Key is 1 to 255 visible characters of ASCII: a random UUID is a good one."""

    field = "Idempotency-Key"


def tag_of(resource: BaseModel) -> str:
    """The ETag of a resource as it is shown: it changes when anything does that a program can see."""
    return f'"{hashlib.sha256(resource.model_dump_json().encode()).hexdigest()[:32]}"'


def shown(resource: BaseModel, status: int = 200, *, location: str | None = None, tag: str | None = None) -> Response:
    """A single resource with its ETag; `tag` where something in it changes by itself and is not in the tag."""
    headers = {"etag": tag or tag_of(resource)} | ({"location": location} if location else {})
    return Response(resource.model_dump_json(), status, headers, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Match:
    """The state from which a program changes something."""

    tags: frozenset[str] | None
    """None for any: `*`."""

    def require(self, tag: str) -> None:
        """Raises StateChanged when this is another state."""
        if self.tags is not None and tag not in self.tags:
            raise StateChanged


def if_match() -> Any:
    """For the signature of a route that changes something: the state that it is changed from."""

    async def read(if_match: Annotated[str | None, Header(description=_ABOUT_MATCH, max_length=1000)] = None) -> Match:
        if if_match is None:
            raise StateUnknown
        said = [each.strip() for each in if_match.split(",")]
        if said == ["*"]:
            return Match(None)
        if not all(_TAG.fullmatch(each) for each in said):
            raise NoTag
        # A weak tag never matches here (RFC 9110, 13.1.1).
        return Match(frozenset(each for each in said if not each.startswith("W/")))

    return Depends(read)


_ABOUT_MATCH = "The `ETag` of the state that is changed."
_ABOUT_KEY = "Your own name for this request. Sent again with it, it is done once, and answered the same for 24 hours."

Work = Callable[[Session], Awaitable[BaseModel]]
Steps = Callable[[str], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class Once:
    """Something is made once."""

    caller: Caller
    asked: Asked | None
    """None when the program gave it no name: then it is made each time it is asked for."""

    async def do(
        self,
        work: Work,
        *,
        status: int = 201,
        headers: Callable[[Any], Mapping[str, str]] = lambda _made: {},
        everyone: Callable[[], Transaction] | None = None,
    ) -> Response:
        """Do it in one transaction, which the key's row is part of, and answer with what it gives. `headers` are made
        of that; `everyone` gives the transaction where one of the caller's own does not do."""
        async with (everyone or self.caller.transaction)() as db:
            if self.asked is not None and (before := await idempotency.begin(db, self._secret, self.asked)):
                return _replayed(before)
            made = await work(db)
            answer = _answer(status, made, headers(made))
            if self.asked is not None:
                await idempotency.finish(db, self._secret, self.asked, answer)
        return _response(answer)

    async def do_in_steps(
        self, work: Steps, *, status: int = 201, headers: Callable[[Any], Mapping[str, str]] = lambda _made: {}
    ) -> Response:
        """The same for what calls out on its way. `work` gets a name under which each of its steps can be done again
        (of 40 characters, the caller's own), and opens its own transactions; somebody else finishes it when we die."""
        if self.asked is None:
            return _response(_answer(status, made := await work(f"api-{idempotency.new_name()}"), headers(made)))
        async with self.caller.transaction() as db:
            if before := await idempotency.begin(db, self._secret, self.asked):
                return _replayed(before)
        name = f"api-{hashlib.sha256(self.asked.key.encode()).hexdigest()[:36]}"
        try:
            made = await work(name)
        except (TalktimeError, ProviderError):
            # What was done of it is found again under its name, whoever asks.
            async with self.caller.transaction() as db:
                await idempotency.give_up(db, self.asked)
            raise
        answer = _answer(status, made, headers(made))
        async with self.caller.transaction() as db:
            await idempotency.finish(db, self._secret, self.asked, answer)
        return _response(answer)

    @property
    def _secret(self) -> bytes:
        return self.caller.context.settings.secret


def only_once() -> Any:
    """For the signature of a POST that makes something."""

    async def read(
        request: Request, idempotency_key: Annotated[str | None, Header(description=_ABOUT_KEY)] = None
    ) -> Once:
        caller: Caller = request.state.caller
        if idempotency_key is None:
            return Once(caller, None)
        if _KEY.fullmatch(idempotency_key) is None:
            raise NoIdempotencyKey
        # The same thing asked for: the same method and address, and the same values, however they were written down; by
        # a key that may do the same, because an answer may hold what another one may not have.
        said = orjson.dumps(request.state.json, option=orjson.OPT_SORT_KEYS)
        address = f"{request.method} {request.url.path}?{request.url.query}\n{' '.join(sorted(caller.scopes))}\n"
        return Once(caller, Asked(caller.user, idempotency_key, hashlib.sha256(address.encode() + said).digest()))

    return Depends(read)


def _answer(status: int, made: BaseModel, headers: Mapping[str, str]) -> Answer:
    """Headers and document in one, as they are kept."""
    return Answer(status, orjson.dumps([dict(headers), made.model_dump_json()]))


def _response(answer: Answer, more: Mapping[str, str] = MappingProxyType({})) -> Response:
    headers, document = orjson.loads(answer.document)
    return Response(document, answer.status, {**headers, **more}, media_type="application/json")


def _replayed(answer: Answer) -> Response:
    return _response(answer, {_REPLAYED: "true"})
