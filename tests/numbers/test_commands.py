"""The commands on numbers, as an operator types them: from an empty pool to a number that rings, and back."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from talktime.cli.numbers_carrier import app
from talktime.db.session import connect
from talktime.errors import TalktimeError
from talktime.simulate.carrier import SimulatedCarrier
from tests.people import charges, new_person

ONE, TWO = "+442079460001", "+442079460002"


@dataclass(frozen=True)
class Operator:
    """Somebody who types commands."""

    environment: dict[str, str]
    by: str

    async def types(self, *words: str) -> tuple[int, str, str]:
        """In a thread of its own: a process for each would take a minute for all of them."""
        result = await asyncio.to_thread(CliRunner(env=self.environment).invoke, app, [*words])
        if isinstance(result.exception, TalktimeError):
            return 1, "", str(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    async def reads(self, *words: str, code: int = 0) -> Any:
        ended, out, err = await self.types(*words, "--json")
        assert ended == code, (out, err)
        return json.loads(out)

    async def does(self, *words: str, code: int = 0) -> Any:
        return await self.reads(*words, "--by", self.by, code=code)


async def test_a_day_with_the_pool(new_database_url: Callable[[], str], tmp_path: Path) -> None:
    url = new_database_url()
    database = connect(url)
    async with SimulatedCarrier("AC" + "a" * 32, "a-token", control_secret="x") as company:
        ada = await new_person(database, "Ada", credits=0, admin=True)
        alice = await new_person(database, "Alice", credits=100)
        hers = f"alice.{alice.id.hex}@example.org"
        operator = Operator(
            {
                "TALKTIME_HOME": str(tmp_path),
                "DATABASE_URL": url,
                "TWILIO_ACCOUNT_SID": company.account,
                "TWILIO_AUTH_TOKEN": company.token,
                "TWILIO_API_BASE": company.api_base,
                "TALKTIME_NUMBER_RENT": "30",
                "TALKTIME_SECRET_KEY": "iWq8Zp3vT1rN6yB0kXcE5mAu9LhGfD2s",
            },
            f"ada.{ada.id.hex}@example.org",
        )
        offers = await operator.reads("search", "gb", "--area", "020", "--limit", "3")
        assert offers["price"] == {"amount_micros": 1_150_000, "currency": "USD"}
        assert [each["number"] for each in offers["numbers"]] == ["+442079460000", ONE, TWO]
        code, _, err = await operator.types("buy", ONE, "--by", operator.by)
        assert (code, "--price 1.15" in err) == (1, True), err
        assert "not 1.1 USD" in (await operator.types("buy", ONE, "--by", operator.by, "--price", "1.1"))[2]
        bought = await operator.does("buy", ONE, "--price", "1.15")
        assert (bought["state"], company.numbers.orders) == ("BOUGHT", 1)
        company.numbers.put(TWO)
        assert (await operator.reads("sync", code=1))[0]["difference"] == "only_there"
        imported = await operator.does("import")
        assert (imported["added"], imported["known"]) == ([TWO], 1)
        told = await operator.does("sync", "--tell", TWO, code=0)
        assert told == []
        given = await operator.does("assign", ONE, hers)
        assert (given["status"], given["user_id"], given["rent_credits"]) == ("ASSIGNED", str(alice.id), 30)
        assert await charges(database, alice) == [-30]
        assert "belongs to somebody" in (await operator.types("assign", ONE, operator.by, "--by", operator.by))[2]
        assert [each["credits"] for each in await operator.does("rent", ONE, "--set", "45")] == [45]
        assert await operator.reads("rent", "--charge-due") == []
        _, out, _ = await operator.types("list")
        assert "Alice's shop, Reception" in out
        assert [each["number"] for each in await operator.reads("list", "--status", "available")] == [TWO]
        proof = await operator.does("prove", "+49 30 12345678", hers)
        assert (proof["number"], proof["proven_at"]) == ("+493012345678", None)
        code, _, err = await operator.types("prove", "+493012345678", hers, "--code", "12", "--by", operator.by)
        assert (code, "6 digits" in err) == (1, True)
        company.numbers.drop(ONE)
        assert (await operator.does("test", ONE, code=1))["broken"] in ("carrier", "ring")
        assert (await operator.does("release", ONE))["status"] == "RELEASED"
        assert "--yes" in (await operator.types("release", TWO, "--give-up", "--by", operator.by))[2]
        assert (await operator.does("release", TWO, "--give-up", "--yes"))["status"] == "RETURNED"
        for wrong, says in (
            (("add", "+49 900 1234567", "--by", operator.by), "premium"),
            (("add", "hello", "--by", operator.by), "not a phone number"),
            (("add", ONE, "--carrier", "telnyx", "--by", operator.by), "There are: twilio"),
            (("add", ONE, "--by", hers), "Only an operator"),
            (("list", "--status", "LOST"), "no status"),
        ):
            code, _, err = await operator.types(*wrong)
            assert (code, says in err) == (1, True), (wrong, err)
    await database.close()
