"""Logs as lines of JSON on standard error, with the request's number; no local variables, no secrets.

A traceback says where, never what was in the variables: they may hold a token or a breeder's name. Whatever still
carries a secret in its text (`token=…`, `Bearer …`, a password in a database URL) is blanked.
"""

import logging
import re
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

SECRETS = (
    (re.compile(r"(?i)\b(token|ticket|password)=[^&\s\"']+"), r"\1=…"),
    (re.compile(r"(?i)\bbearer\s+[^\s\"']+"), "Bearer …"),
    (re.compile(r"(\w+://[^:/@\s]+):[^@/\s]+@"), r"\1:…@"),
    (re.compile(r"\bsqal_[A-Za-z0-9_-]{20,}"), "sqal_…"),
)


def configure_logs(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Send what structlog and logging say to `stream` (standard error), a JSON object a line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # plain text: a traceback without local variables
        without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def without_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Blank what looks like a secret in every text of `event`."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = blanked(value)
    return event


def blanked(text: str) -> str:
    """`text` without secrets."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text
