"""What stands in a log: JSON, whom a line is about, and nobody's data, whoever writes it."""

import json
import logging
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path
from typing import Any

import pytest
import structlog

from talktime import log

CALL, USER = uuid.uuid4(), uuid.uuid4()
_BEGIN = """
import logging, sys, psycopg
from talktime import log
from talktime.errors import BadInput, ProviderError
log.configure("DEBUG", pretty=False{more})
logger = log.get("a module")
"""


def written(code: str, more: str = "") -> list[dict[str, Any]]:
    """What a program of its own writes to its log: each line one document."""
    program = _BEGIN.format(more=more) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_is_one_document_with_a_level_a_time_and_where_it_comes_from() -> None:
    [line] = written('logger.info("a thing happened", call_id="x")')
    assert (line["event"], line["level"], line["source"], line["call_id"]) == (
        "a thing happened",
        "info",
        "a module",
        "x",
    )
    assert line["timestamp"].endswith("Z")


def test_what_lines_are_about_is_said_once_and_stands_on_all_of_them_and_on_none_after() -> None:
    lines = written(
        f"""
        with log.about(call_id="{CALL}", user_id="{USER}"):
            logger.info("inside")
            with log.about(request_id="r", call_id=None):
                logging.getLogger("a.library").warning("hello")
            logger.info("inside again")
        logger.info("outside")
        """
    )
    about = [{name: line[name] for name in ("call_id", "user_id", "request_id") if name in line} for line in lines]
    inside = {"call_id": str(CALL), "user_id": str(USER)}
    assert about == [inside, {**inside, "request_id": "r"}, inside, {}]


def test_what_is_personal_stands_in_no_line_unless_somebody_asks_for_it() -> None:
    code = 'logger.info("x", **{"pii.number": "+493012345678", "seconds": 5})'
    [line] = written(code)
    assert "pii.number" not in line
    assert line["seconds"] == 5
    [line] = written(code, ", keep_personal=True")
    assert line["pii.number"] == "+493012345678"


def test_of_an_error_that_is_not_ours_its_words_are_not_written() -> None:
    lines = written(
        """
        def fail(error):
            try:
                try:
                    int("+49 30 Karl")
                except ValueError as cause:
                    raise error from cause
            except Exception as raised:
                logger.error("it failed", exc_info=raised)
        fail(KeyError("Karl Meier"))
        fail(BadInput("Say how many."))
        fail(ConnectionRefusedError(111, "refused by karl@example.org"))
        fail(ExceptionGroup("karl@example.org", [RuntimeError("Karl Meier said hello")]))
        try:
            raise ValueError("Karl Meier")
        except ValueError:
            logger.exception("it failed again")
        """
    )
    text = json.dumps(lines)
    for word in ("Karl", "karl", "+49"):
        assert word not in text
    said = [line["exception"] for line in lines]
    assert said[0].startswith("KeyError\n")
    assert "caused by ValueError" in said[0]
    assert "in fail" in said[0]
    # Our own say what to do, and hold nobody's data: that is the rule where they are raised.
    assert said[1].startswith("talktime.errors.BadInput: Say how many.")
    assert said[2].startswith("ConnectionRefusedError (111)")
    assert "of which RuntimeError" in said[3]
    assert said[4].startswith("ValueError")


def test_of_a_library_the_kind_of_sentence_is_written_and_not_what_it_names() -> None:
    lines = written(
        """
        logging.getLogger("asyncio").error("Task %s failed for %s", "a task", "Karl Meier")
        try:
            raise ValueError("Karl Meier")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\\n")
        logging.getLogger("httpx").info("HTTP Request: POST https://api.example.org/+493012345678")
        """
    )
    assert [(line["source"], line["event"].strip(), line["level"]) for line in lines] == [
        ("asyncio", "Task %s failed for %s", "error"),
        ("uvicorn.error", "Exception in ASGI application", "error"),
    ]
    assert "Karl" not in json.dumps(lines)


def test_of_the_database_the_number_and_the_rule_are_written_and_not_the_row() -> None:
    lines = written(
        """
        class Diagnostic:
            constraint_name = "uq_users_email_lower"
        class Unique(psycopg.errors.UniqueViolation):
            diag = Diagnostic()
        try:
            raise Unique('duplicate key value: Key (lower(email))=(karl@example.org) already exists')
        except psycopg.Error as error:
            logger.error("it failed", exc_info=error)
        """
    )
    assert "(23505, uq_users_email_lower)" in lines[0]["exception"]
    assert "karl" not in json.dumps(lines)


def test_setting_up_twice_says_everything_once(capsys: pytest.CaptureFixture[str]) -> None:
    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    try:
        log.configure("INFO", pretty=False)
        log.configure("INFO", pretty=False)
        logging.getLogger("a.library").warning("once")
        assert capsys.readouterr().err.count("once") == 1
    finally:
        root.handlers[:] = before
        # It writes to what this test's standard error was, which is closed when it is over.
        structlog.reset_defaults()


def test_no_line_of_ours_puts_a_number_or_words_into_its_event() -> None:
    """An event is a sentence for everybody: what it is about stands beside it, under a name."""
    import re

    sources = Path(log.__file__).parent.rglob("*.py")
    wrong = [
        f"{path.name}: {found}"
        for path in sources
        for found in re.findall(r"_LOGGER\.\w+\(\s*f\"[^\"]*\"", path.read_text())
    ]
    assert wrong == []
