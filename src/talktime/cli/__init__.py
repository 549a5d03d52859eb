"""The command line: one file per group of commands."""

import gc
import sys

import typer

from talktime.errors import ProviderError, TalktimeError

app = typer.Typer(
    name="talktime",
    help="Talktime: prepaid AI phone agents on your own PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add_commands() -> None:
    from talktime.cli import backup, call, db, doctor, inbox, ledger, mcp, numbers, numbers_carrier, serve, users

    app.command("serve")(serve.serve)
    app.command("call")(call.call)
    app.command("doctor")(doctor.doctor)
    app.command("mcp")(mcp.mcp)
    for command in (backup.backup, backup.restore, backup.wake):
        db.app.command()(command)
    app.add_typer(db.app, name="db")
    app.add_typer(ledger.app, name="ledger")
    app.add_typer(users.app, name="users")
    assert numbers_carrier.app is numbers.app, "two files, one group"
    app.add_typer(numbers.app, name="numbers")
    app.add_typer(inbox.app, name="inbox")


def main() -> None:
    """Run a command. What the user can mend is one line on standard error and exit code 1, never a traceback."""
    # Hundreds of modules are about to be made, and none of them is garbage: a fifth of a start is spent looking for it.
    gc.disable()
    _add_commands()
    try:
        app()
    except (TalktimeError, ProviderError) as error:
        sys.stderr.write(f"talktime: {error}\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
