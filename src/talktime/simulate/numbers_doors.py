"""The phone company's HTTP for numbers: Twilio's REST API and its Pricing API, and a control door beside them.

The one rule: what is answered wrongly on demand was, or was not, done as the fault says, so that a client can be held
against what it makes of silence.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from talktime.simulate import twiml
from talktime.simulate.answers import api_error, as_ordered, form_of, in_json, is_account, refusal_at_control_door
from talktime.simulate.numbers import NumberBooks, Owned
from talktime.simulate.orders import NumberFault
from talktime.simulate.outgoing import Outgoing

PAGE_SIZE_MAX = 1000
Deed = Callable[[], Awaitable[Response]]


class Company(Protocol):
    """What the doors lead to."""

    account: str
    token: str
    control_secret: str
    numbers: NumberBooks

    def call_out(
        self, caller: str, dialled: str, verbs: list[twiml.Verb], *, ring_seconds: int, limit: int
    ) -> Outgoing:
        """Place a call of the account's own."""

    def heard(self, number: str) -> list[str]:
        """What was said to whoever has this number, oldest first."""


def routes(company: Company) -> list[Route]:
    """The routes of the API and of the control door."""

    async def several(request: Request) -> Response:
        return await _several(company, request)

    async def one(request: Request) -> Response:
        return await _one(company, request)

    async def offered(request: Request) -> Response:
        return await _offered(company, request)

    async def priced(request: Request) -> Response:
        return await _priced(company, request)

    async def behind_the_back(request: Request) -> Response:
        refusal = refusal_at_control_door(request, company.control_secret)
        return refusal if refusal is not None else await _control(company, request)

    account = "/2010-04-01/Accounts/{account}"
    return [
        Route(account + "/IncomingPhoneNumbers.json", several, methods=["GET", "POST"]),
        Route(account + "/IncomingPhoneNumbers/{sid}.json", one, methods=["GET", "POST", "DELETE"]),
        Route(account + "/AvailablePhoneNumbers/{country}/{resource}.json", offered, methods=["GET"]),
        Route("/v1/PhoneNumbers/Countries/{country}", priced, methods=["GET"]),
        Route("/simulate/numbers", behind_the_back, methods=["GET", "POST"]),
        Route("/simulate/number-faults", behind_the_back, methods=["POST"]),
    ]


async def place_call(company: Company, request: Request) -> Response:
    """`POST Calls`: a call of the account's own."""
    form = await form_of(request)

    async def deed() -> Response:
        if company.numbers.by_number(form.get("From", "")) is None:
            return api_error(400, 21210, "The source phone number provided is not yet verified for your account")
        if not form.get("To", "").startswith("+"):
            return api_error(400, 21211, "The 'To' number is not a valid phone number")
        try:
            verbs = twiml.read(form.get("Twiml", "").encode())
        except twiml.BadMarkup as error:
            return api_error(400, 12100, str(error))
        ring, limit = form.get("Timeout", "60"), form.get("TimeLimit", "14400")
        if not (ring.isdecimal() and limit.isdecimal()):
            return api_error(400, 21218, "Timeout or TimeLimit is not a number of seconds")
        call = company.call_out(form["From"], form["To"], verbs, ring_seconds=int(ring), limit=int(limit))
        return in_json({**call.record.shown(), "status": "queued"}, 201)

    return await _with_faults(company, "call", deed)


async def _several(company: Company, request: Request) -> Response:
    if not is_account(company, request):
        return api_error(401, 20003, "Authenticate")
    if request.method == "POST":
        form = await form_of(request)

        async def buy() -> Response:
            return _sell(company, form)

        return await _with_faults(company, "buy", buy)

    async def show() -> Response:
        return _page(company, request)

    return await _with_faults(company, "list", show)


def _sell(company: Company, form: Mapping[str, str]) -> Response:
    number = form.get("PhoneNumber", "")
    if not number:
        return api_error(400, 21421, "PhoneNumber or AreaCode is required")
    if not company.numbers.is_for_sale(number):
        return api_error(400, 21422, f"{number} is not available.")
    for name in ("VoiceUrl", "StatusCallback"):
        if form.get(name) and not form[name].startswith(("http://", "https://")):
            return api_error(400, 21402, f"{name} is not a valid URL: {form[name]}")
    return in_json(company.numbers.sell(number, form).shown(company.account), 201)


def _page(company: Company, request: Request) -> Response:
    """One page; `PhoneNumber` filters by parts, as the API does."""
    query = request.query_params
    wanted = query.get("PhoneNumber", "")
    size = min(int(query["PageSize"]), PAGE_SIZE_MAX) if query.get("PageSize", "").isdecimal() else 50
    page = int(query["Page"]) if query.get("Page", "").isdecimal() else 0
    found = [owned for owned in company.numbers.all() if wanted in owned.number]
    shown = found[page * size : (page + 1) * size]
    path = f"/2010-04-01/Accounts/{company.account}/IncomingPhoneNumbers.json"
    more = (
        f"{path}?PageSize={size}&Page={page + 1}&PageToken=PA{shown[-1].sid}"
        if len(found) > (page + 1) * size
        else None
    )
    return in_json(
        {
            "incoming_phone_numbers": [owned.shown(company.account) for owned in shown],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(0, len(shown) - 1),
            "uri": f"{path}?PageSize={size}&Page={page}",
            "first_page_uri": f"{path}?PageSize={size}&Page=0",
            "previous_page_uri": f"{path}?PageSize={size}&Page={page - 1}" if page else None,
            "next_page_uri": more,
        }
    )


async def _one(company: Company, request: Request) -> Response:
    if not is_account(company, request):
        return api_error(401, 20003, "Authenticate")
    owned = company.numbers.get(request.path_params["sid"])
    if owned is None:
        return api_error(404, 20404, f"The requested resource {request.url.path} was not found")
    form = await form_of(request)

    async def change() -> Response:
        return _change(company, owned, form)

    async def release() -> Response:
        company.numbers.remove(owned.sid)
        return Response(status_code=204)

    if request.method == "POST":
        return await _with_faults(company, "change", change)
    if request.method == "DELETE":
        return await _with_faults(company, "release", release)
    return in_json(owned.shown(company.account))


def _change(company: Company, owned: Owned, form: Mapping[str, str]) -> Response:
    for name in ("VoiceUrl", "StatusCallback"):
        if form.get(name) and not form[name].startswith(("http://", "https://")):
            return api_error(400, 21402, f"{name} is not a valid URL: {form[name]}")
    company.numbers.change(owned, form)
    return in_json(owned.shown(company.account))


async def _offered(company: Company, request: Request) -> Response:
    if not is_account(company, request):
        return api_error(401, 20003, "Authenticate")
    country, resource = request.path_params["country"], request.path_params["resource"]

    async def show() -> Response:
        if not company.numbers.sells(country, resource):
            return api_error(404, 20404, f"The requested resource {request.url.path} was not found")
        rows = company.numbers.offered(country, resource, request.query_params)
        path = f"/2010-04-01/Accounts/{company.account}/AvailablePhoneNumbers/{country}/{resource}.json"
        return in_json({"available_phone_numbers": rows, "uri": path, "page": 0, "next_page_uri": None})

    return await _with_faults(company, "search", show)


async def _priced(company: Company, request: Request) -> Response:
    if not is_account(company, request, in_path=False):
        return api_error(401, 20003, "Authenticate")

    async def show() -> Response:
        prices = company.numbers.priced(request.path_params["country"])
        if prices is None:
            return api_error(404, 20404, f"The requested resource {request.url.path} was not found")
        return in_json(prices)

    return await _with_faults(company, "price", show)


async def _with_faults(company: Company, what: str, deed: Deed) -> Response:
    """Do what was asked, or not, and answer, or not, as the next fault says."""
    before = await company.numbers.fault(what, done=False)
    if before is not None and before.status is not None:
        return _wrong(before)
    answer = await deed()
    after = await company.numbers.fault(what, done=True)
    return _wrong(after) if after is not None and after.status is not None else answer


def _wrong(fault: NumberFault) -> Response:
    assert fault.status is not None
    answer = as_ordered(fault.status, fault.code)
    if fault.retry_after_seconds is not None:
        answer.headers["retry-after"] = str(fault.retry_after_seconds)
    return answer


async def _control(company: Company, request: Request) -> Response:
    """Behind the account's back: what it has, what was said on its calls, and what is to go wrong."""
    if request.method == "GET":
        said = company.heard(request.query_params.get("heard", ""))
        return in_json({"numbers": [each.shown(company.account) for each in company.numbers.all()], "heard": said})
    try:
        if request.url.path.endswith("number-faults"):
            company.numbers.go_wrong(NumberFault.model_validate_json(await request.body()))
            return Response(status_code=204)
    except ValidationError as error:
        return in_json({"detail": str(error)}, 422)
    form = await form_of(request)
    if form.get("drop"):
        company.numbers.drop(form["drop"])
    if form.get("put", "").startswith("+"):
        company.numbers.put(form["put"])
    return Response(status_code=204)
