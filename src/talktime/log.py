"""Structured logs. Personal data goes only under a key that begins with `pii.`, which production drops; what was
said on a call is never logged at all.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

Event = MutableMapping[str, Any]


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
    processors.append(structlog.processors.format_exc_info)
    processors.append(structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer())
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of one module."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(source=name)
    return logger


def _drop_personal(_logger: Any, _method: str, event: Event) -> Event:
    for key in [key for key in event if key.startswith("pii.")]:
        del event[key]
    return event
