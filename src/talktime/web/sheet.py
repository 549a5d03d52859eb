"""A page of somebody who is signed in: what stands around it, read in its own transaction, and what was just done.

The one rule: what a page shows around itself and in itself comes from one look at the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.calls import watching
from talktime.credits.account import Funds, funds_of
from talktime.db.session import Session
from talktime.errors import TalktimeError
from talktime.web.forms import Form
from talktime.web.frame import frame
from talktime.web.language import _
from talktime.web.render import page
from talktime.web.words import Clock

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sheet:
    """The paper that a page is written on: whose it is, what time it is there, and its frame."""

    identity: Identity
    clock: Clock
    funds: Funds
    around: Mapping[str, Any]

    def page(
        self,
        template: str,
        *,
        form: Form | None = None,
        values: Mapping[str, str] = _NOTHING,
        status: int | None = None,
        headers: Mapping[str, str] = _NOTHING,
        **shown: Any,
    ) -> Response:
        """The page. With a form that has something wrong, what was typed and what is wrong stand in it, over `values`,
        which are those that are kept."""
        errors = dict(form.errors) if form is not None else {}
        typed = form.values if form is not None else {}
        return page(
            template,
            status=status or (422 if errors else 200),
            headers=headers,
            **{**self.around, "values": {**values, **typed}, "errors": errors, **shown},
        )


async def sheet(
    request: Request, db: Session, identity: Identity, here: str, *, said: Mapping[str, str] = _NOTHING
) -> Sheet:
    """The paper for a page that belongs to `here` (see `navigation`), read in its transaction.

    `said` has the sentences for what may just have been done on the page, by what stands in the address behind `done`.
    """
    clock = clock_of(identity)
    funds = await funds_of(db, identity.user_id)
    live = await watching.count_running(db, identity.user_id)
    around = frame(identity, funds, live, clock, here) | {"said": just_done(request, said)}
    return Sheet(identity, clock, funds, around)


def clock_of(identity: Identity) -> Clock:
    """Now, where this person lives."""
    return Clock(datetime.now(UTC), identity.zone)


def just_done(request: Request, said: Mapping[str, str]) -> str:
    """What was just done, as the address says it: one of our own sentences, whatever stands there."""
    return said.get(request.query_params.get("done", ""), "")


def wrong(form: Form, name: str, error: TalktimeError | str) -> Form:
    """Note what is wrong with a field, in the reader's language; `form` is the form as a whole."""
    form.errors[name] = _(str(error))
    return form


def back(address: str, done: str) -> Response:
    """To the page where something was just done, which says so."""
    return RedirectResponse(f"{address}{'&' if '?' in address else '?'}done={done}", 303)
