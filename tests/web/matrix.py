"""Who gets what at which address: one line for every route of the application.

The rule: a route that is not here fails `test_matrix`, by name, and so does a line without a route. Who is not signed
in is nobody, whatever their cookie was good for once: so each line says what strangers get, and they are many columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

SIGN_IN_FIRST = 303
"""A page sends strangers to where one signs in."""
SIGN_IN = 401
"""A form that was sent by a stranger is not kept: they are told so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What each of them gets, as HTTP statuses."""

    stranger: int
    """Signed out; suspended; closed; with a session that is over, or idle for too long, or waits for the second factor;
    with nothing but an API key."""
    owner: int
    other: int
    """Another customer, who asks for what is the owner's; at a page about oneself, for their own."""
    operator: int
    acting: int
    """The operator who is signed in as the owner."""
    form: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What is sent; names in braces are the owner's things."""
    query: str = ""
    due: int | None = None
    """What somebody gets whose second factor is due, where that is not what strangers get."""
    barred: int | None = None
    """What somebody gets who is suspended or closed, where that is not what strangers get: their links are void."""
    confirms: bool = False
    """Whoever has not typed their password for a quarter of an hour is asked for it first."""
    shows: bool = False
    """The operator is meant to see what is the owner's."""
    writes: bool = False
    """Looking at it may write something, or being refused does: a wrong password is noted."""


def everybody(status: int = 200, **more: object) -> Entry:
    """The same for all: nothing of anybody's is here."""
    return _entry((status, status, status, status, status), more)


def page(*, acting: int = 200, **more: object) -> Entry:
    """A page about whoever looks at it."""
    return _entry((SIGN_IN_FIRST, 200, 200, 200, acting), more)


def thing(*, acting: int = 200, **more: object) -> Entry:
    """A page about one thing of somebody's; for anybody else there is no such thing."""
    return _entry((SIGN_IN_FIRST, 200, 404, 404, acting), more)


def desk(**more: object) -> Entry:
    """A page of the operator's; for customers there is none, nor for an operator in a customer's place."""
    return _entry((SIGN_IN_FIRST, 404, 404, 200, 404), {"shows": True, **more})


def form(status: int = 303, *, acting: int | None = None, **fields: str) -> Entry:
    """A form about whoever sends it."""
    return _entry((SIGN_IN, status, status, status, status if acting is None else acting), {"form": fields})


def own_form(
    status: int = 303, *, confirms: bool = True, more: Mapping[str, str] = MappingProxyType({}), **fields: str
) -> Entry:
    """A form that nobody sends in somebody's place; most ask for the password first."""
    return _entry((SIGN_IN, status, status, status, 403), {"form": {**fields, **more}, "confirms": confirms})


def own_page(status: int = 200, *, confirms: bool = True) -> Entry:
    """A page that nobody sees in somebody's place; most ask for the password first."""
    return _entry((SIGN_IN_FIRST, status, status, status, 403), {"confirms": confirms})


def thing_form(status: int = 303, *, other: int = 404, acting: int | None = None, **fields: str) -> Entry:
    """A form about one thing of somebody's."""
    return _entry((SIGN_IN, status, other, other, status if acting is None else acting), {"form": fields})


def desk_form(status: int = 303, **fields: str) -> Entry:
    """A form of the operator's."""
    return _entry((SIGN_IN, 404, 404, status, 404), {"form": fields, "shows": True})


def _entry(gets: tuple[int, int, int, int, int], more: Mapping[str, object]) -> Entry:
    stranger, owner, other, operator, acting = gets
    return Entry(stranger, owner, other, operator, acting, **more)  # type: ignore[arg-type]  # fields, by their names


NEW_PASSWORD = {"password": "a {new} b"}
NEW_PERSON = {"name": "New", "locale": "en", "zone": "Europe/Paris"}
A_SCOPE = MappingProxyType({"scope-account:read": "1"})

MATRIX: Mapping[str, Entry] = {
    # What machines ask.
    "GET /healthz": everybody(),
    "GET /readyz": everybody(),
    "GET /metrics": everybody(403),
    "GET /static/{name}": everybody(),
    # What providers tell: nobody here has their signature.
    "POST /hooks/payments/{gateway}": everybody(400),
    "POST /hooks/{carrier}/ring": everybody(403),
    "POST /hooks/{carrier}/report": everybody(403),
    "POST /hooks/{carrier}/leg/{user}/{leg}": everybody(403),
    "POST /hooks/{carrier}/leg/{user}/{leg}/after": everybody(403),
    "WEBSOCKET /hooks/{carrier}/media": everybody(403),
    # The link of a mail that somebody no longer wants: whoever has the mail has it.
    "GET /mail/off/{user}/{choice}/{proof}": everybody(),
    "POST /mail/off/{user}/{choice}/{proof}": everybody(writes=True),
    "GET /hooks/mail/off/{user}/{choice}/{proof}": everybody(303),
    "POST /hooks/mail/off/{user}/{choice}/{proof}": everybody(204, writes=True),
    # Coming in and going out.
    "GET /sign-in": _entry((200, 303, 303, 303, 303), {"due": 303}),
    "POST /sign-in": everybody(422),
    "GET /sign-in/second-factor": everybody(303, due=200),
    "POST /sign-in/second-factor": everybody(303, due=422),
    "GET /sign-in/{token}": everybody(),
    "POST /sign-in/{token}": everybody(303, barred=410, writes=True),
    "POST /sign-out": everybody(303),
    "GET /sign-up": everybody(),
    "POST /sign-up": everybody(form={"email": "{new}@example.org"}),
    "GET /welcome/{token}": everybody(),
    "POST /welcome/{token}": everybody(
        303, form={**NEW_PASSWORD, "name": "New", "locale": "en", "zone": "Europe/Paris"}
    ),
    "GET /reset": everybody(),
    "POST /reset": everybody(form={"email": "{new}@example.org"}),
    "GET /reset/{token}": everybody(barred=410),
    "POST /reset/{token}": everybody(303, barred=410, writes=True, form=NEW_PASSWORD),
    "GET /confirm-email/{token}": everybody(barred=410),
    "POST /confirm-email/{token}": everybody(barred=410, writes=True),
    "GET /confirm": own_page(confirms=False),
    "POST /confirm": own_form(confirms=False, password="{password}", next="/"),
    "POST /settings/acting/end": everybody(303, writes=True),
    "GET /language/{code}": everybody(303),
    # Settings.
    "GET /settings": page(),
    "POST /settings": form(name="Somebody", locale="de", zone="Europe/Vienna"),
    "GET /settings/email": own_page(),
    "POST /settings/email": own_form(email="{new}@example.org"),
    "POST /settings/email/cancel": own_form(confirms=False),
    "GET /settings/mails": page(),
    "POST /settings/mails": form(digest="on"),
    "GET /settings/password": own_page(confirms=False),
    "POST /settings/password": own_form(confirms=False, old="{password}", new="a {new} b"),
    "GET /settings/second-factor": page(),
    "POST /settings/second-factor": own_form(),
    "GET /settings/second-factor/on": own_page(303),
    "POST /settings/second-factor/on": own_form(code="123456"),
    "GET /settings/second-factor/off": own_page(303),
    "POST /settings/second-factor/off": own_form(),
    "GET /settings/second-factor/codes": own_page(303),
    "POST /settings/second-factor/codes": own_form(),
    "POST /settings/second-factor/codes/text": own_form(200, confirms=False, codes="aaaa-bbbb-cccc-dddd"),
    "GET /settings/sessions": page(),
    "POST /settings/sessions/end-others": own_form(confirms=False),
    "POST /settings/sessions/{session}/end": own_form(confirms=False),
    "GET /settings/keys": page(),
    "GET /settings/keys/new": own_page(),
    "POST /settings/keys/new": own_form(200, more=A_SCOPE, name="a program"),
    "GET /settings/keys/{key}/revoke": thing(acting=403, confirms=True),
    "POST /settings/keys/{key}/revoke": own_form(),
    "GET /settings/data": page(),
    "GET /settings/data/export": own_page(),
    "POST /settings/data/export": own_form(200),
    "GET /settings/data/forget": page(),
    "POST /settings/data/forget": own_form(200, confirms=False, number="{number}", sure="yes"),
    "GET /settings/close": own_page(),
    "POST /settings/close": own_form(email="{my_email}"),
    "GET /farewell": everybody(),
    # Calls.
    "GET /": _entry((200, 200, 200, 200, 200), {}),
    "GET /live": _entry((204, 200, 200, 200, 200), {}),
    "GET /calls/{call}": thing(),
    "GET /calls/{call}/live": _entry((204, 200, 404, 404, 200), {}),
    "GET /calls/{call}/receipt.pdf": thing(),
    "POST /calls/{call}/claim": thing_form(reason="spam", acting=403),
    # Credit.
    "GET /credits": page(),
    "GET /credits/bought": thing(query="key={purchase_key}"),
    "POST /credits/low-balance": form(threshold="50"),
    "POST /credits/guards": form(day="500", call="100", caller="50"),
    "POST /credits/billing": form(billing_name="The shop"),
    "POST /credits/buy": own_form(200, confirms=False, pack="{pack}", key="{new}"),
    "POST /credits/top-up": own_form(confirms=False, do="off"),
    "POST /credits/card/forget": own_form(confirms=False),
    "GET /statements/{month}": page(),
    "GET /statements/{month}.csv": page(),
    "GET /statements/{month}.pdf": page(),
    "GET /invoices/{invoice}.pdf": thing(),
    # The operator.
    "GET /operator/money": desk(),
    "POST /operator/money/alerts/{alert}": desk_form(),
    "POST /operator/money/claims/{user}/{call}": desk_form(do="refuse"),
    "POST /operator/money/approvals/{approval}": desk_form(do="refuse"),
}
"""By method and path, as the router has them."""
