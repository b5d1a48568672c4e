"""Structured logs: one JSON object a line on stderr, each with `action`, a machine name for the event.

Never log message text, tokens, turn ids, account figures or webhook bodies: ids and counts are enough to find the record.
"""

from __future__ import annotations

import logging
import sys

import structlog

from tightrope.infra.settings import Settings


def configure_logging(part: str, settings: Settings) -> None:
    """Send structlog and the standard library's warnings to stderr as JSON lines that name the part."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)
    logging.basicConfig(stream=sys.stderr, level=max(level, logging.WARNING), format="%(message)s", force=True)


def get_logger() -> structlog.stdlib.BoundLogger:
    """A logger; call it as `log.info("what happened in words", action="turn_committed", …)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger
