"""A typed client of Talktime's REST API: httpx, and nothing else beside the standard library.

    from talktime_client import Client

    with Client("https://phone.example.org", key="tt_live_…") as client:
        for call in client.calls.list(status="COMPLETED"):
            print(call.started_at, call.summary)

What comes is in `talktime_client.models`, what goes wrong in `talktime_client.errors`, what Talktime tells your server
in `talktime_client.webhooks`.
"""

from talktime_client._client import AsyncClient, Client
from talktime_client._exchange import Answer
from talktime_client._paging import AsyncPages, Page, Pages
from talktime_client._retry import Retry
from talktime_client._values import ANY, UNSET, Id, OpenEnum, Unset
from talktime_client.errors import (
    AnswerUnreadable,
    ApiError,
    Conflict,
    ConnectionFailed,
    FieldError,
    InvalidRequest,
    KeyRefused,
    KeyReused,
    MissingScope,
    NoEtag,
    NotAllowed,
    NotEnoughCredit,
    NotFound,
    NotSigned,
    RateLimited,
    ServerError,
    StaleVersion,
    TalktimeError,
    TimedOut,
    Unavailable,
    UnderWay,
    VersionNeeded,
)

__all__ = [
    "ANY",
    "UNSET",
    "Answer",
    "AnswerUnreadable",
    "ApiError",
    "AsyncClient",
    "AsyncPages",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "FieldError",
    "Id",
    "InvalidRequest",
    "KeyRefused",
    "KeyReused",
    "MissingScope",
    "NoEtag",
    "NotAllowed",
    "NotEnoughCredit",
    "NotFound",
    "NotSigned",
    "OpenEnum",
    "Page",
    "Pages",
    "RateLimited",
    "Retry",
    "ServerError",
    "StaleVersion",
    "TalktimeError",
    "TimedOut",
    "Unavailable",
    "UnderWay",
    "Unset",
    "VersionNeeded",
]
