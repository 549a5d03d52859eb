"""`talktime serve`: run it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from talktime.db.session import Database
    from talktime.settings import Settings


def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="With a demo customer and a simulated phone company; nothing is needed.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Serve only this part: web, voice or worker. Can be given again.")
    ] = None,
    drain_seconds: Annotated[
        float, typer.Option(min=0, help="How long live calls may go on when the server is stopped.")
    ] = 30.0,
) -> None:
    """Serve until Ctrl-C or SIGTERM: then no new call is taken, live ones end by themselves, and the rest stops.

    Ctrl-C a second time lets live calls say goodbye at once, and a third time ends everything there and then.
    """
    from talktime import configuration, log
    from talktime.cli.running import run
    from talktime.errors import BadInput

    parts = tuple(only or ("web", "voice", "worker"))
    unknown = set(parts) - {"web", "voice", "worker"}
    if unknown:
        raise BadInput(f"There is no part named {', '.join(sorted(unknown))}: the parts are web, voice and worker.")
    settings = configuration.read_to_serve(demo=demo)
    log.configure("WARNING" if demo and settings.log_level == "INFO" else settings.log_level)
    run(_serve(settings, demo=demo, parts=parts, drain_seconds=drain_seconds), door="worker")


async def _serve(settings: "Settings", *, demo: bool, parts: tuple[str, ...], drain_seconds: float) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from talktime.cli.calling import ring_demo
    from talktime.cli.first_start import first_link
    from talktime.cli.serving import served
    from talktime.errors import ProviderError, TalktimeError

    asked, impatient = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        if impatient.is_set():
            # Twice was not enough. What is cut off here is finished by whoever comes next: calls by the sweep, jobs by
            # another worker.
            os._exit(130)
        (impatient if asked.is_set() else asked).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    async with served(
        settings, demo=demo, parts=parts, drain_seconds_max=drain_seconds, impatient=impatient
    ) as running:
        _say(f"Talktime is serving at {running.url}")
        if running.beside is not None:
            _say(f"So does process {running.beside}: stop it (SIGTERM), and it hands over to this one.")
        if running.demo is not None:
            for email, link in await demo_links(running.database):
                _say(f"Sign in as {email}: {running.url}{link}")
            _say(f"The demo agent answers {running.demo.number}. Ring it yourself:")
            _say('  talktime call --say "what are your opening hours"')
            if not running.demo.has_calls:
                _say("")
                try:
                    await _until(asked, ring_demo(settings, running.database, running.demo.number))
                except (TalktimeError, ProviderError, SQLAlchemyError, TimeoutError) as error:
                    _say(f"The demo caller did not get through: {str(error) or type(error).__name__}")
                _say("")
        elif "web" in parts and (path := await first_link(running.database)) is not None:
            _say("Nobody is an operator yet. Become the first with this link, once, within a day:")
            _say(f"  {running.url}{path}")
            _say("Whoever opens it first is it. Another start makes a new one, and so does")
            _say("  talktime users create-admin")
        _say("Stop with Ctrl-C.")
        await asked.wait()
        _say("Stopping: no new calls are taken, live ones may end …")
    _say("Stopped.")


async def demo_links(database: "Database") -> list[tuple[str, str]]:
    """Who is in the demo, and where they sign in: the customer and the operator."""
    from sqlalchemy import select

    from talktime.accounts import links, sessions
    from talktime.accounts.models import LinkPurpose, User, UserStatus
    from talktime.cli.demo import EMAIL, OPERATOR_EMAIL

    async with database.transaction(everyone=sessions.WHY) as db:
        people = select(User).where(User.email.in_((EMAIL, OPERATOR_EMAIL)), User.status == UserStatus.ACTIVE)
        return [
            (person.email, links.path_of(LinkPurpose.SIGN_IN, await sessions.make_link_token(db, person.id)))
            for person in (await db.execute(people.order_by(User.email))).scalars()
        ]


async def _until(asked: asyncio.Event, work: Coroutine[object, object, None]) -> None:
    """Do something unless we are asked to stop meanwhile."""
    task = asyncio.create_task(work)
    waiting = asyncio.create_task(asked.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
