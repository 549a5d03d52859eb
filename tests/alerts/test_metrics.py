"""`/metrics`: the same from every process, and only for those who may know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from talktime.alerts import acknowledge, open_alerts, raise_alert
from talktime.db.session import Database
from talktime.http import metrics, problems
from talktime.http.counters import Counters
from talktime.notices.tell import tell
from tests.db.everything import become_owner
from tests.people import WHY, new_person

TOKEN = "a token that nobody guesses"


@asynccontextmanager
async def asked(
    database: Database, token: str | None, client: str = "127.0.0.1", site: str = "http://localhost:8000"
) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.context = SimpleNamespace(database=database, counters=Counters(), live=set())
    problems.install(app)
    app.include_router(metrics.router(token))
    transport = httpx.ASGITransport(app, client=(client, 1234))
    async with httpx.AsyncClient(transport=transport, base_url=site) as browser:
        yield browser


def values(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_tell_what_is_open_and_what_ever_was(empty_database: Database) -> None:
    ada = await new_person(empty_database, "Ada", credits=0, admin=True)
    async with empty_database.transaction(everyone=WHY) as db:
        await raise_alert(db, "refund_failed", None, {})
        await raise_alert(db, "refund_failed", None, {"purchase_id": "1"})
        await raise_alert(db, "ledger_wrong", ada.id, {"violations": 4})
        await tell(db, ada.id, "purchase_paid", "1", {"purchase_id": "1", "credits": 5})
        refund = next(alert for alert in await open_alerts(db) if alert.kind == "refund_failed")
        await acknowledge(db, refund.id, ada.id)
    async with asked(empty_database, None) as browser:
        answer = await browser.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    seen = values(answer.text)
    assert seen["talktime_alerts_total[refund_failed]"] == 2
    assert seen["talktime_alerts_open[refund_failed]"] == seen["talktime_alerts_open[ledger_wrong]"] == 1
    assert seen["talktime_alerts_unmailed"] == 2
    assert seen["talktime_ledger_violations"] == 4
    assert seen["talktime_notices_waiting"] == 1
    assert seen["talktime_notices_oldest_seconds"] >= 0


async def test_a_kind_with_odd_letters_breaks_nothing(empty_database: Database) -> None:
    async with empty_database.transaction(everyone=WHY) as db:
        await raise_alert(db, 'odd"\n{kind}\\', None, {})
    async with asked(empty_database, None) as browser:
        assert values((await browser.get("/metrics")).text)['talktime_alerts_open[odd"\n{kind}\\]'] == 1


async def test_with_a_token_only_whoever_knows_it_is_answered(database: Database) -> None:
    async with asked(database, TOKEN, "203.0.113.7") as browser:
        for said in (None, "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"):
            headers = {} if said is None else {"authorization": said.encode("latin-1")}
            refused = await browser.get("/metrics", headers=headers)  # type: ignore[arg-type]  # bytes are headers, too
            assert refused.status_code == 401
            assert "talktime_" not in refused.text
            assert refused.headers["www-authenticate"].startswith("Bearer")
        known = await browser.get("/metrics", headers={"authorization": f"bearer {TOKEN}"})
    assert known.status_code == 200


@pytest.mark.parametrize("token", [None, ""])
async def test_without_a_token_only_this_machine_is_answered(database: Database, token: str | None) -> None:
    for client, status in [("127.0.0.1", 200), ("127.8.8.8", 200), ("::1", 200), ("::ffff:127.0.0.1", 200)]:
        async with asked(database, token, client) as browser:
            assert (await browser.get("/metrics")).status_code == status
    for client in ("203.0.113.7", "10.0.0.1", "::ffff:10.0.0.1", "unix", ""):
        async with asked(database, token, client) as browser:
            refused = await browser.get("/metrics")
        assert refused.status_code == 403
        assert "TALKTIME_METRICS_TOKEN" in refused.text


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Client-IP"],
)
async def test_a_proxy_on_this_machine_is_not_this_machine(database: Database, header: str) -> None:
    async with asked(database, None) as browser:
        assert (await browser.get("/metrics", headers={header: "127.0.0.1"})).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "talktime.example:443", "localhost.evil.example", "10.0.0.1"])
async def test_a_name_that_leads_to_this_machine_is_not_this_machine(database: Database, host: str) -> None:
    async with asked(database, None) as browser:
        refused = await browser.get("/metrics", headers={"host": host})
    assert refused.status_code == 403


@pytest.mark.parametrize("site", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost"])
async def test_this_machine_may_ask_by_any_of_its_own_names(database: Database, site: str) -> None:
    async with asked(database, None, site=site) as browser:
        assert (await browser.get("/metrics")).status_code == 200


async def test_a_database_that_does_not_answer_in_time_is_said_to_be_away(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_DATABASE_SECONDS", 0.3)
    async with empty_database.transaction(everyone=WHY) as db, asked(empty_database, None) as browser:
        await become_owner(db)
        await db.execute(text("LOCK TABLE alerts"))
        answer = await browser.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "talktime_" not in answer.text
