"""What can be seen of the focus: that it is somewhere, in sight, uncovered, and that its ring is whole and stands out.

The one rule: what is looked at is what is painted, so a way of showing the focus may change as it likes.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.async_api import Locator, Page

_LOOK = Path(__file__).with_name("focus.js").read_text(encoding="utf-8")


async def unseen_on(page: Page) -> Sequence[str]:
    """Where on a page the focus could not be seen."""
    return list(await page.evaluate(f"({_LOOK})().everyStop()"))


class Keyboard:
    """Somebody who has no mouse: each stop on their way must be in sight, uncovered, and told by its ring."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.press = page.keyboard.press

    async def to(self, target: Locator, *, back: bool = False, stops_max: int = 100) -> None:
        """Tab until `target` has the focus. AssertionError when it cannot be reached, or a stop cannot be seen."""
        await self.page.wait_for_load_state()
        stops: list[str] = []
        for _ in range(stops_max):
            await self.press("Shift+Tab" if back else "Tab")
            stop = await self.page.evaluate(f"({_LOOK})().stop()")
            stops.append(stop["name"] if stop else "")
            # Past the last stop the focus is the browser's own, and comes back at the other end.
            assert stops[-2:] != ["", ""], f"the focus is lost after {stops}"
            if stops.count("") == 2:
                break
            assert not stop or not stop["wrong"], f"{stop['name']} {stop['wrong']}"
            if await target.evaluate_all("(all) => all.includes(document.activeElement)"):
                return
        raise AssertionError(f"{target} is not reached by {stops}")

    async def write(self, label: str | re.Pattern[str], text: str) -> None:
        """Go to a field, and write this instead of what stands there."""
        await self.to(self.page.get_by_label(label).and_(self.page.locator("input, textarea")))
        await self.press("Control+A")
        await self.page.keyboard.type(text)

    async def go(self, role: Literal["button", "link"], name: str | re.Pattern[str]) -> None:
        """Press what leads to another page, and wait for that."""
        await self.to(self.page.get_by_role(role, name=name, exact=True))
        await self.leave()

    async def leave(self) -> None:
        """Press Enter where it leads to another page, and wait for that."""
        async with self.page.expect_navigation():
            await self.press("Enter")
