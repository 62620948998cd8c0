"""Requests in flight over a split: what becomes of each, to the last share."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import pytest

from issuer.corporate_actions import services
from issuer.corporate_actions.models import StockSplit
from issuer.custody.states import InstructionState
from issuer.foundation.actors import Actor
from issuer.gate.errors import GateClosed
from issuer.ledger import selectors as books
from issuer.people.roles import Role
from issuer.primary_market import selectors
from issuer.primary_market import services as primary
from issuer.primary_market.errors import MultiplierChanged
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import IssuanceState, RedemptionState
from issuer.reserves.models import ShareHold
from tests.make import chain, people, primary_market, redemptions
from tests.make import corporate_actions as make
from tests.make.primary_market import AT, Market

pytestmark = pytest.mark.django_db

_I = IssuanceState
_R = RedemptionState
EFFECTIVE_AT: Final = AT + timedelta(hours=1)
LATER: Final = EFFECTIVE_AT + timedelta(minutes=1)
#: Held by the window, or refused for its terms: whichever is asked first.
STOPPED: Final = (GateClosed, MultiplierChanged)


@dataclass(frozen=True)
class Found:
    """Where a request stands after a split of four for one."""

    state: str
    shares: int
    instructed: int | None
    books: dict[str, int]


def split(market: Market) -> StockSplit:
    """Have two persons agree on a split, every chain told, and the gate shut at its time."""
    stock_split = make.scheduled(make.stock_split(token_=market.token, at=AT), at=AT)
    assert stock_split.effective_at == EFFECTIVE_AT
    assert services.keep_window(stock_split.pk, actor=redemptions.SYSTEM, at=EFFECTIVE_AT)
    return stock_split


def book(stock_split: StockSplit) -> None:
    """Book the split, and put what is in flight on the terms after it."""
    services.book(stock_split.pk, actor=redemptions.SYSTEM, at=LATER)
    for issuance_id in selectors.issuances_to_requote(LATER):
        primary.requote_issuance(issuance_id, actor=redemptions.SYSTEM, at=LATER)
    for redemption_id in selectors.redemptions_to_requote(LATER):
        primary.requote_redemption(redemption_id, actor=redemptions.SYSTEM, at=LATER)


def shares_of(market: Market) -> dict[str, int]:
    """Return the share accounts of the books that hold something, and that all of them tie."""
    assert set(books.trial_balance().values()) == {Decimal(0)}
    prefix = f"{market.token.symbol}/shares/"
    return {
        code.removeprefix(prefix).partition("/")[0]: int(balance)
        for code, balance in books.balances(prefix).items()
        if balance
    }


def found(request: IssuanceRequest | RedemptionRequest, market: Market) -> Found:
    request.refresh_from_db()
    assert request.multiplier == 4
    instruction = request.instruction
    return Found(
        request.state,
        int(request.shares),
        None if instruction is None else int(instruction.quantity),
        shares_of(market),
    )


class TestIssuances:
    """One of 600 tokens, for which 600 shares are due."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (_I.REQUESTED, Found("REQUESTED", 2400, None, {})),
            (
                _I.ACCEPTED,
                Found("ACCEPTED", 2400, 2400, {"pending-receipt": 2400, "awaited": 2400}),
            ),
            (_I.FUNDED, Found("FUNDED", 2400, 600, {"settled": 2400, "paid-not-minted": 2400})),
            (_I.APPROVED, Found("FUNDED", 2400, 600, {"settled": 2400, "paid-not-minted": 2400})),
            (_I.MINTING, Found("MINTING", 2400, 600, {"settled": 2400, "paid-not-minted": 2400})),
            (_I.FROZEN, Found("FROZEN", 2400, None, {})),
        ],
    )
    def test_stand_for_four_times_the_shares(self, before: IssuanceState, after: Found) -> None:
        market = primary_market.market()
        request = primary_market.issuance(market, state=before)
        stock_split = split(market)

        book(stock_split)

        assert found(request, market) == after
        holds = list(ShareHold.objects.values_list("state", "quantity"))
        assert holds == {
            _I.APPROVED: [("RELEASED", Decimal(2400))],
            _I.MINTING: [("ACTIVE", Decimal(2400))],
        }.get(before, [])

    def test_that_were_approved_are_approved_again(self) -> None:
        market = primary_market.market()
        request = primary_market.issuance(market, state=_I.APPROVED)
        stock_split = split(market)
        with pytest.raises(STOPPED):
            primary_market.sign(request, at=EFFECTIVE_AT)
        book(stock_split)
        chain.snapshot(market.deployment, ui_multiplier_base_units=4 * 10**18, taken_at=LATER)
        services.keep_window(stock_split.pk, actor=redemptions.SYSTEM, at=LATER)

        primary_market.approve(request, at=LATER)

        assert list(ShareHold.objects.order_by("pk").values_list("state", "quantity")) == [
            ("RELEASED", Decimal(2400)),
            ("ACTIVE", Decimal(2400)),
        ]

    def test_that_are_new_are_accepted_on_no_terms_before_the_booking(self) -> None:
        market = primary_market.market()
        request = primary_market.issuance(market)
        split(market)

        with pytest.raises(STOPPED):
            primary.accept(
                request.pk,
                delivering_party="A broker",
                trade_date=AT.date(),
                actor=people.staff_actor(Role.OPERATIONS_OFFICER),
                at=EFFECTIVE_AT,
            )

        request.refresh_from_db()
        assert (request.state, request.instruction) == (_I.REQUESTED, None)
        assert shares_of(market) == {}

    @pytest.mark.parametrize("booked_first", [True, False])
    def test_whose_mint_is_final_are_owed_four_times_the_shares(self, booked_first: bool) -> None:
        market = primary_market.market()
        request = primary_market.issuance(market, state=_I.MINTING)
        stock_split = split(market)
        primary_market.finalize(request, at=EFFECTIVE_AT)

        if booked_first:
            book(stock_split)
            primary.complete(request.pk, actor=redemptions.SYSTEM, at=LATER)
        else:
            primary.complete(request.pk, actor=redemptions.SYSTEM, at=EFFECTIVE_AT)
            book(stock_split)

        request.refresh_from_db()
        assert request.state == _I.COMPLETED
        assert shares_of(market) == {"settled": 2400, "owed-on-tokens": 2400}
        [hold] = ShareHold.objects.values_list("state", flat=True)
        assert hold == "CONSUMED"

    def test_that_looked_at_the_clock_before_the_booking_are_not_booked_on_old_terms(self) -> None:
        """A round of the task has one time, and waits for locks: the books may have moved on."""
        market = primary_market.market()
        request = primary_market.issuance(market, state=_I.MINTING)
        stock_split = split(market)
        primary_market.finalize(request, at=EFFECTIVE_AT)
        services.book(stock_split.pk, actor=redemptions.SYSTEM, at=LATER)

        for earlier in (EFFECTIVE_AT - timedelta(seconds=1), EFFECTIVE_AT):
            with pytest.raises(MultiplierChanged):
                primary.complete(request.pk, actor=redemptions.SYSTEM, at=earlier)

        request.refresh_from_db()
        assert request.state == _I.MINTING
        assert shares_of(market) == {"settled": 2400, "paid-not-minted": 2400}


class TestRedemptions:
    """One of 100 of 600 tokens, behind which there are 600 shares."""

    @pytest.fixture
    def market(self) -> Market:
        return redemptions.market()

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            *(
                (state, Found(state, 400, None, {"settled": 2400, "owed-on-tokens": 2400}))
                for state in (_R.REQUESTED, _R.AWAITING_TOKENS, _R.RECEIVED, _R.BURNING)
            ),
            (
                _R.APPROVED,
                Found("RECEIVED", 400, None, {"settled": 2400, "owed-on-tokens": 2400}),
            ),
            (
                _R.BURNED,
                Found(
                    "BURNED",
                    400,
                    None,
                    {"settled": 2400, "owed-on-tokens": 2000, "burned-not-delivered": 400},
                ),
            ),
            (
                _R.DELIVERING,
                Found(
                    "DELIVERING",
                    400,
                    400,
                    {"settled": 2400, "owed-on-tokens": 2000, "pending-delivery": 400},
                ),
            ),
        ],
    )
    def test_stand_for_four_times_the_shares(
        self, market: Market, before: RedemptionState, after: Found
    ) -> None:
        request = redemptions.redemption(market, state=before)
        stock_split = split(market)

        book(stock_split)

        assert found(request, market) == after

    def test_that_were_approved_are_not_burned_on_the_old_terms(self, market: Market) -> None:
        request = redemptions.redemption(market, state=_R.APPROVED)
        split(market)

        with pytest.raises(STOPPED):
            redemptions.sign(request, at=EFFECTIVE_AT)

        request.refresh_from_db()
        assert (request.state, request.burn_intent) == (_R.APPROVED, None)

    @pytest.mark.parametrize("booked_first", [True, False])
    def test_whose_burn_is_final_are_owed_four_times_the_shares(
        self, market: Market, booked_first: bool
    ) -> None:
        request = redemptions.redemption(market, state=_R.BURNING)
        stock_split = split(market)
        redemptions.finalize(request, at=EFFECTIVE_AT)

        if booked_first:
            book(stock_split)
            primary.complete_burn(request.pk, actor=redemptions.SYSTEM, at=LATER)
        else:
            primary.complete_burn(request.pk, actor=redemptions.SYSTEM, at=EFFECTIVE_AT)
            book(stock_split)

        assert found(request, market) == Found(
            "BURNED",
            400,
            None,
            {"settled": 2400, "owed-on-tokens": 2000, "burned-not-delivered": 400},
        )

    def test_that_looked_at_the_clock_before_the_booking_are_not_booked_on_old_terms(
        self, market: Market
    ) -> None:
        request = redemptions.redemption(market, state=_R.BURNING)
        stock_split = split(market)
        redemptions.finalize(request, at=EFFECTIVE_AT)
        services.book(stock_split.pk, actor=redemptions.SYSTEM, at=LATER)

        with pytest.raises(MultiplierChanged):
            primary.complete_burn(request.pk, actor=redemptions.SYSTEM, at=EFFECTIVE_AT)

        assert shares_of(market) == {"settled": 2400, "owed-on-tokens": 2400}

    def test_that_are_burned_are_not_sent_old_shares_after_the_split(
        self, market: Market, system: Actor
    ) -> None:
        request = redemptions.redemption(market, state=_R.BURNED)
        split(market)
        with pytest.raises(GateClosed):
            primary.instruct_delivery(request.pk, actor=system, at=EFFECTIVE_AT)

        request.refresh_from_db()
        assert (request.state, request.instruction) == (_R.BURNED, None)

    def test_whose_shares_are_on_their_way_are_complete_once_the_new_ones_have_left(
        self, market: Market
    ) -> None:
        request = redemptions.redemption(market, state=_R.DELIVERING)
        book(split(market))
        request.refresh_from_db()

        later: datetime = redemptions.deliver(request, at=LATER)
        primary.complete_redemption(request.pk, actor=redemptions.SYSTEM, at=later)

        assert found(request, market) == Found(
            "COMPLETED", 400, 400, {"settled": 2000, "owed-on-tokens": 2000}
        )
        assert request.instruction is not None
        assert request.instruction.state == InstructionState.SETTLED
