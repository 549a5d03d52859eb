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


def confirmed_form(status: int = 303, **fields: str) -> Entry:
    """A form about one thing of somebody's, which only they send, and only with their password just typed."""
    return _entry((SIGN_IN, status, 404, 404, 403), {"form": fields, "confirms": True})


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
    "WEBSOCKET /hooks/browser/media": everybody(403),
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
    # The first hour.
    "GET /begin": everybody(303),
    "GET /begin/business": page(),
    "POST /begin/business": form(business="The shop", trade="", language="en", zone="Europe/Berlin"),
    "GET /begin/knowledge": page(),
    "POST /begin/knowledge": form(address="Mill Street 12"),
    "GET /begin/call": page(),
    "GET /begin/number": page(),
    "POST /begin/number": form(do="publish"),
    "GET /begin/credits": page(),
    "POST /begin/credits": own_form(200, confirms=False, pack="{pack}", key="{new}"),
    "GET /begin/done": page(),
    # Calls.
    "GET /": _entry((200, 200, 200, 200, 200), {}),
    "GET /live": _entry((204, 200, 200, 200, 200), {}),
    "GET /calls": page(),
    "GET /calls/live": _entry((204, 200, 200, 200, 200), {}),
    "GET /calls/{call}": thing(),
    "GET /calls/{call}/live": _entry((204, 200, 404, 404, 200), {}),
    "GET /calls/{call}/receipt.pdf": thing(),
    "POST /calls/{call}/turns/{turn}/correction": _entry(
        (SIGN_IN, 303, 404, 404, 303), {"form": {"text-1": "Something better."}}
    ),
    "POST /calls/{call}/claim": thing_form(reason="spam", acting=403),
    # Agents. What stands in a form has no part in who may send it, so most are sent empty.
    "GET /agents": page(),
    "GET /agents/archived": page(),
    "GET /agents/new": page(),
    "POST /agents/new": form(trade="dentist", business="The shop", language="en", zone="Europe/Berlin"),
    "GET /agents/{agent_id}": thing(),
    "GET /agents/{agent_id}/says": thing(),
    "POST /agents/{agent_id}/says": thing_form(greeting="Hello."),
    "GET /agents/{agent_id}/business": thing(),
    "POST /agents/{agent_id}/business": thing_form(name="Desk", business="Shop", language="en", zone="Europe/Berlin"),
    "GET /agents/{agent_id}/hours": thing(),
    "POST /agents/{agent_id}/hours": thing_form(after="answers"),
    "POST /agents/{agent_id}/hours/days": thing_form(422, day="2026-12-25", kind="closed"),
    "POST /agents/{agent_id}/hours/days/{day}/remove": thing_form(),
    "GET /agents/{agent_id}/knowledge": thing(),
    "POST /agents/{agent_id}/knowledge": thing_form(phrases="a cup of tea please"),
    "GET /agents/{agent_id}/answer": thing(),
    "POST /agents/{agent_id}/answer": thing_form(questions="where can i park", answer="Behind the house."),
    "POST /agents/{agent_id}/answer/remove": thing_form(key="parking"),
    "GET /agents/{agent_id}/people": thing(),
    "POST /agents/{agent_id}/people": thing_form(),
    "GET /agents/{agent_id}/voice": thing(),
    "POST /agents/{agent_id}/voice": thing_form(minutes="30"),
    "GET /agents/{agent_id}/instead": thing(),
    "POST /agents/{agent_id}/instead": thing_form(),
    "GET /agents/{agent_id}/publish": thing(),
    "POST /agents/{agent_id}/publish": thing_form(revision="0"),
    "POST /agents/{agent_id}/discard": thing_form(revision="0"),
    "GET /agents/{agent_id}/versions": thing(),
    "GET /agents/{agent_id}/versions/{version_no}": thing(),
    "POST /agents/{agent_id}/versions/{version_no}/roll-back": thing_form(),
    "GET /agents/{agent_id}/prompt": thing(),
    "POST /agents/{agent_id}/switch": thing_form(to="off"),
    "POST /agents/{agent_id}/archive": thing_form(),
    "POST /agents/{agent_id}/restore": thing_form(),
    "POST /agents/{agent_id}/corrections/{call}/{turn}": thing_form(),
    # Calling an agent of one's own.
    "GET /agents/{agent}/talk": thing(),
    "POST /agents/{agent}/call": thing_form(),
    # Credit.
    "GET /credits": page(),
    "GET /credits/bought": thing(query="key={purchase_key}"),
    "GET /credits/transactions": page(),
    "GET /credits/purchases": page(),
    "GET /credits/settings": page(),
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
    # Numbers.
    "GET /numbers": page(),
    "GET /numbers/proofs": _entry((SIGN_IN_FIRST, 303, 303, 303, 303), {}),
    "POST /numbers/proofs": own_form(422, confirms=False, number="12"),
    "GET /numbers/proofs/{proof_id}": thing(),
    "POST /numbers/proofs/{proof_id}": thing_form(409, acting=403, code="1"),
    "GET /numbers/{number_id}": thing(),
    "GET /numbers/new": page(),
    "POST /numbers/new": form(422),
    "POST /numbers/{number_id}/agent": thing_form(agent="{agent}"),
    "POST /numbers/{number_id}/no-agent": thing_form(),
    "GET /numbers/{number_id}/test": thing(),
    "POST /numbers/{number_id}/test": thing_form(200, acting=403),
    "POST /numbers/{number_id}/release": thing_form(acting=403),
    # Webhooks: who decides where something leads has just typed their password.
    "GET /webhooks": page(),
    "GET /webhooks/new": own_page(),
    "POST /webhooks/new": own_form(200, url="https://example.org/hook", which="everything"),
    "GET /webhooks/{endpoint}": thing(),
    "GET /webhooks/{endpoint}/edit": thing(acting=403, confirms=True),
    "POST /webhooks/{endpoint}/edit": confirmed_form(url="https://example.org/hook", which="everything"),
    "GET /webhooks/{endpoint}/secret": thing(acting=403, confirms=True),
    "POST /webhooks/{endpoint}/secret": confirmed_form(200, do="show"),
    "POST /webhooks/{endpoint}/switch": thing_form(acting=403, do="off"),
    "POST /webhooks/{endpoint}/delete": thing_form(acting=403),
    "POST /webhooks/{endpoint}/test": thing_form(acting=403),
    "POST /webhooks/{endpoint}/replay": thing_form(acting=403, since="hour"),
    "GET /webhooks/{endpoint}/deliveries/{delivery}": thing(),
    "POST /webhooks/{endpoint}/deliveries/{delivery}/replay": thing_form(acting=403),
    # The operator.
    "GET /design": desk(),
    "GET /operator": desk(),
    "GET /operator/users": desk(),
    "GET /operator/users/invite": desk(),
    "POST /operator/users/invite": desk_form(422, email="no address", role="USER", locale="en"),
    "GET /operator/users/{user}": desk(),
    "GET /operator/users/{user}/suspend": desk(),
    "POST /operator/users/{user}/suspend": desk_form(422),
    "POST /operator/users/{user}/activate": desk_form(),
    "GET /operator/users/{user}/adjust": desk(),
    "POST /operator/users/{user}/adjust": desk_form(422, amount="none"),
    "GET /operator/users/{user}/limits": desk(),
    "POST /operator/users/{user}/limits": desk_form(grace_limit="0", max_open_calls="10"),
    "GET /operator/users/{user}/role": desk(),
    "POST /operator/users/{user}/role": desk_form(role="USER"),
    "POST /operator/users/{user}/sign-out": desk_form(),
    "POST /operator/users/{user}/reset-second-factor": desk_form(),
    "GET /operator/users/{user}/visit": desk(),
    "POST /operator/users/{user}/visit": desk_form(200, reason="billing"),
    "GET /operator/users/{user}/close": desk(),
    "POST /operator/users/{user}/close": desk_form(422, email="not hers"),
    "GET /operator/users/{user}/calls/{call}": desk(),
    "GET /operator/users/{user}/calls/{call}/waive": desk(),
    "POST /operator/users/{user}/calls/{call}/waive": desk_form(422),
    "GET /operator/numbers": desk(),
    "GET /operator/numbers/drift": desk(),
    "POST /operator/numbers/import": desk_form(422),
    "GET /operator/numbers/add": desk(),
    "POST /operator/numbers/add": desk_form(422),
    "GET /operator/numbers/buy": desk(),
    "POST /operator/numbers/buy": desk_form(422),
    "GET /operator/numbers/{number_id}": desk(),
    "GET /operator/numbers/{number_id}/assign": desk(),
    "POST /operator/numbers/{number_id}/assign": desk_form(422, email="nobody@example.org"),
    "GET /operator/numbers/{number_id}/change": desk(),
    "POST /operator/numbers/{number_id}/change": desk_form(422),
    "POST /operator/numbers/{number_id}/release": desk_form(409),  # a number that nobody has
    "POST /operator/numbers/{number_id}/give-up": desk_form(),
    "POST /operator/numbers/{number_id}/tell": desk_form(),
    "POST /operator/numbers/{number_id}/test": desk_form(200),
    "GET /operator/prices": desk(),
    "GET /operator/prices/history": desk(),
    "GET /operator/prices/new": desk(),
    "POST /operator/prices/new": desk_form(422),
    "POST /operator/prices/follow-list/{user}/{kind}": desk_form(409),  # there is no list to follow
    "GET /operator/prices/packs/new": desk(),
    "POST /operator/prices/packs/new": desk_form(422),
    "GET /operator/prices/packs/{pack}": desk(),
    "POST /operator/prices/packs/{pack}": desk_form(422),
    "POST /operator/prices/packs/{pack}/switch": desk_form(to="on"),
    "GET /operator/money": desk(),
    "POST /operator/money/alerts/{alert}": desk_form(),
    "POST /operator/money/claims/{user}/{call}": desk_form(do="refuse"),
    "POST /operator/money/approvals/{approval}": desk_form(do="refuse"),
    "GET /operator/money/purchases": desk(),
    "GET /operator/money/purchases/{user}/{purchase}/refund": desk(),
    "POST /operator/money/purchases/{user}/{purchase}/refund": desk_form(422, amount="none"),
    "GET /operator/money/reversals": desk(),
    "GET /operator/money/ungranted": desk(),
    "GET /operator/unbilled": desk(),
    "GET /operator/events": desk(),
    "POST /operator/events/replay": desk_form(),
    "GET /operator/events/{event}": desk(),
    "POST /operator/events/{event}/replay": desk_form(422),
    "POST /operator/events/{event}/reveal": desk_form(200),
    "GET /operator/jobs": desk(),
    "POST /operator/jobs/{job}/again": desk_form(404),
    "GET /operator/audit": desk(),
    "GET /operator/audit/{user}/proof": desk(),
    "GET /operator/health": desk(),
    "GET /operator/settings": desk(),
}
"""By method and path, as the router has them."""
