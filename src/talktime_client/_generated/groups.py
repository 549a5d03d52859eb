"""Nothing yet: scripts/client.py writes this."""

from talktime_client._transport import AsyncTransport, Transport


class Groups:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport


class AsyncGroups:
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
