"""The operator's pages in a real browser: nothing that our policy forbids, nothing wider than a phone, and a deed that
asks once is done with the keyboard and without a script of ours.
"""

import pytest
from sqlalchemy import update

from talktime.accounts.models import User
from talktime.db.session import Database
from tests.payments.counter import Counter
from tests.people import WHY, Person
from tests.web.chromium import PROGRAM, Tab
from tests.web.conftest import link_for
from tests.web.operator.conftest import acts_on, addresses, number_of, one_of_each
from tests.web.tabs import Served, come_in

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")

_FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.mark.parametrize("locale", ["en", "de"])
async def test_every_page_fits_on_a_phone_and_on_a_screen(
    *, served: Served, tab: Tab, counter: Counter, database: Database, alice: Person, ada: Person, locale: str
) -> None:
    await one_of_each(counter, alice, ada)
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == ada.id).values(locale=locale))
    await come_in(tab, served, await link_for(database, ada))
    for path in await addresses(counter, alice):
        await tab.open(served.address + path)
        for width in (320, 390, 1280):
            await tab.ask(
                "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
            )
            assert await tab.run(_FITS), (path, width)
    assert tab.complaints == []


async def test_a_number_is_taken_back_only_after_asking_once(
    served: Served, tab: Tab, database: Database, alice: Person, ada: Person
) -> None:
    path = f"/operator/numbers/{await number_of(database, alice)}"
    await come_in(tab, served, await link_for(database, ada))
    await tab.open(served.address + path)
    assert await tab.run("document.getElementById('release').checkVisibility()") is False
    for answer in ("Not now", "Take the number back"):
        await tab.run("document.querySelector('[popovertarget=release]').click()")
        await tab.until("document.getElementById('release').matches(':popover-open')")
        await tab.run(
            f"[...document.querySelectorAll('#release button')].find(each => each.textContent === '{answer}').click()"
        )
        if answer == "Not now":
            await tab.until("!document.getElementById('release').matches(':popover-open')")
            assert await acts_on(database, alice) == []
    await tab.until("!!document.querySelector('.toast')")
    assert [act for act, _ in await acts_on(database, alice)] == ["number.released"]
