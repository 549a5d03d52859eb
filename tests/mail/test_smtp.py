"""Mail by SMTP, against a server that speaks it: taken, put off, refused, slow, silent, encrypted."""

import asyncio
import time
import uuid

import pytest
from structlog.testing import capture_logs

from talktime.errors import BadInput, ProviderError
from talktime.mail.message import Link, Mail, Sender, Undeliverable, Words
from talktime.mail.send import Smtp, SmtpServer
from tests.mail.post_office import PostOffice, post_office

SENDER = Sender.of("Talktime <hello@talktime.example>")
WORDS = Words(
    "Your credit is running low",
    ("You have 12 credits left.", "Grüße <b>aus</b> München"),
    Link("Buy credits", "https://talktime.example/credits?a=1&b=2"),
    greeting="Hello Alice,",
    closing="You get this mail because of your account.",
)


def a_mail(*to: str, words: Words = WORDS) -> Mail:
    return Mail(uuid.uuid4(), to or ("alice@example.org",), "en", words)


def mailer(office: PostOffice) -> Smtp:
    return Smtp(SmtpServer("127.0.0.1", office.port, "never"), SENDER)


async def test_a_mail_arrives_as_text_and_as_a_page() -> None:
    mail = a_mail()
    async with post_office() as office:
        await mailer(office).send(mail)
    [letter] = office.letters
    assert (letter.sender, letter.to) == ("hello@talktime.example", ("alice@example.org",))
    assert letter.message["Message-ID"] == f"<{mail.id}@talktime.example>"
    assert letter.message["From"] == "Talktime <hello@talktime.example>"
    assert letter.message["Subject"] == "Your credit is running low"
    assert letter.message["Auto-Submitted"] == "auto-generated"
    text, page = letter.part("plain"), letter.part("html")
    for said in (text, page):
        assert "Hello Alice," in said
        assert "You have 12 credits left." in said
        assert "Buy credits" in said
    assert "Grüße <b>aus</b> München" in text
    assert "https://talktime.example/credits?a=1&b=2" in text
    assert "Grüße &lt;b&gt;aus&lt;/b&gt; München" in page
    assert 'href="https://talktime.example/credits?a=1&amp;b=2"' in page


async def test_the_same_mail_sent_again_has_the_same_message_id() -> None:
    mail = a_mail()
    async with post_office() as office:
        await mailer(office).send(mail)
        await mailer(office).send(mail)
    first, second = office.letters
    assert first.message["Message-ID"] == second.message["Message-ID"]


async def test_what_is_put_off_is_taken_the_next_time() -> None:
    mail = a_mail()
    async with post_office() as office:
        office.to_recipient = ["450 4.2.1 alice@example.org: greylisted"]
        with pytest.raises(ProviderError) as put_off:
            await mailer(office).send(mail)
        assert not put_off.value.permanent
        await mailer(office).send(mail)
    assert len(office.letters) == 1


@pytest.mark.parametrize("step", ["to_recipient", "to_data"])
async def test_a_refusal_for_good_is_final_and_repeats_no_address(step: str) -> None:
    async with post_office() as office:
        setattr(office, step, ["550 5.1.1 <alice@example.org>: no such user"])
        with capture_logs() as logs, pytest.raises(Undeliverable) as refused:
            await mailer(office).send(a_mail())
    assert refused.value.permanent
    assert "550 5.1.1" in str(refused.value)
    assert "alice" not in str(refused.value) + str(logs)


async def test_a_sender_who_is_not_allowed_is_not_the_fault_of_the_mail() -> None:
    async with post_office() as office:
        office.to_sender = ["553 5.7.1 <hello@talktime.example> is not yours"]
        with pytest.raises(ProviderError) as refused:
            await mailer(office).send(a_mail())
    assert refused.value.permanent
    assert not isinstance(refused.value, Undeliverable)


async def test_one_wrong_address_among_several_keeps_nobody_else_from_getting_it() -> None:
    async with post_office() as office:
        office.to_recipient = ["550 no such user"]
        with capture_logs() as logs:
            await mailer(office).send(a_mail("gone@example.org", "ada@example.org"))
    [letter] = office.letters
    assert letter.to == ("ada@example.org",)
    assert "example.org" not in str(logs)


async def test_nobody_at_the_door_is_worth_another_try() -> None:
    async with post_office() as office:
        pass
    with pytest.raises(ProviderError) as refused:
        await mailer(office).send(a_mail())
    assert not refused.value.permanent


async def test_a_slow_server_is_waited_for() -> None:
    async with post_office() as office:
        office.data_seconds = 0.5
        await mailer(office).send(a_mail())
    assert len(office.letters) == 1


async def test_a_server_that_says_nothing_is_given_up() -> None:
    over = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    began = time.monotonic()
    try:
        server = SmtpServer("127.0.0.1", silent.sockets[0].getsockname()[1], "never")
        with pytest.raises(ProviderError) as given_up:
            await Smtp(server, SENDER, seconds_max=0.3).send(a_mail())
    finally:
        over.set()
        silent.close()
        await asyncio.sleep(0.1)  # for its side of the line to be closed, too
    assert not given_up.value.permanent
    assert time.monotonic() - began < 3


async def test_a_server_that_trickles_is_given_up_too() -> None:
    """Each line in time, and never an end: only the whole can be bounded."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"220-still there\r\n")
                await writer.drain()
                await asyncio.sleep(0.1)
        except OSError:
            pass
        finally:
            writer.close()

    endless = await asyncio.start_server(trickle, "127.0.0.1", 0)
    began = time.monotonic()
    try:
        server = SmtpServer("127.0.0.1", endless.sockets[0].getsockname()[1], "never")
        with pytest.raises(ProviderError) as given_up:
            await Smtp(server, SENDER, seconds_max=0.5).send(a_mail())
    finally:
        endless.close()
        await asyncio.sleep(0.2)
    assert not given_up.value.permanent
    assert time.monotonic() - began < 3


async def test_a_line_that_breaks_before_the_answer_leaves_it_open_and_is_tried_again() -> None:
    mail = a_mail()
    async with post_office() as office:
        office.lost_answers = 1
        with pytest.raises(ProviderError) as broken:
            await mailer(office).send(mail)
        assert not broken.value.permanent
        await mailer(office).send(mail)
    first, second = office.letters
    assert first.message["Message-ID"] == second.message["Message-ID"]


async def test_starttls_with_a_password() -> None:
    async with post_office(starttls=True, password="p@ss:word") as office:
        server = SmtpServer.at(f"smtp://post:p%40ss%3Aword@127.0.0.1:{office.port}?starttls")
        await Smtp(server, SENDER, tls_context=office.trust()).send(a_mail())
    assert [letter.user for letter in office.letters] == ["post"]


async def test_tls_from_the_first_byte() -> None:
    async with post_office(tls=True) as office:
        server = SmtpServer.at(f"smtps://127.0.0.1:{office.port}")
        await Smtp(server, SENDER, tls_context=office.trust()).send(a_mail())
    assert len(office.letters) == 1


async def test_a_server_that_cannot_encrypt_gets_nothing_in_clear() -> None:
    async with post_office() as office:
        server = SmtpServer.at(f"smtp://post:word@127.0.0.1:{office.port}?starttls")
        with pytest.raises(ProviderError) as refused:
            await Smtp(server, SENDER).send(a_mail())
    assert refused.value.permanent
    assert not isinstance(refused.value, Undeliverable)
    assert office.letters == []


async def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    async with post_office(starttls=True) as office:
        server = SmtpServer.at(f"smtp://127.0.0.1:{office.port}?starttls")
        with pytest.raises(ProviderError) as refused:
            await Smtp(server, SENDER).send(a_mail())
    assert refused.value.permanent
    assert not isinstance(refused.value, Undeliverable)
    assert office.letters == []


async def test_a_wrong_password_is_the_operators_to_mend() -> None:
    async with post_office(starttls=True, password="right") as office:
        server = SmtpServer.at(f"smtp://post:wrong@127.0.0.1:{office.port}?starttls")
        with pytest.raises(ProviderError) as refused:
            await Smtp(server, SENDER, tls_context=office.trust()).send(a_mail())
    assert refused.value.permanent
    assert not isinstance(refused.value, Undeliverable)
    assert "wrong" not in str(refused.value)


async def test_addresses_beyond_ascii_arrive_where_the_server_can() -> None:
    async with post_office() as office:
        await mailer(office).send(a_mail("jürgen@müller.example"))
        await mailer(office).send(a_mail("juergen@straße.example"))
    first, second = office.letters
    assert first.to == ("jürgen@xn--mller-kva.example",)
    # The older rules would have sent it to strasse.example, which is somebody else.
    assert second.to == ("juergen@xn--strae-oqa.example",)


async def test_addresses_beyond_ascii_are_undeliverable_where_it_cannot() -> None:
    async with post_office(utf8=False) as office:
        with pytest.raises(Undeliverable):
            await mailer(office).send(a_mail("jürgen@example.org"))
        await mailer(office).send(a_mail("juergen@müller.example"))
    assert len(office.letters) == 1


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.org\r\nBcc: mallory@example.org",
        "alice@example.org\nRCPT TO:<mallory@example.org>",
        "alice@example.org, mallory@example.org",
        "Alice <alice@example.org>",
        "<alice@example.org>",
        '"alice\\"@evil"@example.org',
        "alice@example.org> SIZE=1",
        "alice",
        "@example.org",
        "alice@",
        "",
        " ",
        "alice@exa mple.org",
        "al\u2028ice@example.org",
        "al\x00ice@example.org",
        "alice..b@example.org",
        "a" * 300 + "@example.org",
        "alice@[127.0.0.1]",
        "alice@-example-.org",
    ],
)
async def test_what_is_no_address_is_never_written_to(address: str) -> None:
    async with post_office() as office:
        with pytest.raises(Undeliverable) as refused:
            await mailer(office).send(a_mail(address))
    assert office.letters == []
    if address.strip():
        assert address not in str(refused.value)


async def test_nothing_in_the_words_becomes_a_header() -> None:
    words = Words("Hello\r\nBcc: mallory@example.org\u2028X: y", ("Text\r\n.\r\nMAIL FROM:<x@y.example>",))
    async with post_office() as office:
        await mailer(office).send(a_mail(words=words))
    [letter] = office.letters
    assert letter.to == ("alice@example.org",)
    assert "Bcc" not in letter.message
    assert "X" not in letter.message
    assert letter.message["Subject"] == "Hello Bcc: mallory@example.org X: y"
    assert "MAIL FROM:<x@y.example>" in letter.part("plain")


async def test_long_and_strange_words_arrive_whole() -> None:
    subject = "Grüße " * 60 + "🙂"
    words = Words(subject, ("Ж" * 20_000, "\x00\u202eend", "line\nline"), greeting="a" * 3000)
    async with post_office() as office:
        await mailer(office).send(a_mail(words=words))
    [letter] = office.letters
    assert letter.message["Subject"] == subject.strip()
    assert "Ж" * 20_000 in letter.part("plain")
    assert max(len(line) for line in letter.content.split(b"\r\n")) <= 998


async def test_neither_address_nor_subject_is_logged() -> None:
    with capture_logs() as logs:
        async with post_office() as office:
            await mailer(office).send(a_mail())
    assert "alice" not in str(logs)
    assert WORDS.subject not in str(logs)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://mail.example.org", SmtpServer("mail.example.org", 465, "at once")),
        ("smtp://mail.example.org?starttls", SmtpServer("mail.example.org", 587, "starttls")),
        ("smtp://mail.example.org", SmtpServer("mail.example.org", 25, "never")),
        ("smtp://a:b@localhost:2525", SmtpServer("localhost", 2525, "never", "a", "b")),
        ("smtps://a%40b:c%2Fd@mail.example.org:1465", SmtpServer("mail.example.org", 1465, "at once", "a@b", "c/d")),
    ],
)
def test_where_mail_goes_is_read_from_one_address(url: str, expected: SmtpServer) -> None:
    assert SmtpServer.at(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.org",
        "http://mail.example.org",
        "smtp://",
        "smtp://secret:word@mail.example.org",
        "smtp://secret@mail.example.org?starttls",
        "smtps://mail.example.org?starttls",
        "smtp://mail.example.org?tls=secret",
        "smtp://mail.example.org/secret",
        "smtp://mail.example.org:secret",
        "smtp://[mail",
    ],
)
def test_an_address_that_cannot_be_used_says_how_to_write_it_and_repeats_nothing(url: str) -> None:
    with pytest.raises(BadInput, match="TALKTIME_SMTP_URL") as refused:
        SmtpServer.at(url)
    assert "secret" not in str(refused.value)


def test_the_password_is_in_no_picture_of_the_server() -> None:
    assert "hunter2" not in repr(SmtpServer.at("smtps://me:hunter2@mail.example.org"))
