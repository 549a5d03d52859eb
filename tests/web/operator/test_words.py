"""What an operator reads of deeds and alerts: words for every act and every figure that the code writes, in both
languages.

The acts and figures are read from the source, so that a new one is found by being written.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import files
from typing import Any

import pytest
from starlette.requests import Request

import talktime
from talktime.accounts import audit
from talktime.alerts import board, raise_alert
from talktime.alerts.kinds import KINDS
from talktime.credits.models import ApprovalState, ClaimState
from talktime.db.session import Database
from talktime.numbers.drift import Difference
from talktime.payments.models import RefundRequestState
from talktime.settings import Settings
from talktime.web.operator import act_words, alert_details, alert_words
from talktime.web.visit import LANGUAGES, visiting
from talktime.web.words import Clock
from tests.people import WHY, Person
from tests.web.conftest import Browser
from tests.web.stage import SECRET
from tests.web.test_overview import speak
from tests.web.test_pages import words_of

AN_ACT = re.compile(r"[a-z_]+\.[a-z_]+")
STATES: dict[str, type[StrEnum]] = {
    "adjustment.": ApprovalState, "claim.": ClaimState, "refund.": RefundRequestState,
}  # fmt: skip
"""Acts that are put together of what they are about and of the state that it came to."""
AT_FIRST = {"adjustment.pending", "claim.requested"}
"""States in which nobody leaves anything; asking for it is another act."""
RECORDERS = {"record", "_record", "_audit", "_record_change", "set_password"}
"""What writes an entry, or is handed the act and does; the act is the first string among its arguments."""
RAISERS = {"raise_alert", "amend_alerts"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for each in pkgutil.walk_packages(talktime.__path__, "talktime."):
        if not each.name.startswith(("talktime.db.migrations", "talktime.__main__")):
            yield each.name, ast.parse(inspect.getsource(importlib.import_module(each.name)) or "")


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def acts() -> dict[str, str]:
    """Every act that is written, and where."""
    found: dict[str, str] = {}
    for module, tree in trees():
        if "audit" not in ast.unparse(tree) and "set_password" not in ast.unparse(tree):
            continue
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node) in RECORDERS):
            for value in [*call.args, *(each.value for each in call.keywords)]:
                found |= dict.fromkeys(_acts_in(value), f"{module}:{call.lineno}")
        for node in ast.walk(tree):
            # An act that is chosen before it is written.
            if isinstance(node, ast.Assign) and any(getattr(each, "id", "") == "act" for each in node.targets):
                found |= dict.fromkeys(_acts_in(node.value), f"{module}:{node.lineno}")
    return found


def _acts_in(value: ast.expr) -> list[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and AN_ACT.fullmatch(value.value):
        return [value.value]
    if isinstance(value, ast.IfExp):
        return [*_acts_in(value.body), *_acts_in(value.orelse)]
    if isinstance(value, ast.JoinedStr) and isinstance(value.values[0], ast.Constant):
        head = str(value.values[0].value)
        if AN_ACT.fullmatch(f"{head}x"):
            return [f"{head}{state.value.lower()}" for state in STATES[head]]
    return []


def figures() -> dict[str, str]:
    """Every name that stands in an alert, and where it is written."""
    found: dict[str, str] = {}
    for module, tree in trees():
        for function in ast.walk(tree):
            if not isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
                continue
            inside = list(ast.walk(function))
            if not any(isinstance(node, ast.Call) and name_of(node) in RAISERS for node in inside):
                continue
            for node in inside:
                if isinstance(node, ast.Dict):
                    keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
                    found |= {key: f"{module}:{node.lineno}" for key in keys if isinstance(key, str)}
    for folder in ("credits", "calls"):
        for file in files("talktime").joinpath(folder, "sql").iterdir():
            for built in re.findall(r"credit_alert\([^;]*?jsonb_build_object\(([^;]*?)\)\s*\)", file.read_text()):
                found |= dict.fromkeys(re.findall(r"'(\w+)',", built), file.name)
    return found


def said_in(language: str) -> Any:
    scope = {"type": "http", "path": "/", "query_string": b"", "headers": [(b"accept-language", language.encode())]}
    return visiting(Request({**scope, "server": ("talktime.example", 443)}), Settings(secret_key=SECRET))


def test_the_acts_are_found_where_they_are_written() -> None:
    found = acts()
    assert len(found) > 70
    assert {"user.suspended", "password.reset", "webhook.secret_shown", "claim.granted", "guards.set"} <= found.keys()
    source = inspect.getsource(audit.record)
    assert "audit_v1" in source, "nothing else writes an entry"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_act_has_words(language: str) -> None:
    with said_in(language):
        missing = {act: where for act, where in acts().items() if act_words.said(act) == act and act not in AT_FIRST}
        assert missing == {}
        assert act_words.said("brand.new") == "brand.new"


def test_no_act_has_words_that_nobody_writes() -> None:
    tree = ast.parse(inspect.getsource(act_words))
    known = {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    assert known - acts().keys() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_alert_has_a_title_and_every_figure_words(language: str) -> None:
    with said_in(language):
        unnamed = [kind for kind in KINDS if alert_words.title(kind) == kind.replace("_", " ").capitalize()]
    # A title may be the name itself in English, never in German.
    assert unnamed == [] or language == "en"
    known = alert_details.NAMES.keys() | alert_details.OTHERS
    assert {name: where for name, where in figures().items() if name not in known} == {}


def shown(kind: str, **detail: Any) -> board.Shown:
    return board.Shown(uuid.uuid4(), kind, "", USER, detail, datetime.now(UTC), None, None, None)


USER, THING = uuid.uuid4(), uuid.uuid4()


@pytest.mark.parametrize(
    ("alert", "english", "german"),
    [
        (
            shown("wrong_amount", amount_minor=1234, currency="EUR", expected_minor=2000, expected_currency="EUR"),
            "€12.34 instead of €20.00",
            "12,34 € statt 20,00 €",
        ),
        (
            shown("wrong_currency", amount_minor=2000, currency="USD", expected_minor=2000, expected_currency="EUR"),
            "$20.00 instead of €20.00",
            "20,00 $ statt 20,00 €",
        ),
        (shown("paid_twice", given_back_minor=5, left_minor=0, currency="EUR"),
         "€0.05 went back already, nothing is left to give back",
         "0,05 € gingen schon zurück, nichts ist mehr zurückzugeben"),
        (shown("call_unbilled", credits=1200), "1,200 credits not billed", "1.200 Credits nicht abgerechnet"),
        (shown("ledger_wrong", seq=12), "line 12", "Zeile 12"),
        (shown("audit_wrong", seq=12), "entry 12", "Eintrag 12"),
        (shown("top_up_declined", tries=3, reason="expired_card"),
         "tried 3 times, the reason: expired_card",
         "3-mal versucht, der Grund: expired_card"),
        (shown("numbers_differ", not_told=2), "not told: 2", "nicht gesagt: 2"),
        # What a function of the database, or another version, may have put in there.
        (shown("wrong_amount", amount_minor="many", currency=7), "amount minor many", "amount minor many"),
        (shown("brand_new", phase_of_moon="full"), "phase of moon full", "phase of moon full"),
        (shown("paid_twice", granted_at="soon", credits=True),
         "credits True, granted at soon",
         "credits True, granted at soon"),
    ],
)  # fmt: skip
def test_figures_are_said_in_words(alert: board.Shown, english: str, german: str) -> None:
    clock = Clock(datetime.now(UTC), "Europe/Berlin")
    for language, expected in (("en", english), ("de", german)):
        with said_in(language):
            said = ", ".join(each.text for each in alert_details.details_of(alert, clock))
            assert said.replace("\xa0", " ") == expected


def test_what_an_alert_is_about_leads_to_its_page() -> None:
    clock = Clock(datetime.now(UTC), "UTC")
    thing = str(THING)
    alert = shown("charge_claimed", call_id=thing, purchase_id=thing, number_id=thing, event_id=thing, payment_id=thing)
    with said_in("en"):
        assert [each.address for each in alert_details.details_of(alert, clock)] == [
            f"/operator/users/{USER}/calls/{thing}",
            f"/operator/purchases?user={USER}",
            f"/operator/numbers/{thing}",
            f"/operator/events/{thing}",
            "",
        ]
        odd = shown("charge_claimed", call_id="../../x")
        assert [each.address for each in alert_details.details_of(odd, clock)] == [""]


def test_every_way_in_which_numbers_differ_has_words() -> None:
    assert {each.value for each in Difference} <= alert_details.NAMES.keys()


async def test_the_pages_say_deeds_and_alerts_in_words_and_keep_their_names(
    as_ada: Browser, database: Database, alice: Person, ada: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        await audit.record(db, alice.id, ada.id, "user.suspended", before={"status": "ACTIVE"})
        await raise_alert(db, "closed_below_zero", alice.id, {"credits": 40, "below_zero": 15})
    for address in (f"/operator/audit?about={alice.id}", f"/operator/users/{alice.id}"):
        said = words_of((await as_ada.get(address)).text)
        assert "Account suspended user.suspended" in said
    money = (await as_ada.get("/operator/money")).text
    assert "40 credits taken back · 15 credits below zero" in words_of(money)
    assert 'title="closed_below_zero"' in money
    await speak(database, ada, "de")
    said = words_of((await as_ada.get(f"/operator/audit?about={alice.id}")).text)
    assert "Konto gesperrt user.suspended" in said
    assert "40 Credits zurückgenommen · 15 Credits unter null" in words_of((await as_ada.get("/operator/money")).text)
