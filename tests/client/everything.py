"""Calling everything that a client has, with a value for each argument."""

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from talktime_client import Unset
from tests.client.described import ETAG, TEXTS

NOW = datetime(2026, 11, 20, 9, 31, 38, 115000, tzinfo=UTC)


def methods_of(client: object, name: str = "client") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every method of every group, by what a program writes."""
    for each, group in vars(client).items():
        if not each.startswith("_"):
            yield from methods_of(group, f"{name}.{each}")
    if name != "client":
        for each, method in inspect.getmembers(client, inspect.ismethod):
            if not each.startswith("_"):
                yield f"{name}.{each}", method


def arguments_for(method: Callable[..., Any], *, all_of_them: bool = True) -> tuple[list[Any], dict[str, Any]]:
    """A value for each argument, or for each that is needed."""
    hints = get_type_hints(method)
    by_place, by_name = [], {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            by_place.append(_value(hints[name]))
        elif name == "if_match":
            by_name[name] = ETAG
        elif name == "idempotency_key":
            if all_of_them:
                by_name[name] = "order-1"
        elif all_of_them or parameter.default is inspect.Parameter.empty:
            by_name[name] = _value(hints[name])
    return by_place, by_name


def _value(kind: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Union or origin is types.UnionType:
        return _value(next(each for each in arguments if each not in (type(None), Unset)))
    if origin is Literal:
        return arguments[0]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"monday" if get_origin(arguments[1]) else "x": _value(arguments[1])}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return [_value(arguments[0])]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{each.name: _value(hints[each.name]) for each in fields(kind)})  # type: ignore[operator]
    if issubclass(kind, Enum):
        return next(iter(kind))
    values: dict[type, Any] = {UUID: UUID(TEXTS["uuid"]), str: "x", bool: True, int: 7, float: 7.5, datetime: NOW}
    return values[kind]


def is_the_same(value: Any, said: Any) -> bool:
    """Whether a value of the client's is all that JSON said, and nothing else."""
    if is_dataclass(value) and not isinstance(value, type):
        names = {each.name for each in fields(value)} - {"etag"}
        return isinstance(said, dict) and all(is_the_same(getattr(value, name), said[name]) for name in names)
    if isinstance(value, tuple):
        return len(value) == len(said) and all(map(is_the_same, value, said))
    if isinstance(value, dict) and isinstance(said, dict):
        return value.keys() == said.keys() and all(is_the_same(value[name], said[name]) for name in value)
    if isinstance(value, datetime):
        return bool(value == datetime.fromisoformat(said)) and value.tzinfo is not None
    if isinstance(value, date):
        return bool(value.isoformat() == said)
    if isinstance(value, UUID):
        return bool(str(value) == said)
    return bool(value == said) and not (isinstance(value, bool) ^ isinstance(said, bool))
