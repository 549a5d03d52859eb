"""`talktime users`: people who sign in."""

import json
import sys
from typing import Annotated

import typer

app = typer.Typer(help="People who sign in.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("sign-in")
def sign_in(
    email: Annotated[str, typer.Argument(help="Whose account.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print a link that signs somebody in, once, within a day."""
    from sqlalchemy import func, select

    from talktime.accounts import sessions
    from talktime.accounts.models import User
    from talktime.cli.running import open_database, read_settings, run
    from talktime.errors import NotFound

    settings = read_settings()

    async def work() -> str:
        async with open_database(settings) as database, database.transaction(everyone=sessions.WHY) as db:
            user = await db.scalar(select(User.id).where(func.lower(User.email) == email.lower()))
            if user is None:
                raise NotFound(f"Nobody here has the address {email}.")
            return await sessions.make_link_token(db, user)

    link = f"{settings.base_url}/sign-in/{run(work())}"
    sys.stdout.write((json.dumps({"link": link}) if as_json else link) + "\n")
