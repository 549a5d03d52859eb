"""What the steps of the first hour have in common: whose they are, how far they came, and how an answer is given to who
saves by leaving a field.

The one rule: a step that needs an agent sends whoever has none to the step that makes one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.credits.account import Funds, funds_of
from talktime.db.session import Session
from talktime.http.context import Context
from talktime.numbers.assigned import numbers_of
from talktime.numbers.models import PhoneNumber
from talktime.web.begin.progress import DONE, Progress, progress_of
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.sheet import Sheet, sheet

_NUMBERS_WHY = "a number's owner is looked up in the pool, which is nobody's own"
_BY_SCRIPT = "application/json"
"""What the script asks for that saves a form when one of its fields is left."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Desk:
    """The paper for one step, and how far its reader is."""

    paper: Sheet
    progress: Progress
    funds: Funds

    def page(
        self,
        template: str,
        step: str,
        *,
        form: Form | None = None,
        values: Mapping[str, str] = _NOTHING,
        status: int | None = None,
        headers: Mapping[str, str] = _NOTHING,
        **shown: Any,
    ) -> Response:
        """The page of a step."""
        told = _("{done} of {total} done").format(done=self.progress.done, total=self.progress.total)
        return self.paper.page(
            template,
            form=form,
            values=values,
            status=status,
            headers=headers,
            **{"step": step, "progress": self.progress, "how_far": told, **shown},
        )

    @property
    def onward(self) -> str:
        """Where to go from a step that was just done."""
        return DONE if self.progress.is_over else self.progress.address


async def own_numbers(context: Context, identity: Identity) -> Sequence[PhoneNumber]:
    """All numbers of whoever this is."""
    async with context.database.transaction(everyone=_NUMBERS_WHY) as db:
        return await numbers_of(db, identity.user_id)


async def desk_of(request: Request, db: Session, identity: Identity, numbers: Sequence[PhoneNumber]) -> Desk:
    """The desk, read in the page's own transaction."""
    paper = await sheet(request, db, identity, "overview", said=_said())
    funds = await funds_of(db, identity.user_id)
    return Desk(paper, await progress_of(db, identity.user_id, numbers, funds, in_full=True), funds)


def business_first() -> Response:
    """To the step that makes the agent."""
    return RedirectResponse("/begin/business", 303)


def is_by_script(request: Request) -> bool:
    """Whether this came because a field was left, and nobody waits for a page."""
    return request.headers.get("accept", "") == _BY_SCRIPT


def saved_by_script(form: Form) -> Response:
    """What the script is told: what is wrong, field by field. Unfinished is no failure: a browser would complain of one
    to its console."""
    return JSONResponse({"errors": form.errors})


def _said() -> Mapping[str, str]:
    return {"saved": _("Saved."), "published": _("Your agent is published."), "number": _("The number is yours.")}
