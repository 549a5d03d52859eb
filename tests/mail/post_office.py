"""A real mail server on loopback that says what a test wants it to say, and keeps what it is given."""

import asyncio
import contextlib
import email
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Letter:
    """What arrived."""

    sender: str
    to: Sequence[str]
    content: bytes
    user: str | None

    @property
    def message(self) -> EmailMessage:
        message = email.message_from_bytes(self.content, policy=SMTPUTF8)
        assert isinstance(message, EmailMessage)
        return message

    def part(self, subtype: str) -> str:
        body = self.message.get_body((subtype,))
        assert body is not None
        content: str = body.get_content()
        return content


@dataclass(eq=False)
class PostOffice:
    """The answers are used up one by one; without one a command is accepted."""

    letters: list[Letter] = field(default_factory=list)
    to_recipient: list[str] = field(default_factory=list)
    to_sender: list[str] = field(default_factory=list)
    to_data: list[str] = field(default_factory=list)
    data_seconds: float = 0.0
    """How long it thinks about a mail before it answers."""
    lost_answers: int = 0
    """For so many mails it hangs up after it has taken them, and before it says so."""
    port: int = 0
    authority: trustme.CA | None = None

    def trust(self) -> ssl.SSLContext:
        """What a client needs to believe its certificate."""
        assert self.authority is not None
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    # The names and arguments below are those that aiosmtpd looks for.
    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.to_sender:
            return self.to_sender.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.to_recipient.pop(0) if self.to_recipient else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.data_seconds)
        answer = self.to_data.pop(0) if self.to_data else "250 OK"
        if answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            login: Any = session.auth_data
            user = login.decode() if login else None
            self.letters.append(Letter(envelope.mail_from or "", tuple(envelope.rcpt_tos), content, user))
            if self.lost_answers:
                self.lost_answers -= 1
                assert isinstance(server.transport, asyncio.Transport)
                server.transport.abort()
        return answer


@contextlib.asynccontextmanager
async def post_office(
    *, starttls: bool = False, tls: bool = False, password: str | None = None, utf8: bool = True
) -> AsyncIterator[PostOffice]:
    """Open one for as long as the block, on a port that the system chooses."""
    office = PostOffice()
    context: ssl.SSLContext | None = None
    if starttls or tls:
        office.authority = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        office.authority.issue_cert("127.0.0.1").configure_cert(context)

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        is_right = password is not None and data.password == password.encode()
        return AuthResult(success=is_right, handled=False, auth_data=data.login)

    options: dict[str, Any] = {"tls_context": context} if starttls else {}

    def protocol() -> SMTP:
        return SMTP(
            office,
            hostname="127.0.0.1",
            enable_SMTPUTF8=utf8,
            authenticator=check if password else None,
            auth_required=password is not None,
            auth_require_tls=starttls or password is not None,
            loop=asyncio.get_running_loop(),
            **options,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=context if tls else None)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)
