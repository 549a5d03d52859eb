"""What the operator's pages have in common: who may see them, how far a list goes, and how a deed is asked for.

The one rule: whoever is no operator, or an operator in somebody else's place, finds no such page; and a deed that
cannot be undone is asked for once, with what it does, before it is done.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlencode

from fastapi import Request, Response

from talktime.accounts.sessions import Identity
from talktime.db.session import Session
from talktime.errors import BadInput, NotFound, ProviderError, TalktimeError
from talktime.http.context import context_of
from talktime.web import who
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.refusals import in_words
from talktime.web.sheet import sheet
from talktime.web.words import Clock, clock_zone

WHY = "the operator's pages show what concerns everybody, to operators alone"
SHOWN = 50
"""So many rows has a page of a list."""

Crumbs = Sequence[tuple[str | None, str]]
Choices = Sequence[tuple[str, str]]
_Choice = TypeVar("_Choice", bound=StrEnum)
_Row = TypeVar("_Row")


class NoSuchPlace(BadInput):
    """This list does not go on from there: begin with its first page again."""


def transaction(request: Request, *, snapshot: bool = False) -> AbstractAsyncContextManager[Session]:
    """A transaction that sees everybody."""
    return context_of(request).database.transaction(everyone=WHY, snapshot=snapshot)


async def sent(request: Request) -> tuple[Form, Identity]:
    """A form, and the operator who sent it."""
    return await read_form(request), await who.operator(request)


# Lists.


@dataclass(frozen=True, slots=True)
class Listed(Generic[_Row]):
    """One page of a list, and the addresses of the pages before and behind it; "" where there is none."""

    rows: Sequence[_Row]
    newest: str = ""
    older: str = ""


def listed(request: Request, rows: Sequence[_Row], key: Callable[[_Row], str]) -> Listed[_Row]:
    """The first rows of those that were read, one more than a page has, so that one knows whether others follow."""
    shown = rows[:SHOWN]
    older = address_with(request, before=key(shown[-1])) if len(rows) > SHOWN else ""
    return Listed(shown, first_page(request), older)


def first_page(request: Request) -> str:
    """Where the list begins; "" when this is there."""
    return address_with(request, before="") if request.query_params.get("before") else ""


def address_with(request: Request, **changes: str) -> str:
    """This page's address with other filters; those that say nothing are left out."""
    said = {name: value for name, value in request.query_params.items() if name != "done"} | changes
    query = urlencode({name: value for name, value in said.items() if value})
    return f"{request.url.path}?{query}" if query else request.url.path


def place(request: Request, *kinds: Callable[[str], Any]) -> Any:
    """Where the page before ended, as `listed` wrote it: one value or several; None on the first page. Raises
    NoSuchPlace."""
    said = request.query_params.get("before", "")
    if not said:
        return None
    parts = said.split(",")
    if len(parts) != len(kinds) or "\0" in said:
        raise NoSuchPlace
    try:
        found = tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
    except ValueError:
        raise NoSuchPlace from None
    if any(isinstance(each, datetime) and each.utcoffset() is None for each in found):
        raise NoSuchPlace
    return found[0] if len(found) == 1 else found


def written(*values: object) -> str:
    """The place of a row, as it stands in an address."""
    return ",".join(each.isoformat() if isinstance(each, datetime) else str(each) for each in values)


def text(request: Request, name: str, longest: int = 100) -> str:
    """What a filter says."""
    return request.query_params.get(name, "").replace("\0", "").strip()[:longest]


def chosen(request: Request, name: str, kind: type[_Choice]) -> _Choice | None:
    """What a filter chooses; None for everything, and for what there is not."""
    said = request.query_params.get(name, "")
    return next((each for each in kind if each.value == said), None)


def some_id(request: Request, name: str) -> uuid.UUID | None:
    """The id that a filter names; None for none."""
    try:
        return uuid.UUID(request.query_params.get(name, ""))
    except ValueError:
        return None


def day(request: Request, name: str, clock: Clock, *, after: bool = False) -> datetime | None:
    """The moment when a day of a filter begins where the reader lives; `after` it, when it is over."""
    try:
        said = date.fromisoformat(request.query_params.get(name, "")) + timedelta(days=1 if after else 0)
        return datetime(said.year, said.month, said.day, tzinfo=clock_zone(clock.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# Deeds.


@dataclass(frozen=True, slots=True)
class Input:
    """One field of the form that a deed is asked for with."""

    kind: Literal["field", "area", "amount", "choose", "tick", "hidden"]
    name: str
    label: str
    hint: str = ""
    choices: Choices = ()
    longest: int = 200
    unit: str = ""
    type: str = "text"


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody is asked before a deed is done."""

    here: str
    """The place of the navigation."""
    crumbs: Crumbs
    title: str
    sentences: Sequence[str]
    """What it does, and to whom."""
    button: str
    back: str
    """Where whoever thinks better of it goes."""
    inputs: Sequence[Input] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    """What stands in the fields at first."""
    tone: Literal["go", "danger", ""] = "go"


async def ask(
    request: Request, identity: Identity, question: Question, form: Form | None = None, *, status: int | None = None
) -> Response:
    """The page that asks; with a form what was typed and what is wrong with it stand there."""
    # A box that was unticked is not sent: what stands in it at first must not tick it again.
    ticks = {each.name for each in question.inputs if each.kind == "tick"} if form is not None else set()
    async with transaction(request) as db:
        paper = await sheet(request, db, identity, question.here)
    return paper.page(
        "operator/deed.html",
        form=form,
        values={name: value for name, value in question.values.items() if name not in ticks},
        status=status,
        question=question,
        action=request.url.path,
    )


async def again(
    request: Request, identity: Identity, question: Question, form: Form, error: TalktimeError | ProviderError
) -> Response:
    """The page that asks once more, with what was refused: beside its field where it has one. What there is not stays
    an error: that is another page."""
    if isinstance(error, NotFound):
        raise error
    if isinstance(error, ProviderError):
        form.errors["form"] = company_said(error)
        return await ask(request, identity, question, form, status=502)
    name = str(getattr(error, "field", "") or "")
    is_shown = name in {each.name for each in question.inputs if each.kind != "hidden"}
    form.errors[name if is_shown else "form"] = in_words(error)
    return await ask(request, identity, question, form, status=error.status)


def company_said(error: ProviderError) -> str:
    """What somebody is told when a phone or payment company did not do what it was asked for."""
    if error.permanent:
        return _("The company refused: {error}.").format(error=error)
    return _("The company did not answer as it should: {error}. Try again in a minute.").format(error=error)


def whole_number(form: Form, name: str, *, least: int = 0, most: int = 10**12, sign: bool = False) -> int | None:
    """A whole number from a field; None, with what is wrong noted, for anything else. With a `sign` it may be one."""
    written_ = form.text(name).replace(",", "").replace(" ", "").replace("\N{NO-BREAK SPACE}", "").replace("−", "-")
    digits = written_.removeprefix("-").removeprefix("+") if sign else written_
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 13 and least <= int(written_) <= most):
        form.errors[name] = _("A whole number from {least} to {most}.").format(least=f"{least:,}", most=f"{most:,}")
        return None
    return int(written_)
