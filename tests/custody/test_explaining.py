"""What a position shows of instructions, and what it leaves open."""

from decimal import Decimal
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.custody import explaining
from issuer.custody.explaining import CannotTell, Movement, choices, explain
from issuer.custody.models import Direction, SettlementInstruction

#: Into the account where it is more than nothing, out of it where it is less.
Moves = list[int]


def instructions(moves: Moves) -> list[SettlementInstruction]:
    return [
        SettlementInstruction(
            direction=Direction.RECEIPT if shares > 0 else Direction.DELIVERY,
            quantity=Decimal(abs(shares)),
        )
        for shares in moves
    ]


def movement(change: int | str, *, come: int, gone: int) -> Movement:
    return Movement(Decimal(change), Decimal(come), Decimal(gone))


def shown(moves: Moves, change: int | str, *, come: int = 0, gone: int = 0) -> list[Decimal]:
    """Return how much of each instruction is shown to have moved."""
    listed = instructions(moves)
    explained = explain(movement(change, come=come, gone=gone), listed) or []
    found = {one.pk: part for one, part in explained}
    return [found.get(one.pk, Decimal(0)) for one in listed]


class TestExplain:
    def test_finds_the_one_choice_that_fits_to_the_last_share(self) -> None:
        assert shown([100, 60], 100, come=160) == [100, 0]
        assert shown([100, 60], 160, come=160) == [100, 60]
        assert shown([-100, 30], -70, come=30, gone=100) == [100, 30]
        assert shown([-100, -60], -60, gone=160) == [0, 60]

    def test_finds_nothing_where_nothing_fits(self) -> None:
        assert shown([], 5) == []
        assert shown([100, 60], 101, come=160) == [0, 0]
        assert shown([100, 60], -60, come=160) == [0, 0]

    def test_counts_nothing_that_the_custodian_has_pending(self) -> None:
        assert shown([100, -100], 0) == [0, 0]
        assert shown([100, 60], 160, come=100) == [0, 0]
        assert shown([100, -40], 60, come=100) == [0, 0]

    @pytest.mark.parametrize(
        ("moves", "change", "come", "gone"),
        [
            pytest.param([100, -100], 0, 100, 100, id="equal receipt and delivery, unchanged"),
            pytest.param([100, 100], 100, 200, 0, id="one of two of the same size"),
            pytest.param([-100, -100], -100, 0, 200, id="one of two deliveries of the same size"),
            pytest.param([100, 60, 40], 100, 200, 0, id="one, or the two others"),
            pytest.param([100, 30, -30], 100, 130, 30, id="two that cancel out, beside one"),
            pytest.param([100, 60, -60, -100], 0, 160, 160, id="two pairs"),
        ],
    )
    def test_cannot_tell_between_choices(
        self, moves: Moves, change: int, come: int, gone: int
    ) -> None:
        with pytest.raises(CannotTell):
            shown(moves, change, come=come, gone=gone)

    def test_finds_a_part_whose_rest_is_pending(self) -> None:
        assert shown([-100], -60, gone=60) == [60]
        assert shown([100], 60, come=60) == [60]
        assert shown([100], "0.000000001", come=0) == [0]

    @pytest.mark.parametrize(
        ("moves", "change", "come", "gone"),
        [
            pytest.param([-100], -60, 0, 100, id="nothing is pending"),
            pytest.param([-100], -60, 0, 61, id="less than the rest is pending"),
            pytest.param([-100], 60, 0, 60, id="shares have come"),
            pytest.param([-100, -100], -60, 0, 60, id="it may be of either"),
            pytest.param([-100, 30], -60, 30, 60, id="something else is open"),
        ],
    )
    def test_takes_nothing_else_for_a_part(
        self, moves: Moves, change: int, come: int, gone: int
    ) -> None:
        assert shown(moves, change, come=come, gone=gone) == [0] * len(moves)

    def test_counts_what_is_left_of_what_settled_in_part_before(self) -> None:
        [one] = instructions([-100])
        one.settled_quantity = Decimal(60)

        assert explain(movement(-40, come=0, gone=40), [one]) == [(one, Decimal(40))]

    def test_gives_up_where_too_much_would_have_to_be_tried(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(explaining, "CHOICES_MAX", 3)

        with pytest.raises(CannotTell):
            shown([100, 60], 100, come=160)

    def test_sees_at_once_that_all_of_many_have_come(self) -> None:
        many = list(range(1, 300))

        assert shown(many, sum(many), come=sum(many)) == many


@given(
    moves=st.lists(st.integers(-6, 6).filter(bool), max_size=7),
    change=st.integers(-8, 8),
    come=st.integers(0, 12),
    gone=st.integers(0, 12),
)
def test_tries_every_choice_once(moves: Moves, change: int, come: int, gone: int) -> None:
    listed = instructions(moves)
    indices = range(len(moves))
    every = chain.from_iterable(combinations(indices, size) for size in range(len(moves) + 1))
    expected = [
        set(chosen)
        for chosen in every
        if sum(moves[index] for index in chosen) == change
        and sum(moves[index] for index in chosen if moves[index] > 0) <= come
        and -sum(moves[index] for index in chosen if moves[index] < 0) <= gone
    ]

    found = [
        {index for index in indices if any(listed[index] is one for one in choice)}
        for choice in choices(movement(change, come=come, gone=gone), listed)
    ]

    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
