"""A request and its answer as values, and the problem that an answer may be.

The rule: what is sent is written down once, so that every try of a request sends the same bytes under the same key.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from talktime_client._values import is_list, is_object, written
from talktime_client.errors import AnswerUnreadable, ApiError, FieldError, error_class

IDEMPOTENCY_KEY = "idempotency-key"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    method: str
    path: str
    """With what stands before it: `/v1/agents`."""
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None = field(repr=False)

    @property
    def is_reading(self) -> bool:
        return self.method in ("GET", "HEAD")

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again when it may have been done already."""
        return self.is_reading or IDEMPOTENCY_KEY in self.headers

    def is_done_by(self, status: int) -> bool:
        """Whether an answer of this status is what was asked for: 304 is, where it was asked whether there is news."""
        return 200 <= status < 300 or (status == 304 and "if-none-match" in self.headers)


@dataclass(frozen=True)
class Answer:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)

    @property
    def etag(self) -> str | None:
        return self.headers.get("etag")

    @property
    def request_id(self) -> str | None:
        """What to tell whoever runs the server."""
        return self.headers.get("x-request-id")

    def json(self) -> Any:
        """The document that it is. Raises AnswerUnreadable."""
        if not self._is("application/json"):
            raise AnswerUnreadable(f"The answer ({self.status}) is no JSON. Is this the address of a Talktime?")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise AnswerUnreadable(f"The answer ({self.status}) is broken JSON.") from None

    @property
    def problem_type(self) -> str:
        return str(self._problem.get("type", "about:blank"))

    def problem(self, retry_after_seconds: float | None = None) -> ApiError:
        """The error that it is, whatever it looks like."""
        said = self._problem
        kind = self.problem_type
        return error_class(self.status, kind)(
            self.status,
            kind,
            str(said.get("title") or "The server gave no reason"),
            str(said.get("detail") or ""),
            [
                FieldError(str(each.get("field", "")), str(each.get("message", "")))
                for each in _objects(said.get("errors"))
            ],
            str(said["request_id"]) if "request_id" in said else self.request_id,
            retry_after_seconds,
        )

    @cached_property
    def _problem(self) -> dict[str, Any]:
        """Nothing where it is no problem document, such as a proxy's page."""
        if not self._is("application/problem+json"):
            return {}
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if is_object(found) else {}

    def _is(self, kind: str) -> bool:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == kind


def ask(
    method: str,
    path: str,
    params: Mapping[str, Any] | None,
    body: Any,
    headers: Mapping[str, str] | None,
) -> Asked:
    """A request with everything written down. Parameters that are None are not sent."""
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    sent.setdefault("accept", "application/json")
    raw: bytes | None = None
    if body is not None:
        raw = json.dumps(written(body), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        sent["content-type"] = "application/json"
    return Asked(method.upper(), path, _query(params or {}), sent, raw)


def _query(params: Mapping[str, Any]) -> dict[str, str]:
    said = {name: written(value) for name, value in params.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in said.items()}


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, whatever it is."""
    return [each for each in value if is_object(each)] if is_list(value) else []
