"""The simulated payment company's page, as a browser gets it, and in a real browser."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from talktime.gateways.contract import NoticeKind
from talktime.simulate.gateway_deeds import Means, Settle
from talktime.simulate.server import listen, serve
from tests.gateways.shop import Shop
from tests.web.chromium import PROGRAM, Tab, open_tab

K = NoticeKind


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
        yield client


async def test_the_page_says_what_is_bought_and_that_no_money_moves(shop: Shop, browser: httpx.AsyncClient) -> None:
    checkout = await shop.checkout(name="<b>1,000</b> credits & more")
    page = await browser.get(checkout.url)
    assert page.status_code == 200
    assert "Simulated payment company: no money moves" in page.text
    assert "&lt;b&gt;1,000&lt;/b&gt; credits &amp; more" in page.text
    assert "€20.00" in page.text
    assert "alice@example.org" in page.text
    assert 'href="http://127.0.0.1:9/credits"' in page.text
    assert "<script" not in page.text
    assert re.findall(r'value="(\w+)"', page.text) == [
        Means.CARD,
        Means.AUTHENTICATION,
        Means.DECLINED,
        Means.DEBIT,
        Means.DEBIT_FAILS,
    ]


async def test_the_policy_of_the_page_lets_its_form_go_back_to_the_shop_only(
    shop: Shop, browser: httpx.AsyncClient
) -> None:
    page = await browser.get((await shop.checkout()).url)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:9" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"


async def test_a_card_pays_and_the_buyer_is_sent_back(shop: Shop, browser: httpx.AsyncClient) -> None:
    checkout = await shop.checkout()
    answer = await browser.post(checkout.url, data={"how": "card"})
    back = f"http://127.0.0.1:9/bought?checkout={checkout.id}"
    assert (answer.status_code, answer.headers["location"]) == (303, back)
    assert [each.kind for each in await shop.heard()] == [K.PAID]
    # Again: the page, and the button of a page that was still open.
    for again in (await browser.get(checkout.url), await browser.post(checkout.url, data={"how": "card"})):
        assert "This is paid" in again.text
        assert back in again.text
    assert len(await shop.heard()) == 1


async def test_a_declined_card_is_told_and_another_can_be_chosen(shop: Shop, browser: httpx.AsyncClient) -> None:
    checkout = await shop.checkout()
    declined = await browser.post(checkout.url, data={"how": "declined"})
    assert declined.status_code == 402
    assert "was declined" in declined.text
    assert await shop.heard() == []
    assert (await browser.post(checkout.url, data={"how": "card"})).status_code == 303
    assert [each.kind for each in await shop.heard()] == [K.PAID]


async def test_a_bank_asks_and_is_answered(shop: Shop, browser: httpx.AsyncClient) -> None:
    checkout = await shop.checkout()
    asks = await browser.post(checkout.url, data={"how": "authentication"})
    assert "is it you who pays" in asks.text
    assert "is it you who pays" in (await browser.get(checkout.url)).text
    refused = await browser.post(checkout.url, data={"how": "refuse"})
    assert (refused.status_code, "did not confirm" in refused.text) == (402, True)
    assert await shop.heard() == []
    await browser.post(checkout.url, data={"how": "authentication"})
    assert (await browser.post(checkout.url, data={"how": "confirm"})).status_code == 303
    assert [each.kind for each in await shop.heard()] == [K.PAID]


@pytest.mark.parametrize(("how", "succeeds"), [("debit", True), ("debit_fails", False)])
async def test_a_bank_debit_is_on_its_way(shop: Shop, browser: httpx.AsyncClient, how: str, succeeds: bool) -> None:
    checkout = await shop.checkout()
    assert (await browser.post(checkout.url, data={"how": how})).status_code == 303
    assert "on its way" in (await browser.get(checkout.url)).text
    now = await shop.gateway.fetch_checkout(checkout.id)
    assert now is not None
    await shop.control.do(Settle(payment=str(now.payment_id), succeeds=succeeds))
    assert ("This is paid" if succeeds else "debit failed") in (await browser.get(checkout.url)).text


async def test_a_checkout_that_is_over_or_unknown_takes_nothing(shop: Shop, browser: httpx.AsyncClient) -> None:
    checkout = await shop.checkout()
    await shop.gateway.expire_checkout(checkout.id)
    for answer in (await browser.get(checkout.url), await browser.post(checkout.url, data={"how": "card"})):
        assert (answer.status_code, "has expired" in answer.text) == (410, True)
    for unknown in ("cs_test_unknown", "<script>", "%00"):
        assert (await browser.get(f"{shop.company.api_base}/c/pay/{unknown}")).status_code == 404
    assert [each.kind for each in await shop.heard()] == [K.EXPIRED]


@pytest.mark.parametrize("form", [{}, {"how": ""}, {"how": "gold"}, {"how": "confirm"}, {"other": "card"}])
async def test_a_form_of_another_form_pays_nothing(
    shop: Shop, browser: httpx.AsyncClient, form: dict[str, str]
) -> None:
    checkout = await shop.checkout()
    answer = await browser.post(checkout.url, data=form)
    assert answer.status_code in (200, 422)
    assert await shop.heard() == []


async def test_amounts_of_all_currencies_are_written_right(shop: Shop, browser: httpx.AsyncClient) -> None:
    for minor, currency, text in ((500, "JPY", "¥500"), (5120, "KWD", "5.120"), (700, "ISK", "700")):
        page = await browser.get((await shop.checkout(price_minor=minor, currency=currency)).url)
        assert text in page.text


# In a real browser.


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    if PROGRAM is None:
        pytest.skip("no Chromium is installed")
    async with open_tab(tmp_path) as tab:
        yield tab


@pytest.fixture
async def home() -> AsyncIterator[str]:
    """Where buyers come from and go back to: another origin than the page."""

    async def bought(_request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>Thank you</title><link rel=icon href='data:,'>")

    listener = listen(0)
    async with serve(Starlette(routes=[Route("/{page}", bought)]), listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_it_is_paid_in_a_browser_without_scripts(
    shop: Shop, tab: Tab, home: str, width: int, scheme: str
) -> None:
    await tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    await tab.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    size = {"width": width, "height": 860, "deviceScaleFactor": 1, "mobile": width < 500}
    await tab.ask("Emulation.setDeviceMetricsOverride", **size)
    urls = {"success_url": f"{home}/bought?c={{CHECKOUT_SESSION_ID}}", "cancel_url": f"{home}/credits"}
    checkout = await shop.checkout(save_card=True, **urls)
    await tab.open(checkout.url)
    assert await tab.run("document.documentElement.scrollWidth <= innerWidth")
    for means, then in (("declined", "[role=alert]"), ("authentication", "[value=confirm]")):
        await tab.run(f"document.querySelector('[value={means}]').click()")
        await tab.run("document.querySelector('form button').click()")
        await tab.until(f"document.readyState === 'complete' && document.querySelector('{then}')")
    await tab.run("document.querySelector('[value=confirm]').click()")
    await tab.until(f"location.href === '{home}/bought?c={checkout.id}' && document.title === 'Thank you'")
    assert [each.kind for each in await shop.heard()] == [K.PAID]
    # What was refused with 402 on purpose is all that the browser may complain of.
    assert [each for each in tab.complaints if "402" not in each] == []


async def test_whoever_cancels_goes_back_and_can_come_again(shop: Shop, tab: Tab, home: str) -> None:
    checkout = await shop.checkout(success_url=f"{home}/bought", cancel_url=f"{home}/credits")
    await tab.open(checkout.url)
    await tab.run("document.querySelector('a.back').click()")
    await tab.until(f"location.href === '{home}/credits'")
    assert await shop.heard() == []
    await tab.open(checkout.url)
    await tab.run("document.querySelector('form button').click()")
    await tab.until(f"location.href === '{home}/bought'")
    assert [each.kind for each in await shop.heard()] == [K.PAID]
