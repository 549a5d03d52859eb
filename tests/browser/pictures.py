"""Pictures of where a journey has come to, kept where whoever ran the tests looks: a journey goes in both themes and
both widths, and so do its pictures.

They are written into `screenshots/journeys`, or to where TALKTIME_PICTURES says.
"""

import os
import re
from pathlib import Path

from playwright.async_api import Page

FOLDER = Path(os.environ.get("TALKTIME_PICTURES", "screenshots/journeys"))


async def picture(page: Page, journey: str, step: str) -> None:
    """Look at the page as it is now."""
    assert page.viewport_size is not None
    theme = "dark" if await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    name = re.sub(r"[^a-z0-9]+", "-", f"{journey}-{step}".lower())
    await page.screenshot(path=FOLDER / f"{name}-{theme}-{page.viewport_size['width']}.png", full_page=True)
