"""What is shipped to run this elsewhere: of its form, and naming only what there is."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main
import yaml

from talktime import configuration
from talktime.app import create_app
from talktime.settings import Settings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted(unit for unit in (DEPLOY / "systemd").iterdir() if unit.suffix != ".example")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
RULES: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text())
NAMES = {name for field in Settings.model_fields for name in configuration.names_of(field)}
NAMES |= {f"{name}_FILE" for name in configuration._in_files()}


def command(words: list[str]) -> None:
    """Raise unless this is a command of ours, with options it has."""
    from talktime.cli import _add_commands, app

    if not app.registered_groups:
        _add_commands()
    found: Any = typer.main.get_command(app)
    options = [word for word in words if word.startswith("--")]
    for word in words:
        if not hasattr(found, "commands"):
            break
        assert word in found.commands, words
        found = found.commands[word]
    known = {name for parameter in found.params for name in parameter.opts}
    assert set(options) <= known, words


@pytest.mark.parametrize(
    "file", ["docker-compose.yml", "systemd/talktime.env.example", "talktime.env.example", "Dockerfile"]
)
def test_every_name_in_the_environment_is_a_setting(file: str) -> None:
    text = (DEPLOY / file).read_text()
    ours = re.findall(r"^\s*(?:ENV )?\"?((?:TALKTIME_|DATABASE_|PUBLIC_)[A-Z_]+)\s*[=:]", text, re.MULTILINE)
    ours += re.findall(r"\b(TALKTIME_[A-Z_]+)=", text)
    assert ours
    assert set(ours) <= NAMES


def test_each_part_is_served_by_a_container_that_can_do_no_more_than_it_must() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "migrations", "web", "voice", "worker"}
    for name, service in services.items():
        assert service["mem_limit"], name
        assert "healthcheck" in service, name
        if name == "postgres":
            continue
        command(service["command"])
        assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"]), name
        # No secret in the environment, where everybody who may look at a container reads it.
        secrets = {
            key for key in service["environment"] if any(word in key for word in ("SECRET", "TOKEN", "DATABASE"))
        }
        assert secrets
        assert all(key.endswith("_FILE") for key in secrets), name
        files = {
            Path(value).name for value in service["environment"].values() if str(value).startswith("/run/secrets/")
        }
        # A file that is named and is not there is refused by every command.
        assert files <= set(service["secrets"]) <= set(COMPOSE["secrets"]), name
    assert {services[part]["command"][2] for part in ("web", "voice", "worker")} == {"web", "voice", "worker"}
    assert services["web"]["depends_on"]["migrations"]["condition"] == "service_completed_successfully"
    # A call is given longer to end than it is drained for.
    drain = int(services["voice"]["command"][-1])
    assert int(services["voice"]["stop_grace_period"].removesuffix("m")) * 60 > drain


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_of_ours_and_may_do_no_more_than_it_must(unit: Path) -> None:
    text = unit.read_text()
    # Without what the shell works out by itself, as `$$(date …)`.
    for line in re.findall(r"^ExecStart=.*?talktime ([^'\n]*)", re.sub(r"\$\$\([^)]*\)", "", text), re.MULTILINE):
        command([word for word in line.split() if not word.startswith(('"', "14"))])
    if "ExecStart" in text:
        for setting in (
            "User=talktime",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "MemoryMax=" if "oneshot" not in text else "Type",
        ):
            assert setting in text, setting
    drain, stop = re.search(r"--drain-seconds (\d+)", text), re.search(r"TimeoutStopSec=(\d+)min", text)
    assert (drain is None) == (stop is None)
    if drain and stop:
        assert int(stop[1]) * 60 > int(drain[1])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_every_unit(tmp_path: Path) -> None:
    for unit in UNITS:
        # Where it is installed is nobody's here.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/talktime/bin/talktime", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / unit.name for unit in UNITS)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert [line for line in (done.stdout + done.stderr).splitlines() if "talktime" in line] == []


def test_every_unit_that_one_names_is_there() -> None:
    there = {unit.name for unit in UNITS}
    for unit in UNITS:
        for name in re.findall(r"\b(talktime-[a-z]+@?\.(?:service|socket|timer))\b", unit.read_text()):
            assert name in there, f"{unit.name} names {name}"


async def test_every_rule_asks_for_figures_that_there_are_and_is_explained(
    new_database_url: Any, tmp_path: Path
) -> None:
    app = create_app(Settings(home=tmp_path), new_database_url(), parts=("web",), demo=True)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            told = (await client.get("/metrics")).text
    there = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))
    page = (ROOT / "docs" / "operations.md").read_text()
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        asked = set(re.findall(r"\b((?:talktime|process)_[a-z_]+)", rule["expr"])) - {"process"}
        assert asked or rule["alert"] == "TalktimeDown"
        for name in asked:
            assert name.removesuffix("_bucket") in there, name
        assert f"| `{rule['alert']}` |" in page, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(re.findall(r"^\| `(Talktime\w+)`", page, re.MULTILINE)) == {rule["alert"] for rule in rules}


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert "requirements.lock" in text
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
