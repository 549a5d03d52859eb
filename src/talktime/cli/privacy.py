"""`talktime users close`, `export` and `forget-caller`: what an operator does for a person who wants to be gone, to
have what is theirs, or not to have called.

The rule: what cannot be undone is asked about first, unless `--yes` says that it was meant.
"""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talktime.cli.books import AsJson, By, Whose, credits_of, find_operator, find_user, show

if TYPE_CHECKING:
    import uuid

    from talktime.privacy.closing import Closed
    from talktime.privacy.forget import Forgotten
    from talktime.settings import Settings

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: it is meant.")]
_SAID_EVERY_SECONDS = 1.0


def close(
    user: Whose,
    by: By,
    seconds: Annotated[float, typer.Option(min=0, max=300, help="How long to wait for live calls to be settled.")] = 30,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Close an account for good. Live calls are hung up and charged, nobody signs in, its keys and links are worth
    nothing, its numbers go back to rest, its card is forgotten.

    Then the person goes out of it: name, address, what callers said and who they were. The books stay, with invoices as
    they were issued. Pages where something could still be paid are closed by the running server. What is left can be
    paid out afterwards: `talktime ledger payout`. Run again, it finishes what was not finished. Exit code 1 when a call
    is not settled yet or the payment company did not answer.
    """
    from talktime import log
    from talktime.cli.running import read_settings, run

    settings = read_settings()
    log.configure(settings.log_level)
    whose, name = run(_person(settings, user, by))
    _ask(f"Close the account of {name} for good, and take them out of it?", yes=yes)
    done = run(_close(settings, whose, by, seconds))
    document = {
        "user": whose,
        "hung_up": done.hung_up,
        "left": done.left,
        "checkouts": done.checkouts,
        "card_is_gone": done.card_is_gone,
        "balance": done.balance,
        "emptied": done.emptied,
    }
    show(document, [" ".join(_closed(done, whose))], as_json=as_json)
    raise typer.Exit(1 if done.left or not done.card_is_gone else 0)


def export_(
    user: Whose,
    by: By,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; here, when not said.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write everything that somebody has into a ZIP file: JSON, tables, invoices, statements. No secrets."""
    from datetime import UTC, datetime

    from talktime import log
    from talktime.cli.running import read_settings, run
    from talktime.privacy.export import file_name

    settings = read_settings()
    log.configure(settings.log_level)
    whose, _ = run(_person(settings, user, by))
    path = out or Path(file_name(whose, datetime.now(UTC)))
    size = run(_export(settings, whose, by, path))
    show({"file": str(path), "bytes": size}, [f"{path}: {size:,} bytes."], as_json=as_json)


def forget_caller(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Who called, as +49 30 1234567.")],
    *,
    by: By,
    user: Annotated[
        str | None, typer.Option("--user", metavar="USER", help="With this customer only: an e-mail address, or an id.")
    ] = None,
    country: Annotated[
        str | None,
        typer.Option("--country", metavar="CC", help="Where a number without its country is from, such as DE."),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget somebody who called: their number in every spelling, what they said, and what was noted of it.

    With every customer, unless one is named. The calls stay, without them, because the books point at them; every sum
    stays. Run again, it finishes what was not finished.
    """
    from talktime import log
    from talktime.cli.running import read_settings, run

    settings = read_settings()
    log.configure(settings.log_level)
    whose: uuid.UUID | None = None
    where = "all customers"
    if user is not None:
        whose, where = run(_person(settings, user, by))
    _ask(f"Forget this caller with {where}? What they said is gone for good.", yes=yes)
    done = run(_forget(settings, number, by, whose, country))
    document = {
        "calls": done.calls,
        "mentions": done.mentions,
        "events": done.events,
        "mails": done.mails,
        "stands_in": dict(done.stands_in),
    }
    show(document, list(_forgotten(done)), as_json=as_json)


async def _person(settings: "Settings", name: str, by: str) -> "tuple[uuid.UUID, str]":
    """Somebody's id, and what a person knows them by; for an operator only, before anything is asked."""
    from talktime.cli.running import open_database
    from talktime.privacy import closing

    async with open_database(settings) as database, database.transaction(everyone=closing.WHY) as db:
        await find_operator(db, by)
        found = await find_user(db, name)
        return found.id, found.email


async def _close(settings: "Settings", user: "uuid.UUID", by: str, seconds: float) -> "Closed":
    from talktime.app import carriers_of
    from talktime.cli.running import database_url, open_database
    from talktime.jobs import Jobs
    from talktime.payments import open_checkouts, saved_card
    from talktime.payments.till import gateways_of
    from talktime.privacy import closing

    carriers, gateways = carriers_of(settings, demo=True), gateways_of(settings, demo=True)
    said = _Said("{:,} calls emptied")
    try:
        async with open_database(settings) as database:
            with database_url(settings) as url:
                jobs = Jobs(url)
            async with database.transaction(everyone=closing.WHY) as db:
                actor = await find_operator(db, by)
            return await closing.close_account(
                database,
                carriers,
                user,
                actor,
                forget_card=lambda whose: saved_card.leave(database, gateways, whose),
                end_checkouts=lambda db, whose: open_checkouts.end_all(db, jobs, whose),
                jobs=jobs,
                home=settings.home,
                seconds_max=seconds,
                progress=said,
            )
    finally:
        said.end()
        for carrier in carriers.values():
            await carrier.close()
        for gateway in gateways.values():
            await gateway.close()


async def _export(settings: "Settings", user: "uuid.UUID", by: str, path: Path) -> int:
    from talktime.cli.running import open_database
    from talktime.errors import BadInput
    from talktime.privacy import closing, export

    said, size = _Said("{:,} bytes written"), 0
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    async with open_database(settings) as database:
        async with database.transaction(everyone=closing.WHY) as db:
            actor = await find_operator(db, by)
        try:
            # Somebody's whole account is for nobody else on this machine.
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                async for piece in export.stream(database, user, actor=actor):
                    file.write(piece)
                    size += len(piece)
                    said(size)
            draft.replace(path)
        except OSError as error:
            raise BadInput(f"{path} cannot be written ({error.strerror}): name a file in a folder of yours.") from None
        finally:
            said.end()
            draft.unlink(missing_ok=True)
    return size


async def _forget(
    settings: "Settings", number: str, by: str, user: "uuid.UUID | None", country: str | None
) -> "Forgotten":
    from talktime.cli.running import open_database
    from talktime.privacy import forget

    said = _Said("{:,} customers looked through, {:,} calls emptied")
    async with open_database(settings) as database:
        async with database.transaction(everyone=forget.WHY) as db:
            actor = await find_operator(db, by)
        try:
            return await forget.forget_caller(
                database, number, user=user, actor=actor, region=country, home=settings.home, progress=said
            )
        finally:
            said.end()


def _ask(question: str, *, yes: bool) -> None:
    """Raise Abort unless it is meant."""
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _closed(done: "Closed", user: "uuid.UUID") -> list[str]:
    # By their address nobody finds them any more.
    again = f"`talktime users close {user}`"
    words = [f"Closed. {done.hung_up} calls were hung up, {done.emptied or 0:,} calls were emptied."]
    if done.left:
        words.append(f"{len(done.left)} are not settled yet; the server does that within two minutes, or run {again}.")
    if done.checkouts:
        words.append(f"{done.checkouts} checkouts were open; the server has the payment company close them.")
    if not done.card_is_gone:
        words.append(f"The payment company did not forget the card; it is not charged any more. Later, run {again}.")
    if done.balance:
        words.append(f"{credits_of(done.balance)} are left on it: `talktime ledger payout {user}`.")
    return words


def _forgotten(done: "Forgotten") -> list[str]:
    lines = [
        f"Forgotten. {done.calls:,} calls were emptied, {done.mentions:,} texts and {done.events:,} events changed."
    ]
    if done.mails:
        lines.append(f"{done.mails:,} mails in the outbox were changed.")
    for place, times in done.stands_in.items():
        lines.append(f"The number stands in {place} still ({times:,} times), which only a person may change.")
    return lines


class _Said:
    """Tells on a terminal how far it is, once a second; in a pipe nothing."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._at = time.monotonic()
        self._is_open = False

    def __call__(self, *figures: int) -> None:
        if not sys.stderr.isatty() or time.monotonic() - self._at < _SAID_EVERY_SECONDS:
            return
        self._at = time.monotonic()
        self._is_open = True
        sys.stderr.write("\r" + self._words.format(*figures))
        sys.stderr.flush()

    def end(self) -> None:
        if self._is_open:
            sys.stderr.write("\n")
