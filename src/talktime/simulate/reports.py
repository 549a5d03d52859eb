"""The reports of one call: signed, numbered, repeated until they are taken, and bent on demand.

The one rule: a report's token and number stay the same over all its repetitions, so that whoever gets it twice can
know.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from talktime.simulate.orders import Faults
from talktime.simulate.post import Post
from talktime.simulate.stream import Emit

RETRY_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits between the tries; half a minute in all, which a server needs to come back."""


@dataclass(frozen=True, slots=True)
class _Report:
    status: str
    fields: Mapping[str, str]
    token: str


class Reports:
    """Sends in the background; `settle` waits for the end of it."""

    def __init__(self, url: str, post: Post, faults: Faults, emit: Emit) -> None:
        self._url = url
        self._post = post
        self._faults = faults
        self._emit = emit
        self._sequence = 0
        self._held: list[_Report] = []
        self._deliveries: list[asyncio.Task[None]] = []
        self._muted = False
        self._tried: asyncio.Event | None = None
        """Set when the newest report was tried once."""

    def add(self, status: str, fields: Mapping[str, str], *, last: bool) -> None:
        """Report that the call is now in this status."""
        numbered = {**fields, "CallStatus": status, "SequenceNumber": str(self._sequence)}
        self._sequence += 1
        if not self._url or self._muted:
            return
        dropped = self._faults.reports_dropped
        if "*" in dropped or status in dropped:
            self._emit("report_dropped", status=status)
        else:
            self._held.append(_Report(status, numbered, str(uuid.uuid4())))
        if self._faults.reports_reversed:
            if not last:
                return
            self._held.reverse()
        for report in self._held:
            self._start(report)
        self._held.clear()

    def mute(self) -> None:
        """Nothing more is reported; what is under way ends."""
        self._muted = True
        self.cancel()

    def cancel(self) -> None:
        """Give up what is under way."""
        for delivery in self._deliveries:
            delivery.cancel()

    async def settle(self) -> None:
        """Wait until every report was taken, or given up."""
        results = await asyncio.gather(*self._deliveries, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _start(self, report: _Report) -> None:
        # The first try of each comes after the first try of the one before; repetitions may overtake.
        before, tried = self._tried, asyncio.Event()
        self._tried = tried
        self._deliveries.append(asyncio.create_task(self._deliver(report, before, tried)))

    async def _deliver(self, report: _Report, before: asyncio.Event | None, tried: asyncio.Event) -> None:
        try:
            if before is not None:
                await before.wait()
            await asyncio.sleep(self._faults.reports_delay_seconds)
            for copy in range(self._faults.report_copies):
                await self._repeat_until_taken(report, copy, tried)
        finally:
            tried.set()

    async def _repeat_until_taken(self, report: _Report, copy: int, tried: asyncio.Event) -> None:
        problem = ""
        for number, wait in enumerate((*RETRY_SECONDS, 0.0), 1):
            try:
                headers = {"I-Twilio-Idempotency-Token": report.token}
                response = await self._post.send(self._url, report.fields, self._faults, headers)
                problem = "" if response.status_code < 500 else f"HTTP {response.status_code}"
            except httpx.HTTPError as error:
                response, problem = None, type(error).__name__
            tried.set()
            if not problem and response is not None:
                self._emit("report", status=report.status, answer=response.status_code, tries=number, copy=copy)
                return
            self._emit("report_failed", status=report.status, problem=problem, tries=number)
            if number <= len(RETRY_SECONDS):
                await asyncio.sleep(wait)
        self._emit("error", what="report", status=report.status, message=f"given up: {problem}")
