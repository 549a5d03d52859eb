"""`talktime doctor`: is this installation in order, and what is to be done where it is not?"""

import asyncio
import json
import ssl
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from talktime.cli.checkup.finding import Finding

ALL_SECONDS_MAX = 20.0


def doctor(
    demo: Annotated[
        bool, typer.Option("--demo", help="Look at it as the demo; known by itself while the demo is served.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look at the settings, the database, the machine and the companies it depends on, within 20 seconds.

    Each line is ok, warn or fail, and says what to do. Nothing is changed anywhere. Exit code 1 when something fails.
    """
    from talktime import log
    from talktime.cli.checkup.finding import State
    from talktime.cli.running import run

    log.configure("ERROR")
    found = run(examine(demo=demo))
    is_well = all(finding.state is not State.FAIL for finding in found)
    if as_json:
        lines = [{"name": each.name, "state": each.state.value, "says": each.says, "mend": each.mend} for each in found]
        sys.stdout.write(json.dumps({"ok": is_well, "findings": lines}) + "\n")
    else:
        _print(found)
    raise typer.Exit(0 if is_well else 1)


async def examine(
    *, demo: bool = False, environment: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> "list[Finding]":
    """Everything that is found, in the order of the report. `tls` says whom to trust, instead of the system."""
    from talktime import configuration
    from talktime.cli import running
    from talktime.cli.checkup import companies, database, machine, outside
    from talktime.cli.checkup.finding import bounded, fail

    settings, wrong = configuration.look(environment)
    instance = await running.find_instance(settings.home)
    demo = demo or (instance is not None and instance.demo)
    checks = {
        "settings": machine.settings(settings, wrong, demo=demo),
        "home": machine.home(settings),
        "passwords": machine.passwords(),
        "database": database.database(settings, demo=demo),
        "mail": companies.mail(settings, demo=demo, tls=tls),
        "carrier": companies.carriers(settings, instance, demo=demo),
        "payments": companies.payments(settings, instance, demo=demo),
        "public address": outside.reached(settings, instance, demo=demo, tls=tls),
        "certificate": outside.certificate(settings, tls=tls),
    }
    tasks = [asyncio.create_task(bounded(name, check), name=name) for name, check in checks.items()]
    _, late = await asyncio.wait(tasks, timeout=ALL_SECONDS_MAX - 3)  # find_instance has had its three
    for task in late:
        task.cancel()
    late_words = "took too long"
    return [
        finding
        for task in tasks
        for finding in ([fail(task.get_name(), late_words)] if task in late else task.result())
    ]


def _print(found: "list[Finding]") -> None:
    from rich.console import Console
    from rich.text import Text

    colours = {"ok": "green", "warn": "yellow", "fail": "red bold"}
    console = Console(soft_wrap=True, highlight=False)
    width = max(len(each.name) for each in found)
    for each in found:
        console.print(
            Text.assemble((f"{each.state.value:<4}", colours[each.state.value]), f"  {each.name:<{width}}  {each.says}")
        )
        if each.mend:
            console.print(Text(f"{'':<{width + 6}}  → {each.mend}"))
    counts = {state: sum(each.state.value == state for each in found) for state in ("fail", "warn")}
    console.print()
    console.print(f"{counts['fail']} to mend, {counts['warn']} to know of.")
