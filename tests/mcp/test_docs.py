"""docs/mcp.md is true: its settings can be read, and what they start with is known."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from talktime.cli.mcp import mcp

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mcp.md").read_text()
BLOCKS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_settings_for_assistants_are_understood(block: str) -> None:
    settings: dict[str, Any] = json.loads(block)
    server = (settings.get("mcpServers") or settings["servers"])["talktime"]
    assert server["command"] == "talktime"
    assert server["args"][0] == "mcp"
    application = typer.Typer(add_completion=False)
    application.command()(mcp)
    command = typer.main.get_command(application)
    context = command.make_context("talktime mcp", server["args"][1:])
    assert context.params["url"] == "https://phone.example.org"
    assert context.params["read_only"] is True
    assert context.params["key_file"] is not None or "TALKTIME_API_KEY" in server["env"]


def test_every_option_stands_there() -> None:
    application = typer.Typer(add_completion=False)
    application.command()(mcp)
    options = {option for each in typer.main.get_command(application).params for option in each.opts}
    named = set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
    assert named == options - {"--help"}


def test_there_is_something_to_read() -> None:
    assert len(BLOCKS) == 2
