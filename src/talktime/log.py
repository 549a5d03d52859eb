"""Structured logs. Personal data goes only under a key that begins with `pii.`, which production drops; what was
said on a call is never logged at all.

What a line is about (a call, a customer, a request) is said once, by whoever begins it (`about`), and stands on every
line that is written meanwhile, also on those of libraries. The rule: of an exception that is not ours only its type and
where it happened are written, because what libraries say repeats what they were given: a value, a row, an address.
"""

import contextlib
import logging
import sys
import traceback
import uuid
from collections.abc import Iterator, Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

Event = MutableMapping[str, Any]
_FRAMES_MAX = 30
_CAUSES_MAX = 5


def configure(level: str = "INFO", *, pretty: bool | None = None, keep_personal: bool = False) -> None:
    """Set up logging for this process: JSON lines, or coloured text on a terminal."""
    pretty = sys.stderr.isatty() if pretty is None else pretty
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not keep_personal:
        processors.append(_drop_personal)
    processors.append(structlog.processors.format_exc_info if keep_personal else _without_words)
    renderer = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
    _take_over(processors, renderer)


class _StandardError:
    """Whatever is standard error when a line is written: a logger is made once, and outlives a redirection."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of one module."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(source=name)
    return logger


@contextlib.contextmanager
def about(**ids: uuid.UUID | str | None) -> Iterator[None]:
    """What is logged inside, by whomever, is about these: `call_id`, `user_id`, `request_id`. Ids, nothing else."""
    given = {name: str(value) for name, value in ids.items() if value is not None}
    with structlog.contextvars.bound_contextvars(**given):
        yield


def abouts() -> Mapping[str, Any]:
    """What lines are about at the moment."""
    return structlog.contextvars.get_contextvars()


def headline(error: BaseException) -> str:
    """What went wrong, in a line that may be kept and shown: its type, and its words only where they are ours."""
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    if kind.__module__.startswith("talktime."):
        return f"{name}: {error}"
    # What a database says of itself: a number that says everything, and which rule was broken; never the row.
    code, rule = getattr(error, "sqlstate", None), getattr(getattr(error, "diag", None), "constraint_name", None)
    if isinstance(error, OSError) and error.errno is not None:
        code = error.errno
    return name + (f" ({code}{f', {rule}' if rule else ''})" if code is not None else "")


def _take_over(processors: list[Any], renderer: Any) -> None:
    """Libraries log through the standard library: warnings and worse, in the same form, without their words' values."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_named, *processors],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = _Handler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in list(root.handlers):
        # Ours of an earlier time; whatever a test or a debugger put there stays.
        if isinstance(old, _Handler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)


class _Handler(logging.Handler):
    """Writes to whatever standard error is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            sys.stderr.write(self.format(record) + "\n")


def _named(_logger: Any, _method: str, event: Event) -> Event:
    record: logging.LogRecord | None = event.get("_record")
    if record is not None:
        event["source"] = record.name
        # With its arguments a library's sentence may name anything; without them it says what kind of thing happened.
        event["event"] = str(record.msg)
        event.pop("positional_args", None)
    return event


def _drop_personal(_logger: Any, _method: str, event: Event) -> Event:
    for key in [key for key in event if key.startswith("pii.")]:
        del event[key]
    return event


def _without_words(_logger: Any, _method: str, event: Event) -> Event:
    """Put what went wrong into words: types, places, and the message only where it is one of ours."""
    said = event.pop("exc_info", None)
    if isinstance(said, tuple):
        said = said[1]
    elif said is not None and not isinstance(said, BaseException):
        said = sys.exc_info()[1] if said else None
    if isinstance(said, BaseException):
        event["exception"] = "\n".join(_spelled(said))
    return event


def _spelled(error: BaseException) -> Iterator[str]:
    cause: BaseException | None = error
    for depth in range(_CAUSES_MAX):
        if cause is None:
            return
        yield ("" if depth == 0 else "caused by ") + headline(cause)
        yield from _places(cause.__traceback__)
        if isinstance(cause, BaseExceptionGroup):
            for each in cause.exceptions[:_CAUSES_MAX]:
                yield f"of which {headline(each)}"
                yield from _places(each.__traceback__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _places(at: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(at)[-_FRAMES_MAX:]
    return [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
