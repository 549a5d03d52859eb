"""Our markup against what Twilio's own builder makes of the same answers."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect, VoiceResponse  # type: ignore[import-untyped]  # it has no types

from talktime.carriers.contract import Announce, Forward, Talk, TurnAway
from talktime.carriers.twilio_answer import TEXT_MAX, markup

printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
anything = st.text(max_size=40)


def same(ours: bytes, theirs: VoiceResponse) -> bool:
    return ElementTree.canonicalize(ours.decode()) == ElementTree.canonicalize(str(theirs))


@given(st.dictionaries(printable, printable, max_size=4))
def test_talk_connects_the_stream_and_hangs_up_after_it(parameters: dict[str, str]) -> None:
    theirs = VoiceResponse()
    connect = Connect()
    stream = connect.stream(url="wss://example.org/media")
    for name, value in sorted(parameters.items()):
        stream.parameter(name=name, value=value)
    theirs.append(connect)
    theirs.hangup()
    assert same(markup(Talk("wss://example.org/media", parameters)).body, theirs)


@given(printable.filter(str.strip))
def test_announce_says_and_hangs_up(text: str) -> None:
    theirs = VoiceResponse()
    theirs.say(text, language="de-DE")
    theirs.hangup()
    assert same(markup(Announce(text, "de")).body, theirs)


def test_forward_says_something_if_anything_and_dials_with_a_limit() -> None:
    theirs = VoiceResponse()
    theirs.say("One moment.", language="en-GB")
    theirs.dial("+4930123456", time_limit=600)
    theirs.hangup()
    assert same(markup(Forward("+4930123456", "One moment.", "en-GB", seconds_max=600)).body, theirs)
    silent = VoiceResponse()
    silent.dial("+4930123456", time_limit=3600)
    silent.hangup()
    assert same(markup(Forward("+4930123456")).body, silent)


def test_forward_says_where_the_leg_is_reported_and_what_is_asked_after_it() -> None:
    theirs = VoiceResponse()
    dial = theirs.dial(time_limit=600, timeout=30, action="https://example.org/leg/after?a=1&b=2", method="POST")
    dial.number(
        "+4930123456",
        status_callback="https://example.org/leg",
        status_callback_event="answered completed",
        status_callback_method="POST",
    )
    theirs.hangup()
    forward = Forward(
        "+4930123456",
        seconds_max=600,
        ring_seconds_max=30,
        reports_url="https://example.org/leg",
        after_url="https://example.org/leg/after?a=1&b=2",
    )
    assert same(markup(forward).body, theirs)


def test_turning_away_is_a_busy_tone() -> None:
    theirs = VoiceResponse()
    theirs.reject(reason="busy")
    assert same(markup(TurnAway()).body, theirs)


def test_the_same_answer_gives_the_same_bytes() -> None:
    one, other = {"a": "1", "token": "t"}, {"token": "t", "a": "1"}
    assert markup(Talk("wss://e/m", one)) == markup(Talk("wss://e/m", other))


@given(anything)
def test_whatever_is_said_the_markup_can_be_read(text: str) -> None:
    body = markup(Announce(text.encode("utf-8", "replace").decode(), "en")).body
    verbs = [element.tag for element in ElementTree.fromstring(body)]
    assert verbs in (["Say", "Hangup"], ["Hangup"])


def test_a_text_cannot_bring_verbs_of_its_own() -> None:
    body = markup(Announce("</Say><Dial>+4930123456</Dial><Say>", "en")).body
    assert b"<Dial>" not in body


def test_a_text_longer_than_the_carrier_says_is_cut() -> None:
    said = ElementTree.fromstring(markup(Announce("a" * (TEXT_MAX + 1), "en")).body).findtext("Say")
    assert said == "a" * TEXT_MAX
