"""Without a mail server mails lie in a folder."""

import email
import os
import stat
import uuid
from email.policy import default
from pathlib import Path

import pytest

from talktime.errors import BadInput, ProviderError
from talktime.mail.message import Mail, Sender, Words
from talktime.mail.send import Outbox, Smtp, mailer_of

MAIL = Mail(uuid.uuid4(), ("alice@example.org",), "de", Words("Grüße", ("Guten Tag.",)))


async def test_without_a_server_a_mail_is_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    mailer = mailer_of(None, None, tmp_path)
    await mailer.send(MAIL)
    file = tmp_path / "outbox" / f"{MAIL.id}.eml"
    message = email.message_from_bytes(file.read_bytes(), policy=default)
    assert (message["To"], message["Subject"]) == ("alice@example.org", "Grüße")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_an_address_beyond_ascii_lies_there_as_it_is(tmp_path: Path) -> None:
    mail = Mail(uuid.uuid4(), ("jürgen@müller.example",), "de", Words("Grüße", ("Guten Tag.",)))
    await mailer_of(None, None, tmp_path).send(mail)
    content = (tmp_path / "outbox" / f"{mail.id}.eml").read_bytes()
    assert "To: jürgen@xn--mller-kva.example\r\n".encode() in content


async def test_the_same_mail_twice_is_one_file(tmp_path: Path) -> None:
    mailer = mailer_of(None, "me@example.org", tmp_path)
    await mailer.send(MAIL)
    await mailer.send(MAIL)
    assert os.listdir(tmp_path / "outbox") == [f"{MAIL.id}.eml"]


async def test_a_folder_that_cannot_be_written_is_a_failure_to_try_again(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(ProviderError) as failed:
        await Outbox(tmp_path / "outbox", Sender.of("me@example.org")).send(MAIL)
    assert not failed.value.permanent


def test_a_server_needs_a_sender(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="TALKTIME_MAIL_FROM"):
        mailer_of("smtp://127.0.0.1", None, tmp_path)
    assert isinstance(mailer_of("smtp://127.0.0.1", "Talktime <a@example.org>", tmp_path), Smtp)


@pytest.mark.parametrize("said", ["", "nobody", "Talktime", "a@b@", "x <y>"])
def test_a_sender_that_is_no_address_says_so(said: str) -> None:
    with pytest.raises(BadInput, match="TALKTIME_MAIL_FROM"):
        Sender.of(said)
