"""The operator's commands about payments, as a person types them."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from talktime.db.session import connect
from talktime.gateways.stripe import Stripe
from talktime.payments import checkout
from talktime.simulate.gateway import SimulatedGateway
from talktime.simulate.gateway_deeds import Pay
from tests.payments.counter import BACK, CONTROL, KEY, WEBHOOK
from tests.people import new_person

pytestmark = pytest.mark.xdist_group("commands")


@dataclass(frozen=True)
class Operator:
    """Somebody who types commands, and the installation they look after."""

    environment: dict[str, str]

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
            (pack,) = await operator.reads("packs", "add", "Starter", "--credits", "1000", "--price", "20.00")
            assert (pack["amount_minor"], pack["currency"], pack["active"]) == (2000, "EUR", True)
            await _packs(operator, pack["id"])

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
            assert (code, "are left" in said) == (1, True)

            note, invoice = await operator.reads("invoices", "list", "--user", hers)
            assert (note["kind"], note["refers_to"], invoice["gross_minor"]) == ("CREDIT_NOTE", invoice["number"], 2000)
            file = tmp_path / "invoice.pdf"
            code, said = await operator.types("invoices", "pdf", invoice["id"], "--user", hers, "--to", str(file))
            assert code == 0, said
            assert file.read_bytes().startswith(b"%PDF")
            assert (await operator.types("invoices", "pdf", invoice["id"], "--user", operators, "--to", str(file)))[0]
            assert await operator.reads("payments", "unmatched") == []
            code, said = await operator.types("verify", "--full")
            assert code == 0, said
        finally:
            await stripe.close()
            await database.close()


async def _packs(operator: Operator, pack: str) -> None:
    """A pack is changed, taken off sale and put back; what cannot be is one line."""
    (changed,) = await operator.reads("packs", "change", pack, "--name", "Large", "--price", "20")
    assert (changed["name"], changed["amount_minor"]) == ("Large", 2000)
    assert not (await operator.reads("packs", "deactivate", pack))[0]["active"]
    assert "not on sale" in (await operator.types("packs", "list"))[1]
    assert (await operator.reads("packs", "change", pack, "--active"))[0]["active"]
    for price, currency in (
        ("0", "EUR"),
        ("1.234", "EUR"),
        ("nan", "EUR"),
        ("1", "XXX"),
    ):
        words = ("packs", "add", "Odd", "--credits", "10", "--price", price, "--currency", currency)
        code, said = await operator.types(*words)
        assert (code, said.startswith("talktime: ")) == (1, True), said
