"""RFC 8785, by its own examples and at its edges."""

import hashlib
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from issuer.foundation import canonical


class TestToBytes:
    @pytest.mark.parametrize(
        ("document", "written"),
        [
            pytest.param({}, b"{}", id="empty"),
            pytest.param({"b": "2", "a": "1"}, b'{"a":"1","b":"2"}', id="keys sorted"),
            pytest.param(
                {"\u20ac": "1", "\r": "2", "\ufb33": "3", "1": "4", "\U0001f600": "5", "\xf6": "6"},
                b'{"\\r":"2","1":"4","\xc3\xb6":"6","\xe2\x82\xac":"1",'
                b'"\xf0\x9f\x98\x80":"5","\xef\xac\xb3":"3"}',
                id="keys sorted by UTF-16, as in 3.2.3 of the RFC",
            ),
            pytest.param(
                {"a": "\u20ac$\x0f\nA'B\"\\/"},
                b'{"a":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\/"}',
                id="escapes, as in 3.2.2 of the RFC",
            ),
            pytest.param(
                {"a": [None, True, False, 0, -7]}, b'{"a":[null,true,false,0,-7]}', id="literals"
            ),
            pytest.param({"a": {"c": [], "b": {}}}, b'{"a":{"b":{},"c":[]}}', id="nested"),
            pytest.param({"a": ("x", "y")}, b'{"a":["x","y"]}', id="tuples are lists"),
            pytest.param({"a": Decimal("600.000")}, b'{"a":"600"}', id="decimals as text"),
            pytest.param(
                {"a": UUID("0197a1de-0000-7000-8000-000000000001")},
                b'{"a":"0197a1de-0000-7000-8000-000000000001"}',
                id="ids as text",
            ),
            pytest.param({"a": date(2026, 11, 20)}, b'{"a":"2026-11-20"}', id="days"),
            pytest.param(
                {"a": datetime(2026, 11, 20, 15, 0, tzinfo=UTC)},
                b'{"a":"2026-11-20T15:00:00.000000Z"}',
                id="times",
            ),
        ],
    )
    def test_writes_one_form(self, document: dict[str, Any], written: bytes) -> None:
        assert canonical.to_bytes(document) == written

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(0.5, id="a float"),
            pytest.param(1.0, id="a whole float"),
            pytest.param({"deep": [{"deeper": 0.1}]}, id="a float far down"),
            pytest.param(b"bytes", id="bytes"),
            pytest.param({1, 2}, id="a set"),
            pytest.param(timedelta(1), id="a span of time"),
            pytest.param(datetime(2026, 11, 20), id="a time without zone"),  # noqa: DTZ001
        ],
    )
    def test_refuses_what_has_no_one_form(self, value: object) -> None:
        with pytest.raises(TypeError):
            canonical.to_bytes({"a": value})

    @pytest.mark.parametrize("value", [2**53, -(2**53)])
    def test_refuses_integers_that_json_readers_round(self, value: int) -> None:
        with pytest.raises(ValueError, match="safe integer"):
            canonical.to_bytes({"a": value})

    def test_refuses_half_a_character(self) -> None:
        with pytest.raises(ValueError, match="non-UTF-8"):
            canonical.to_bytes({"a": "\ud800"})


class TestSha256:
    def test_is_of_the_canonical_bytes(self) -> None:
        written = b'{"a":"1","b":"2"}'

        found = canonical.sha256({"b": "2", "a": "1"})

        assert found == hashlib.sha256(written).hexdigest()


class TestTimestamp:
    def test_is_in_utc_with_microseconds(self) -> None:
        in_new_york = datetime(2026, 11, 20, 10, 0, 0, 5, tzinfo=timezone(timedelta(hours=-5)))

        assert canonical.timestamp(in_new_york) == "2026-11-20T15:00:00.000005Z"
