"""How a request is named on chain."""

from uuid import UUID

import pytest

from issuer.chain.request_ids import request_id_bytes32, request_of


class TestRequestIdBytes32:
    def test_has_the_uuid_in_its_low_half(self) -> None:
        request_id = UUID("0197a1de-0000-7000-8000-00000000a11a")

        assert request_id_bytes32(request_id) == (
            "0x000000000000000000000000000000000197a1de0000700080000000" + "0000a11a"
        )

    def test_counts_in_its_high_half_how_often_others_used_it(self) -> None:
        request_id = UUID("0197a1de-0000-7000-8000-00000000a11a")

        assert request_id_bytes32(request_id, 2) == (
            "0x000000000000000000000000000000020197a1de0000700080000000" + "0000a11a"
        )


class TestRequestOf:
    @pytest.mark.parametrize("serial", [0, 1, 32_767])
    def test_reads_what_is_on_chain(self, serial: int) -> None:
        request_id = UUID("0197a1de-0000-7000-8000-00000000a11a")

        assert request_of(request_id_bytes32(request_id, serial)) == (request_id, serial)
