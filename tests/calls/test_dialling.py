"""Whom a caller may be put through to, and what may be said before: refused before anything is stored or dialled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from talktime.agents import dialling
from talktime.calls import legs, lifecycle, sweep, transfers
from talktime.credits.models import HoldState
from talktime.db.base import new_id
from talktime.hooks.calls import forward_to
from talktime.numbers import pool
from talktime.simulate.orders import Faults
from tests.calls.putting_through import (
    THEIRS,
    assert_books_are_right,
    customer,
    pass_time,
    record_of,
    sweeps,
    talking,
)
from tests.house import House, open_house
from tests.people import WHY, Person, account_of, hold_of


@pytest.fixture(scope="module")
async def house(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """An installation whose own sweep does nothing: these tests do it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "PASS_SECONDS", 3600.0)
        async with open_house(new_database_url(), Path(tmp_path_factory.mktemp("home"))) as house:
            await asyncio.sleep(0.5)  # its first pass
            yield house
            await assert_books_are_right(house.database)


@pytest.fixture
async def tara(house: House) -> Person:
    return await customer(house.database)


@pytest.mark.parametrize(
    "number",
    [
        "+4930999888",
        "+4915123456789",
        "+12125550123",
        "+442079460123",
        "+390612345678",
        "+41581234567",
        "+498001234567",
    ],
)
def test_an_ordinary_number_may_be_dialled(number: str) -> None:
    assert dialling.normalised(number) == number
    assert dialling.is_ordinary(number)


@pytest.mark.parametrize("number", ["+39899123456", "+447012345678", "+49180512345", "+870773123456", "+15550100123"])
def test_what_is_dear_or_unknown_may_not(number: str) -> None:
    assert not dialling.is_ordinary(number)


async def test_a_zero_too_many_hides_neither_our_own_number_nor_a_dear_one(house: House, tara: Person) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await pool.add(db, "+4930777666", carrier="simulated")
    async with talking(house, tara) as call:
        assert (await call.put_through("+49030777666")).reason == "own_number"
        for dear in ("+49090012345678", "+490900123456"):
            with pytest.raises(transfers.NotOrdinary, match="choose a"):
                await call.put_through(dear)
        assert house.carrier.legs_of(call.sid) == []
    async with house.database.transaction(everyone=WHY) as db:
        of_tara = {"user": tara.id}
        assert (
            await db.scalar(text("SELECT count(*) FROM calls WHERE user_id = :user AND parent_id <> id"), of_tara) == 0
        )


async def test_what_takes_too_long_to_say_is_refused(house: House, tara: Person) -> None:
    async with talking(house, tara) as call:
        leg = new_id()
        forward = forward_to(house.settings, "simulated", tara.id, leg, number=THEIRS)
        forward = replace(forward, text="x" * (transfers.SAID_CHARACTERS_MAX + 1))
        with pytest.raises(transfers.TooMuchToSay, match=str(transfers.SAID_CHARACTERS_MAX)):
            await transfers.begin(
                house.database, house.context.carriers["simulated"], tara.id, call.call, leg=leg, forward=forward
            )
        assert (await account_of(house.database, tara)).open_calls == 1
    spoken_seconds = transfers.SAID_CHARACTERS_MAX / transfers.SAID_CHARACTERS_A_SECOND
    assert spoken_seconds + transfers.RING_SECONDS_MAX < 120, "it ends before the lease of a leg that rings"


async def test_who_is_rung_later_than_anybody_waits_is_hung_up(house: House, tara: Person) -> None:
    async with talking(house, tara, dial_seconds=60, dial_faults=Faults(reports_dropped=("*",))) as call:
        leg = new_id()
        forward = forward_to(house.settings, "simulated", tara.id, leg, number=THEIRS)
        forward = replace(forward, text=" ".join(["Moment"] * 8))
        carrier = house.context.carriers["simulated"]
        assert (await transfers.begin(house.database, carrier, tara.id, call.call, leg=leg, forward=forward)).is_dialled
        await pass_time(house.database, leg, 121)
        await sweeps(house)
        given_up = await record_of(house.database, tara, leg)
        assert (given_up.call.end_reason, given_up.call.carrier_seconds) == ("never_dialled", None)
        await call.until("forwarded")
        await asyncio.sleep(0.2)
        assert call.person_talks()
        await sweeps(house)
        assert not call.person_talks()
        await sweeps(house)
        assert (await record_of(house.database, tara, leg)).call.carrier_seconds is not None


async def test_a_leg_that_was_answered_and_is_said_to_ring_is_settled_on_what_is_proven(
    house: House, tara: Person
) -> None:
    async with talking(house, tara, dial_ring_seconds=29) as call:
        leg = (await call.put_through()).leg_id
        await call.until("forwarded")
        async with house.database.transaction(everyone=WHY) as db:
            assert await lifecycle.answer(db, tara.id, leg, legs.OWNER) is not None
        for seconds in (46, 51):
            assert call.person_talks()
            await pass_time(house.database, leg, seconds)
            await sweeps(house)
        hold = await hold_of(house.database, tara, leg)
        assert (hold.state, (await record_of(house.database, tara, leg)).call.end_reason) == (HoldState.SETTLED, "lost")
        await sweeps(house)
        assert not call.person_talks()
