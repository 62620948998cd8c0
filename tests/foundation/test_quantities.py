import decimal
from decimal import Decimal
from fractions import Fraction
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.foundation import quantities
from issuer.foundation.quantities import QuantityMalformed, QuantityTooFine

stored = st.decimals(min_value=0, max_value=10**20 - 1, places=18)
decimals_of_tokens = st.integers(0, 18)


class TestToBaseUnits:
    @pytest.mark.parametrize(
        ("quantity", "decimals", "base_units"),
        [
            ("12.5", 18, 12_500000000000000000),
            ("0.00000001", 8, 1),
            ("600", 0, 600),
            ("99999999999999999999.999999999999999999", 18, 10**38 - 1),
        ],
    )
    def test_is_exact(self, quantity: str, decimals: int, base_units: int) -> None:
        assert quantities.to_base_units(Decimal(quantity), decimals=decimals) == base_units

    @pytest.mark.parametrize(("quantity", "decimals"), [("0.123456789", 8), ("0.5", 0)])
    def test_refuses_what_the_token_cannot_carry(self, quantity: str, decimals: int) -> None:
        with pytest.raises(QuantityTooFine) as refusal:
            quantities.to_base_units(Decimal(quantity), decimals=decimals)

        assert refusal.value.facts == {"quantity": quantity, "decimals": str(decimals)}

    @given(st.integers(0, 2**256 - 1), decimals_of_tokens)
    def test_undoes_to_quantity_for_every_uint256_that_fits(
        self, base_units: int, decimals: int
    ) -> None:
        base_units %= 10**76

        quantity = quantities.to_quantity(base_units, decimals=decimals)

        assert quantities.to_base_units(quantity, decimals=decimals) == base_units


class TestToQuantity:
    def test_keeps_every_digit(self) -> None:
        quantity = quantities.to_quantity(10**38 - 1, decimals=18)

        assert quantity == Decimal("99999999999999999999.999999999999999999")


class TestToText:
    @pytest.mark.parametrize(
        ("quantity", "text"),
        [
            ("600.000000000000000000", "600"),
            ("12.50", "12.5"),
            ("1E+3", "1000"),
            ("1E-18", "0.000000000000000001"),
            ("0E-18", "0"),
            ("-0.50", "-0.5"),
        ],
    )
    def test_has_no_exponent_and_no_trailing_zeros(self, quantity: str, text: str) -> None:
        assert quantities.to_text(Decimal(quantity)) == text

    @given(stored)
    def test_is_read_back_as_it_was(self, quantity: Decimal) -> None:
        assert quantities.from_text(quantities.to_text(quantity)) == quantity


class TestFromText:
    @pytest.mark.parametrize("text", ["0", "600", "12.5", "0.000000000000000001", "600.00"])
    def test_reads_plain_decimals(self, text: str) -> None:
        assert quantities.from_text(text) == Decimal(text)

    @pytest.mark.parametrize(
        "text",
        [
            *("", " 1", "1 ", "+1", "-1", "1e3", "1E-3", ".5", "5.", "1,000", "01", "0x10"),
            *("NaN", "Infinity", "1_000", "1\uff12", "\u0661", "1.\uff12", "1" * 21, "1\n"),
        ],
    )
    def test_refuses_everything_else(self, text: str) -> None:
        with pytest.raises(QuantityMalformed):
            quantities.from_text(text)

    def test_says_when_a_number_is_too_fine(self) -> None:
        with pytest.raises(QuantityTooFine) as refusal:
            quantities.from_text("0.1234567890123456785")

        assert refusal.value.facts == {"quantity": "0.1234567890123456785", "decimals": "18"}


class TestRounding:
    def test_owed_goes_up(self) -> None:
        third = Decimal("0.3333333333333333331")

        assert quantities.owed_rounded_up(third) == Decimal("0.333333333333333334")

    def test_held_goes_down(self) -> None:
        third = Decimal("0.3333333333333333339")

        assert quantities.held_rounded_down(third) == Decimal("0.333333333333333333")

    def test_a_delivery_goes_up_to_what_a_custodian_counts(self) -> None:
        assert quantities.delivery_rounded_up(Decimal("1.0000000001")) == Decimal("1.000000001")
        assert quantities.delivery_rounded_up(Decimal("1.000000001")) == Decimal("1.000000001")

    @given(st.decimals(min_value=0, max_value=10**19, places=30))
    def test_brackets_the_exact_value_by_one_step(self, exact: Decimal) -> None:
        up, down = quantities.owed_rounded_up(exact), quantities.held_rounded_down(exact)

        assert down <= exact <= up
        assert up - down in (Decimal(0), quantities.QUANTUM)

    def test_shares_over_a_split_are_owed_rounded_up_and_held_rounded_down(self) -> None:
        third = Fraction(1, 3)

        assert quantities.scaled_rounded_up(Decimal(10), third) == Decimal("3.333333333333333334")
        assert quantities.scaled_rounded_down(Decimal(10), third) == Decimal("3.333333333333333333")
        for scaled in (quantities.scaled_rounded_up, quantities.scaled_rounded_down):
            assert scaled(Decimal("600.5"), Fraction(4)) == 2402


class TestHeadroomRoundedDown:
    @pytest.mark.parametrize(
        ("shares", "multiplier", "decimals", "tokens"),
        [
            ("602", "1", 18, "602"),
            ("10", "3", 18, "3.333333333333333333"),
            ("10", "3", 0, "3"),
            ("1", "1.000728", 8, "0.99927252"),
            ("0", "1", 18, "0"),
            ("-5", "1", 18, "0"),
        ],
    )
    def test_never_promises_a_token_too_many(
        self, shares: str, multiplier: str, decimals: int, tokens: str
    ) -> None:
        headroom = quantities.headroom_rounded_down(
            Decimal(shares), multiplier=Decimal(multiplier), decimals=decimals
        )

        assert headroom == Decimal(tokens)

    @given(
        st.decimals(min_value=0, max_value=10**15, places=18),
        st.decimals(min_value=Decimal("0.000001"), max_value=10**6, places=18),
        decimals_of_tokens,
    )
    def test_is_backed_and_one_base_unit_more_is_not(
        self, shares: Decimal, multiplier: Decimal, decimals: int
    ) -> None:
        headroom = quantities.headroom_rounded_down(
            shares, multiplier=multiplier, decimals=decimals
        )

        assert headroom * multiplier <= shares
        assert (headroom + Decimal(1).scaleb(-decimals)) * multiplier > shares


class TestRatioBpsRoundedDown:
    @pytest.mark.parametrize(
        ("numerator", "denominator", "bps"),
        [
            ("1", "1", 10_000),
            ("2", "3", 6_666),
            ("0", "5", 0),
            ("999.9999", "1000", 9_999),
            ("-2", "3", -6_667),
            ("-0.0001", "1000", -1),
        ],
    )
    def test_rounds_down(self, numerator: str, denominator: str, bps: int) -> None:
        assert quantities.ratio_bps_rounded_down(Decimal(numerator), Decimal(denominator)) == bps

    def test_stops_at_what_json_carries(self) -> None:
        most = Decimal(99999999999999999999)

        bps = quantities.ratio_bps_rounded_down(most, quantities.QUANTUM)
        less = quantities.ratio_bps_rounded_down(-most, quantities.QUANTUM)

        assert bps == -less == quantities.RATIO_BPS_MAX == 9007199254740991


class TestWorkingDigits:
    def test_hold_in_every_thread(self) -> None:
        quantity, least = Decimal("12345678901.123456789012345678"), quantities.QUANTUM
        found: list[object] = []

        def work() -> None:
            found.append(decimal.getcontext().prec)
            found.append(quantity + least)

        thread = Thread(target=work)
        thread.start()
        thread.join(timeout=10)

        assert found == [76, Decimal("12345678901.123456789012345679")]
        assert decimal.getcontext().prec == 76
        assert quantity + least == Decimal("12345678901.123456789012345679")


class TestScaled:
    @pytest.mark.parametrize(
        ("quantity", "factor", "expected"),
        [
            ("602", Fraction(4), "2408"),
            ("1003.5", Fraction(1, 20), "50.175"),
            ("3", Fraction(1, 3), "1"),
            ("1", Fraction(1, 3), None),
            ("0.000000000000000001", Fraction(1, 2), None),
        ],
    )
    def test_is_exact_or_nothing(
        self, quantity: str, factor: Fraction, expected: str | None
    ) -> None:
        found = quantities.scaled(Decimal(quantity), factor)

        assert found == (None if expected is None else Decimal(expected))

    def test_keeps_to_the_places_that_it_is_given(self) -> None:
        assert quantities.scaled(Decimal("0.000000001"), Fraction(1, 2), places=9) is None
        assert quantities.scaled(Decimal("0.000000002"), Fraction(1, 2), places=9) == Decimal(
            "0.000000001"
        )


class TestScaledRoundedDown:
    def test_drops_what_18_places_cannot_carry(self) -> None:
        found = quantities.scaled_rounded_down(Decimal(1), Fraction(1, 3))

        assert found == Decimal("0.333333333333333333")
