"""A typed client of Talktime's REST API: httpx, and nothing else beside the standard library."""

from talktime_client._client import AsyncClient, Client
from talktime_client._exchange import Answer
from talktime_client._retry import Retry
from talktime_client._values import ANY, UNSET, Id, OpenEnum, Unset

__all__ = ["ANY", "UNSET", "Answer", "AsyncClient", "Client", "Id", "OpenEnum", "Retry", "Unset"]
