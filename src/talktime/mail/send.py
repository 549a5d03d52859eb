"""Mail leaves the house: by SMTP, or without a server into a folder, so that nothing is ever lost in silence.

The rules: no address, no subject and no word of a server's answer (which repeats the address) reaches a log or an
error; and everything is bounded in time. A failure says whether this mail can never be taken (`Undeliverable`), whether
a person must mend something first (`ProviderError`, permanent), or whether it should simply be tried again.
"""

import asyncio
import contextlib
import os
import re
import secrets
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib

from talktime import log
from talktime.errors import BadInput, ProviderError
from talktime.mail.message import Mail, Sender, Undeliverable, mailbox, to_message
from talktime.mail.render import html_of, text_of

OUTBOX = "outbox"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LOGGER = log.get(__name__)


class Mailer(Protocol):
    """Sends mail."""

    async def send(self, mail: Mail) -> None:
        """Give one mail away. Sending the same twice gives it the same Message-ID. Raises ProviderError."""


def mailer_of(smtp_url: str | None, mail_from: str | None, home: Path) -> Mailer:
    """The mailer that an installation is set up for; without a server its outbox in `home`."""
    if smtp_url is None:
        return Outbox(home / OUTBOX, Sender.of(mail_from or "Talktime <talktime@localhost>"))
    if mail_from is None:
        raise BadInput("TALKTIME_SMTP_URL is set: say in TALKTIME_MAIL_FROM who the mails are from, too.")
    return Smtp(SmtpServer.at(smtp_url), Sender.of(mail_from))


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where and how mail is handed over."""

    host: str
    port: int
    tls: str
    """`at once`, `starttls` or `never`."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def at(cls, url: str) -> "SmtpServer":
        """Read `smtps://user:password@host:465`, `smtp://user:password@host:587?starttls` or `smtp://host:25`.

        User and password are percent-encoded, as in every address. Nothing of the address is repeated in an error.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise BadInput(_HOW) from None
        options = parse_qsl(parts.query, keep_blank_values=True)
        wants_starttls = options == [("starttls", "")]
        if (
            parts.scheme not in ("smtp", "smtps")
            or not host
            or parts.path not in ("", "/")
            or parts.fragment
            or (options and not wants_starttls)
            or (parts.scheme == "smtps" and options)
            or (parts.username is None) != (parts.password is None)
        ):
            raise BadInput(_HOW)
        if parts.scheme == "smtps":
            tls, usual_port = "at once", 465
        else:
            tls, usual_port = ("starttls", 587) if wants_starttls else ("never", 25)
        if tls == "never" and parts.username is not None and host not in _LOOPBACK:
            raise BadInput("TALKTIME_SMTP_URL would send the password in clear: use smtps://, or add ?starttls.")
        user, password = (None if said is None else unquote(said) for said in (parts.username, parts.password))
        return cls(host, port or usual_port, tls, user, password)


_HOW = (
    "TALKTIME_SMTP_URL cannot be used: write smtps://user:password@host:465, smtp://user:password@host:587?starttls"
    " or smtp://host:25, with user and password percent-encoded."
)


class Smtp:
    """Mail through a server, one connection for each."""

    def __init__(
        self,
        server: SmtpServer,
        sender: Sender,
        *,
        seconds_max: float = 30.0,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._sender = sender
        self._seconds_max = seconds_max
        self._tls_context = tls_context

    async def send(self, mail: Mail) -> None:
        """Hand one mail to the server; true for everybody it is to, unless nobody's address was taken."""
        message = _message(mail, self._sender)
        client = self._client()
        try:
            async with asyncio.timeout(self._seconds_max):
                await client.connect()
                refused, _ = await client.send_message(
                    message, sender=self._sender.address, recipients=[mailbox(address) for address in mail.to]
                )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            raise _failure(error) from None
        except BaseException:
            client.close()
            raise
        if refused:
            _LOGGER.warning("a mail was refused for some it was to", mail_id=str(mail.id), refused=len(refused))
        # It is taken. A server that does not say goodbye properly changes nothing about that.
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            async with asyncio.timeout(2.0):
                await client.quit()
        client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        has_tls = server.tls != "never"
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls == "at once",
            start_tls=server.tls == "starttls",
            tls_context=(self._tls_context or ssl.create_default_context()) if has_tls else None,
            # Not this machine's name, which is nobody's business, and asking for it blocks.
            local_hostname=self._sender.domain,
            timeout=self._seconds_max,
        )


class Outbox:
    """Mail into a folder, one file each, for whoever runs this without a mail server."""

    def __init__(self, folder: Path, sender: Sender) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        """Write `<id>.eml`; the same mail again is the same file."""
        content = _message(mail, self._sender).as_bytes()
        try:
            await asyncio.to_thread(self._put, f"{mail.id}.eml", content)
        except OSError as error:
            raise ProviderError(f"the outbox cannot be written: {error.strerror}") from None
        _LOGGER.info("no mail server is set, so a mail lies in the outbox", mail_id=str(mail.id))

    def _put(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{name}.{secrets.token_hex(4)}"
        # Somebody's mail is for nobody else on this machine.
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            draft.replace(self._folder / name)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _message(mail: Mail, sender: Sender) -> EmailMessage:
    assert mail.to, "a mail is to somebody"
    return to_message(
        mail, sender, text=text_of(mail.words), html=html_of(mail.words, mail.language), now=datetime.now(UTC)
    )


def _failure(error: Exception) -> ProviderError:
    """What a failure means for this mail, told in codes only: a server's own words repeat the address."""
    if isinstance(error, TimeoutError):
        return ProviderError("the mail server did not answer in time")
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _refusal("the address", error.recipients)
    if isinstance(error, (aiosmtplib.SMTPDataError, aiosmtplib.SMTPRecipientRefused)):
        return _refusal("the mail", [error])
    if isinstance(error, aiosmtplib.SMTPNotSupported) and "SMTPUTF8" in error.message:
        return Undeliverable("the mail server takes no addresses beyond ASCII")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        # The greeting, the password, the sender: nothing about this mail, and a person must mend it.
        what = "the sign-in" if isinstance(error, aiosmtplib.SMTPAuthenticationError) else "us"
        return ProviderError(f"the mail server refuses {what} ({_code(error)})", permanent=error.code >= 500)
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return ProviderError("the mail server's certificate or encryption is not right", permanent=True)
    if isinstance(error, ValueError):
        return Undeliverable("the mail server cannot be given this address")
    if isinstance(error, aiosmtplib.SMTPException) and not isinstance(error, ConnectionError):
        return ProviderError("the mail server cannot do what it is asked for: STARTTLS or AUTH", permanent=True)
    return ProviderError(f"the mail server was not reached ({type(error).__name__})")


def _refusal(what: str, answers: Sequence[aiosmtplib.SMTPResponseException]) -> ProviderError:
    message = f"the mail server refuses {what} ({', '.join(sorted({_code(answer) for answer in answers}))})"
    is_final = all(500 <= answer.code < 600 for answer in answers)
    return Undeliverable(message) if is_final else ProviderError(message)


def _code(answer: aiosmtplib.SMTPResponseException) -> str:
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", answer.message)  # RFC 3463
    return f"{answer.code} {enhanced[0]}" if enhanced else str(answer.code)
