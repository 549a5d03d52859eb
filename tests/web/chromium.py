"""A real browser for the tests, driven over its own debugging protocol; nothing of it is left behind."""

import asyncio
import itertools
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-port=0",
)  # fmt: skip


class NotNow(Exception):
    """The browser cannot do that, often because it is just going from one page to the next."""


class Tab:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        """What the browser wrote to its console: scripts that failed, what the security policy forbade."""

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        number = next(self._numbers)
        await self._socket.send(orjson.dumps({"id": number, "method": method, "params": parameters}).decode())
        while True:
            message = orjson.loads(await asyncio.wait_for(self._socket.recv(), 20))
            if message.get("id") == number:
                if "error" in message:
                    raise NotNow(str(message["error"]))
                return dict(message["result"])
            if message.get("method") == "Log.entryAdded":
                entry = message["params"]["entry"]
                # It also tells what it did as it was asked to, such as emptying its cache.
                if entry["level"] in ("warning", "error"):
                    self.complaints.append(entry["text"])
            if message.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))

    async def run(self, script: str) -> Any:
        """What a piece of JavaScript comes to."""
        answer = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until a piece of JavaScript is true, for half a minute at most. On half a page it is not."""
        careful = f"(() => {{ try {{ return !!({script}) }} catch {{ return false }} }})()"
        async with asyncio.timeout(30):
            while True:
                with suppress(NotNow):
                    if await self.run(careful):
                        return
                await asyncio.sleep(0.05)

    async def open(self, address: str) -> None:
        await self.ask("Page.navigate", url=address)
        await self.until(f"document.readyState === 'complete' && location.href === '{address}'")


@asynccontextmanager
async def open_tab(folder: Path) -> AsyncIterator[Tab]:
    """A browser with one tab, keeping its things in `folder`."""
    assert PROGRAM
    log = folder / "log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *_FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            "about:blank",
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        async with connect(await _first_tab(log), max_size=None) as socket:
            tab = Tab(socket)
            for domain in ("Page", "Runtime", "Log"):
                await tab.ask(f"{domain}.enable")
            yield tab
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


async def _first_tab(log: Path) -> str:
    async with asyncio.timeout(20):
        while not (found := re.search(r"DevTools listening on ws://([^/]+)/", await asyncio.to_thread(log.read_text))):
            await asyncio.sleep(0.05)
        async with httpx.AsyncClient() as client:
            while True:
                tabs = (await client.get(f"http://{found[1]}/json")).json()
                pages = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
                if pages:
                    return str(pages[0])
                await asyncio.sleep(0.05)
