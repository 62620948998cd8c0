"""How many tokens each chain may still mint, and which chains may mint at all."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.custody.models import CustodyAccount, Position
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Deployment, Network, Token
from issuer.reserves import gates, selectors
from issuer.reserves.figures import AccountFigures, DeploymentFigures, TokenFigures
from tests.make import gate, instruments, reserves

NONE = Decimal(0)
AT = datetime.fromisoformat("2026-11-20T15:00:00+00:00")

shares = st.decimals(min_value=0, max_value=10**12, places=18)
multipliers = st.decimals(min_value=Decimal("1e-9"), max_value=10**6, places=18)
chains_of = st.lists(
    st.tuples(st.none() | multipliers.filter(bool), st.integers(0, 18), st.booleans()), max_size=5
)


def deployed(
    multiplier: Decimal | None, *, decimals: int = 18, supply: Decimal = NONE
) -> DeploymentFigures:
    network = Network(id=uuid7(), caip2="eip155:1", name="A network")
    deployment = Deployment(id=uuid7(), network=network, decimals=decimals)
    return DeploymentFigures(deployment, multiplier, None, supply, (), (), (), None)


def holding(shares_: Decimal) -> AccountFigures:
    """Return an account in which custodian and books agree."""
    return AccountFigures(
        account=CustodyAccount(),
        statement=None,
        position=Position(settled=shares_),
        stated_factor=Fraction(1),
        booked=shares_,
        pending=NONE,
        pending_delivery=NONE,
        deliveries=(),
        delivering=NONE,
        departed=NONE,
        reason=None,
    )


def figures(
    chains: Sequence[DeploymentFigures],
    *,
    held: Decimal,
    paid: Decimal = NONE,
    burned: Decimal = NONE,
    reserved: Decimal = NONE,
) -> TokenFigures:
    return TokenFigures(
        token=Token(symbol="AAPLx"),
        as_of=AT,
        deployments=tuple(chains),
        accounts=(holding(held),),
        receipts=(),
        outstanding=NONE,
        owed_on_tokens=NONE,
        paid_not_minted=paid,
        burned_not_delivered=burned,
        own=NONE,
        reserved=reserved,
        splits=(),
        books_factor=Fraction(1),
    )


@pytest.mark.django_db
class TestHeadrooms:
    def test_share_the_surplus_equally(self, at: datetime) -> None:
        token, first, _ = reserves.backed_token(Decimal(602), at=at)
        second = instruments.deployment(token_=token)
        reserves.issue(token, Decimal(600), Decimal(600), at=at)
        reserves.supply(first, Decimal(500), at=at)
        reserves.supply(second, Decimal(100), at=at)
        found = selectors.figures_of([token], at=at)[token.pk]

        assert selectors.headrooms(found, set()) == {first.pk: 1, second.pk: 1}
        assert selectors.headrooms(found, {second.network_id}) == {first.pk: 2, second.pk: 0}
        shut = {first.network_id, second.network_id}
        assert selectors.headrooms(found, shut) == {first.pk: 0, second.pk: 0}

    def test_are_rounded_down_by_each_chains_decimals_and_multiplier(self, at: datetime) -> None:
        token, first, _ = reserves.backed_token(Decimal(10), at=at)
        second = instruments.deployment(token_=token, decimals=2, multiplier_=Decimal(3))
        third = instruments.deployment(token_=token, decimals=0, multiplier_=Decimal(2))
        for deployment in (second, third):
            reserves.supply(deployment, NONE, at=at)
        found = selectors.figures_of([token], at=at)[token.pk]

        rooms = selectors.headrooms(found, set())

        third_of_ten = Decimal("3.333333333333333333")
        assert rooms == {first.pk: third_of_ten, second.pk: Decimal("1.11"), third.pk: 1}

    def test_leave_what_requests_hold_beyond_what_they_paid(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(602), at=at)
        reserves.share_hold(token, Decimal(600), at=at)
        found = selectors.figures_of([token], at=at)[token.pk]

        assert selectors.headrooms(found, set()) == {deployment.pk: 2}

    def test_are_none_while_a_source_is_silent_or_shares_are_short(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(602), at=at)
        silent = instruments.deployment(token_=token)
        found = selectors.figures_of([token], at=at)[token.pk]
        assert selectors.headrooms(found, set()) == {deployment.pk: 0, silent.pk: 0}

        reserves.supply(silent, Decimal(603), at=at)
        found = selectors.figures_of([token], at=at)[token.pk]
        assert selectors.headrooms(found, set()) == {deployment.pk: 0, silent.pk: 0}


class TestAnySurplus:
    @settings(deadline=None, max_examples=300)
    @given(held=shares, paid=shares, burned=shares, reserved=shares, chains=chains_of)
    def test_is_never_exceeded_by_what_the_chains_may_mint(
        self,
        held: Decimal,
        paid: Decimal,
        burned: Decimal,
        reserved: Decimal,
        chains: list[tuple[Decimal | None, int, bool]],
    ) -> None:
        rows = [deployed(multiplier, decimals=decimals) for multiplier, decimals, _ in chains]
        shut = {
            row.deployment.network_id
            for row, (_, _, is_shut) in zip(rows, chains, strict=True)
            if is_shut
        }
        found = figures(rows, held=held, paid=paid, burned=burned, reserved=reserved)
        surplus = found.cover.surplus

        rooms = selectors.headrooms(found, shut)

        unclaimed = found.cover.unclaimed
        used = sum(
            (rooms[row.deployment.pk] * (row.multiplier or NONE) for row in rows), start=NONE
        )
        assert used <= max(surplus or NONE, NONE)
        assert used <= max(unclaimed or NONE, NONE)
        for row in rows:
            room = rooms[row.deployment.pk]
            assert room >= 0
            assert room == round(room, row.deployment.decimals)
            assert not room or row.deployment.network_id not in shut


@pytest.mark.django_db
class TestShutNetworks:
    def test_are_those_that_a_hold_is_on(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        second = instruments.deployment(token_=token)
        found = selectors.figures_of([token], at=at)[token.pk]
        gate.hold(ScopeKind.NETWORK, second.network_id)

        holds = gates.holds_on([token])[token.pk]

        assert gates.shut_networks(found, holds) == {second.network_id}
        assert gates.shut_networks(found, []) == set()

    @pytest.mark.parametrize("effect", [GateState.REDEEM_ONLY, GateState.HALTED])
    @pytest.mark.parametrize("kind", [ScopeKind.PROGRAM, ScopeKind.TOKEN, ScopeKind.CUSTODIAN])
    def test_are_all_if_it_is_on_something_that_they_share(
        self, kind: ScopeKind, effect: GateState, at: datetime
    ) -> None:
        token, first, account = reserves.backed_token(at=at)
        second = instruments.deployment(token_=token)
        found = selectors.figures_of([token], at=at)[token.pk]
        subjects = {
            ScopeKind.PROGRAM: token.program_id,
            ScopeKind.TOKEN: token.pk,
            ScopeKind.CUSTODIAN: account.custodian_id,
        }
        gate.hold(kind, subjects[kind], effect=effect)

        holds = gates.holds_on([token])[token.pk]

        assert gates.shut_networks(found, holds) == {first.network_id, second.network_id}
