"""`talktime serve`: run it."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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

    Ctrl-C a second time lets live calls say goodbye at once.
    """
    from talktime import log
    from talktime.cli.running import read_settings, run
    from talktime.errors import BadInput

    settings = read_settings()
    parts = tuple(only or ("web", "voice", "worker"))
    unknown = set(parts) - {"web", "voice", "worker"}
    if unknown:
        raise BadInput(f"There is no part named {', '.join(sorted(unknown))}: the parts are web, voice and worker.")
    log.configure("WARNING" if demo and settings.log_level == "INFO" else settings.log_level)
    run(_serve(settings, demo=demo, parts=parts, drain_seconds=drain_seconds))


async def _serve(settings: "Settings", *, demo: bool, parts: tuple[str, ...], drain_seconds: float) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from talktime.accounts import sessions
    from talktime.cli.calling import ring_demo
    from talktime.cli.serving import served
    from talktime.errors import ProviderError, TalktimeError

    asked, impatient = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (impatient if asked.is_set() else asked).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    async with served(
        settings, demo=demo, parts=parts, drain_seconds_max=drain_seconds, impatient=impatient
    ) as running:
        _say(f"Talktime is serving at {running.url}")
        if running.demo is not None:
            async with running.database.transaction(everyone=sessions.WHY) as db:
                token = await sessions.make_link_token(db, running.demo.user_id)
            _say(f"Sign in as {running.demo.email}: {running.url}/sign-in/{token}")
            _say(f"The demo agent answers {running.demo.number}. Ring it yourself:")
            _say('  talktime call --say "what are your opening hours"')
            if not running.demo.has_calls:
                _say("")
                try:
                    await _until(asked, ring_demo(settings, running.database, running.demo.number))
                except (TalktimeError, ProviderError, SQLAlchemyError, TimeoutError) as error:
                    _say(f"The demo caller did not get through: {str(error) or type(error).__name__}")
                _say("")
        _say("Stop with Ctrl-C.")
        await asked.wait()
        _say("Stopping: no new calls are taken, live ones may end …")
    _say("Stopped.")


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
