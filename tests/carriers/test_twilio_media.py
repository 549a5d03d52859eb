"""The media codec: what Twilio sends, what it must never be taken for, and what we send."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talktime.carriers.contract import Audio, BadMessage, Digit, Played, Started, Stopped
from talktime.carriers.twilio_media import AUDIO_MAX, MESSAGE_MAX, TwilioMedia

STREAM, CALL, ACCOUNT = "MZ" + "1" * 32, "CA" + "2" * 32, "AC" + "3" * 32


def start(**changes: Any) -> str:
    body = {
        "accountSid": ACCOUNT, "streamSid": STREAM, "callSid": CALL, "tracks": ["inbound"],
        "customParameters": {"token": "t"},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}, **changes,
    }  # fmt: skip
    return json.dumps({"event": "start", "sequenceNumber": "1", "start": body, "streamSid": STREAM})


def message(event: str, body: Any, stream: str = STREAM) -> str:
    return json.dumps({"event": event, "sequenceNumber": "4", event: body, "streamSid": stream})


def media(payload: Any, **more: Any) -> str:
    return message("media", {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": payload, **more})


@pytest.fixture
def open_media() -> TwilioMedia:
    codec = TwilioMedia()
    assert codec.read('{"event":"connected","protocol":"Call","version":"1.0.0"}') is None
    assert codec.read(start()) == Started(ACCOUNT, CALL, STREAM, {"token": "t"})
    return codec


def test_a_whole_stream_is_read(open_media: TwilioMedia) -> None:
    frame = bytes(range(160))
    assert open_media.read(media(base64.b64encode(frame).decode())) == Audio(frame)
    assert open_media.read(media(base64.b64encode(frame).decode()).encode()) == Audio(frame)
    assert open_media.read(message("dtmf", {"track": "inbound_track", "digit": "#"})) == Digit("#")
    assert open_media.read(message("mark", {"name": "greeting"})) == Played("greeting")
    assert open_media.read(message("stop", {"accountSid": ACCOUNT, "callSid": CALL})) == Stopped()


def test_the_other_track_an_empty_frame_and_new_events_mean_nothing(open_media: TwilioMedia) -> None:
    assert open_media.read(media("/w==", track="outbound")) is None
    assert open_media.read(media("")) is None
    assert open_media.read(message("somethingNew", {"a": 1})) is None


@pytest.mark.parametrize(
    "garbage",
    [
        "", "{", "null", "[]", "7", '"media"', "{}", '{"event":null}', b"\xff\xfe", "\x00",
        media("***"), media("YQ"), media("YQ==\n"), media("ü"), media(None), media(7),
        message("media", None), message("media", []), message("dtmf", {}), message("mark", {"name": 7}),
        media(base64.b64encode(bytes(AUDIO_MAX + 1)).decode()), "x" * (MESSAGE_MAX + 1),
        message("dtmf", {"digit": "x"}), message("dtmf", {"digit": "12"}),
        message("mark", {}), message("stop", None), message("stop", {"accountSid": ACCOUNT, "callSid": "CA9"}),
        start(), message("media", {"payload": "/w=="}, stream="MZ9"), message("mark", {"name": "a"}, stream="MZ9"),
    ],
)  # fmt: skip
def test_garbage_and_other_peoples_messages_are_refused(open_media: TwilioMedia, garbage: str | bytes) -> None:
    with pytest.raises(BadMessage):
        open_media.read(garbage)


@pytest.mark.parametrize(
    "changes",
    [
        {"mediaFormat": {"encoding": "audio/l16", "sampleRate": 8000, "channels": 1}},
        {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1}},
        {"mediaFormat": None},
        {"callSid": ""},
        {"accountSid": None},
        {"streamSid": 7},
        {"streamSid": "MZ9"},
        {"customParameters": {"token": 7}},
        {"customParameters": []},
    ],
)
def test_a_start_that_is_not_of_twilios_form_is_refused(changes: dict[str, Any]) -> None:
    codec = TwilioMedia()
    with pytest.raises(BadMessage):
        codec.read(start(**changes))
    assert isinstance(codec.read(start()), Started), "a refused start has started nothing"


def test_a_sample_rate_that_is_text_is_read() -> None:
    form = {"encoding": "audio/x-mulaw", "sampleRate": "8000", "channels": "1"}
    assert isinstance(TwilioMedia().read(start(mediaFormat=form)), Started)


@pytest.mark.parametrize("early", [media("/w=="), message("mark", {"name": "a"}), message("stop", {})])
def test_nothing_comes_before_the_start(early: str) -> None:
    with pytest.raises(BadMessage):
        TwilioMedia().read(early)


@given(st.binary(max_size=400), st.text(st.characters(codec="utf-8"), max_size=20))
def test_what_we_send_is_json_that_names_the_stream(ulaw: bytes, name: str) -> None:
    codec = TwilioMedia()
    codec.read(start())
    sent = json.loads(codec.audio(ulaw))
    assert sent == {"event": "media", "streamSid": STREAM, "media": {"payload": base64.b64encode(ulaw).decode()}}
    assert json.loads(codec.mark(name)) == {"event": "mark", "streamSid": STREAM, "mark": {"name": name}}
    assert json.loads(codec.clear()) == {"event": "clear", "streamSid": STREAM}


def test_a_stream_sid_cannot_break_out_of_our_json() -> None:
    codec = TwilioMedia()
    evil = 'MZ","event":"clear'
    codec.read(start(streamSid=evil).replace(json.dumps(STREAM), json.dumps(evil)))
    assert json.loads(codec.audio(b"\xff"))["streamSid"] == evil


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_no_message_whatever_breaks_the_codec(said: str | bytes) -> None:
    codec = TwilioMedia()
    with contextlib.suppress(BadMessage):
        codec.read(said)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["start", "media", "dtmf", "mark", "stop", "connected"]), json_values)
def test_no_json_whatever_breaks_the_codec(event: str, body: Any) -> None:
    codec = TwilioMedia()
    codec.read(start())
    for said in (message(event, body), json.dumps(body), json.dumps({"event": event, "streamSid": body})):
        with contextlib.suppress(BadMessage):
            codec.read(said)
