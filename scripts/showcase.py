"""The whole product with something to see in it, for browsers that look at it: `talktime serve --demo` on free ports,
its data in a folder of its own, and the ways in for its customer and its operator.

The one rule: what is started here is ended here, by its own process id.
"""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import httpx

CUSTOMER = "customer"
OPERATOR = "operator"
_STARTS_WITHIN_SECONDS = 180
_STOPS_WITHIN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Showcase:
    """A server that serves."""

    address: str
    home: Path
    links: Mapping[str, str]
    """Where the customer and the operator sign in, once."""
    environment: Mapping[str, str]
    """With it, commands of ours find this server's data."""
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    """The cookies of who has signed in."""

    async def sign_in(self, who: str) -> dict[str, str]:
        """Somebody's session, which is made once: its cookies."""
        if who not in self.sessions:
            self.sessions[who] = await sign_in(self.address, self.links[who])
        return self.sessions[who]

    async def run(self, *command: str) -> str:
        """What a command of ours says, on this server's data."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "talktime", *command,
            env=dict(self.environment), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, said.decode()
        return said.decode()


@asynccontextmanager
async def showcase(home: Path, **settings: str) -> AsyncIterator[Showcase]:
    """Serve for as long as the block, with its data in `home`, a folder that is there; `settings` are variables of the
    environment."""
    port, carrier, gateway = _free_ports(3)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TALKTIME_")},
        "TALKTIME_HOME": str(home),
        "TALKTIME_PORT": str(port),
        "TALKTIME_CARRIER_PORT": str(carrier),
        "TALKTIME_GATEWAY_PORT": str(gateway),
        **settings,
    }
    log = home / "serve.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "talktime", "serve", "--demo", "--drain-seconds", "1",
            env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        said = await _until_it_serves(process, log)
        found = re.findall(r"Sign in as (\S+): (http\S+)", said)
        assert len(found) == 2, said
        links = {OPERATOR if "operator" in email else CUSTOMER: httpx.URL(link).path for email, link in found}
        yield Showcase(f"http://127.0.0.1:{port}", home, links, environment)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOPS_WITHIN_SECONDS)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def sign_in(address: str, link: str) -> dict[str, str]:
    """Sign in with a link, as its reader does: the cookies of a new session."""
    async with httpx.AsyncClient(base_url=address, follow_redirects=True, headers={"accept": "text/html"}) as client:
        page = await client.get(link)
        page.raise_for_status()
        fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        sent = {name: unescape(value) for name, value in fields}
        (await client.post(link, data=sent, headers={"origin": address})).raise_for_status()
        return dict(client.cookies)


async def _until_it_serves(process: asyncio.subprocess.Process, log: Path) -> str:
    """What it said until it had nothing more to say. AssertionError when it ends instead, or takes too long."""
    async with asyncio.timeout(_STARTS_WITHIN_SECONDS):
        while True:
            said = await asyncio.to_thread(log.read_text)
            if "Stop with Ctrl-C." in said:
                return said
            assert process.returncode is None, said
            await asyncio.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


class _Links(HTMLParser):
    """Where a page leads: its links, and its forms that only ask."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.found.append(given["href"] or "")
        if tag == "form" and (given.get("method") or "get").lower() == "get" and given.get("action"):
            self.found.append(given["action"] or "")


def links_of(page: str) -> Sequence[str]:
    """The addresses a page leads to, as they stand in it."""
    parser = _Links()
    parser.feed(page)
    return parser.found


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=[/=-])[0-9]{1,12}\b")
_MONTH = re.compile(r"\b[0-9]{4}-[0-9]{2}(-[0-9]{2})?\b")


def kind_of(address: str) -> str:
    """Which page this is, whoever's it shows: `/calls/{}`. What stands behind the question mark is told by name."""
    path, _, query = address.partition("#")[0].partition("?")
    names = sorted({part.partition("=")[0] for part in query.split("&") if part})
    shape = _MONTH.sub("{}", _ID.sub("{}", path))
    return shape + ("?" + "&".join(names) if names else "")


@dataclass(frozen=True, slots=True)
class Visited:
    """A page that was asked for."""

    address: str
    linked_from: str
    status: int
    kind: str
    """Its media type."""
    seconds: float


async def crawl(
    base: str, cookies: Mapping[str, str], start: Sequence[str], *, each_kind_max: int = 3, pages_max: int = 600
) -> list[Visited]:
    """Visit every page that can be reached from `start` by links, at most so many of each kind."""
    waiting = [(address, "") for address in start]
    known, kinds, visited = set(start), dict[str, int](), list[Visited]()
    async with httpx.AsyncClient(
        base_url=base, cookies=dict(cookies), headers={"accept": "text/html"}, follow_redirects=True, timeout=30
    ) as client:
        while waiting and len(visited) < pages_max:
            address, linked_from = waiting.pop(0)
            answer = await client.get(address)
            media = answer.headers.get("content-type", "").partition(";")[0]
            here = str(answer.url)
            visited.append(Visited(address, linked_from, answer.status_code, media, answer.elapsed.total_seconds()))
            if media != "text/html" or not here.startswith(base):
                continue
            for link in links_of(answer.text):
                url = httpx.URL(here).join(link)
                if not str(url).startswith(base + "/") or str(url.path).startswith("/language/"):
                    continue
                found = url.raw_path.decode()
                if found in known:
                    continue
                known.add(found)
                kind = kind_of(found)
                kinds[kind] = kinds.get(kind, 0) + 1
                if kinds[kind] <= each_kind_max:
                    waiting.append((found, address))
    return visited


def one_of_each(visited: Sequence[Visited]) -> list[str]:
    """Of each kind of page that was shown one address, in the order in which they were found."""
    found: dict[str, str] = {}
    for each in visited:
        if each.kind == "text/html" and each.status == 200:
            found.setdefault(kind_of(each.address), each.address)
    return list(found.values())
