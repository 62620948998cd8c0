"""The equation in figures."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.reserves.cover import Cover, CoverStatus

amounts = st.decimals(min_value=0, max_value=10**12, places=18)


def cover(
    *,
    owed: str | None = "0",
    paid: str = "0",
    burned: str = "0",
    held: str | None = "0",
    disclosed: str = "0",
    reserved: str = "0",
    multiplier: str | None = "1",
    decimals: int = 18,
    reasons: tuple[str, ...] = (),
) -> Cover:
    return Cover(
        owed_on_tokens=None if owed is None else Decimal(owed),
        paid_not_minted=Decimal(paid),
        burned_not_delivered=Decimal(burned),
        held=None if held is None else Decimal(held),
        disclosed=Decimal(disclosed),
        reserved=Decimal(reserved),
        multiplier=None if multiplier is None else Decimal(multiplier),
        decimals=decimals,
        reasons=reasons,
    )


class TestStatus:
    @pytest.mark.parametrize(
        ("held", "disclosed", "status", "surplus", "ratio_bps"),
        [
            ("1000", "0", CoverStatus.COVERED, "0", 10000),
            ("1000.000000000000000001", "0", CoverStatus.COVERED, "1e-18", 10000),
            ("1005.1", "0", CoverStatus.COVERED, "5.1", 10051),
            ("999.999999999999999999", "1", CoverStatus.IN_TRANSIT, "-1e-18", 9999),
            ("900", "100", CoverStatus.IN_TRANSIT, "-100", 9000),
            ("900", "99.999999999999999999", CoverStatus.SHORT, "-100", 9000),
            ("0", "0", CoverStatus.SHORT, "-1000", 0),
        ],
    )
    def test_says_whether_the_shares_are_there(
        self, held: str, disclosed: str, status: CoverStatus, surplus: str, ratio_bps: int
    ) -> None:
        found = cover(owed="940", paid="60", held=held, disclosed=disclosed)

        assert found.owed == 1000
        assert found.status == status
        assert found.surplus == Decimal(surplus)
        assert found.ratio_bps == ratio_bps

    def test_is_covered_without_a_percentage_when_nothing_is_owed(self) -> None:
        found = cover(held="5")

        assert (found.status, found.surplus) == (CoverStatus.COVERED, Decimal(5))
        assert found.ratio_bps is None

    @pytest.mark.parametrize(
        "found",
        [
            cover(owed=None, reasons=("The chain is silent.",)),
            cover(held=None, reasons=("The custodian is silent.",)),
            cover(owed="1", held="1000", reasons=("Something else.",)),
        ],
    )
    def test_gives_no_number_when_a_source_is_silent(self, found: Cover) -> None:
        assert found.status == CoverStatus.UNKNOWN
        assert found.surplus is None
        assert found.ratio_bps is None
        assert found.free_for_approval is None
        assert found.headroom is None


class TestBurnedNotDelivered:
    def test_is_owed_beside_the_tokens(self) -> None:
        found = cover(owed="500", burned="100", held="602")

        assert (found.owed, found.surplus) == (Decimal(600), Decimal(2))
        assert found.ratio_bps == 10033
        assert (found.free_for_approval, found.headroom) == (Decimal(2), Decimal(2))

    def test_makes_short_what_is_not_there(self) -> None:
        assert cover(owed="500", burned="100", held="599").status == CoverStatus.SHORT


class TestFreeForDelivery:
    def test_is_what_no_other_request_was_promised(self) -> None:
        assert cover(owed="600", held="602").free_for_delivery == 602
        assert cover(owed="500", burned="100", held="602").free_for_delivery == 502
        assert cover(held="602", paid="50", reserved="60").free_for_delivery == 542
        assert cover(held="602", paid="60", reserved="50").free_for_delivery == 542

    def test_needs_the_custodians_alone(self) -> None:
        silent = ("The chain is silent.",)
        assert cover(owed=None, held="5", reasons=silent).free_for_delivery == 5
        assert cover(held=None, reasons=silent).free_for_delivery is None


class TestFreeForApproval:
    def test_leaves_what_is_owed_on_tokens_and_what_is_reserved(self) -> None:
        assert cover(owed="300", paid="600", held="1000", reserved="50").free_for_approval == 650

    def test_is_negative_when_more_is_promised_than_held(self) -> None:
        assert cover(owed="300", held="100", reserved="50").free_for_approval == -250


class TestHeadroom:
    def test_is_what_no_claim_is_on(self) -> None:
        assert cover(owed="300", paid="600", held="1000").headroom == 100

    def test_leaves_what_is_reserved_beyond_what_is_paid(self) -> None:
        assert cover(owed="300", paid="600", held="1000", reserved="600").headroom == 100
        assert cover(owed="300", paid="600", held="1000", reserved="650").headroom == 50

    def test_is_in_tokens_rounded_down_to_a_base_unit(self) -> None:
        assert cover(held="10", multiplier="3", decimals=8).headroom == Decimal("3.33333333")

    def test_is_zero_when_short_or_in_transit(self) -> None:
        assert cover(owed="10", held="9", disclosed="1").headroom == 0
        assert cover(owed="10", held="9").headroom == 0

    def test_is_not_known_without_a_multiplier(self) -> None:
        assert cover(multiplier=None).headroom is None

    @settings(deadline=None)
    @given(owed=amounts, paid=amounts, held=amounts, reserved=amounts, multiplier=amounts)
    def test_never_lets_a_mint_break_the_cover(
        self, owed: Decimal, paid: Decimal, held: Decimal, reserved: Decimal, multiplier: Decimal
    ) -> None:
        multiplier += 1
        found = Cover(owed, paid, Decimal(0), held, Decimal(0), reserved, multiplier, 18)

        headroom = found.headroom
        assert headroom is not None
        if headroom:
            assert owed + paid + headroom * multiplier <= held
