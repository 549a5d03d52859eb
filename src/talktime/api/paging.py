"""Lists, a page at a time: what a page looks like, and the cursor that leads from one to the next.

The rules: a page goes on behind the last row of the one before (keyset), so that page 10,000 costs what page 1 does
and nothing is shown twice; a cursor is signed, belongs to one user, one list and its filters, and opens nothing else.

    @router.get("")
    async def agents_list(caller: ..., page: Annotated[Paging, pages("-created_at", "name")]) -> Page[Agent]:
        async with caller.transaction() as db:
            rows = await reading.agents(db, caller.user, after=page.after, limit=page.limit + 1)
        return page.of(rows, key=lambda row: (row.created_at, row.id), show=Agent.of)
"""

import base64
import binascii
import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, overload

import orjson
from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict

from talktime.errors import BadInput
from talktime.http.context import context_of
from talktime.security import is_signed, sign

LIMIT = 50
LIMIT_MAX = 100
_CURSOR_LENGTH_MAX = 1000
_PURPOSE = "api cursor"
_Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at once.")]
_Cursor = Annotated[
    str | None, Query(max_length=_CURSOR_LENGTH_MAX, description="The `next_cursor` of the page before.")
]

Value = datetime | uuid.UUID | int | str | bool | None
Key = Sequence[Value]
"""What a list is in the order of: the values of its last row."""
Item = TypeVar("Item", bound=BaseModel)
Row = TypeVar("Row")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


class WrongCursor(BadInput):
    """This cursor leads nowhere here: begin with the first page, and go on with the same filters and the same sort."""

    field = "cursor"


class UnknownSort(BadInput):
    """This list is not sorted by that."""

    field = "sort"


class Page(BaseModel, Generic[Item]):
    """A page of a list, and how the next one is asked for."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    data: list[Item]
    next_cursor: str | None
    """Send it as `cursor`, with the same filters and sort; null on the last page."""
    has_more: bool


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for."""

    limit: int
    is_descending: bool
    """A list has one order, and is read from either end."""
    after: Key | None
    """The key of the last row of the page before; None for the first page."""
    _sign: Callable[[Key], str]

    @property
    def moment_and_id(self) -> tuple[datetime, uuid.UUID] | None:
        """`after`, in a list whose keys are that."""
        return self.place(datetime, uuid.UUID)

    def single(self, kind: type[A]) -> A | None:
        """`after`, in a list whose keys are one value."""
        return None if (found := self.place(kind)) is None else found[0]

    @overload
    def place(self, only: type[A], /) -> tuple[A] | None: ...

    @overload
    def place(self, first: type[A], second: type[B], /) -> tuple[A, B] | None: ...

    @overload
    def place(self, first: type[A], second: type[B], third: type[C], /) -> tuple[A, B, C] | None: ...

    def place(self, *kinds: type[Any]) -> tuple[Any, ...] | None:
        """`after`, as values of these types; None for the first page."""
        if self.after is None:
            return None
        values = tuple(self.after)
        assert len(values) == len(kinds), (values, kinds)
        assert all(isinstance(value, kind) for value, kind in zip(values, kinds, strict=True)), values
        return values

    def of(self, rows: Sequence[Row], *, key: Callable[[Row], Key], show: Callable[[Row], Item]) -> "Page[Item]":
        """The page made of these rows, of which one more than `limit` was asked for."""
        shown = rows[: self.limit]
        return self.to([show(row) for row in shown], key(shown[-1]) if len(rows) > self.limit else None)

    def to(self, data: Sequence[Item], last: Key | None) -> "Page[Item]":
        """The same where somebody else knows whether there is more: `last` is behind what the next page begins."""
        return Page(data=list(data), next_cursor=None if last is None else self._sign(last), has_more=last is not None)


def whole(data: Sequence[Item]) -> "Page[Item]":
    """A list that is never long, all of it."""
    return Page(data=list(data), next_cursor=None, has_more=False)


def pages(*sorts: str) -> Any:
    """For a list's signature: the page that is asked for. `sorts` are what it can be sorted by, such as
    `-created_at` (newest first); the first is how it is sorted by itself. None: it has one order only."""

    async def read(request: Request, limit: _Limit = LIMIT, cursor: _Cursor = None) -> Paging:
        return _paging(request, limit, cursor, "")

    async def read_sorted(
        request: Request,
        limit: _Limit = LIMIT,
        cursor: _Cursor = None,
        sort: Annotated[
            str, Query(description="By what; with a minus the greatest first.", json_schema_extra={"enum": [*sorts]})
        ] = sorts[0] if sorts else "",
    ) -> Paging:
        if sort not in sorts:
            raise UnknownSort(f"This list is not sorted by that. Choose one of: {', '.join(sorts)}.")
        return _paging(request, limit, cursor, sort)

    return Depends(read_sorted if sorts else read)


def _paging(request: Request, limit: int, cursor: str | None, sort: str) -> Paging:
    secret = context_of(request).settings.secret
    belongs_to = (str(request.state.caller.user), request.url.path, _digest_of_filters(request, sort))

    def signed(key: Key) -> str:
        payload = _encode(orjson.dumps([_tagged(value) for value in key]))
        return f"{payload}.{sign(secret, _PURPOSE, *belongs_to, payload)}"

    after = None
    if cursor is not None:
        payload, _, signature = cursor.partition(".")
        if not is_signed(signature, secret, _PURPOSE, *belongs_to, payload):
            raise WrongCursor
        after = _read_key(payload)
    return Paging(limit, sort.startswith("-"), after, signed)


def _digest_of_filters(request: Request, sort: str) -> str:
    filters = sorted((name, said) for name, said in request.query_params.multi_items() if name not in _OF_THE_PAGE)
    return hashlib.sha256(orjson.dumps([sort, filters])).hexdigest()


_OF_THE_PAGE = ("cursor", "limit", "sort")


def _tagged(value: Value) -> object:
    """A value that is read back as what it was."""
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, uuid.UUID):
        return {"u": value.hex}
    return value


def _read_key(payload: str) -> Key:
    """What we signed, so it is of our making."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        raise WrongCursor from None
    return [_untagged(value) for value in values]


def _untagged(value: Any) -> Value:
    if isinstance(value, dict):
        return datetime.fromisoformat(value["t"]) if "t" in value else uuid.UUID(value["u"])
    assert value is None or isinstance(value, (int, str)), value
    return value


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
