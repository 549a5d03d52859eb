"""The settings in a real browser: nothing that our policy forbids, nothing wider than a phone, only codes on paper."""

import pyotp
import pytest
from sqlalchemy import update

from talktime.accounts import sessions
from talktime.accounts.models import User
from talktime.db.session import Database
from tests.people import WHY, Person
from tests.web.account import give_password
from tests.web.chromium import PROGRAM, Tab
from tests.web.conftest import link_for
from tests.web.tabs import Served, come_in
from tests.web.test_settings_profile import SECTIONS

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")

# A wide table or a long word would be moved to be read, and a button beside it out of reach.
_FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.mark.parametrize("locale", ["en", "de"])
async def test_every_part_fits_on_a_phone_and_on_a_screen(
    served: Served, tab: Tab, database: Database, alice: Person, locale: str
) -> None:
    long_name = "Hanna Elisabeth Weißenberger-Hohenstaufen, Friseurmeisterin"
    async with database.transaction(everyone=WHY) as db:
        await db.execute(update(User).where(User.id == alice.id).values(locale=locale, name=long_name))
        await sessions.begin(db, alice.id, address="2001:db8:1234:5678:9abc:def0:1234:5678", browser="x" * 200)
    await come_in(tab, served, await link_for(database, alice))
    for path in (*SECTIONS, "/settings/keys/new"):
        await tab.open(served.address + path)
        for width in (320, 390, 1280):
            await tab.ask(
                "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
            )
            assert await tab.run(_FITS), (path, width)
    assert tab.complaints == []


async def test_the_second_factor_is_set_up_and_only_its_codes_are_printed(
    served: Served, tab: Tab, database: Database, alice: Person
) -> None:
    await give_password(database, alice)
    await come_in(tab, served, await link_for(database, alice))
    await tab.open(f"{served.address}/settings/second-factor")
    await tab.run("document.querySelector('main form button').click()")
    await tab.until("location.pathname === '/settings/second-factor/on' && !!document.querySelector('.qr svg')")
    assert await tab.run("document.querySelector('.qr svg').getBoundingClientRect().width >= 180")
    key = await tab.run("document.querySelector('.secret').textContent.replaceAll(' ', '')")
    await tab.run("document.getElementById('code').focus()")
    await tab.ask("Input.insertText", text=pyotp.TOTP(key).now())
    for kind in ("keyDown", "keyUp"):
        await tab.ask(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
        )
    await tab.until("document.querySelectorAll('.codes code').length === 10")

    await tab.ask("Emulation.setEmulatedMedia", media="print")
    seen = "[...document.querySelectorAll('{}')].filter(each => each.checkVisibility()).length"
    assert await tab.run(seen.format(".codes code")) == 10
    assert await tab.run(seen.format(".side, .tabs, button, .no-print, h1")) == 0
    assert await tab.run(seen.format(".only-printed")) == 1
    assert tab.complaints == []


async def test_the_banner_stays_in_sight_and_covers_nothing(
    served: Served, tab: Tab, database: Database, alice: Person, ada: Person
) -> None:
    async with database.transaction(everyone=WHY) as db:
        token = await sessions.make_link_token(db, alice.id, visitor=ada.id)
    await tab.ask("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    await come_in(tab, served, f"/sign-in/{token}")
    await tab.open(f"{served.address}/credits")
    await tab.run("scrollTo(0, document.body.scrollHeight)")
    # In whole pixels: a page ends where its text does, and may be scrolled by a part of one.
    tops = "[...document.querySelectorAll('#acting, #side')].map(e => Math.round(e.getBoundingClientRect().top))"
    assert await tab.run(f"JSON.stringify({tops})") == "[0,48]"
    assert await tab.run("document.getElementById('acting').getBoundingClientRect().bottom <= 48")
    await tab.open(f"{served.address}/")
    assert await tab.run("document.documentElement.scrollHeight <= innerHeight"), "a page that fits needs no scrolling"
    await tab.run("document.querySelector('#acting button').click()")
    await tab.until("location.pathname === '/sign-in'")
    assert tab.complaints == []
