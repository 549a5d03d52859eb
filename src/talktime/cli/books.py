"""What the operator's commands on credits have in common: one transaction, people by name, and two ways to print.

The rule: whoever changes something says who they are (`--by`), and must be an active administrator.
"""

import json
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from talktime.cli import typed

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.accounts.models import User

WHY = "the operator looks after everybody's credits"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
By = Annotated[str, typer.Option("--by", metavar="EMAIL", help="Who does this: an operator.")]
Whose = Annotated[str, typer.Argument(metavar="USER", help="Whose account: an e-mail address, or an id.")]
Most = Annotated[int, typer.Option(parser=typed.between(1, 10_000), help="How many at most.")]
Which = Annotated[uuid.UUID, typer.Argument(metavar="CALL", help="The call's id.")]
Result = TypeVar("Result")


def in_the_books(work: "Callable[[AsyncSession], Awaitable[Result]]", why: str = WHY) -> Result:
    """Run a command's work in one transaction that sees everyone."""
    from talktime.cli.running import open_database, read_settings, run

    async def go() -> Result:
        async with open_database(read_settings()) as database, database.transaction(everyone=why) as db:
            return await work(db)

    return run(go())


async def find_user(db: "AsyncSession", name: str) -> "User":
    """Somebody by e-mail address or id. Raises NotFound."""
    from sqlalchemy import func, select

    from talktime.accounts.models import User
    from talktime.errors import NotFound

    try:
        whose = User.id == uuid.UUID(name)
    except ValueError:
        whose = func.lower(User.email) == name.lower()
    found = await db.scalar(select(User).where(whose))
    if found is None:
        raise NotFound(f"Nobody here has the address or the id {name}.")
    return found


async def find_operator(db: "AsyncSession", name: str) -> uuid.UUID:
    """The same for who does something. Raises NotFound, NotAnOperator."""
    from talktime.credits.operators import require_operator

    actor = await find_user(db, name)
    await require_operator(db, actor.id)
    return actor.id


async def emails(db: "AsyncSession", people: "Iterable[uuid.UUID | None]") -> dict[uuid.UUID | None, str]:
    """The addresses of these people, for a person to read; nobody is left out, and has none."""
    from talktime.accounts.reading import emails_of

    named = [person for person in people if person is not None]
    found = await emails_of(db, named)
    return {person: found[person] for person in named if person in found}


async def user_of_call(db: "AsyncSession", call: uuid.UUID) -> "User":
    """Whose call this is. Raises NotFound."""
    from sqlalchemy import select

    from talktime.accounts.models import User
    from talktime.calls.models import Call
    from talktime.errors import NotFound

    found = await db.scalar(select(User).join(Call, Call.user_id == User.id).where(Call.id == call))
    if found is None:
        raise NotFound(f"There is no call {call}.")
    return found


def log_change(event: str, actor: uuid.UUID, **facts: Any) -> None:
    """Log who changed what of whom, once it is committed: ids and figures, never personal data."""
    from talktime import log
    from talktime.cli.running import read_settings

    log.configure(read_settings().log_level)
    spelled = {name: str(fact) if isinstance(fact, uuid.UUID) else fact for name, fact in facts.items()}
    log.get(__name__).info(event, actor_id=str(actor), **spelled)


def write_file(path: Path, content: bytes) -> None:
    """Write what a command was asked to write. Raises BadInput where nothing can be written."""
    from talktime.errors import BadInput

    try:
        path.write_bytes(content)
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}): name a file in a folder of yours.") from None


def show(document: Any, lines: Sequence[str], *, as_json: bool) -> None:
    """Print a document for programs, or lines for people."""
    sys.stdout.write(json.dumps(document, default=str) + "\n" if as_json else "".join(f"{line}\n" for line in lines))


def printable(text: str) -> str:
    """What somebody else wrote is for the eye, not for the terminal to act upon."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def credits_of(figure: int) -> str:
    """`1 credit`, `8,412 credits`."""
    return f"{figure:,} credit{'' if abs(figure) == 1 else 's'}"


def money_of(row: dict[str, Any]) -> str:
    """What `amount_minor` of `currency` is: `€10.50`."""
    from talktime.gateways.currencies import format_money

    return format_money(row["amount_minor"], row["currency"], "en")


async def account_row(db: "AsyncSession", user: "User") -> dict[str, Any]:
    from sqlalchemy import select

    from talktime.credits.models import CreditAccount

    found = await db.scalar(
        select(CreditAccount).where(CreditAccount.user_id == user.id).execution_options(populate_existing=True)
    )
    names = (
        "balance", "held", "grace_limit", "clawback_debt", "blocked_reason", "open_calls", "max_open_calls",
        "spent_on", "spent_today", "day_limit", "call_limit", "caller_limit", "low_balance", "seq",
    )  # fmt: skip
    # Somebody who never had a credit has no account yet: what it would begin with.
    begins = {"blocked_reason": None, "spent_on": None, "max_open_calls": 10} | dict.fromkeys(names[9:13])
    return {name: getattr(found, name) if found is not None else begins.get(name, 0) for name in names}
