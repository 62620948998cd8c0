from collections.abc import Callable

import pytest

from issuer.foundation import identifiers
from issuer.foundation.errors import Malformed


class TestStandards:
    @pytest.mark.parametrize(
        ("read", "text"),
        [
            (identifiers.isin, "US0378331005"),
            (identifiers.lei, "HWUPKR0MPOU8FGXBT394"),  # Apple
            (identifiers.figi, "BBG000B9XRY4"),
            (identifiers.cusip, "037833100"),
            (identifiers.caip2, "eip155:31337"),
            (identifiers.evm_address, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),  # EIP-55
        ],
    )
    def test_are_returned_as_they_are(self, read: Callable[[str], str], text: str) -> None:
        assert read(text) == text

    @pytest.mark.parametrize(
        ("read", "text", "field"),
        [
            pytest.param(identifiers.isin, "US0378331006", "isin", id="check digit of an ISIN"),
            pytest.param(identifiers.isin, "us0378331005", "isin", id="small letters"),
            pytest.param(identifiers.isin, " US0378331005", "isin", id="a space"),
            pytest.param(identifiers.isin, "", "isin", id="nothing"),
            pytest.param(identifiers.lei, "HWUPKR0MPOU8FGXBT395", "lei", id="digits of an LEI"),
            pytest.param(identifiers.figi, "BBG000B9XRY5", "figi", id="check digit of a FIGI"),
            pytest.param(identifiers.cusip, "037833101", "cusip", id="check digit of a CUSIP"),
            pytest.param(identifiers.caip2, "eip155", "caip2", id="no reference"),
            pytest.param(identifiers.caip2, "eip155:1:2", "caip2", id="two references"),
            pytest.param(identifiers.evm_address, "0x5aAeb6053F", "address", id="a short address"),
            pytest.param(
                identifiers.evm_address,
                "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
                "address",
                id="no checksum",
            ),
        ],
    )
    def test_are_refused_in_any_other_form(
        self, read: Callable[[str], str], text: str, field: str
    ) -> None:
        with pytest.raises(Malformed) as refusal:
            read(text)

        assert refusal.value.facts == {"field": field}


class TestCaip10:
    def test_names_an_account_on_a_chain(self) -> None:
        assert identifiers.caip10("eip155:1", "0xab") == "eip155:1:0xab"

    def test_refuses_what_is_no_chain(self) -> None:
        with pytest.raises(Malformed):
            identifiers.caip10("mainnet", "0xab")
