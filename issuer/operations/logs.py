"""Logs: one JSON object per line, and never a secret in it."""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[redacted]"

_SECRET_NAME: Final = re.compile(
    r"password|passwd|secret|token_hash|api[-_]?key|private[-_]?key|authorization|cookie|credential"
    r"|signature[-_]input|seed|mnemonic|dsn|database_url|broker_url",
    re.IGNORECASE,
)
_SECRET_IN_URL: Final = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(?=@)", re.I)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blot out what is named like a secret, at any depth, and passwords inside addresses."""
    return {name: _redacted(name, value) for name, value in event.items()}


def _redacted(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        return _SECRET_IN_URL.sub(rf"\g<before>{REDACTED}", value)
    if isinstance(value, Mapping):
        return {key: _redacted(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(name, inner) for inner in value]
    return value


_SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    structlog.processors.UnicodeDecoder(),
]

#: How structlog is configured, once per process.
STRUCTLOG: Final[dict[str, Any]] = {
    "processors": [
        structlog.stdlib.filter_by_level,
        *_SHARED,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    "logger_factory": structlog.stdlib.LoggerFactory(),
    "wrapper_class": structlog.stdlib.BoundLogger,
    "cache_logger_on_first_use": True,
}


def configuration(*, level: str) -> dict[str, Any]:
    """Return Django's `LOGGING`: everything of `level` and above, as JSON on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    redact,
                    structlog.processors.JSONRenderer(),
                ],
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "httpx": {"level": logging.WARNING},  # it logs addresses with their query
            "fontTools": {"level": logging.WARNING},
            "pikepdf": {"level": logging.WARNING},
            "weasyprint": {"level": logging.ERROR},
        },
    }
