"""What can go wrong, as a program sees it.

    TalktimeError               everything that this package raises about a request
    ├── ConnectionFailed        no answer came; `maybe_done` says whether it may have been done all the same
    │   └── TimedOut            … in time
    ├── AnswerUnreadable        an answer came, and was not one of this API
    ├── NoEtag                  a change was asked for without the state that it is made from
    ├── NotSigned               a webhook that is not from Talktime, or not from just now
    └── ApiError                a problem document (RFC 9457): status, type, title, detail, errors, request_id
        ├── InvalidRequest      400, 413, 415, 422: mend what `errors` names
        ├── KeyRefused          401: no key that works
        ├── NotEnoughCredit     402
        ├── NotAllowed          403
        │   └── MissingScope    … because the key lacks a scope, which `detail` names
        ├── NotFound            404: not there, or not yours
        ├── Conflict            409: read `detail`
        │   ├── KeyReused       … the idempotency key was used for something else
        │   └── UnderWay        … the same request is still being worked on
        ├── StaleVersion        412: somebody changed it since it was read
        ├── VersionNeeded       428
        ├── RateLimited         429
        └── ServerError         5xx
            └── Unavailable     502, 503, 504: try again later

The rule: no error ever holds the API key, and none repeats the body of a request or of an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class TalktimeError(Exception):
    """Something went wrong with a request."""


class ConnectionFailed(TalktimeError):
    """No whole answer came."""

    def __init__(self, message: str, maybe_done: bool = False) -> None:
        super().__init__(message, maybe_done)
        self.maybe_done = maybe_done
        """Whether the server may have done it: the connection was there, and broke before the answer was whole."""

    def __str__(self) -> str:
        return str(self.args[0])


class TimedOut(ConnectionFailed):
    """No whole answer came in time."""


class AnswerUnreadable(TalktimeError):
    """The answer is none of this API: a proxy's page, a broken document, another server."""


class NoEtag(TalktimeError, ValueError):
    """This has no etag, since it came from a list: get it by its id first, or say `if_match=ANY`."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class NotSigned(TalktimeError):
    """This is no webhook of Talktime's that was sent just now: answer 400 or 401, and do nothing else."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field, parameter or header."""

    field: str
    """Its name; `scopes.0` is the first of a list."""
    message: str


class ApiError(TalktimeError):
    """The server said no, or failed, and said how."""

    def __init__(  # noqa: PLR0917 - an exception that is pickled is made again from its arguments in their order
        self,
        status: int,
        type: str,
        title: str,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(status, type, title, detail, tuple(errors), request_id, retry_after_seconds)
        self.status = status
        self.type = type
        """The kind of problem: `/problems/not-found`. It stays the same for good; `about:blank` where none is said."""
        self.title = title
        self.detail = detail
        """What to do about it."""
        self.errors: tuple[FieldError, ...] = tuple(errors)
        """What is wrong with which field."""
        self.request_id = request_id
        """What to tell whoever runs the server."""
        self.retry_after_seconds = retry_after_seconds
        """When to try again, where the server says it."""

    def __str__(self) -> str:
        said = f"{self.status} {self.title}"
        said += f": {self.detail}" if self.detail else ""
        return said + (f" (request {self.request_id})" if self.request_id else "")

    @property
    def kind(self) -> str:
        """The last part of `type`: `not-found`."""
        return self.type.rpartition("/")[2]


class InvalidRequest(ApiError):
    """What was sent cannot be right."""


class KeyRefused(ApiError):
    """There is no key, or it opens nothing."""


class NotEnoughCredit(ApiError):
    """There is not enough credit for that."""


class NotAllowed(ApiError):
    """Understood, and not allowed."""


class MissingScope(NotAllowed):
    """The key lacks a scope."""


class NotFound(ApiError):
    """There is no such thing, or it is somebody else's."""


class Conflict(ApiError):
    """Something stands in the way."""


class KeyReused(Conflict):
    """The idempotency key was used for something else before."""


class UnderWay(Conflict):
    """The same request, under the same idempotency key, is still being worked on."""


class StaleVersion(ApiError):
    """Somebody changed it since it was read: read it again, and decide again."""


class VersionNeeded(ApiError):
    """The server asks which state is changed."""


class RateLimited(ApiError):
    """More was asked than may be asked in so short a time."""


class ServerError(ApiError):
    """The server failed."""


class Unavailable(ServerError):
    """Something that the server needs is away."""


UNDER_WAY = "/problems/under-way"

_BY_TYPE: dict[str, type[ApiError]] = {
    "/problems/missing-scope": MissingScope,
    "/problems/used-for-something-else": KeyReused,
    UNDER_WAY: UnderWay,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: KeyRefused,
    402: NotEnoughCredit,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: StaleVersion,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    428: VersionNeeded,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_class(status: int, type: str) -> type[ApiError]:
    """Which class a problem is; ApiError itself for what this version of the package does not know."""
    return _BY_TYPE.get(type) or _BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
