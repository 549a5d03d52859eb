"""Everybody who has an account: looking people up, and letting somebody in by a link.

The one rule: a link that lets somebody in is shown once, to who made it.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.accounts import links, people
from talktime.accounts.models import LinkPurpose, Role, UserStatus
from talktime.accounts.people import Person
from talktime.accounts.profile import LOCALES
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.web import local, who
from talktime.web.language import NAMES, _
from talktime.web.operator import desk, words
from talktime.web.operator.desk import Input, Question
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.words import Clock

PATH = "/operator/users"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """The newest, or those that a filter chooses."""
    identity = await who.operator(request)
    search = desk.text(request, "search")
    status, role = desk.chosen(request, "status", UserStatus), desk.chosen(request, "role", Role)
    before = desk.place(request, uuid.UUID)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "users")
        found = await people.listed(db, status=status, role=role, search=search, before=before, limit=desk.SHOWN)
    return paper.page(
        "operator/people.html",
        rows=[row(each, paper.clock) for each in found.people],
        newest=desk.first_page(request),
        older=desk.address_with(request, before=str(found.older)) if found.older else "",
        values={"search": search},
        statuses=[("", _("Everybody")), *((each.value, words.status_of_user(each).text) for each in UserStatus)],
        status_chosen=status.value if status else "",
        roles=[("", _("All roles")), *((each.value, words.role_name(each)) for each in Role)],
        role_chosen=role.value if role else "",
        is_filtered=bool(search or status or role),
    )


@router.get("/invite")
async def ask_invite(request: Request) -> Response:
    """Whom?"""
    return await desk.ask(request, await who.operator(request), _invitation())


@router.post("/invite")
async def invite(request: Request) -> Response:
    """Make the link, and show it."""
    form, identity = await desk.sent(request)
    question = _invitation()
    role = Role.ADMIN if form.text("role") == Role.ADMIN else Role.USER
    try:
        async with desk.transaction(request) as db:
            made = await people.invite(
                db,
                email=form.text("email") or None,
                role=role,
                locale=form.text("locale"),
                actor=identity.user_id,
            )
            paper = await sheet(request, db, identity, "users")
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return paper.page(
        "operator/link.html",
        crumbs=[(PATH, _("Users")), (None, _("Let somebody in"))],
        title=_("The link is made"),
        sentences=[
            _("Hand it over yourself. It makes one account, once, within a week; it is not shown again."),
        ],
        link=context_of(request).settings.base_url + links.path_of(LinkPurpose.INVITE, made.token),
        open_text="",
        back=PATH,
    )


def row(person: Person, clock: Clock) -> dict[str, object]:
    """Somebody in a list."""
    return {
        "address": f"{PATH}/{person.id}",
        "name": person.name,
        "email": person.email,
        "status": words.status_of_user(person.status),
        "is_operator": person.role is Role.ADMIN,
        "balance": local.figure(person.balance),
        "seen": local.moment(person.last_seen_at, clock) if person.last_seen_at else _("not signed in"),
        "since": local.day(person.created_at, clock),
    }


def _invitation() -> Question:
    return Question(
        here="users",
        crumbs=[(PATH, _("Users")), (None, _("Let somebody in"))],
        title=_("Let somebody in"),
        sentences=[_("You get a link that makes an account, also where signing up is switched off.")],
        inputs=[
            Input(
                "field",
                "email",
                _("E-mail address"),
                hint=_("Leave it empty, and whoever has the link can use it."),
                longest=254,
                type="email",
            ),
            Input("choose", "role", _("Role"), choices=[(each.value, words.role_name(each)) for each in Role]),
            Input("choose", "locale", _("Language"), choices=[(each, NAMES.get(each, each)) for each in LOCALES]),
        ],
        values={"role": Role.USER.value, "locale": local.language()},
        button=_("Make the link"),
        back=PATH,
    )
