"""How long and how much we listen to whoever opens a connection: uvicorn's protocol with an end to its patience.

uvicorn waits for ever for the first byte of a request, for the last one of its head, and for a body that nobody reads.
The rule here: at every moment of a connection's life something ends it by itself, except while we are at work on its
answer and it takes what we send. Media sockets leave this protocol when they begin, and have clocks of their own.
"""

import asyncio
import http
from dataclasses import dataclass
from typing import Any, ClassVar

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


@dataclass(frozen=True, slots=True)
class Patience:
    """The bounds, in seconds, bytes and connections."""

    first_seconds: float = 10.0
    """For the first byte on a new connection."""
    idle_seconds: float = 75.0
    """Between an answer and the next request: longer than proxies keep a connection (nginx: 60), so that it is they who
    close it, and no request meets a closed door."""
    head_seconds: float = 10.0
    """For the whole head of a request, from its first byte on."""
    body_seconds: float = 20.0
    """For the whole body, from the end of the head, whether somebody reads it or not."""
    rest_seconds: float = 2.0
    """For the rest of a body whose answer is out already."""
    rest_bytes: int = 256 * 1024
    take_seconds: float = 30.0
    """How long nothing of an answer may be taken."""
    head_bytes: int = 32 * 1024
    waiting_max: int = 500
    """So many connections may be without a whole head; then whoever has been so longest makes room."""


def protocol_with(patience: Patience) -> type[asyncio.Protocol]:
    """The protocol of one server: its connections count together."""
    return type("PatientProtocol", (_Protocol,), {"patience": patience, "waiting": {}})


class _Connection(h11.Connection):
    """h11 as strict as it gets: RFC 9112 leaves it to a server to refuse what two readers could read in two ways."""

    status = 400
    """What the request is refused with, once it is."""

    def __init__(self, head_bytes_max: int) -> None:
        super().__init__(h11.SERVER, head_bytes_max)
        self._head_bytes_max = head_bytes_max

    def next_event(self) -> Any:
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                self._look_at(event)
        except h11.RemoteProtocolError as error:
            self.status = error.error_status_hint
            raise
        return event

    def _look_at(self, request: h11.Request) -> None:
        # What came in one piece is never found too long for a buffer.
        size = len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers)
        if size > self._head_bytes_max:
            raise h11.RemoteProtocolError("the head is too long", error_status_hint=431)
        names = {name for name, _ in request.headers}
        if {b"content-length", b"transfer-encoding"} <= names or (
            b"transfer-encoding" in names and request.http_version < b"1.1"
        ):
            raise h11.RemoteProtocolError("the length of the body is said in two ways")


_WITHOUT_HEAD = ("new", "idle", "head")


class _Protocol(H11Protocol):
    """One connection."""

    patience: ClassVar[Patience]
    waiting: "ClassVar[dict[_Protocol, None]]"
    """Who has not sent a whole head, longest first."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn: _Connection = _Connection(self.patience.head_bytes)
        self._stage = "none"
        self._is_new = True
        """Nothing was answered on it yet."""
        self._end: asyncio.TimerHandle | None = None
        """When the stage has lasted too long."""
        self._look: asyncio.TimerHandle | None = None
        """When it is looked whether something of the answer was taken."""
        self._rest_bytes = 0

    # What asyncio and uvicorn tell us.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._enter_stage()

    def data_received(self, data: bytes) -> None:
        if self._stage == "rest":
            self._rest_bytes += len(data)
            if self._rest_bytes > self.patience.rest_bytes:
                self.transport.abort()
                return
        super().data_received(data)
        self._enter_stage()

    def on_response_complete(self) -> None:
        self._is_new = False
        super().on_response_complete()
        self._enter_stage()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._enter_stage()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._look is not None and not self.transport.is_closing():
            self._look.cancel()
            self._look = None

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._leave_stage("gone")
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave_stage("gone")
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, unless an answer is on its way already: two in one would be nonsense."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            status = http.HTTPStatus(self.conn.status)
            headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
            response = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
            for part in (response, h11.Data(data=msg.encode()), h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()
        self._enter_stage()

    # What we make of it.

    def _enter_stage(self) -> None:
        """See where the connection stands; the clock of a stage begins once, however often something comes."""
        if self._stage == "gone":
            return
        stage, seconds = self._stage_now()
        if stage == self._stage:
            return
        self._leave_stage(stage)
        if stage == "closing":
            self._look_later()
        elif seconds is not None:
            self._end = self.loop.call_later(seconds, self._out_of_patience)
        if stage in _WITHOUT_HEAD:
            self.waiting[self] = None
            if len(self.waiting) > self.patience.waiting_max:
                next(iter(self.waiting))._out_of_patience()
        if stage == "rest":
            self._rest_bytes = 0

    def _stage_now(self) -> tuple[str, float | None]:
        if self.transport.is_closing():
            return "closing", None
        theirs, ours = self.conn.their_state, self.conn.our_state
        if theirs is h11.IDLE:
            if self.conn.trailing_data[0]:
                return "head", self.patience.head_seconds
            return ("new", self.patience.first_seconds) if self._is_new else ("idle", self.patience.idle_seconds)
        if theirs is h11.SEND_BODY:
            is_answered = ours in (h11.DONE, h11.MUST_CLOSE)
            return ("rest", self.patience.rest_seconds) if is_answered else ("body", self.patience.body_seconds)
        return "work", None

    def _leave_stage(self, stage: str) -> None:
        self._stage = stage
        self.waiting.pop(self, None)
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _out_of_patience(self) -> None:
        self.transport.close()
        self._enter_stage()

    def _look_later(self) -> None:
        if self._look is None:
            size = self.transport.get_write_buffer_size()
            self._look = self.loop.call_later(self.patience.take_seconds, self._is_taken, size)

    def _is_taken(self, size_before: int) -> None:
        """Whoever asks and then takes nothing is let go: nobody writes meanwhile, so what lies here must grow less."""
        self._look = None
        if not self.flow.write_paused and not self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() >= size_before:
            self.transport.abort()
        else:
            self._look_later()
