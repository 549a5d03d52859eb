"""A phone line for tests: what speech is after 8 kHz µ-law, and the demo agent at a known moment."""

from datetime import UTC, datetime

import numpy as np

from talktime.agents import demo
from talktime.agents.content import Content
from talktime.agents.prompt import brief_of, moment_of
from talktime.simulate.sound import read_wav, ulaw_of
from talktime.simulate.wavs import path
from talktime.speech.contract import BYTES_PER_MS, Brief, CallTool, Message, Moment, Say, Thinker, Tool
from talktime.speech.elevenlabs import pcm_of

BRIEF = brief_of(
    Content(
        business=demo.BUSINESS,
        language=demo.LANGUAGE,
        zone=demo.ZONE,
        greeting=demo.GREETING,
        instructions=demo.INSTRUCTIONS,
        knowledge=demo.ENTRIES,
        hours=demo.HOURS,
        phrases=demo.PHRASES,
    ),
    "demo:1",
)
MONDAY = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
MOMENT = moment_of(demo.HOURS, demo.ZONE, "en", MONDAY)
TOOLS = (
    Tool("hang_up", "End the call.", {"type": "object", "properties": {}}),
    Tool(
        "take_message",
        "Take a message.",
        {"type": "object", "properties": {"name": {"type": "string"}, "message": {"type": "string"}}},
    ),
)


def over_the_phone(pcm: bytes) -> bytes:
    """A sentence as it arrives: half as loud, in µ-law, with silence before and after."""
    quieter = (np.frombuffer(pcm, "<i2").astype(np.float32) / 2).astype("<i2").tobytes()
    silence = b"\x00" * BYTES_PER_MS
    return pcm_of(ulaw_of(silence * 300 + quieter + silence * 500))


def recording(name: str) -> bytes:
    return over_the_phone(read_wav(path(name)))


async def turn(
    thinker: Thinker,
    text: str,
    before: tuple[Message, ...] = (),
    *,
    brief: Brief = BRIEF,
    moment: Moment = MOMENT,
    tools: tuple[Tool, ...] = TOOLS,
) -> list[Say | CallTool]:
    """What is answered to one more line of the caller."""
    return [piece async for piece in thinker.reply(brief, moment, (*before, Message("caller", text)), tools)]


def said(pieces: list[Say | CallTool]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Say)).strip()


def sources(pieces: list[Say | CallTool]) -> set[str]:
    return {source for piece in pieces if isinstance(piece, Say) for source in piece.sources}


def called(pieces: list[Say | CallTool]) -> list[str]:
    return [piece.name for piece in pieces if isinstance(piece, CallTool)]
