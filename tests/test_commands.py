"""The commands, as a person types them: what they print, how they end, and what they say when they cannot."""

import asyncio
import json
import os
import socket
import sys
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from talktime.db import embedded
from talktime.settings import Settings
from talktime.simulate import wavs
from talktime.simulate.carrier import DEMO_FREE_NUMBERS
from tests.house import free_ports

pytestmark = pytest.mark.xdist_group("commands")


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """An installation of its own, and a person typing."""

    settings: Settings

    async def types(self, *words: str, **environment: str) -> Said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "talktime", *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(Path.home()),
                "TALKTIME_HOME": str(self.settings.home),
                "TALKTIME_PORT": str(self.settings.port),
                "TALKTIME_CARRIER_PORT": str(self.settings.carrier_port),
                **environment,
            },
        )  # fmt: skip
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), err.decode())


@pytest.fixture(scope="module")
async def terminal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Terminal]:
    home = Path(tmp_path_factory.mktemp("terminal"))
    port, carrier_port = free_ports(2)
    yield Terminal(Settings(home=home, port=port, simulated_carrier_port=carrier_port))
    await asyncio.to_thread(embedded.discard, home)


async def test_an_evening_at_the_terminal(terminal: Terminal, tmp_path: Path) -> None:
    await a_call_without_a_server_serves_for_itself_and_prints_one_document(terminal)
    await a_recording_and_a_script_can_be_the_caller(terminal, tmp_path)
    await the_books_are_right_afterwards(terminal)
    await people_and_numbers(terminal)


async def a_call_without_a_server_serves_for_itself_and_prints_one_document(terminal: Terminal) -> None:
    said = await terminal.types("call", "--json", "--say", "what are your opening hours")
    assert said.code == 0, said.err
    call = said.document
    agent = " ".join(turn["text"] for turn in call["transcript"] if turn["speaker"] == "AGENT")
    assert "nine in the morning" in agent
    assert "six in the evening" in agent
    latencies = [turn["latency_ms"] for turn in call["transcript"] if turn["latency_ms"]]
    assert latencies
    assert all(0 < latency["first_audio"] < 5000 for latency in latencies)
    receipt = call["receipt"]
    steps = -(-max(0, receipt["seconds"] - 60) // 60)
    assert receipt["billable_seconds"] == 60 + 60 * steps
    assert receipt["charged"] == 15 * receipt["billable_seconds"] // 60
    assert sum(line["amount"] for line in receipt["lines"]) == -receipt["charged"]
    assert receipt["lines"][-1]["balance_after"] == 1000 - receipt["charged"]


async def a_recording_and_a_script_can_be_the_caller(terminal: Terminal, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    steps = [
        {"do": "wait_for_agent"},
        {"do": "say", "text": "parking", "wav": str(wavs.path("parking"))},
        {"do": "wait_for_agent"},
        {"do": "hang_up"},
    ]
    script.write_text(json.dumps(steps))
    scripted = await terminal.types("call", "--script", str(script))
    assert scripted.code == 0, scripted.err
    assert "car park" in scripted.out
    assert "charged: 15 credits" in scripted.out
    recorded = await terminal.types("call", "--json", "--wav", str(wavs.path("checkup-price")))
    assert any("forty five pounds" in turn["text"] for turn in recorded.document["transcript"])


async def the_books_are_right_afterwards(terminal: Terminal) -> None:
    said = await terminal.types("ledger", "verify", "--full")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("The books are right: 1 accounts, 4 lines")
    assert (await terminal.types("ledger", "verify", "--json")).document["violations"] == []


async def test_a_number_that_nobody_answers_ends_with_one(terminal: Terminal) -> None:
    said = await terminal.types("call", "--number", "+1 212 555 0199", "--say", "hello")
    assert said.code == 1
    assert "not in service" in said.out


async def people_and_numbers(terminal: Terminal) -> None:
    numbers = (await terminal.types("numbers", "list", "--json")).document
    taken = [row["number"] for row in numbers if row["status"] == "ASSIGNED"]
    free = [row["number"] for row in numbers if row["status"] == "AVAILABLE"]
    assert (taken, free) == (["+442079460958"], sorted(DEMO_FREE_NUMBERS))
    assert "Rose Lane Dental" in (await terminal.types("numbers", "list")).out
    link = await terminal.types("users", "sign-in", "Front.Desk@rose-lane.example")
    assert link.out.startswith(f"http://127.0.0.1:{terminal.settings.port}/sign-in/")
    nobody = await terminal.types("users", "sign-in", "nobody@example.org")
    assert (nobody.code, nobody.err) == (1, "talktime: Nobody here has the address or the id nobody@example.org.\n")


@pytest.mark.parametrize(
    ("words", "environment", "says"),
    [
        (("call", "--say", "a", "--wav", "{wav}"), {}, "Give only one of --say, --script and --wav."),
        (("call", "--number", "12"), {}, "not a phone number"),
        (("call", "--script", "{text}"), {}, "cannot be used"),
        (("call", "--wav", "{text}"), {}, "WAV"),
        (("serve",), {}, "TALKTIME_SECRET_KEY"),
        (("serve", "--only", "kitchen"), {}, "There is no part named kitchen"),
        (("serve", "--demo"), {"TALKTIME_PORT": "not a port"}, "TALKTIME_PORT"),
        (("serve", "--demo"), {"TALKTIME_SECRET_KEY": "short"}, "TALKTIME_SECRET_KEY"),
        (("serve", "--demo"), {"TALKTIME_PORT": "taken"}, "cannot be used (Address already in use)"),
    ],
)
async def test_what_cannot_be_is_said_in_one_line(
    terminal: Terminal, tmp_path: Path, words: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    text = tmp_path / "words.txt"
    text.write_text("not what was meant")
    filled = [word.format(wav=wavs.path("parking"), text=text) for word in words]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if environment.get("TALKTIME_PORT") == "taken":
            environment = {"TALKTIME_PORT": str(taken.getsockname()[1])}
        said = await terminal.types(*filled, **environment)
    assert said.code in (1, 2)
    assert says in said.err
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) == 1


async def test_a_command_on_an_empty_database_says_what_to_do(tmp_path: Path) -> None:
    port, carrier_port = free_ports(2)
    terminal = Terminal(Settings(home=tmp_path / "empty", port=port, simulated_carrier_port=carrier_port))
    try:
        said = await terminal.types("ledger", "verify")
        assert (said.code, said.out) == (1, "")
        assert "talktime db deploy" in said.err
        assert (await terminal.types("db", "deploy")).code == 0
        assert (await terminal.types("ledger", "verify")).out.startswith("The books are right: 0 accounts")
        assert (await terminal.types("db", "status")).code == 0
    finally:
        await asyncio.to_thread(embedded.discard, tmp_path / "empty")


async def test_a_recording_of_another_form_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(b"\0" * 400)
    said = await terminal.types("call", "--wav", str(path))
    assert said.code == 1
    assert "8,000" in said.err or "8000" in said.err


@pytest.mark.parametrize(
    "words", [(), ("call",), ("serve",), ("db",), ("db", "diff"), ("ledger", "verify"), ("users",), ("numbers",)]
)
async def test_every_command_helps(terminal: Terminal, words: tuple[str, ...]) -> None:
    said = await terminal.types(*words, "--help")
    assert said.code == 0
    assert "Usage" in said.out
