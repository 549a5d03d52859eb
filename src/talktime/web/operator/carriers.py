"""What the operator does with phone companies: see where the pool and they differ, take numbers in, buy some.

The one rule: what costs money is bought at the price that stood on the page, once, also where the company gave no
answer. Companies are asked outside of any transaction.
"""

import uuid
from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request, Response

from talktime.accounts.operators import require_operator
from talktime.accounts.sessions import Identity
from talktime.carriers.numbers import NumberKind, NumberPrice, Numbers, OfferedNumber, Search
from talktime.errors import BadInput, ProviderError, TalktimeError
from talktime.http.context import context_of
from talktime.numbers import buying, drift, pool, reading
from talktime.numbers.buying import Offers
from talktime.numbers.drift import Difference, Drift, Imported
from talktime.numbers.models import NumberOrder, OrderState
from talktime.numbers.rounds import all_numbers
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.operator.desk import Input, Question
from talktime.web.operator.numbers import PATH, said_of_numbers
from talktime.web.refusals import in_words
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet

_SHOWN_ORDERS = 10

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("/drift")
async def show_drift(request: Request) -> Response:
    """Ask each company what it has, and say where that differs from the pool."""
    return await _drift(request, await who.operator(request))


@router.post("/import")
async def take_in(request: Request) -> Response:
    """Take in what a company has for us and the pool does not know. Done again, it adds nothing."""
    form, identity = await desk.sent(request)
    context, carrier = context_of(request), form.text("carrier")
    numbers = _company(request, carrier)
    try:
        done = await drift.take_in(context.database, numbers, carrier, actor=identity.user_id)
    except ProviderError as error:
        return await _drift(request, identity, problem=desk.company_said(error), status=502)
    return await _drift(request, identity, done=done)


@router.get("/add")
async def ask_add(request: Request) -> Response:
    """Which?"""
    return await desk.ask(request, await who.operator(request), _addition(request))


@router.post("/add")
async def add(request: Request) -> Response:
    """Put a number into the pool by hand; one that is there stays as it is."""
    form, identity = await desk.sent(request)
    question, carrier = _addition(request), form.text("carrier")
    if carrier not in context_of(request).carriers:
        form.errors["carrier"] = _("Choose a phone company.")
    if not form.text("number"):
        form.errors["number"] = _("Type the number, with its country: +49 30 23125000.")
    if form.errors:
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            await require_operator(db, identity.user_id)
            made = await pool.add(db, form.text("number"), carrier=carrier, actor=identity.user_id)
    except BadInput as error:
        form.errors["number"] = in_words(error)
        return await desk.ask(request, identity, question, form)
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"{PATH}/{made.id}", "added")


@router.get("/buy")
async def offer(request: Request) -> Response:
    """Look for numbers that can be bought."""
    return await _shop(request, await who.operator(request))


@router.post("/buy")
async def buy(request: Request) -> Response:
    """Buy one, at the price that stood beside it."""
    form, identity = await desk.sent(request)
    context, carrier = context_of(request), form.text("carrier")
    numbers = _company(request, carrier)
    amount = form.text("amount_micros")
    kind = next((each for each in NumberKind if each.value == form.text("kind")), NumberKind.LOCAL)
    if not (amount.isascii() and amount.isdigit() and len(amount) <= 12):
        raise BadInput(_("This is no form of ours: open the page here and try again."))
    try:
        order = await buying.buy(
            context.database,
            numbers,
            carrier,
            form.text("number"),
            kind=kind,
            price=NumberPrice(int(amount), form.text("currency")[:3]),
            base_url=context.settings.base_url,
            actor=identity.user_id,
        )
    except TalktimeError as error:
        return await _shop(request, identity, problem=in_words(error), status=error.status)
    except ProviderError as error:
        return await _shop(request, identity, problem=desk.company_said(error), status=502)
    done = {OrderState.BOUGHT: "bought", OrderState.FAILED: "order-failed"}.get(order.state, "ordered")
    return back(f"{PATH}/buy", done)


async def _drift(
    request: Request,
    identity: Identity,
    *,
    problem: str = "",
    status: int | None = None,
    done: Imported | None = None,
) -> Response:
    context = context_of(request)
    companies = all_numbers(context.carriers)
    found: list[Drift] = []
    try:
        found = await drift.compare(context.database, companies, context.settings.base_url)
    except ProviderError as error:
        problem = problem or desk.company_said(error)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "operator-numbers")
        ids = await reading.ids_of(db, [each.number for each in found])
    return paper.page(
        "operator/drift.html",
        status=status,
        crumbs=[(PATH, _("Numbers")), (None, _("Where we differ"))],
        problem=problem,
        rows=[_drift_view(each, ids) for each in found],
        companies=sorted(companies),
        done=None if done is None else _imported(done),
    )


def _drift_view(found: Drift, ids: Mapping[str, uuid.UUID]) -> dict[str, object]:
    meanings = {
        Difference.ONLY_THERE: _(
            "The company bills it, and the pool does not have it: take it in, or give it up there."
        ),
        Difference.ONLY_HERE: _("The company has no such number for us: nobody who rings it reaches us."),
        Difference.OTHER_DOORS: _("Its calls do not come to us: have the company told again."),
        Difference.OTHER_NAME: _("The company knows it under another name: taking numbers in takes the new one over."),
        Difference.NOT_GIVEN_BACK: _("We gave it up, and the company still bills it: have it told again."),
        Difference.NOBODYS: _("Its customer’s account is closed: release it."),
        Difference.ARCHIVED_AGENT: _("No agent answers it: give it to another one, or release it."),
        Difference.NOT_TOLD: _("The company was not told yet, or refused: see its error, then have it told again."),
    }
    number = ids.get(found.number)
    return {
        "number": words.number(found.number),
        "address": f"{PATH}/{number}" if number else "",
        "carrier": found.carrier,
        "head": words.difference_of_number(found.difference),
        "sentence": meanings[found.difference],
        "detail": found.detail,
        "tell": f"{PATH}/{number}/tell"
        if number and found.difference in (Difference.OTHER_DOORS, Difference.NOT_GIVEN_BACK, Difference.NOT_TOLD)
        else "",
    }


def _imported(done: Imported) -> dict[str, object]:
    return {
        "added": [words.number(each) for each in done.added],
        "renamed": [words.number(each) for each in done.renamed],
        "known": local.figure(done.known),
        "refused": [(words.number(number), why) for number, why in done.refused.items()],
    }


async def _shop(request: Request, identity: Identity, *, problem: str = "", status: int | None = None) -> Response:
    companies = sorted(all_numbers(context_of(request).carriers))
    asked = _Asked(request, companies)
    offers: Offers | None = None
    if asked.wanted is not None and not problem:
        try:
            offers = await buying.search(_company(request, asked.carrier), asked.wanted)
        except TalktimeError as error:
            problem, status = in_words(error), error.status
        except ProviderError as error:
            # The page is right, and the company is away: it says so, and can be loaded again.
            problem = desk.company_said(error)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "operator-numbers", said=said_of_numbers())
        orders = await reading.orders(db, limit=_SHOWN_ORDERS)
    return paper.page(
        "operator/buy.html",
        status=status,
        values=asked.values,
        crumbs=[(PATH, _("Numbers")), (None, _("Buy a number"))],
        problem=problem,
        companies=[(each, each) for each in companies],
        carrier=asked.carrier,
        kinds=[(each.value, _kind(each)) for each in NumberKind],
        kind=asked.kind.value,
        is_asked=offers is not None,
        offered=[] if offers is None else _offered(offers.numbers),
        price=str(offers.price) if offers is not None and offers.price else "",
        price_micros=offers.price.amount_micros if offers is not None and offers.price else None,
        price_currency=offers.price.currency if offers is not None and offers.price else "",
        orders=[_order_view(each) for each in orders],
    )


class _Asked:
    """What is looked for, as the address says it."""

    def __init__(self, request: Request, companies: Sequence[str]) -> None:
        self.carrier = desk.text(request, "carrier", 40) or (companies[0] if companies else "")
        self.kind = desk.chosen(request, "kind", NumberKind) or NumberKind.LOCAL
        country = desk.text(request, "country", 20).upper()
        area, contains = desk.text(request, "area", 12), desk.text(request, "contains", 12)
        self.values = {"country": country, "area": area, "contains": contains}
        self.wanted = Search(country, self.kind, area, contains, 20) if country and self.carrier else None


def _offered(numbers: Sequence[OfferedNumber]) -> list[dict[str, object]]:
    return [
        {
            "id": f"buy-{no}",
            "number": each.number,
            "shown": words.number(each.number),
            "kind": each.kind.value,
            "kind_words": _kind(each.kind),
            "place": each.place,
            "needs_address": each.needs_address,
        }
        for no, each in enumerate(numbers)
    ]


def _order_view(order: NumberOrder) -> dict[str, object]:
    return {
        "number": words.number(order.number),
        "address": f"{PATH}/{order.number_id}" if order.number_id else "",
        "carrier": order.carrier,
        "price": str(NumberPrice(order.amount_micros, order.currency)),
        "state": words.state_of_order(order.state),
        "error": order.error or "",
    }


def _kind(kind: NumberKind) -> str:
    return {
        NumberKind.LOCAL: _("Local"),
        NumberKind.MOBILE: _("Mobile"),
        NumberKind.NATIONAL: _("National"),
        NumberKind.TOLL_FREE: _("Free for the caller"),
    }[kind]


def _addition(request: Request) -> Question:
    carriers = sorted(context_of(request).carriers)
    return Question(
        here="operator-numbers",
        crumbs=[(PATH, _("Numbers")), (None, _("Add a number by hand"))],
        title=_("Add a number by hand"),
        sentences=[
            _("For a number that you set up on the phone company’s pages yourself: nobody tells it where to ring."),
        ],
        inputs=[
            Input("field", "number", _("Number"), hint=_("With its country: +49 30 23125000."), longest=40, type="tel"),
            Input("choose", "carrier", _("Phone company"), choices=[(each, each) for each in carriers]),
        ],
        button=_("Add it"),
        back=PATH,
    )


def _company(request: Request, name: str) -> Numbers:
    """The numbers of a phone company. Raises BadInput where there is none that lets us manage them."""
    numbers = all_numbers(context_of(request).carriers).get(name)
    if numbers is None:
        raise NoSuchCompany
    return numbers


class NoSuchCompany(BadInput):
    """There is no such phone company here, or it lets nobody manage its numbers."""
