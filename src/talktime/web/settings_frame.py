"""What all pages of the settings have in common: whose they are, what there is to set, and what was just done.

The one rule: whose settings are shown and changed comes from the session alone.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from talktime.accounts.sessions import Identity
from talktime.http.context import context_of
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.sheet import sheet


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
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        paper = await sheet(request, db, identity, "settings", said=_said())
    return paper.page(
        template,
        form=form,
        values=values or {},
        status=status,
        headers=headers or {},
        sections=_sections(),
        section=section,
        is_acting=identity.actor_id is not None,
        email=identity.email,
        **more,
    )


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


def _said() -> dict[str, str]:
    return {
        "saved": _("Saved."),
        "password": _("Your password is changed, and every other browser is signed out."),
        "email": _("The link is on its way. Look into the mailbox of the new address."),
        "email-kept": _("Your address stays as it is. The link that was sent does nothing any more."),
        "second-factor-off": _("The second factor is off. Your password alone opens your account."),
        "session": _("That browser is signed out."),
        "sessions": _("Every other browser is signed out."),
        "key-revoked": _("The key is revoked. Nothing works with it any more."),
    }
