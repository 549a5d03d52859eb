"""The types are complete, and programs that use them are checked under the strictest rules."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.blocks import program

ROOT = Path(__file__).resolve().parents[2]
needs_pyright = pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="pyright is not installed")

WRONG = """
from talktime_client import Client

with Client("https://talktime.example", key="tt_live_x") as client:
    client.calls.list(status="FINISHED")
    client.agents.update("0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f", name="no state")
    client.keys.create(name="CRM", scopes=["calls:everything"])
    client.agents.create(name="no business")
    client.credits.get().balanse
    print(client.calls.get(7))
    for call in client.calls.list():
        call.seconds + 1
"""


def pyright(*words: str, folder: Path) -> str:
    """What it says; it finds the interpreter of these tests by the search path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # It would ask a server whether there is a newer one of itself.
    environment = {**os.environ, "PATH": path, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    command = [sys.executable, "-m", "pyright", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, cwd=folder, env=environment
    )
    return done.stdout + done.stderr


def strictly(folder: Path, *include: str) -> str:
    """What it says of files under its strict rules."""
    (folder / "pyrightconfig.json").write_text(
        json.dumps({"include": [*include], "typeCheckingMode": "strict", "pythonVersion": "3.11"})
    )
    return pyright("-p", str(folder), folder=folder)


@needs_pyright
def test_every_public_name_has_a_whole_type(tmp_path: Path) -> None:
    said = pyright("--pythonversion", "3.11", "--ignoreexternal", "--verifytypes", "talktime_client", folder=tmp_path)
    assert "Type completeness score: 100%" in said, said[-3000:]


@needs_pyright
def test_the_package_and_the_programs_of_the_document_are_right_under_strict_rules(tmp_path: Path) -> None:
    (tmp_path / "of_the_document.py").write_text(program())
    package = os.path.relpath(ROOT / "src" / "talktime_client", tmp_path)
    said = strictly(tmp_path, package, "of_the_document.py")
    assert "0 errors, 0 warnings" in said, said[-3000:]


@needs_pyright
def test_what_is_wrong_in_a_program_is_seen_before_it_runs(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    said = strictly(tmp_path, "wrong.py")
    lines = {int(line.split(":")[1]) for line in said.splitlines() if " - error: " in line}
    assert lines == set(range(5, 11)) | {12}, said


def test_it_needs_httpx_and_nothing_of_the_server() -> None:
    script = (
        "import sys; import talktime_client, talktime_client.webhooks, talktime_client.models;"
        " print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.replace("'", "").strip("[]\n").split(", "))
    assert "httpx" in loaded
    assert not loaded & {"talktime", "pydantic", "fastapi", "sqlalchemy", "starlette", "orjson", "phonenumbers"}
