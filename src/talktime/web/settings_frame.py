"""What all pages of the settings have in common: whose they are, what there is to set, and what was just done.

The one rule: whose settings are shown and changed comes from the session alone.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.calls import watching
from talktime.credits.account import funds_of
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web.forms import Form
from talktime.web.frame import frame
from talktime.web.language import _
from talktime.web.render import page
from talktime.web.words import Clock


async def settings_page(
    request: Request,
    identity: Identity,
    template: str,
    section: str,
    *,
    form: Form | None = None,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """One page of the settings; `section` is the address of the part it belongs to.

    With a form that has something wrong, what was typed and what is wrong stand in it.
    """
    clock = clock_of(identity)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        funds = await funds_of(db, identity.user_id)
        live = await watching.running(db, identity.user_id)
    errors = dict(form.errors) if form is not None else {}
    return page(
        template,
        status=status or (422 if errors else 200),
        headers=headers or {},
        **{
            **frame(identity, funds, live, clock, "settings"),
            "sections": _sections(),
            "section": section,
            "said": _said(request),
            "is_acting": identity.actor_id is not None,
            "email": identity.email,
            "values": {**(values or {}), **(form.values if form is not None else {})},
            "errors": errors,
            **more,
        },
    )


def clock_of(identity: Identity) -> Clock:
    """Now, where this person lives."""
    return Clock(datetime.now(UTC), identity.zone)


def wrong(form: Form, name: str, error: TalktimeError | str) -> Form:
    """Note what is wrong with a field, in the reader's language; `form` is the form as a whole."""
    form.errors[name] = _(str(error))
    return form


def back(section: str, done: str) -> Response:
    """To the part of the settings where something was just changed, which says so."""
    return RedirectResponse(f"{section}?done={done}", 303)


def _sections() -> list[tuple[str, str]]:
    return [
        ("/settings", _("Profile")),
        ("/settings/email", _("E-mail")),
        ("/settings/mails", _("Mails")),
        ("/settings/password", _("Password")),
        ("/settings/second-factor", _("Second factor")),
        ("/settings/sessions", _("Browsers")),
        ("/settings/keys", _("API keys")),
        ("/settings/data", _("Your data")),
        ("/settings/close", _("Close the account")),
    ]


def _said(request: Request) -> str:
    """What was just done, as the address says it: one of our own sentences, whatever stands there."""
    return {
        "saved": _("Saved."),
        "password": _("Your password is changed, and every other browser is signed out."),
        "email": _("The link is on its way. Look into the mailbox of the new address."),
        "email-kept": _("Your address stays as it is. The link that was sent does nothing any more."),
        "second-factor-off": _("The second factor is off. Your password alone opens your account."),
        "session": _("That browser is signed out."),
        "sessions": _("Every other browser is signed out."),
        "key-revoked": _("The key is revoked. Nothing works with it any more."),
    }.get(request.query_params.get("done", ""), "")
