"""One number of the pool: whose it is, how it stands, and what can be done with it.

The one rule: each deed asks for the operator's permission in its own transaction, and is written down.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.accounts import people
from talktime.accounts.operators import require_operator
from talktime.accounts.reading import emails_of
from talktime.agents.reading import agents_of
from talktime.db.session import Session
from talktime.errors import TalktimeError
from talktime.http.context import context_of
from talktime.numbers import drift, pool, proof, rent, self_test
from talktime.numbers.models import PhoneNumber, PhoneStatus
from talktime.numbers.rounds import all_numbers
from talktime.numbers.rows import NoSuchNumber, find
from talktime.numbers.self_test import Link, SelfTest
from talktime.web import local, who
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.operator.desk import Input, Question
from talktime.web.operator.numbers import PATH, id_of, number_view, said_of_numbers
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.words import Clock

router = APIRouter(prefix=PATH + "/{number_id}", route_class=PageRoute)


@router.get("")
async def show(request: Request, number_id: uuid.UUID) -> Response:
    """Everything about it."""
    return await _page(request, number_id)


@router.get("/assign")
async def ask_assign(request: Request, number_id: uuid.UUID) -> Response:
    """To whom? First the customer, then which of their agents."""
    identity = await who.operator(request)
    return await desk.ask(request, identity, await _assignment(request, number_id, desk.text(request, "email", 254)))


@router.post("/assign")
async def assign(request: Request, number_id: uuid.UUID) -> Response:
    """Give it to a customer's agent, and charge the first month's rent."""
    form, identity = await desk.sent(request)
    email = form.text("email")
    question = await _assignment(request, number_id, email)
    async with desk.transaction(request) as db:
        user = await _customer(db, email)
    agent = id_of(form.text("agent"))
    if user is None:
        form.errors["email"] = _("Nobody has this address.")
    elif not form.text("agent"):
        # Their agents are known now: the same page asks which.
        return await desk.ask(request, identity, question, Form(form.values), status=200)
    elif agent is None:
        form.errors["agent"] = _("Choose which agent answers.")
    rent_credits = desk.whole_number(form, "rent_credits", most=rent.CREDITS_MAX)
    if form.errors or user is None or agent is None:
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            await require_operator(db, identity.user_id)
            await pool.assign(
                db, number_id, user=user, agent=agent, actor=identity.user_id, rent_credits=rent_credits or 0
            )
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"{PATH}/{number_id}", "assigned")


@router.get("/change")
async def ask_change(request: Request, number_id: uuid.UUID) -> Response:
    """Which agent, which rent?"""
    identity = await who.operator(request)
    return await desk.ask(request, identity, await _change(request, number_id))


@router.post("/change")
async def change(request: Request, number_id: uuid.UUID) -> Response:
    """Another of its customer's agents, another rent from the next month on."""
    form, identity = await desk.sent(request)
    question = await _change(request, number_id)
    rent_credits = desk.whole_number(form, "rent_credits", most=rent.CREDITS_MAX)
    agent = id_of(form.text("agent"))
    if agent is None:
        form.errors["agent"] = _("Choose which agent answers.")
    if form.errors or agent is None or rent_credits is None:
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            await require_operator(db, identity.user_id)
            row = await _found(db, number_id)
            if row.user_id is None:
                raise pool.NotAssigned
            await pool.require_user_and_agent(db, row.user_id, agent)
            row = await rent.set_rent(db, number_id, credits=rent_credits, actor=identity.user_id)
            if row.user_id is None:
                raise pool.NotAssigned
            if row.agent_id != agent:
                await pool.point(db, row.user_id, number_id, agent=agent, actor=identity.user_id)
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"{PATH}/{number_id}", "changed")


@router.post("/release")
async def release(request: Request, number_id: uuid.UUID) -> Response:
    """Take it back from its customer: it rests, then it is free."""
    _form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await require_operator(db, identity.user_id)
        await pool.release(db, number_id, actor=identity.user_id)
    return back(f"{PATH}/{number_id}", "released")


@router.post("/give-up")
async def give_up(request: Request, number_id: uuid.UUID) -> Response:
    """Give it back to its phone company, for good."""
    _form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await require_operator(db, identity.user_id)
        await pool.give_up(db, number_id, actor=identity.user_id)
    return back(f"{PATH}/{number_id}", "given-up")


@router.post("/tell")
async def tell(request: Request, number_id: uuid.UUID) -> Response:
    """Have its phone company told once more what it needs."""
    _form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await require_operator(db, identity.user_id)
        await drift.tell_again(db, number_id, actor=identity.user_id)
    return back(f"{PATH}/{number_id}", "told")


@router.post("/test")
async def test(request: Request, number_id: uuid.UUID) -> Response:
    """Call it, and say how far the call came. It takes up to half a minute."""
    await desk.sent(request)
    context = context_of(request)
    done = await self_test.run(
        context.database, all_numbers(context.carriers), number_id, secret=context.settings.secret
    )
    return await _page(request, number_id, done)


async def _page(request: Request, number_id: uuid.UUID, tested: SelfTest | None = None) -> Response:
    identity = await who.operator(request)
    companies = all_numbers(context_of(request).carriers)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "operator-numbers", said=said_of_numbers())
        row = await _found(db, number_id)
        people_ = [each for each in (row.user_id, row.owner_id) if each]
        emails = await emails_of(db, people_)
        is_proven = row.owner_id is not None and await proof.is_proven(db, row.owner_id, row.number)
        agents = await agents_of(db, row.user_id) if row.user_id else []
    view = number_view(row, emails.get(row.user_id, "") if row.user_id else "", paper.clock)
    agent = next((each.name for each in agents if each.id == row.agent_id), "")
    owner = emails.get(row.owner_id, "") if row.owner_id else ""
    return paper.page(
        "operator/number.html",
        crumbs=[(PATH, _("Numbers")), (None, view["number"])],
        path=f"{PATH}/{number_id}",
        number=view,
        facts=_facts(row, agent, owner, paper.clock, is_proven=is_proven),
        is_assigned=row.status is PhoneStatus.ASSIGNED,
        is_free=row.status is PhoneStatus.AVAILABLE,
        can_give_up=row.status in (PhoneStatus.AVAILABLE, PhoneStatus.RELEASED),
        can_be_told=row.carrier in companies and row.carrier_number_id is not None,
        can_be_tested=row.status is PhoneStatus.ASSIGNED and row.carrier in companies,
        tested=_tested(tested, row),
    )


def _facts(row: PhoneNumber, agent: str, owner: str, clock: Clock, *, is_proven: bool) -> list[tuple[str, str]]:
    facts = [(_("Phone company"), row.carrier)]
    if row.carrier_number_id:
        facts.append((_("Its name there"), row.carrier_number_id))
    else:
        facts.append((_("Its name there"), _("added by hand; nobody tells the company where it rings")))
    if agent:
        facts.append((_("Answered by"), agent))
    if row.rent_credits:
        facts.append((_("Rent a month"), words.credits_of(row.rent_credits)))
    if row.rent_due_on:
        facts.append((_("Next rent"), local.short_day(row.rent_due_on)))
    if row.rent_unpaid_since:
        facts.append((_("Unpaid since"), local.short_day(row.rent_unpaid_since)))
    if row.assigned_at:
        facts.append((_("Assigned"), local.moment(row.assigned_at, clock)))
    if owner:
        said = _("{email}, proven") if is_proven else _("{email}, not proven any more")
        facts.append((_("Brought along by"), said.format(email=owner)))
    facts.append((_("Can"), words.list_of([str(each) for each in row.capabilities]) or _("calls")))
    facts.append((_("In the pool since"), local.day(row.created_at, clock)))
    return facts


def _tested(done: SelfTest | None, row: PhoneNumber) -> dict[str, object] | None:
    """What came of a test, link by link."""
    if done is None:
        return None
    names = {
        Link.CARRIER: _("The phone company takes the call"),
        Link.RING: _("Its ring comes to us"),
        Link.ANSWER: _("An agent takes it"),
        Link.MEDIA: _("The sound comes to us"),
    }
    to_do = {
        Link.CARRIER: _("Look at the number on the company’s own pages: it may be gone, or unpaid."),
        Link.RING: _(
            "Have the company told again where it rings, and see whether this server is reached from outside."
        ),
        Link.ANSWER: _("See on the call’s page what the caller got instead."),
        Link.MEDIA: _("See whether web sockets reach this server from outside."),
    }
    return {
        "is_well": done.broken is None,
        "links": [
            (
                names[link],
                words.Badge(_("holds"), "ok")
                if link in done.passed
                else words.Badge(_("broken"), "bad")
                if link is done.broken
                else words.Badge(_("not tried")),
            )
            for link in Link
        ],
        "detail": to_do[done.broken] if done.broken else "",
        "call": f"/operator/users/{row.user_id}/calls/{done.call_id}" if done.call_id else "",
    }


async def _found(db: Session, number: uuid.UUID) -> PhoneNumber:
    """Raises NoSuchNumber."""
    row = await find(db, number)
    if row is None:
        raise NoSuchNumber
    return row


async def _customer(db: Session, email: str) -> uuid.UUID | None:
    """Who has exactly this address."""
    if not email:
        return None
    found = await people.listed(db, search=email, limit=people.PAGE_MAX)
    return next((each.id for each in found.people if each.email.lower() == email.lower()), None)


async def _assignment(request: Request, number_id: uuid.UUID, email: str) -> Question:
    async with desk.transaction(request) as db:
        row = await _found(db, number_id)
        user = await _customer(db, email)
        agents = await agents_of(db, user) if user else []
    inputs = [Input("field", "email", _("The customer’s e-mail address"), longest=254, type="email")]
    if user is not None:
        choices = [("", _("Choose …")), *((str(each.id), each.name) for each in agents)]
        hint = "" if agents else _("They have no agent yet.")
        inputs.append(Input("choose", "agent", _("Which agent answers"), hint=hint, choices=choices))
    inputs.append(
        Input(
            "amount",
            "rent_credits",
            _("Rent a month"),
            hint=_("The first month is charged at once."),
            unit=_("credits"),
        )
    )
    return _question(
        row,
        title=_("Assign the number"),
        sentences=[_("Whoever rings {number} reaches the agent from then on.").format(number=words.number(row.number))],
        inputs=inputs,
        button=_("Assign it") if user else _("Go on"),
        values={"email": email, "rent_credits": str(context_of(request).settings.number_rent)},
    )


async def _change(request: Request, number_id: uuid.UUID) -> Question:
    async with desk.transaction(request) as db:
        row = await _found(db, number_id)
        agents = await agents_of(db, row.user_id) if row.user_id else []
    choices = [(str(each.id), each.name) for each in agents]
    return _question(
        row,
        title=_("Agent and rent"),
        sentences=[_("Another rent is charged from the next month on.")],
        inputs=[
            Input("choose", "agent", _("Which agent answers"), choices=[("", _("Choose …")), *choices]),
            Input("amount", "rent_credits", _("Rent a month"), unit=_("credits")),
        ],
        button=_("Save"),
        values={"agent": str(row.agent_id or ""), "rent_credits": str(row.rent_credits)},
    )


def _question(
    row: PhoneNumber, *, title: str, sentences: list[str], inputs: list[Input], button: str, values: dict[str, str]
) -> Question:
    path = f"{PATH}/{row.id}"
    return Question(
        here="operator-numbers",
        crumbs=[(PATH, _("Numbers")), (path, words.number(row.number)), (None, title)],
        title=title,
        sentences=sentences,
        inputs=inputs,
        values=values,
        button=button,
        back=path,
    )
