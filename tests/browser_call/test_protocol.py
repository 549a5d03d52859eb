"""What travels between the panel and us, message by message."""

import orjson
import pytest

from talktime.carriers import browser
from talktime.carriers.browser import AUDIO_MAX, TEXT_MAX, TYPED_MAX, Browser, BrowserMedia
from talktime.carriers.contract import (
    Audio,
    BadMessage,
    BadSignature,
    Carrier,
    Digit,
    Forward,
    Played,
    Present,
    Request,
    Started,
    Stopped,
    Typed,
)
from talktime.errors import ProviderError

START = {"event": "start", "call_id": "c", "user": "u", "call": "k", "token": "t"}


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def said(**message: object) -> str:
    return orjson.dumps(message).decode()


def started(clock: Clock | None = None) -> BrowserMedia:
    media = BrowserMedia(clock or Clock())
    assert isinstance(media.read(said(**START)), Started)
    return media


def test_the_first_message_is_the_start_with_its_token() -> None:
    found = BrowserMedia().read(said(**START))
    assert found == Started("", "c", "browser", {"user": "u", "call": "k", "token": "t"})


@pytest.mark.parametrize(
    "message",
    [
        "", "hello", "[]", "null", b"\x00" * 160, said(event="stop"), said(event="said", text="hi"),
        said(**{**START, "token": 7}), said(**{**START, "token": ""}), said(**{**START, "user": "u" * 201}),
        said(event="start"), said(**START) + " " * TEXT_MAX,
    ],
    ids=range(12),
)  # fmt: skip
def test_nothing_else_comes_first(message: str | bytes) -> None:
    with pytest.raises(BadMessage):
        BrowserMedia().read(message)


def test_sound_typing_keys_and_marks_are_read() -> None:
    media = started()
    assert media.read(b"\xff" * 160) == Audio(b"\xff" * 160)
    assert media.read(said(event="said", text="  How\nmuch  is it? ")) == Typed("How much is it?")
    assert media.read(said(event="said", text="   ")) == Present()
    assert media.read(said(event="played", name="t1")) == Played("t1")
    assert media.read(said(event="here", typing=True)) == Present(is_typing=True)
    assert media.read(said(event="here")) == Present()
    assert media.read(said(event="key", digit="#")) == Digit("#")
    assert media.read(said(event="stop")) == Stopped()
    assert media.read(said(event="said", text="too late")) is None


@pytest.mark.parametrize(
    "message",
    [
        "", "x", "{}", said(event="shout"), said(event="said"), said(event="said", text=7), b"",
        said(event="said", text="a" * (TYPED_MAX + 1)), b"\xff" * (AUDIO_MAX + 1), said(event="played", name=1),
        said(event="key", digit="A"), said(event="key", digit="12"), said(**START), said(event="x", y="z" * TEXT_MAX),
        said(event="played", name="t" * 41),
    ],
    ids=range(15),
)  # fmt: skip
def test_whatever_our_script_would_not_send_hangs_up(message: str | bytes) -> None:
    media = started()
    assert media.read(message) == Stopped()
    assert media.read(b"\xff" * 160) is None


def test_a_voice_that_is_paced_has_room_for_ever() -> None:
    clock = Clock()
    media = started(clock)
    for _ in range(50 * 600):
        clock.now += 0.02
        assert isinstance(media.read(b"\xff" * 160), Audio)


def test_more_messages_than_a_voice_needs_hang_up() -> None:
    media = started()
    read = [media.read(b"\xff" * 20) for _ in range(1000)]
    assert read.count(Stopped()) == 1 and read[-1] is None
    assert 400 < read.index(Stopped()) < 700


def test_more_sound_than_a_voice_makes_hangs_up() -> None:
    clock = Clock()
    media = started(clock)
    read = []
    for _ in range(200):
        clock.now += 0.05
        read.append(media.read(b"\xff" * AUDIO_MAX))
    assert 20 < read.index(Stopped()) < 150


def test_nobody_types_a_hundred_lines_in_a_moment() -> None:
    media = started()
    read = [media.read(said(event="said", text=f"line {count}")) for count in range(100)]
    assert read.index(Stopped()) == 20


def test_what_is_sent_to_the_page_is_as_it_is_written_down() -> None:
    media = started()
    assert media.audio(b"\x01\x02") == b"\x01\x02"
    assert orjson.loads(media.mark("t3")) == {"event": "mark", "name": "t3"}
    assert orjson.loads(media.clear()) == {"event": "clear"}
    assert orjson.loads(browser.heard("hi")) == {"event": "heard", "text": "hi"}
    assert orjson.loads(browser.saying("Hello.")) == {"event": "saying", "text": "Hello."}
    assert orjson.loads(browser.meter(61, 30)) == {"event": "meter", "seconds": 61, "credits": 30}
    turn = {"event": "turn", "no": 2, "speaker": "CALLER", "text": "hi", "interrupted": False}
    assert orjson.loads(browser.turn(2, "CALLER", "hi", interrupted=False)) == turn
    ended = {"event": "ended", "reason": "silence", "seconds": 9, "credits": 15}
    assert orjson.loads(browser.ended("silence", 9, 15)) == ended


async def test_a_browser_neither_rings_nor_reports_and_rings_nobody() -> None:
    company: Carrier = Browser()
    request = Request("POST", "https://talktime.example/hooks/browser/ring", {}, b"CallSid=1")
    with pytest.raises(BadSignature):
        company.verify(request)
    for read in (company.read_ring, company.read_report, company.read_forwarded):
        with pytest.raises(BadMessage):
            read(request)
    with pytest.raises(ProviderError) as refused:
        await company.forward("c", Forward("+4930123456"), 60)
    assert refused.value.permanent
    assert await company.look_up("c") is None and await company.forwarded_to("c") == ()
    await company.hang_up("c")
    await company.limit("c", 5)
    await company.close()
