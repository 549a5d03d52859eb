"""In a real browser: what is new appears by itself, and who reads is left in peace."""

from pathlib import Path

import pytest

from talktime.db.session import Database
from tests.payments.counter import open_counter
from tests.people import Person, lines_of
from tests.web.chromium import PROGRAM, Tab
from tests.web.conftest import link_for
from tests.web.stage import answer, finish, say
from tests.web.tabs import Served, serving

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")

WATCH = """
window.added = [];
new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach(
    (node) => node.nodeType === 1 && added.push(node.id)))).observe(document.body, {childList: true, subtree: true});
"""


async def test_a_running_call_is_followed_without_disturbing_who_reads(
    served: Served, tab: Tab, database: Database, alice: Person
) -> None:
    over, live = await answer(database, alice), await answer(database, alice)
    await finish(database, alice, over, 5)
    await say(database, alice, live, 1, "Hello.")

    await tab.open(served.address + await link_for(database, alice))
    await tab.run("document.querySelector('form button').click()")
    await tab.until("location.pathname === '/' && typeof htmx === 'object'")
    await tab.open(f"{served.address}/calls")
    await tab.until("typeof htmx === 'object' && !!document.querySelector('details')")
    await tab.until("document.querySelector('[data-elapsed]').textContent > '0:00'")
    await tab.run(f"document.getElementById('call-{over}').open = true; document.getElementById('line-{over}').focus()")
    await tab.run(WATCH)

    await say(database, alice, live, 2, "<b>What</b> do you cost?")
    await tab.until(f"!!document.getElementById('turn-{live}-2')")
    assert await tab.run("added") == [f"turn-{live}-2"], "a screen reader would hear the others again"
    assert await tab.run(f"document.getElementById('turn-{live}-2').textContent.includes('<b>What</b>')")

    newer = await answer(database, alice)
    await tab.until(f"!!document.getElementById('call-{newer}')")
    await finish(database, alice, live, 20)
    await tab.until(f"document.getElementById('bill-{live}').textContent.includes('Charged')")
    assert await tab.run(f"document.getElementById('call-{live}').open"), "the call that was read closed as it ended"
    assert await tab.run(f"document.getElementById('call-{over}').open")
    assert await tab.run(f"document.activeElement.id === 'line-{over}'")

    await finish(database, alice, newer, 1)
    await tab.until("!!document.getElementById('watch-5') && !document.getElementById('watch-1')")
    assert tab.complaints == []


async def test_credits_are_bought_on_the_payment_companys_page(
    tab: Tab, database: Database, alice: Person, tmp_path: Path
) -> None:
    async with open_counter(database, tmp_path) as counter, serving(database, counter.gateway) as served:
        pack = await counter.pack(credits=500, price_minor=1900)
        await tab.open(served.address + await link_for(database, alice))
        await tab.run("document.querySelector('form button').click()")
        await tab.until("location.pathname === '/'")
        await tab.open(f"{served.address}/credits")
        await tab.run(f"document.querySelector('input[value=\"{pack.id}\"]').form.querySelector('button').click()")
        # Our page sends the browser on by itself, past the rule that our forms lead to this site only.
        await tab.until(f"location.href.startsWith('{counter.company.api_base}')")
        await tab.run("document.querySelector('button[value=card], input[value=card]').click()")
        await tab.run("(document.querySelector('form button:not([name])') || document.body).click()")
        await tab.until("location.pathname === '/credits/bought'")
        await counter.told()
        # The page looks again by itself until the money is there.
        await tab.until("document.body.textContent.includes('Paid, thank you')")
        assert await tab.run("document.getElementById('wallet').textContent.includes('1,500')")
    assert [line.amount for line in (await lines_of(database, alice))] == [1000, 500]
    assert tab.complaints == []


async def test_a_page_says_that_the_server_is_away_and_goes_on_when_it_is_back(
    served: Served, tab: Tab, database: Database, alice: Person
) -> None:
    await answer(database, alice)
    await tab.open(served.address + await link_for(database, alice))
    await tab.run("document.querySelector('form button').click()")
    await tab.until("location.pathname === '/' && typeof htmx === 'object'")
    await tab.until("!!document.querySelector('[data-elapsed]')")
    assert await tab.run("document.getElementById('away').hidden")

    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    await tab.ask("Network.enable")
    await tab.ask("Network.emulateNetworkConditions", offline=True, **conditions)
    await tab.until("!document.getElementById('away').hidden")
    await tab.ask("Network.emulateNetworkConditions", offline=False, **conditions)
    await tab.until("document.getElementById('away').hidden")

    await tab.ask("Network.clearBrowserCookies")
    await tab.until("!!document.querySelector('main.start')")
