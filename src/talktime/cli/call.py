"""`talktime call`: ring an agent from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from talktime.settings import Settings
    from talktime.simulate.orders import Step


def call(
    number: Annotated[
        str | None, typer.Option("--number", "-n", help="The number to ring; the demo agent's when not given.")
    ] = None,
    say: Annotated[
        list[str] | None, typer.Option("--say", "-s", help="What the caller says, a sentence each. Can be given again.")
    ] = None,
    script: Annotated[
        Path | None, typer.Option("--script", exists=True, dir_okay=False, help="A JSON file with the caller's steps.")
    ] = None,
    wav: Annotated[
        Path | None,
        typer.Option("--wav", exists=True, dir_okay=False, help="A recording to play (16 bit, mono, 8,000 Hz)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document when the call is over.")] = False,
) -> None:
    """Ring an agent with a simulated caller: both sides as they speak, then the receipt.

    Uses the server that runs here; else serves by itself for the length of the call. Without --say, --script or --wav
    the demo caller rings. Exit code 1 when nobody answered.
    """
    from talktime import log
    from talktime.cli.running import read_settings, run
    from talktime.errors import BadInput

    if sum(given is not None and given != [] for given in (say, script, wav)) > 1:
        raise BadInput("Give only one of --say, --script and --wav.")
    settings = read_settings()
    log.configure("ERROR")
    if not run(_call(settings, number, say or [], script, wav, as_json=as_json), door="worker"):
        raise typer.Exit(1)


async def _call(
    settings: "Settings", number: str | None, say: list[str], script: Path | None, wav: Path | None, *, as_json: bool
) -> bool:
    import contextlib

    from talktime.cli import calling, running
    from talktime.cli.serving import served
    from talktime.errors import Conflict
    from talktime.numbers.pool import e164

    steps = await _steps(say, script, wav)
    async with contextlib.AsyncExitStack() as stack:
        instance = await running.find_instance(settings.home)
        if instance is None and settings.database_url is not None:
            # Serving by ourselves would put the demo's people and prices into somebody's own database.
            raise Conflict(
                "No server runs here, and DATABASE_URL is set: start one with `talktime serve --demo` first."
            )
        if instance is None:
            database = (await stack.enter_async_context(served(settings, demo=True))).database
        elif not instance.demo:
            raise Conflict("The server that runs here has no simulated carrier: start it with --demo.")
        else:
            settings = settings.model_copy(update={"port": int(instance.url.rsplit(":", 1)[1])})
            database = await stack.enter_async_context(running.open_database(settings))
        dialled = await calling.number_to_ring(database, e164(number) if number else None)
        placed = calling.PlacedCall(settings, database, dialled, steps)
        if not as_json:
            record = await calling.print_call(placed, dialled)
        else:
            async for _turn in placed.turns():
                pass
            record = await placed.record()
            calling.print_json(calling.document_of(placed, record, dialled))
    return record is not None and record.call.answered_at is not None


async def _steps(say: list[str], script: Path | None, wav: Path | None) -> "tuple[Step, ...]":
    from talktime.cli import calling

    if script is not None:
        return calling.read_script(script)
    if wav is not None:
        return calling.steps_of_wav(wav)
    return await calling.steps_of_texts(say) if say else calling.steps_of_demo()
