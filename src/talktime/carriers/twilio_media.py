"""Twilio's Media Streams messages: JSON text, µ-law in base64, numbers as strings.

Pure translation of one socket. The one rule: nothing of another stream or of a form that Twilio does not send becomes
an event; it is BadMessage, and the owner of the socket closes it. Unknown events are not garbage: Twilio adds new ones.
"""

import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from talktime.carriers.contract import Audio, BadMessage, Digit, MediaEvent, Played, Started, Stopped

MESSAGE_MAX = 65536
"""Characters; a frame of 20 ms takes about 400."""
AUDIO_MAX = 8000
"""Bytes of one message, a second; Twilio sends 160."""
_DIGITS = frozenset("0123456789*#ABCD")


class TwilioMedia:
    """One media socket."""

    def __init__(self) -> None:
        self._stream_id = ""
        self._account = ""
        self._call_id = ""
        self._audio_head = ""
        self._tail = ""

    def read(self, message: str | bytes) -> MediaEvent | None:
        """One message of Twilio's; None for one that means nothing to us. Raises BadMessage."""
        if len(message) > MESSAGE_MAX:
            raise BadMessage(f"a media message of {len(message)} characters")
        try:
            said = orjson.loads(message)
        except orjson.JSONDecodeError as error:
            raise BadMessage("a media message that is not JSON") from error
        if not isinstance(said, dict) or not isinstance(said.get("event"), str):
            raise BadMessage("a media message without an event")
        event = said["event"]
        if event == "media":
            return self._read_audio(said)
        if event == "start":
            return self._read_start(said)
        if event == "dtmf":
            return self._read_digit(said)
        if event == "mark":
            return Played(_text(self._body(said, "mark"), "name"))
        if event == "stop":
            return self._read_stop(said)
        return None

    def audio(self, ulaw: bytes) -> str:
        """The message that plays µ-law audio."""
        assert self._stream_id, "nothing can be played before the stream has started"
        return f"{self._audio_head}{binascii.b2a_base64(ulaw, newline=False).decode('ascii')}{self._tail}"

    def mark(self, name: str) -> str:
        """The message that asks for an echo once everything so far was played."""
        return self._command("mark", {"mark": {"name": name}})

    def clear(self) -> str:
        """The message that throws away what was not yet played."""
        return self._command("clear", {})

    def _command(self, event: str, rest: Mapping[str, object]) -> str:
        assert self._stream_id, f"{event} before the stream has started"
        return orjson.dumps({"event": event, "streamSid": self._stream_id, **rest}).decode()

    def _read_audio(self, said: dict[str, Any]) -> Audio | None:
        media = self._body(said, "media")
        if media.get("track", "inbound") != "inbound":
            return None  # our own voice, when both tracks are asked for
        payload = media.get("payload")
        if not isinstance(payload, str):
            raise BadMessage("a media message without a payload")
        try:
            ulaw = binascii.a2b_base64(payload, strict_mode=True)
        except ValueError as error:  # binascii.Error, or characters beyond ASCII
            raise BadMessage("a media payload that is not base64") from error
        if len(ulaw) > AUDIO_MAX:
            raise BadMessage(f"a media payload of {len(ulaw)} bytes")
        return Audio(ulaw) if ulaw else None

    def _read_start(self, said: dict[str, Any]) -> Started:
        if self._stream_id:
            raise BadMessage("the stream started twice")
        start = said.get("start")
        if not isinstance(start, dict):
            raise BadMessage("a start message without its contents")
        if not _is_ulaw(start.get("mediaFormat")):
            raise BadMessage("the stream is not µ-law of 8,000 samples a second")
        parameters = start.get("customParameters", {})
        if not isinstance(parameters, dict) or not all(isinstance(value, str) for value in parameters.values()):
            raise BadMessage("stream parameters that are not text")
        account, call_id = _text(start, "accountSid"), _text(start, "callSid")
        stream_id = _text(start, "streamSid")
        if said.get("streamSid", stream_id) != stream_id:
            raise BadMessage("a start message that names two streams")
        self._account, self._call_id, self._stream_id = account, call_id, stream_id
        quoted = orjson.dumps(stream_id).decode()
        self._audio_head = f'{{"event":"media","streamSid":{quoted},"media":{{"payload":"'
        self._tail = '"}}'
        return Started(account=account, call_id=call_id, stream_id=stream_id, parameters=parameters)

    def _read_digit(self, said: dict[str, Any]) -> Digit:
        digit = _text(self._body(said, "dtmf"), "digit")
        if digit not in _DIGITS:
            raise BadMessage("a key that no telephone has")
        return Digit(digit)

    def _read_stop(self, said: dict[str, Any]) -> Stopped:
        stop = self._body(said, "stop")
        if (
            stop.get("callSid", self._call_id) != self._call_id
            or stop.get("accountSid", self._account) != self._account
        ):
            raise BadMessage("the stop of another call")
        return Stopped()

    def _body(self, said: dict[str, Any], name: str) -> dict[str, Any]:
        """The part of a message that is named like its event; the message must be of this stream."""
        if not self._stream_id or said.get("streamSid") != self._stream_id:
            raise BadMessage(f"{name} of a stream that was not started here")
        body = said.get(name)
        if not isinstance(body, dict):
            raise BadMessage(f"a {name} message without its contents")
        return body


def _is_ulaw(form: object) -> bool:
    wanted = {"encoding": "audio/x-mulaw", "sampleRate": "8000", "channels": "1"}
    return isinstance(form, dict) and {name: str(form.get(name)) for name in wanted} == wanted


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadMessage(f"a message without {name}")
    return value
