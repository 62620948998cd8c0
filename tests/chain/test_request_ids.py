"""How a request is named on chain."""

from uuid import UUID

from issuer.chain.request_ids import request_id_bytes32


class TestRequestIdBytes32:
    def test_has_the_uuid_in_its_low_half(self) -> None:
        request_id = UUID("0197a1de-0000-7000-8000-00000000a11a")

        assert request_id_bytes32(request_id) == (
            "0x000000000000000000000000000000000197a1de0000700080000000" + "0000a11a"
        )
