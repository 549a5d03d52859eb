"""A mailer that keeps what it is given, fails when it is told to, and can be held up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from talktime.mail.message import Mail


class Pigeon:
    """Stands in for the way to a mail server, where a test is about who sends what, when and how often."""

    def __init__(self, *failures: Exception | None) -> None:
        self.sent: list[Mail] = []
        self._failures = list(failures)
        self.before: Callable[[], Awaitable[None]] | None = None
        """Done before each mail goes."""

    async def send(self, mail: Mail) -> None:
        if self.before is not None:
            await self.before()
        await asyncio.sleep(0.01)
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        self.sent.append(mail)

    def to(self, *addresses: str) -> Sequence[Mail]:
        return [mail for mail in self.sent if set(mail.to) == set(addresses)]
