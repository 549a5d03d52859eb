"""The operator's commands about payments, as a person types them."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from talktime.db.session import Database, connect
from talktime.gateways.stripe import Stripe
from talktime.inbox import ProviderEvent
from talktime.payments import checkout
from talktime.simulate.gateway import SimulatedGateway
from talktime.simulate.gateway_deeds import Pay
from tests.payments.counter import BACK, CONTROL, KEY, WEBHOOK
from tests.people import WHY, new_person

pytestmark = pytest.mark.xdist_group("commands")


@dataclass(frozen=True)
class Operator:
    """Somebody who types commands, and the installation they look after."""

    environment: dict[str, str]
    logged: list[str] = field(default_factory=list)
    """What the last command logged."""

    async def types(self, *words: str) -> tuple[int, str]:
        """The exit code, and what was printed where it belongs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "talktime", "ledger", *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )  # fmt: skip
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        assert process.returncode is not None
        assert "Traceback" not in err.decode(), err.decode()
        self.logged[:] = [line for line in err.decode().splitlines() if line.startswith("{")]
        return process.returncode, (out or err).decode()

    async def reads(self, *words: str) -> Any:
        code, said = await self.types(*words, "--json")
        assert code == 0, said
        return json.loads(said)


async def test_an_evening_of_selling(new_database_url: Callable[[], str], tmp_path: Path) -> None:
    url = new_database_url()
    database = connect(url)
    company = SimulatedGateway(KEY, WEBHOOK, CONTROL)
    async with company, company.control() as control:
        operator = Operator(
            {
                "PATH": os.environ["PATH"],
                "TALKTIME_HOME": str(tmp_path),
                "DATABASE_URL": url,
                "STRIPE_API_KEY": KEY,
                "STRIPE_WEBHOOK_SECRET": WEBHOOK,
                "STRIPE_API_BASE": company.api_base,
                "TALKTIME_SELLER_NAME": "Talktime GmbH",
                "TALKTIME_VAT_PERCENT": "19",
            }
        )
        stripe = Stripe(KEY, [WEBHOOK], company.api_base, trust_env=False)
        try:
            alice = await new_person(database, "Alice", credits=0)
            ada = await new_person(database, "Ada", credits=0, admin=True)
            hers, operators = f"alice.{alice.id.hex}@example.org", f"ada.{ada.id.hex}@example.org"
            starter = ("packs", "add", "Starter", "--credits", "1000", "--price", "20.00", "--by")
            assert "Only an operator" in (await operator.types(*starter, hers))[1]
            (pack,) = await operator.reads(*starter, operators)
            assert (pack["amount_minor"], pack["currency"], pack["active"]) == (2000, "EUR", True)
            (logged,) = [json.loads(line) for line in operator.logged]
            assert (logged["event"], logged["pack_id"], logged["actor_id"]) == ("pack added", pack["id"], str(ada.id))
            assert "@" not in json.dumps(logged)
            await _packs(operator, pack["id"], operators)

            await checkout.begin(
                database, stripe, alice.id, uuid.UUID(pack["id"]), success_url=BACK, cancel_url=BACK, key="k"
            )
            async with database.transaction(user=alice.id) as db:
                (begun,) = await checkout.newest(db, alice.id)
            assert begun.checkout_url is not None
            await control.do(Pay(checkout=begun.checkout_url.rpartition("/")[2]))

            code, said = await operator.types("reconcile", "payments", "--dry-run")
            assert code == 1
            assert "not granted" in said
            code, said = await operator.types("reconcile", "payments")
            assert code == 0, said
            assert "mended" in said
            (bought,) = await operator.reads("payments", "list", "--user", hers, "--state", "paid")
            assert (bought["id"], bought["state"]) == (str(begun.id), "PAID")
            assert (await operator.types("payments", "list", "--state", "GONE"))[0] == 1

            order = ("payments", "refund", bought["id"], "--user", hers, "--by", operators, "--key", "r1")
            for _ in range(2):
                (back,) = await operator.reads(*order, "--amount", "5.00")
                assert (back["amount_minor"], back["state"]) == (500, "DONE")
            code, said = await operator.types(*order[:-1], "r2", "--amount", "5.001")
            assert (code, "more decimals" in said) == (1, True)
            code, said = await operator.types(*order[:-1], "r3", "--amount", "99")
            assert (code, "left" in said) == (1, True), said

            await _disputes(operator, hers, operators, bought["id"])
            note, invoice = await operator.reads("invoices", "list", "--user", hers)
            assert (note["kind"], note["refers_to"], invoice["gross_minor"]) == ("CREDIT_NOTE", invoice["number"], 2000)
            file = tmp_path / "invoice.pdf"
            code, said = await operator.types("invoices", "pdf", invoice["id"], "--user", hers, "--to", str(file))
            assert code == 0, said
            assert file.read_bytes().startswith(b"%PDF")
            again = ("invoices", "pdf", invoice["id"], "--user", hers, "--to")
            assert (await operator.reads(*again, str(file)))["bytes"] == len(file.read_bytes())
            code, said = await operator.types(*again, str(tmp_path / "nowhere" / "x.pdf"))
            assert (code, "cannot be written" in said) == (1, True), said
            assert (await operator.types("invoices", "pdf", invoice["id"], "--user", operators, "--to", str(file)))[0]
            assert await operator.reads("payments", "unmatched") == []
            await _again(operator, database, hers, ada.id)
            code, said = await operator.types("verify", "--full")
            assert code == 0, said
        finally:
            await stripe.close()
            await database.close()


async def _packs(operator: Operator, pack: str, email: str) -> None:
    """A pack is changed, taken off sale and put back, by name; what cannot be is one line."""
    by = ("--by", email)
    for change in (("change", pack, "--price", "1"), ("deactivate", pack)):
        assert (await operator.types("packs", *change))[0] == 2
        assert (await operator.types("packs", *change, "--by", "nobody@example.org"))[0] == 1
    (changed,) = await operator.reads("packs", "change", pack, "--name", "Large", "--price", "20", *by)
    assert (changed["name"], changed["amount_minor"]) == ("Large", 2000)
    assert not (await operator.reads("packs", "deactivate", pack, *by))[0]["active"]
    assert "not on sale" in (await operator.types("packs", "list"))[1]
    assert (await operator.reads("packs", "change", pack, "--active", *by))[0]["active"]
    assert (await operator.types("packs", "change", pack, "--position", "1_0", *by))[0] == 2
    for price, currency in (
        ("0", "EUR"),
        ("1.234", "EUR"),
        ("nan", "EUR"),
        ("1", "XXX"),
    ):
        words = ("packs", "add", "Odd", "--credits", "10", "--price", price, "--currency", currency, *by)
        code, said = await operator.types(*words)
        assert (code, said.startswith("talktime: ")) == (1, True), said


async def _disputes(operator: Operator, hers: str, operators: str, purchase: str) -> None:
    """What went back is listed, of everybody or of one; of somebody else there is nothing."""
    (back,) = await operator.reads("payments", "disputes", "--user", hers)
    assert (back["purchase_id"], back["kind"], back["amount_minor"], back["email"]) == (purchase, "REFUND", 500, hers)
    assert await operator.reads("payments", "disputes") == [back]
    said = (await operator.types("payments", "disputes"))[1]
    assert f"{hers}  refund  succeeded  €5.00 of purchase {purchase}" in said
    assert await operator.types("payments", "disputes", "--user", operators) == (0, "Nothing went back.\n")
    assert (await operator.types("payments", "disputes", "--limit", "1_0"))[0] == 2


async def _again(operator: Operator, database: Database, hers: str, ada: uuid.UUID) -> None:
    """An event that was given up is handled again because an operator says so, and that is logged by ids alone."""
    given_up = ProviderEvent(provider="stripe", account="a", event_id="evt_1", kind="payments.told", body=b"{}")
    given_up.gave_up_at = datetime.now(UTC)
    async with database.transaction(everyone=WHY) as db:
        db.add(given_up)
        await db.flush()
        event = str(given_up.id)
    again = ("payments", "again", event)
    assert (await operator.types(*again))[0] == 2
    assert "Only an operator" in (await operator.types(*again, "--by", hers))[1]
    assert (await operator.reads(*again, "--by", str(ada)))["will_be_handled"]
    (logged,) = [json.loads(line) for line in operator.logged]
    assert (logged["actor_id"], logged["event_id"]) == (str(ada), event)
    assert "was given up" in (await operator.types(*again, "--by", str(ada)))[1]
