"""Whatever is asked of the API, in whatever order, is answered as its description says, and never with a fault of ours.

schemathesis makes the requests from the description alone: what it allows, what it does not, and chains of them, in
which what one answers is what the next one asks for. Few by default, thousands with TALKTIME_TEST_LONG=1.
"""

import asyncio
import copy
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from talktime.api.document import document, operations
from tests.api.besieged import Besieged
from tests.api.besieging import THEIR_OWN

LONG = bool(os.environ.get("TALKTIME_TEST_LONG"))
ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 3600 if LONG else 240
CHECKS = (
    "not_a_server_error",
    "response_schema_conformance",
    "content_type_conformance",
    "status_code_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
IDS = ("agent_id", "call_id", "pack_id", "purchase_id", "invoice_id", "key_id", "number_id", "alert_id", "approval_id",
       "proof_id", "order_id", "event_id", "webhook_id", "delivery_id", "user_id", "version_no", "month", "seq",
       "key")  # fmt: skip
"""What stands in addresses, and sometimes in what is sent."""


@pytest.mark.parametrize("is_operator", [False, True], ids=["customer", "operator"])
async def test_whatever_is_asked_is_answered_as_the_description_says(
    besieged: Besieged, tmp_path: Path, is_operator: bool
) -> None:
    key = besieged.ring.operator if is_operator else besieged.ring.owner
    described, settings = tmp_path / "openapi.json", tmp_path / "schemathesis.toml"
    described.write_text(json.dumps(strict(document())))
    settings.write_text(settings_of(besieged.ring.things, str(besieged.ring.cast.bob.id)))
    own = await whose(besieged, key)
    said, code = await besiege(
        [
            str(described),
            f"--url={besieged.url}",
            f"--header=Authorization: Bearer {key}",
            "--include-path-regex=^/v1/admin/" if is_operator else "--exclude-path-regex=^/v1/admin/",
        ],
        settings,
        own,
    )
    assert code == 0, f"exit code {code}\n{said[-20_000:]}"
    assert await whose(besieged, key) == own, "it shut itself out"
    asked = asked_in(tmp_path / "report.ndjson")
    names = {f"{method.upper()} {path}" for path, method, _ in operations(document())}
    names = {name for name in names if (" /v1/admin/" in name) == is_operator}
    assert sorted(names - set(asked)) == [], "not all of it was asked"
    done = [name for name in names if any(200 <= status < 300 for status in asked[name])]
    assert len(done) > len(names) / 2, f"hardly any of it was let in: {done}"


async def besiege(arguments: Sequence[str], settings: Path, own: str) -> tuple[str, int]:
    """Run schemathesis beside this process, which answers; gives what it said, and its exit code."""
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={settings}", "run", *arguments]
    command += [f"--checks={','.join(CHECKS)}", "--seed=5", "--suppress-health-check=all", "--warnings=off"]
    command += ["--continue-on-failure", "--no-color", "--request-timeout=60"]
    command += ["--report=ndjson", f"--report-ndjson-path={settings.parent / 'report.ndjson'}"]
    command += ["--phases=examples,coverage,fuzzing,stateful"] if LONG else ["--phases=examples,fuzzing,stateful"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), THEIR_OWN: own, "PYTHONWARNINGS": "ignore", "COLUMNS": "120"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=settings.parent, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return said.decode(errors="replace"), process.returncode


def strict(described: Mapping[str, Any]) -> dict[str, Any]:
    """The description without `anything else that went wrong`: each status must be one that is named."""
    made: dict[str, Any] = copy.deepcopy(dict(described))
    for path, _, operation in operations(made):
        if not path.endswith("/openapi.json"):
            del operation["responses"]["default"]
    return made


def settings_of(things: Mapping[str, Any], somebody: str) -> str:
    """How schemathesis finds what there is: half of what it asks for is something of Alice's."""
    known = {name: [things[name]] for name in IDS} | {"carrier": ["simulated"], "if_match": ["*"]}
    known["user_id"].append(somebody)
    known["version_no"], known["seq"] = [1, 2], [1]
    lines = ['hooks = "tests.api.besieging"', "[generation]", "deterministic = true", 'database = "none"']
    for phase, examples in {"fuzzing": 100 if LONG else 1, "stateful": 150 if LONG else 12}.items():
        lines += [f"[phases.{phase}.generation]", f"max-examples = {examples}"]
    for name, values in known.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines.append("[parameters]")
    for name in IDS:
        lines.append(f'"path.{name}" = {{ dictionary = "{name}", probability = 0.5 }}')
    for name in ("carrier", "user_id", "agent_id"):
        lines.append(f'"query.{name}" = {{ dictionary = "{name}", probability = 0.5 }}')
    for name in ("carrier", "pack_id", "agent_id", "user_id"):
        lines.append(f'"body.{name}" = {{ dictionary = "{name}", probability = 0.5 }}')
    lines.append('"header.If-Match" = { dictionary = "if_match", probability = 0.8 }')
    return "\n".join(lines) + "\n"


def asked_in(report: Path) -> dict[str, list[int]]:
    """What was asked for, and the statuses that came back."""
    asked: dict[str, list[int]] = {}
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder") or {}
        for name, interaction in recorder.get("interactions", {}).items():
            case, response = recorder["cases"][name]["value"], interaction["response"]
            if response is not None:
                asked.setdefault(f"{case['method'].upper()} {case['path']}", []).append(response["status_code"])
    return asked


async def whose(besieged: Besieged, key: str) -> str:
    """The ids of a key and its owner."""
    async with httpx.AsyncClient(base_url=besieged.url, headers={"authorization": f"Bearer {key}"}) as program:
        answer = await program.get("/v1/me")
    assert answer.status_code == 200, answer.text
    return f"{answer.json()['key_id']},{answer.json()['user_id']}"
