"""`talktime users …`: people who sign in, and what an operator does about them. Looking stands in `people.py`, the log
of who did what in `audit.py`, closing, exporting and forgetting in `privacy.py`.

The rule: whoever changes something says who they are (`--by`); the verb asks for the permission.
"""

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from talktime.cli import audit, money, people, privacy
from talktime.cli.books import AsJson, By, Whose, find_user, in_the_books, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.accounts.models import LinkPurpose

app = typer.Typer(help="People who sign in.", no_args_is_help=True)

_Language = Annotated[str, typer.Option("--language", metavar="en|de", help="To be written to in.")]


@app.callback()
def _group() -> None:
    pass


app.command("list")(people.list_people)
app.command("search")(people.search)
app.command("show")(people.show_person)


@app.command()
def invite(
    email: Annotated[str | None, typer.Argument(metavar="[EMAIL]", help="Whose account it is to be.")] = None,
    *,
    by: By,
    role: Annotated[str, typer.Option("--role", metavar="user|admin", help="What they may do.")] = "user",
    language: _Language = "en",
    as_json: AsJson = False,
) -> None:
    """Print a link that makes an account, once, within a week; for anybody who has it, when no address is said.

    It works also where signing up is switched off. Giving it to them is yours to do.
    """
    from talktime.accounts import people as verbs
    from talktime.accounts.models import LinkPurpose

    wanted = people.role_of(role)

    async def work(db: "AsyncSession") -> str:
        actor = (await find_user(db, by)).id
        return (await verbs.invite(db, email=email, role=wanted, locale=language, actor=actor)).token

    link = _address(LinkPurpose.INVITE, in_the_books(work))
    show({"link": link, "role": wanted.value}, [link], as_json=as_json)


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Their address.")],
    *,
    name: Annotated[str, typer.Option("--name", help="How they are called.")],
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="EMAIL", help="Who does this: an operator. Not needed while there is none."),
    ] = None,
    language: _Language = "en",
    zone: Annotated[str, typer.Option("--zone", help="Where they live: Europe/Berlin.")] = "Europe/Berlin",
    as_json: AsJson = False,
) -> None:
    """Make an operator, and print the link with which they choose their password, within two hours."""
    from talktime.accounts import people as verbs
    from talktime.accounts.models import LinkPurpose

    async def work(db: "AsyncSession") -> tuple[uuid.UUID, str]:
        actor = (await find_user(db, by)).id if by is not None else None
        made, issued = await verbs.create_admin(db, email=email, name=name, locale=language, zone=zone, actor=actor)
        return made, issued.token

    made, token = in_the_books(work)
    link = _address(LinkPurpose.RESET, token)
    show({"id": made, "link": link}, ["They choose a password here:", link], as_json=as_json)


@app.command()
def role(
    user: Whose,
    role: Annotated[str, typer.Argument(metavar="user|admin", help="What they may do from now on.")],
    *,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Make somebody an operator, or a customer again. They are signed out everywhere. One operator always stays."""
    from talktime.accounts import people as verbs

    wanted = people.role_of(role)

    async def work(db: "AsyncSession") -> bool:
        whose, actor = await _both(db, user, by)
        return await verbs.change_role(db, whose, wanted, actor)

    has_changed = in_the_books(work)
    word = "an operator" if wanted.value == "ADMIN" else "a customer"
    line = f"Now {word}, and signed out everywhere." if has_changed else f"Already {word}: nothing changed."
    show({"role": wanted.value, "changed": has_changed}, [line], as_json=as_json)


@app.command()
def suspend(
    user: Whose,
    *,
    because: Annotated[str, typer.Option("--because", help="Why, for other operators: the customer does not see it.")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Suspend an account: nobody signs in, no call starts or is extended. Running calls use what they were granted."""
    from talktime import log
    from talktime.calls import closing
    from talktime.cli.running import read_settings

    log.configure(read_settings().log_level)

    async def work(db: "AsyncSession") -> None:
        whose, actor = await _both(db, user, by)
        await closing.suspend(db, whose, actor, because)

    in_the_books(work)
    show({"status": "SUSPENDED"}, ["Suspended."], as_json=as_json)


@app.command()
def activate(user: Whose, *, by: By, as_json: AsJson = False) -> None:
    """End a suspension."""
    from talktime import log
    from talktime.calls import closing
    from talktime.cli.running import read_settings

    log.configure(read_settings().log_level)

    async def work(db: "AsyncSession") -> None:
        whose, actor = await _both(db, user, by)
        await closing.activate(db, whose, actor)

    in_the_books(work)
    show({"status": "ACTIVE"}, ["Active again."], as_json=as_json)


@app.command("reset-second-factor")
def reset_second_factor(user: Whose, *, by: By, as_json: AsJson = False) -> None:
    """Take off the second factor of somebody who has lost it. They are signed out everywhere, and told by mail.

    Be sure that it is them who ask: whoever knows their password comes in then.
    """
    from talktime.accounts import people as verbs

    async def work(db: "AsyncSession") -> bool:
        whose, actor = await _both(db, user, by)
        return await verbs.reset_second_factor(db, whose, actor)

    was_on = in_the_books(work)
    line = "Taken off; they are signed out and told." if was_on else "There was none: nothing changed."
    show({"changed": was_on}, [line], as_json=as_json)


@app.command("sign-out")
def sign_out(user: Whose, *, by: By, as_json: AsJson = False) -> None:
    """Sign somebody out of every browser."""
    from talktime.accounts import people as verbs

    async def work(db: "AsyncSession") -> int:
        whose, actor = await _both(db, user, by)
        return await verbs.end_sessions(db, whose, actor)

    ended = in_the_books(work)
    line = f"Signed out of {ended} browser{'' if ended == 1 else 's'}." if ended else "Nobody was signed in."
    show({"sessions": ended}, [line], as_json=as_json)


@app.command("sign-in")
def sign_in(
    email: Annotated[str, typer.Argument(metavar="USER", help="Whose account: an e-mail address, or an id.")],
    by: Annotated[str | None, typer.Option("--by", metavar="EMAIL", help="Who does this: an operator.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a link that signs somebody in, once, within a day, for them to use.

    To look at an account yourself, use `sign-in-as`. That a link was made stands in the audit log, also where nobody
    says who did it.
    """
    from talktime.accounts import audit as log_of
    from talktime.accounts import sessions
    from talktime.accounts.models import LinkPurpose
    from talktime.accounts.operators import require_operator

    async def work(db: "AsyncSession") -> str:
        whose, actor = (await find_user(db, email)).id, None
        if by is not None:
            actor = (await find_user(db, by)).id
            await require_operator(db, actor)
        await log_of.record(db, whose, actor, "sign_in.printed")
        return await sessions.make_link_token(db, whose)

    link = _address(LinkPurpose.SIGN_IN, in_the_books(work))
    show({"link": link}, [link], as_json=as_json)


@app.command("sign-in-as")
def sign_in_as(
    user: Whose,
    *,
    reason: Annotated[
        str, typer.Option("--reason", help="asked_by_customer, fault, billing, abuse or legal: it is written down.")
    ],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Print a link that signs YOU in as a customer, once, within ten minutes, for half an hour.

    The audit log says why, when it began and when it ended. What you do there stands under your name.
    """
    from talktime.accounts import people as verbs
    from talktime.accounts.models import LinkPurpose
    from talktime.errors import BadInput

    try:
        why = verbs.VisitReason(reason)
    except ValueError:
        raise BadInput(f"The reason is one of {', '.join(verbs.VisitReason)}.") from None

    async def work(db: "AsyncSession") -> str:
        whose, actor = await _both(db, user, by)
        return await verbs.sign_in_as(db, whose, why, actor)

    link = _address(LinkPurpose.SIGN_IN, in_the_books(work))
    show({"link": link, "reason": why.value}, [link], as_json=as_json)


async def _both(db: "AsyncSession", user: str, by: str) -> tuple[uuid.UUID, uuid.UUID]:
    """Whom it is about, and who does it; the verb locks them, in the order in which all of them do."""
    return (await find_user(db, user)).id, (await find_user(db, by)).id


def _address(purpose: "LinkPurpose", token: str) -> str:
    """A link as it is opened in a browser."""
    from talktime.accounts import links
    from talktime.cli.running import read_settings

    return read_settings().base_url + links.path_of(purpose, token)


app.command("limits")(money.limits)
app.command("close")(privacy.close)
app.command("export")(privacy.export_)
app.command("forget-caller")(privacy.forget_caller)
app.command("audit")(audit.read)
app.command("audit-verify")(audit.verify)
app.command("audit-export")(audit.export)
