"""Every block of docs/client.md is run, against the application on a port; and what the page says holds."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from talktime.db.session import Database
from talktime.webhooks import signing
from talktime.webhooks.bodies import envelope
from tests.api.program import key_of
from tests.client.blocks import DOCUMENT, blocks
from tests.client.conftest import port_of
from tests.payments.counter import Counter
from tests.people import Person
from tests.web.stage import Stage, answer, finish


@pytest.fixture
async def alice(alice: Person, database: Database, counter: Counter) -> Person:
    """She had a call, and there is something to buy."""
    await counter.pack()
    await finish(database, alice, await answer(database, alice), 50)
    return alice


async def test_every_block_runs(
    shop: Stage, counter: Counter, alice: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = signing.new_secret()
    monkeypatch.setenv("TALKTIME_KEY", await key_of(shop.database, alice))
    monkeypatch.setenv("TALKTIME_WEBHOOK_SECRET", secret)
    made: dict[str, Any] = {"__name__": "a_program"}

    def run() -> None:
        try:
            for block in blocks():
                exec(compile(block, str(DOCUMENT), "exec"), made)
        finally:
            made["client"].close()

    async with port_of(shop) as port:
        monkeypatch.setenv("TALKTIME_URL", f"http://127.0.0.1:{port}")
        await asyncio.to_thread(run)
    said = capsys.readouterr().out
    assert "Europe/Berlin ['account:read'" in said
    assert "OPEN http" in said
    assert "url " in said
    # Whichever pack stands first: other tests sell, too.
    assert (made["version"].version_no, made["purchase"].credits) == (1, made["pack"].credits)
    [bought] = await counter.purchases(alice)
    assert bought.id == made["purchase"].id
    body = envelope("credits.low", datetime.now(UTC), 1, orjson.dumps({"balance": 3, "threshold": 9}).decode())
    headers = signing.headers(uuid.uuid4(), datetime.now(UTC), body, secret)
    assert made["receive"](body, headers) == 204
    assert "only 3 left" in capsys.readouterr().out
    assert made["receive"](body + b" ", headers) == 401


def test_every_block_is_looked_at() -> None:
    text = DOCUMENT.read_text()
    assert text.count("```") == 2 * (len(blocks()) + 1)
    assert len(blocks()) == 9
