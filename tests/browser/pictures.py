"""Pictures of where a journey has come to: in both themes and both widths, kept where whoever ran the tests looks.

They are written into `screenshots/journeys`, or to where TALKTIME_PICTURES says.
"""

import os
import re
from pathlib import Path

from playwright.async_api import Page

FOLDER = Path(os.environ.get("TALKTIME_PICTURES", "screenshots/journeys"))
_WIDTHS = {1280: 900, 390: 844}


async def picture(page: Page, journey: str, step: str) -> None:
    """Look at the page as it is now, four times, and leave it as it was."""
    before = page.viewport_size
    assert before is not None
    was_dark = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    name = re.sub(r"[^a-z0-9]+", "-", f"{journey}-{step}".lower())
    for theme in ("light", "dark"):
        for width, height in _WIDTHS.items():
            await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            await page.set_viewport_size({"width": width, "height": height})
            await page.screenshot(path=FOLDER / f"{name}-{theme}-{width}.png", full_page=True)
    await page.emulate_media(color_scheme="dark" if was_dark else "light")
    await page.set_viewport_size(before)
