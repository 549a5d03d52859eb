"""Values between Python and JSON: what is sent is written down, what comes is read into the types that it has.

The rules: what is left out (`UNSET`) is not sent, and None is null; what is not known of an answer, be it a field or a
value of an enumeration, is passed over and never an error; what must be there and is not, is one.
"""

import types
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum, StrEnum
from functools import cache
from typing import (
    Any,
    Final,
    Literal,
    TypeAlias,
    TypeGuard,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from talktime_client.errors import AnswerUnreadable, NoEtag

Shape = TypeVar("Shape")
Read: TypeAlias = Callable[[Any], Any]


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET
"""Not said: a field with this value is not sent at all. None is sent as null."""

ANY: Final = "*"
"""As `if_match`: change it, whatever state it is in."""

Id: TypeAlias = UUID | str
"""An id as it is asked for. The ids that come in answers are UUIDs."""


class OpenEnum(StrEnum):
    """An enumeration that may get more values: one that this version does not know is read all the same, is equal to
    its text, and says so."""

    @classmethod
    def _missing_(cls, value: object) -> "OpenEnum | None":
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown

    def __reduce_ex__(self, proto: Any) -> tuple[Any, ...]:
        # By its value: Python 3.11 took the name before 3.11.4, and an unknown one is no attribute of the class.
        return type(self), (self._value_,)

    @property
    def is_known(self) -> bool:
        """Whether this version of the package knows the value."""
        return self._value_ in type(self)._value2member_map_


def written(value: Any) -> Any:
    """A value as JSON has it. Raises ValueError for a time without a zone, TypeError for what JSON cannot say."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("A time that is sent needs a zone: datetime(…, tzinfo=UTC), for example.")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return fields_written({each.name: getattr(value, each.name) for each in fields(value) if each.compare})
    if _is_mapping(value):
        return {str(name): written(each) for name, each in value.items()}
    if _is_many(value):
        return [written(each) for each in value]
    raise TypeError(f"A {type(value).__name__} cannot be sent.")


def fields_written(values: Mapping[str, Any]) -> dict[str, Any]:
    """A body: the fields that were said."""
    return {name: written(value) for name, value in values.items() if value is not UNSET}


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value of JSON is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value of JSON is a list."""
    return isinstance(value, list)


def uuid_written(value: Id) -> str:
    """An id for an address. Raises ValueError for what is none."""
    return str(value if isinstance(value, UUID) else UUID(value))


def state_written(if_match: str | None) -> str:
    """The state that a change is made from. Raises NoEtag."""
    if not if_match:
        raise NoEtag
    return if_match


def read_as(shape: type[Shape], value: Any) -> Shape:
    """A value of an answer, in its type. Raises AnswerUnreadable, which says where and never what."""
    return cast("Shape", _told(_reader(cast("Hashable", shape)), value))


def read_all_as(shape: type[Shape], value: Any) -> tuple[Shape, ...]:
    """The same for a list of them."""
    return cast("tuple[Shape, ...]", _told(_many(_reader(cast("Hashable", shape))), value))


def _told(read: Read, value: Any) -> Any:
    try:
        return read(value)
    except _Unlike as error:
        place = ".".join(reversed(error.place)) or "the whole"
        raise AnswerUnreadable(f"The answer is not what it should be: {place} is no {error.wanted}.") from None


class _Unlike(Exception):
    """A value is not of the type that it has."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.place: list[str] = []


@cache
def _reader(kind: Hashable) -> Read:
    """How a type is read."""
    if kind is Any or kind is object:
        return lambda value: value
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Union or origin is types.UnionType:
        return _one_of(arguments)
    if origin is Literal:
        # There may be more values than these one day.
        return _plain(str)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _named(_reader(arguments[1]))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _many(_reader(arguments[0]))
    if isinstance(kind, type):
        return _of_class(kind)
    raise TypeError(f"{kind!r} cannot be read.")


def _of_class(kind: type[Any]) -> Read:
    if is_dataclass(kind):
        return _document(kind)
    if issubclass(kind, Enum):
        return _made(kind, "text")
    if issubclass(kind, datetime):
        return _made(_moment, "time")
    if issubclass(kind, date):
        return _made(date.fromisoformat, "day")
    if issubclass(kind, UUID):
        return _made(UUID, "id")
    return _plain(kind)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_many(value: object) -> TypeGuard[Iterable[Any]]:
    return isinstance(value, list | tuple | set | frozenset)


def _plain(kind: type[Any]) -> Read:
    def read(value: Any) -> Any:
        # In Python a truth is a number, and in JSON it is none.
        if isinstance(value, bool) and kind is not bool:
            raise _Unlike(kind.__name__)
        if kind is float and isinstance(value, int):
            return float(value)
        if not isinstance(value, kind):
            raise _Unlike(kind.__name__)
        return value

    return read


def _made(make: Callable[[str], Any], name: str) -> Read:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise _Unlike(name)
        try:
            return make(value)
        except ValueError:
            raise _Unlike(name) from None

    return read


def _one_of(kinds: tuple[Any, ...]) -> Read:
    readers = [_reader(kind) for kind in kinds if kind is not type(None)]
    may_be_none = type(None) in kinds

    def read(value: Any) -> Any:
        if value is None and may_be_none:
            return None
        for each in readers[:-1]:
            try:
                return each(value)
            except _Unlike:
                continue
        return readers[-1](value)

    return read


def _many(inner: Read) -> Read:
    def read(value: Any) -> Any:
        if not is_list(value):
            raise _Unlike("list")
        return tuple(_within(str(place), inner, each) for place, each in enumerate(value))

    return read


def _named(inner: Read) -> Read:
    def read(value: Any) -> Any:
        if not is_object(value):
            raise _Unlike("object")
        return {name: _within(name, inner, each) for name, each in value.items()}

    return read


def _document(kind: type[Any]) -> Read:
    hints = get_type_hints(kind)
    readers: dict[str, Read] = {}
    needed: set[str] = set()
    for each in fields(kind):
        readers[each.name] = _reader(hints[each.name])
        if each.default is MISSING and each.default_factory is MISSING:
            needed.add(each.name)

    def read(value: Any) -> Any:
        if not is_object(value):
            raise _Unlike("object")
        for name in needed:
            if name not in value:
                error = _Unlike("value that is there")
                error.place.append(name)
                raise error
        return kind(**{name: _within(name, readers[name], value[name]) for name in readers if name in value})

    return read


def _within(name: str, inner: Read, value: Any) -> Any:
    try:
        return inner(value)
    except _Unlike as error:
        error.place.append(name)
        raise
