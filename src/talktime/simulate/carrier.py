"""The simulated phone company: a program of its own that rings our server as Twilio does.

It runs as a task inside a process (`async with SimulatedCarrier(...)`) or by itself (`python -m
talktime.simulate.carrier`), outlives the server it rings, and binds loopback only. The one rule: when it closes, every
call, socket and task of it is gone.
"""

import argparse
import asyncio
import contextlib
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Self

import httpx

from talktime.carriers.simulated import SimulatedAccount
from talktime.settings import Settings
from talktime.simulate.dialled import Dialled
from talktime.simulate.doors import application
from talktime.simulate.legs import Event, Leg
from talktime.simulate.numbers import NumberBooks
from talktime.simulate.orders import Order
from talktime.simulate.outgoing import Outgoing
from talktime.simulate.pacer import Pacer
from talktime.simulate.post import Post
from talktime.simulate.server import listen, serve, until_stopped
from talktime.simulate.twiml import Verb

DEMO_NUMBER = "+442079460958"
"""What an installation has to begin with: the demo's customer has it."""
DEMO_FREE_NUMBERS = (
    "+442079460137",
    "+442079460248",
    "+442079460651",
    "+441614960372",
    "+493023125410",
    "+493023125620",
)
"""What it has besides, for whoever signs up: all from the ranges that Britain and Germany keep for fiction."""
LEGS_KEPT = 10_000
"""Calls that are over and that the API still knows."""


class SimulatedCarrier:
    """One account's phone company."""

    def __init__(self, account: str, token: str, port: int = 0, *, control_secret: str) -> None:
        """Port 0 takes a free one; `port` tells which, once it runs."""
        if not (account and token and control_secret):
            raise ValueError("the simulated carrier needs an account, its token and a secret for its control door")
        self.account = account
        self.token = token
        self.control_secret = control_secret
        self.port = port
        self.numbers = NumberBooks()
        self.outcomes: dict[str, str] = {}
        """What becomes of calls that the account places to these numbers; a person picks up elsewhere."""
        self.said: dict[str, list[str]] = {}
        """What was said on such calls, by the number of whoever heard it."""
        self._legs: OrderedDict[str, Leg | Dialled | Outgoing] = OrderedDict()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stack = contextlib.AsyncExitStack()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The one that belongs to an installation."""
        account = SimulatedAccount.of(settings)
        company = cls(
            account.account_sid, account.auth_token, settings.carrier_port, control_secret=account.control_secret
        )
        # What was bought in a demo is there when it begins again.
        company.numbers = NumberBooks(settings.home / "simulated-numbers.json")
        doors = f"{settings.base_url}/hooks/simulated"
        at_first = [] if company.numbers.all() else [DEMO_NUMBER]
        if not any(company.numbers.by_number(number) for number in DEMO_FREE_NUMBERS):
            at_first += DEMO_FREE_NUMBERS
        for number in at_first:
            company.numbers.put(number, voice_url=f"{doors}/ring", status_callback=f"{doors}/report")
        return company

    @property
    def api_base(self) -> str:
        """Where its API and its control door are."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Raises OSError when the port is taken."""
        async with contextlib.AsyncExitStack() as stack:
            self._pacer = Pacer()
            stack.callback(self._pacer.close)
            limits = httpx.Limits(max_connections=500, max_keepalive_connections=20)
            client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, limits=limits))
            self._post = Post(self.account, self.token, client)
            listener = listen(self.port)
            self.port = listener.getsockname()[1]
            await stack.enter_async_context(serve(application(self), listener))
            stack.push_async_callback(self._drop_all)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()

    async def place(self, order: Order) -> AsyncGenerator[Event, None]:
        """Make a call, and tell what happens until it is over and its reports are settled.

        Every event has `event`, its name, and `at`, seconds since the call was placed; an event may become known a
        little after its time. They are: placed, ringing, ring_answered, ring_repeated, answered, announced, forwarded,
        stream_opened, stream_closed, second_socket, garbage_sent, fault, caller_says, caller_spoke_until, digit,
        agent_audio_begins (`answer_ms` after the caller's last loud frame), agent_audio_ends (`stopped_after_ms` after
        the caller began to interrupt), agent_interrupted, mark, mark_lost, hung_up, ended, report, report_failed,
        report_dropped, error, and dropped when the phone company itself closes. Of a call that is forwarded: leg_ended,
        leg_report, leg_report_failed, leg_report_dropped, leg_error.

        `ended` is the call's last; only reports come after it. Whoever stops listening before hangs up.
        Raises BadInput before the first event when the order cannot be carried out.
        """
        leg = Leg(order, self._post, self._pacer, self._keep)
        self._keep(leg)
        running = asyncio.create_task(leg.run())
        self._running[leg.record.sid] = running
        running.add_done_callback(lambda _task: self._running.pop(leg.record.sid, None))
        try:
            while (event := await leg.events.get()) is not None:
                yield event
        finally:
            leg.hang_up("caller")
        await asyncio.wait({running})
        if not running.cancelled():
            running.result()  # an error of ours is raised here, not lost

    def call_out(self, caller: str, dialled: str, verbs: list[Verb], *, ring_seconds: int, limit: int) -> Outgoing:
        """A call that the account places itself; it goes on by itself."""
        call = Outgoing(self.account, caller, dialled, verbs, ring_seconds=ring_seconds, limit=limit)
        self._keep(call)
        owned, outcome = self.numbers.by_number(dialled), self.outcomes.get(dialled, "answered")
        heard = self.said.setdefault(dialled, []).extend
        running = asyncio.create_task(call.run(self.place, owned, outcome, heard))
        self._running[call.record.sid] = running
        running.add_done_callback(lambda _task: self._running.pop(call.record.sid, None))
        return call

    def heard(self, number: str) -> list[str]:
        """What was said to whoever has this number, oldest first."""
        return list(self.said.get(number, ()))

    def leg(self, sid: str) -> Leg | Dialled | Outgoing | None:
        """A call by its name, also one that is over."""
        return self._legs.get(sid)

    def legs_of(self, sid: str) -> list[Dialled]:
        """What a call was forwarded on, newest first."""
        return [leg for leg in reversed(self._legs.values()) if isinstance(leg, Dialled) and leg.record.parent == sid]

    def live(self) -> int:
        """How many calls are going on, or still being reported."""
        return len(self._running)

    def _keep(self, leg: Leg | Dialled | Outgoing) -> None:
        self._legs[leg.record.sid] = leg
        while len(self._legs) > LEGS_KEPT:
            oldest = next((sid for sid, kept in self._legs.items() if kept.record.state.is_over), None)
            if oldest is None:
                break
            del self._legs[oldest]

    async def _drop_all(self) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


# As a program of its own.


def main(arguments: list[str] | None = None) -> None:
    """Without arguments: the carrier of this installation, by its settings. Secrets come from a file or the
    environment, never from the command line, where every user of the machine could read them."""
    parser = argparse.ArgumentParser(prog="python -m talktime.simulate.carrier", description=main.__doc__)
    parser.add_argument("--port", type=int, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--account", help="account SID, AC…")
    parser.add_argument("--token-file", type=Path, help="the account's auth token (or SIMULATED_CARRIER_TOKEN)")
    parser.add_argument("--control-file", type=Path, help="the control door's secret (or SIMULATED_CARRIER_CONTROL)")
    given = parser.parse_args(arguments)
    token = _secret(given.token_file, "SIMULATED_CARRIER_TOKEN")
    control = _secret(given.control_file, "SIMULATED_CARRIER_CONTROL")
    if given.account or token or control:
        if not (given.account and token and control):
            parser.error("give the account, its token and the control door's secret, or none of the three")
        carrier = SimulatedCarrier(given.account, token, given.port or 0, control_secret=control)
    else:
        carrier = SimulatedCarrier.of(Settings())
        carrier.port = carrier.port if given.port is None else given.port
    asyncio.run(until_stopped(carrier))


def _secret(path: Path | None, variable: str) -> str:
    return path.read_text().strip() if path is not None else os.environ.get(variable, "")


if __name__ == "__main__":
    main()
