"""What is made from the description is what the description says, and the script says so when it is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.client import DESCRIPTION, ROOT, formatted, present, written
from scripts.client_description import Description, NotUnderstood

from talktime_client._transport import VERSION


def test_the_client_is_what_the_description_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.client", "check"],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_change_of_the_description_is_seen() -> None:
    document = json.loads(DESCRIPTION.read_text())
    document["components"]["schemas"]["Number"]["properties"]["colour"] = {"type": "string"}
    document["components"]["schemas"]["Number"]["required"].append("colour")
    made, there = formatted(written(Description(json.dumps(document)))), present()
    assert [name for name in made if made[name] != there[name]] == ["_generated/shapes/numbers.py"]


def parameter(place: str, name: str, format: str = "") -> dict[str, object]:
    return {"in": place, "name": name, "schema": {"type": "string", "format": format}}


@pytest.mark.parametrize(
    "change",
    [
        lambda operation, _: operation.update(operationId="unheard_of_things_list"),
        lambda operation, _: operation["parameters"].append(parameter("header", "X-Mood")),
        lambda operation, _: operation["parameters"].append(parameter("query", "at", "time")),
        lambda operation, _: operation.update(responses={"404": {}}),
        lambda _, schemas: schemas["Agent"]["properties"].update(name={"type": "object", "properties": {"first": {}}}),
        lambda _, schemas: schemas["Agent"]["properties"].update(name={"type": "tuple"}),
    ],
)
def test_what_is_not_understood_is_not_left_out_silently(change: object) -> None:
    document = json.loads(DESCRIPTION.read_text())
    assert callable(change)
    change(document["paths"]["/v1/agents"]["get"], document["components"]["schemas"])
    with pytest.raises(NotUnderstood):
        written(Description(json.dumps(document)))


def test_it_says_for_which_version_it_is_written() -> None:
    assert json.loads(DESCRIPTION.read_text())["info"]["version"].startswith(f"{VERSION}.")


def test_its_files_are_of_a_size_that_is_read() -> None:
    for path in (ROOT / "src" / "talktime_client").rglob("*.py"):
        assert len(Path(path).read_text().splitlines()) < 400, path
