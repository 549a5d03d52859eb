"""The pool of numbers: where each of them is, and how it stands with its phone company.

The one rule: looking changes nothing, and asks nobody outside.
"""

import uuid

from fastapi import APIRouter, Request, Response

from talktime.accounts.reading import emails_of
from talktime.http.context import context_of
from talktime.numbers import reading
from talktime.numbers.models import CarrierPhase, PhoneNumber, PhoneStatus
from talktime.numbers.reading import Filter
from talktime.numbers.rounds import all_numbers
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.words import Clock

PATH = "/operator/numbers"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """The pool in the order of the digits, or what a filter chooses of it."""
    identity = await who.operator(request)
    status, phase = desk.chosen(request, "status", PhoneStatus), desk.chosen(request, "phase", CarrierPhase)
    carrier, begins = desk.text(request, "carrier", 40), desk.text(request, "begins", 20)
    user, after = desk.some_id(request, "user"), desk.place(request, str)
    digits = "+" + "".join(letter for letter in begins if letter.isdigit()) if begins else None
    which = Filter(status=status, carrier=carrier or None, user=user, phase=phase, begins=digits)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "operator-numbers", said=said_of_numbers())
        rows = await reading.page(db, which, after=after, limit=desk.SHOWN + 1)
        emails = await emails_of(db, [each.user_id for each in rows if each.user_id])
    page = desk.listed(request, rows, lambda row: row.number)
    carriers = sorted(context_of(request).carriers)
    return paper.page(
        "operator/numbers.html",
        rows=[
            number_view(each, emails.get(each.user_id, "") if each.user_id else "", paper.clock) for each in page.rows
        ],
        newest=page.newest,
        older=page.older,
        values={"begins": begins},
        statuses=[("", _("All")), *((each.value, words.status_of_number(each).text) for each in PhoneStatus)],
        status_chosen=status.value if status else "",
        phases=[("", _("All")), *((each.value, words.phase_of_number(each).text) for each in CarrierPhase)],
        phase_chosen=phase.value if phase else "",
        carriers=[("", _("All")), *((each, each) for each in carriers)],
        carrier_chosen=carrier,
        can_buy=bool(all_numbers(context_of(request).carriers)),
        is_filtered=bool(status or phase or carrier or begins or user),
    )


def said_of_numbers() -> dict[str, str]:
    """What a page about numbers says of what was just done."""
    return {
        "added": _("It is in the pool."),
        "assigned": _("Assigned. Calls ring there from now on."),
        "released": _("Released. It rests for 30 days, then it is free again."),
        "given-up": _("Given up. Its phone company takes it back."),
        "told": _("Its phone company is told again, within seconds."),
        "changed": _("Saved."),
        "imported": _("Taken in."),
        "bought": _("Bought. It is in the pool."),
        "ordered": _("Ordered. The phone company gave no answer yet; what became of it stands below."),
        "order-failed": _("Not bought. Why stands below."),
    }


def number_view(number: PhoneNumber, email: str, clock: Clock) -> dict[str, object]:
    """One number in a list; `email` is its customer's."""
    resting = number.quarantine_until if number.status is PhoneStatus.RELEASED else None
    return {
        "id": str(number.id),
        "address": f"{PATH}/{number.id}",
        "number": words.number(number.number),
        "status": words.status_of_number(number.status),
        "until": _("until {day}").format(day=local.day(resting, clock)) if resting else "",
        "email": email,
        "user": f"/operator/users/{number.user_id}" if number.user_id else "",
        "carrier": number.carrier,
        "phase": words.phase_of_number(number.carrier_phase),
        "error": number.carrier_error or "",
        "rent": local.figure(number.rent_credits) if number.rent_credits else "",
    }


def id_of(said: str) -> uuid.UUID | None:
    """An id that was typed or chosen; None for anything else."""
    try:
        return uuid.UUID(said)
    except ValueError:
        return None
