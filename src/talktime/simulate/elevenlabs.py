"""A server that speaks ElevenLabs' wire format on loopback: text in, µ-law out in chunks.

The one rule: like the real one, it wants the key in its own header and a format that it knows.
"""

import json
from dataclasses import dataclass, field

from talktime.simulate.vendor import STATUSES, Answered, Asked, Fault, VendorServer, lost_after, pieces


@dataclass(slots=True)
class SimulatedElevenLabs:
    """Says the same sound, whatever the text."""

    key: str = "xi-simulated"
    ulaw: bytes = b"\x80\x00\xff" * 800
    server: VendorServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = VendorServer(self._answer)

    @property
    def url(self) -> str:
        return self.server.url

    def _answer(self, asked: Asked) -> Answered:
        fault = self.server.fault
        if asked.headers.get("xi-api-key") != self.key:
            return _error(401, "invalid_api_key")
        if fault in STATUSES:
            return _error(STATUSES[fault], fault.value)
        parts = asked.path.split("/")
        if len(parts) != 5 or parts[1:3] != ["v1", "text-to-speech"] or parts[4] != "stream":
            return _error(404, "not_found")
        if asked.query.get("output_format") != ["ulaw_8000"] or not json.loads(asked.body).get("text"):
            return _error(422, "invalid_request")
        if fault == Fault.GARBAGE:
            return Answered(200, "application/json", pieces(b'{"detail": {"status": "something"}}'))
        if fault == Fault.EMPTY:
            return Answered(200, "audio/basic", pieces())
        if fault in (Fault.CLOSES, Fault.BROKEN_MIDWAY):
            return Answered(200, "audio/basic", lost_after(self.ulaw[:400]))
        return Answered(
            200,
            "audio/basic",
            pieces(*(self.ulaw[start : start + 400] for start in range(0, len(self.ulaw), 400))),
        )


def _error(status: int, code: str) -> Answered:
    body = {"detail": {"status": code, "message": code}}
    return Answered(status, "application/json", pieces(json.dumps(body).encode()))
