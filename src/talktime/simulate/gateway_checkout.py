"""The simulated payment company's page, where somebody in a browser chooses how their payment goes.

The one rule: it says on its face that no money moves, and it works without a script. Whoever knows a checkout's
address may pay it, as at Stripe.
"""

import time
from importlib import resources
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from talktime.gateways import currencies
from talktime.gateways.stripe_amounts import from_stripe
from talktime.simulate.gateway_books import Books, Refusal
from talktime.simulate.gateway_deeds import Means
from talktime.simulate.gateway_objects import Obj

CHOICES = (
    (Means.CARD, "Card that pays", "4242 4242 4242 4242", "Paid at once."),
    (
        Means.AUTHENTICATION,
        "Card whose bank asks first",
        "4000 0025 0000 3184",
        "You confirm, or refuse, on a second page.",
    ),
    (Means.DECLINED, "Card that is declined", "4000 0000 0000 0002", "Nothing is paid; you can choose again."),
    (Means.DEBIT, "Bank debit that arrives", "DE89 3704 0044 0532 0130 00", "Pending first, paid a few seconds later."),
    (Means.DEBIT_FAILS, "Bank debit that fails", "DE62 3704 0044 0532 0139 31", "Pending first, then it fails."),
)
_PROBLEMS = {
    "generic_decline": "The card was declined. Nothing was paid: choose another.",
    "authentication_failed": "You did not confirm the payment. Nothing was paid: choose again.",
}
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class CheckoutPages:
    """The page of each checkout."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._look = resources.files("talktime.simulate").joinpath("gateway_pages/look.css").read_bytes()

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/c/look.css", self._style, methods=["GET"]),
            Route("/c/pay/{id}", self._show, methods=["GET"]),
            Route("/c/pay/{id}", self._take, methods=["POST"]),
        ]

    async def _style(self, _request: Request) -> Response:
        return Response(self._look, media_type="text/css", headers=_HEADERS)

    async def _show(self, request: Request) -> Response:
        session = self._books.shelves["checkout.session"].get(request.path_params["id"])
        if session is None:
            return _page("over.html", 404, title="There is no such checkout", text="Its address is not right.")
        if session["status"] == "open" and session["expires_at"] > time.time():
            return self._form(session, "")
        return self._over(session)

    async def _take(self, request: Request) -> Response:
        session = self._books.shelves["checkout.session"].get(request.path_params["id"])
        async with request.form(max_files=0, max_fields=10) as form:
            chosen = str(form.get("how", ""))
        if session is None or session["status"] != "open":
            return await self._show(request)
        try:
            if chosen in ("confirm", "refuse"):
                problem = self._books.authenticate(session, agrees=chosen == "confirm")
            else:
                problem = self._books.pay(session, Means(chosen))
        except ValueError:
            return self._form(session, "Choose how to pay.", 422)
        except Refusal:
            return await self._show(request)
        if problem == "authentication_required":
            return self._form(session, "")
        if problem:
            return self._form(session, _PROBLEMS[problem], 402)
        return RedirectResponse(_way_back(session), 303, headers=_HEADERS)

    def _form(self, session: Obj, problem: str, status: int = 200) -> Response:
        payment = self._books.shelves["payment_intent"].get(session["_attempt"] or "")
        asks = payment is not None and payment["status"] == "requires_action" and not problem
        return _page(
            "authenticate.html" if asks else "checkout.html",
            status,
            session,
            problem=problem,
            choices=CHOICES,
            name=session["_name"],
            amount=_money(session),
            email=session["customer_email"],
            saves_card=session["_saves_card"],
            cancel_url=session["cancel_url"],
        )

    def _over(self, session: Obj) -> Response:
        if session["status"] == "complete":
            text = f"{session['_name']}: {_money(session)}."
            payment = self._books.shelves["payment_intent"].get(session["payment_intent"])
            titles = {"succeeded": "This is paid", "processing": "The bank debit is on its way"}
            title = titles.get(payment["status"], "The bank debit failed") if payment else "This was paid"
            return _page("over.html", 200, session, title=title, text=text, back=_way_back(session))
        text = "Nothing was paid. Begin again where you came from."
        return _page(
            "over.html", 410, session, title="This checkout has expired", text=text, back=session["cancel_url"]
        )


def _way_back(session: Obj) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _money(session: Obj) -> str:
    currency = session["currency"].upper()
    minor = from_stripe(session["amount_total"], currency)
    return (
        currencies.format_money(minor, currency, "en") if minor is not None else f"{session['amount_total']} {currency}"
    )


def _page(template: str, status: int, session: Obj | None = None, **values: object) -> Response:
    text = _ENVIRONMENT.get_template(template).render(**{"back": None, **values})
    # A browser asks the policy of the page with the form about where the form's answer sends it, too.
    back = {_origin(session[name]) for name in ("success_url", "cancel_url") if session[name]} if session else set()
    targets = " ".join(["'self'", *sorted(back)])
    policy = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';"
        f" img-src data:; form-action {targets}"
    )
    return Response(
        text, status, {**_HEADERS, "content-security-policy": policy}, media_type="text/html; charset=utf-8"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("talktime.simulate", "gateway_pages"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
