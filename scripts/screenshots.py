"""`make screenshots`: every page in both themes and two widths, as pictures for a person to look at.

Serves the demo with something in it, follows every link as a visitor, as the customer and as the operator, and writes
one picture of each kind of page: `screenshots/customer/calls-light-1280.png`. What stood in the folder is taken away.
"""

import argparse
import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, async_playwright

from scripts.showcase import CUSTOMER, OPERATOR, Showcase, crawl, kind_of, one_of_each, showcase

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAYS = [(theme, width) for theme in ("light", "dark") for width in (1280, 390)]
STARTS: dict[str, list[str]] = {
    "visitor": ["/", "/sign-up"],
    CUSTOMER: ["/", "/begin"],
    OPERATOR: ["/operator", "/design", "/"],
}


def main() -> int:
    """Exit code 1 without a Chromium."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", help="Only these pages, such as /calls; else every one that is linked to.")
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--who", choices=[*STARTS], help="Only as this reader.")
    parser.add_argument("--language", choices=["en", "de"], default="en", help="What the visitor's browser asks for.")
    asked = parser.parse_args()
    if PROGRAM is None:
        print("No Chromium is installed: apt-get install chromium", file=sys.stderr)
        return 1
    asyncio.run(_take(asked.out, [asked.who] if asked.who else [*STARTS], asked.paths, asked.language))
    return 0


async def _take(out: Path, readers: Sequence[str], paths: Sequence[str], language: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        async with showcase(Path(home)) as served, async_playwright() as playwright:
            await served.run("call", "--say", "what are your opening hours")
            chromium = await playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"])
            for who in readers:
                folder = out / who
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                cookies = await served.sign_in(who) if who != "visitor" else {}
                pages = paths or one_of_each(await crawl(served.address, cookies, STARTS[who]))
                ways = [
                    (f"-{theme}-{width}.png", await _context(chromium, served, cookies, theme, width, language))
                    for theme, width in WAYS
                ]
                await asyncio.gather(*(_pictures(context, folder, pages, ending) for ending, context in ways))
                print(f"{len(pages)} pages as {who}: {folder}")
            await chromium.close()


async def _context(chromium: Browser, served: Showcase, cookies: dict[str, str], *way: str | int) -> BrowserContext:
    theme, width, language = way
    context = await chromium.new_context(
        base_url=served.address,
        viewport={"width": int(width), "height": 900 if int(width) > 600 else 844},
        color_scheme="dark" if theme == "dark" else "light",
        locale="de-DE" if language == "de" else "en-GB",
        reduced_motion="reduce",
    )
    await context.add_cookies([{"name": n, "value": v, "url": served.address} for n, v in cookies.items()])
    return context


async def _pictures(context: BrowserContext, folder: Path, pages: Sequence[str], ending: str) -> None:
    page = await context.new_page()
    for address in pages:
        await page.goto(address)
        await page.screenshot(path=folder / f"{_name(address)}{ending}", full_page=True)
    await context.close()


def _name(address: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", kind_of(address).replace("{}", "one").lower()).strip("-") or "first"


if __name__ == "__main__":
    sys.exit(main())
