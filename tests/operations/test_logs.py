"""Logs."""

import io
import json
import logging
from logging.config import DictConfigurator

import pytest
import structlog

from issuer.operations import logs


class TestRedact:
    @pytest.mark.parametrize(
        "name",
        ["password", "SECRET_KEY", "api_key", "X-Api-Key", "private_key", "Authorization", "seed"],
    )
    def test_blots_out_what_is_named_like_a_secret(self, name: str) -> None:
        assert logs.redact(None, "info", {name: "hunter2"}) == {name: "[redacted]"}

    def test_looks_at_every_depth(self) -> None:
        event = {"event": "sent", "request": {"headers": [{"Cookie": "a=b"}, {"Accept": "*/*"}]}}

        assert logs.redact(None, "info", event) == {
            "event": "sent",
            "request": {"headers": [{"Cookie": "[redacted]"}, {"Accept": "*/*"}]},
        }

    def test_blots_out_passwords_inside_addresses(self) -> None:
        event = {"event": "Connected to postgresql://issuer:hunter2@db/books and http://a.example"}

        assert logs.redact(None, "info", event) == {
            "event": "Connected to postgresql://issuer:[redacted]@db/books and http://a.example"
        }


class TestConfiguration:
    @pytest.mark.parametrize("library", [True, False])
    def test_writes_one_json_object_per_line(self, library: bool) -> None:
        stream = io.StringIO()
        configuration = logs.configuration(level="INFO")
        formatter = DictConfigurator(configuration).configure_formatter(
            configuration["formatters"]["json"]
        )
        target = logging.StreamHandler(stream)
        target.setFormatter(formatter)
        logger = logging.getLogger("issuer.test")
        logger.addHandler(target)
        logger.propagate = False
        logger.setLevel("INFO")

        if library:
            logger.info("Minted %s", 600)
        else:
            structlog.get_logger("issuer.test").info("Minted", quantity="600", api_key="hunter2")

        logger.removeHandler(target)
        line = json.loads(stream.getvalue())
        assert (line["level"], line["logger"]) == ("info", "issuer.test")
        assert line["timestamp"].endswith("Z")
        if library:
            assert line["event"] == "Minted 600"
        else:
            assert (line["event"], line["quantity"], line["api_key"]) == (
                *("Minted", "600", "[redacted]"),
            )
