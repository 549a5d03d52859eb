"""What every page that keeps itself up to date has in common: the name of what it shows, and what it hears once its
session is over.
"""

from fastapi import Response

from talktime.web.words import Clock


def stamp(version: str, clock: Clock) -> str:
    """With the minute in it: "open until six" and "yesterday" change by themselves."""
    return f"{version}-{int(clock.now.timestamp()) // 60}"


def come_back() -> Response:
    """The session has ended while the page was open: load it anew, which shows how to get in."""
    return Response(status_code=204, headers={"hx-refresh": "true"})
