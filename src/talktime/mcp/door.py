"""The way to the API: one request for each deed, with the headers that it needs.

The rules: a deed that makes something goes under an idempotency key of its own, which stays the same however often it
is sent; what stands in an address is one part of it; redirects are followed nowhere. The key is held by the client.
"""

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from talktime.errors import TalktimeError
from talktime.mcp.operations import ETAG, Operation
from talktime_client import Answer, AsyncClient


class Unsendable(TalktimeError):
    """Nothing was done: there is something in the arguments that cannot be sent."""


async def ask(client: AsyncClient, operation: Operation, arguments: Mapping[str, Any]) -> tuple[Any, str | None]:
    """Do what a tool is for. Gives the document and its etag; None for what there is not.

    Raises talktime_client.errors.TalktimeError, and Unsendable."""
    body = {name: arguments[name] for name in operation.in_body & arguments.keys()}
    try:
        answer = await client.request(
            operation.method,
            path_of(operation, arguments),
            params=_query(operation, arguments),
            json=body if operation.has_body else None,
            headers=_headers(operation, arguments),
        )
    except ValueError:
        # A line break in a header, half a character, a number that is none: it was not sent.
        raise Unsendable from None
    return _document(answer), answer.etag


def path_of(operation: Operation, arguments: Mapping[str, Any]) -> str:
    """The address, with everything that comes from outside written so that it stays one part of it."""
    path = operation.path
    for name in operation.in_path:
        path = path.replace(f"{{{name}}}", quote(str(arguments[name]), safe=""))
    return path


def _query(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: arguments[name] for name in operation.in_query & arguments.keys()}
    if "limit" in operation.in_query and "limit" not in said:
        # Shorter than the API's own: a model reads every row.
        said["limit"] = operation.schema["properties"]["limit"]["default"]
    return said


def _headers(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if operation.needs_etag:
        headers["If-Match"] = str(arguments[ETAG])
    if operation.is_once:
        headers["Idempotency-Key"] = uuid.uuid4().hex
    return headers


def _document(answer: Answer) -> Any:
    return answer.json() if answer.body else None
