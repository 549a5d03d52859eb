"""What an operator is asked before they do something about one person: what it does, to whom, and which words it needs.

The one rule: a question only reads; nothing is done before it is answered.
"""

import uuid
from collections.abc import Sequence

from fastapi import Request

from talktime.accounts import people
from talktime.accounts.models import Role
from talktime.credits import reading
from talktime.credits.account import funds_of
from talktime.db.base import new_id
from talktime.http.context import context_of
from talktime.web import local
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.operator.desk import Input, Question
from talktime.web.operator.people import PATH


async def email_of(request: Request, user: uuid.UUID) -> str:
    """The address of somebody. Raises NoSuchPerson."""
    async with desk.transaction(request) as db:
        return (await people.find(db, user)).email


async def suspension(request: Request, user: uuid.UUID) -> Question:
    """Before somebody is shown the door. Raises NoSuchPerson."""
    email = await email_of(request, user)
    return _question(
        user,
        email,
        title=_("Suspend the account"),
        sentences=[
            _("{email} is signed out, and cannot sign in.").format(email=email),
            _("No call begins on this account; whoever rings hears the fallback. Running calls end as they would."),
            _("You can lift it at any time."),
        ],
        inputs=[
            Input(
                "field", "reason", _("Why"), hint=_("For other operators, in one line. The customer does not see it.")
            )
        ],
        button=_("Suspend"),
        is_danger=True,
    )


async def adjustment(request: Request, user: uuid.UUID) -> Question:
    """Before credits are given or taken: once for each form, which has a reference of its own. Raises NoSuchPerson."""
    email = await email_of(request, user)
    async with desk.transaction(request) as db:
        free = (await funds_of(db, user)).free
    limit = context_of(request).settings.adjustment_limit
    return _question(
        user,
        email,
        title=_("Give or take credits"),
        sentences=[
            _("{email} has {credits} free.").format(email=email, credits=words.credits_of(free)),
            _("More than {limit} by you for them on one day need a second operator’s yes.").format(
                limit=words.credits_of(limit)
            ),
        ],
        inputs=[
            Input("amount", "amount", _("Credits"), hint=_("200 gives, −200 takes."), unit=_("credits")),
            Input("area", "reason", _("Why"), hint=_("It stands on the customer’s statement."), longest=1000),
            Input("tick", "as_debt", _("Take more than is free; the rest is owed")),
            Input("hidden", "reference", ""),
        ],
        button=_("Post it"),
        reference=f"desk-{new_id()}",
    )


async def limits(request: Request, user: uuid.UUID) -> Question:
    """Before the account's limits change. Raises NoSuchPerson."""
    email = await email_of(request, user)
    async with desk.transaction(request) as db:
        now = await reading.limits_of(db, user)
    return _question(
        user,
        email,
        title=_("How far the account may go"),
        sentences=[_("{email}: lower limits end nothing that runs.").format(email=email)],
        inputs=[
            Input(
                "amount",
                "grace_limit",
                _("Grace"),
                hint=_("How far below zero a running call may go; it never begins one."),
                unit=_("credits"),
            ),
            Input("amount", "max_open_calls", _("Calls at once"), unit=_("calls")),
        ],
        button=_("Save"),
        grace_limit=str(now.grace_limit),
        max_open_calls=str(now.max_open_calls),
    )


async def role(request: Request, user: uuid.UUID) -> Question:
    """Before somebody becomes an operator, or a customer again. Raises NoSuchPerson."""
    async with desk.transaction(request) as db:
        person = await people.find(db, user)
    becomes = Role.USER if person.role is Role.ADMIN else Role.ADMIN
    if becomes is Role.ADMIN:
        title, button = _("Make them an operator"), _("Make them an operator")
        said = _("{email} will see every customer’s calls, credits and money, and may change them.")
    else:
        title, button = _("Make them a customer"), _("Make them a customer")
        said = _("{email} will see their own account only.")
    return _question(
        user,
        person.email,
        title=title,
        sentences=[said.format(email=person.email), _("They are signed out everywhere.")],
        inputs=[Input("hidden", "role", "")],
        button=button,
        is_danger=True,
        role=becomes.value,
    )


async def visit(request: Request, user: uuid.UUID) -> Question:
    """Before an operator signs in as somebody. Raises NoSuchPerson."""
    email = await email_of(request, user)
    return _question(
        user,
        email,
        title=_("Sign in as this customer"),
        sentences=[
            _("You see what {email} sees, for half an hour. You cannot buy, change how they sign in, or close.").format(
                email=email
            ),
            _("The audit log says why, when it began and when it ended."),
        ],
        inputs=[Input("choose", "reason", _("Why"), choices=[("", _("Choose …")), *words.reasons_of_visits()])],
        button=_("Make a link"),
        reason="",
    )


async def closing(request: Request, user: uuid.UUID) -> Question:
    """Before an account is closed for good. Raises NoSuchPerson."""
    email = await email_of(request, user)
    async with desk.transaction(request) as db:
        balance = (await funds_of(db, user)).balance
    return _question(
        user,
        email,
        title=_("Close the account for good"),
        sentences=[
            _("Calls of {email} end now, their numbers come back to the pool, and nobody signs in any more.").format(
                email=email
            ),
            _("Who they are and what was said on their calls is deleted. The books stay."),
            _("{balance} credits are left on it, to be paid out by you.").format(balance=local.figure(balance)),
        ],
        inputs=[Input("field", "email", _("Their e-mail address, to be sure"), longest=254)],
        button=_("Close it for good"),
        is_danger=True,
    )


def _question(
    user: uuid.UUID,
    email: str,
    *,
    title: str,
    sentences: Sequence[str],
    inputs: Sequence[Input],
    button: str,
    is_danger: bool = False,
    **values: str,
) -> Question:
    path = f"{PATH}/{user}"
    return Question(
        here="users",
        crumbs=[(PATH, _("Users")), (path, email), (None, title)],
        title=title,
        sentences=sentences,
        inputs=inputs,
        values=values,
        button=button,
        back=path,
        tone="danger" if is_danger else "go",
    )
