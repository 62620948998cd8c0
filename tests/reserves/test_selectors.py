"""Cover from real rows: exact figures, and reasons where there can be none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuer.chain.states import IntentState
from issuer.custody.models import CustodyAccount
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import ScopeKind
from issuer.instruments.models import ControlledRole, Deployment, Token
from issuer.reserves import gates, selectors
from issuer.reserves.cover import CoverStatus
from tests.make import chain, custody, gate, instruments, parties, reserves
from tests.make.reserves import amounts

pytestmark = pytest.mark.django_db

ONE = 10**18
DAY = timedelta(days=1)
MONDAY = timedelta(days=3)


class TestCoverOf:
    def test_is_covered_by_settled_shares(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal("1005.1"), at=at)
        reserves.issue(token, Decimal(1000), Decimal(1000), at=at)
        reserves.supply(deployment, Decimal(1000), at=at)

        cover = selectors.cover_of(token, at=at)

        assert cover.status == CoverStatus.COVERED
        assert (cover.owed_on_tokens, cover.held) == amounts(1000, "1005.1")
        assert (cover.surplus, cover.ratio_bps) == (Decimal("5.1"), 10051)
        assert (cover.headroom, cover.reasons) == (Decimal("5.1"), ())

    def test_is_covered_when_nothing_is_owed(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(Decimal(0), at=at)

        cover = selectors.cover_of(token, at=at)

        assert cover.status == CoverStatus.COVERED
        assert (cover.owed, cover.held) == amounts(0, 0)
        assert cover.ratio_bps is None

    def test_counts_no_share_that_is_pending(self, at: datetime) -> None:
        token, _, account = reserves.backed_token(Decimal(0), at=at - DAY)
        custody.instruction(account, Decimal(600), at=at, request_id=uuid7())
        pending = custody.line(account, Decimal(0), pending_receipt=Decimal(600))
        custody.statement(account.custodian, [pending], at=at)
        reserves.supply(token.deployments.get(), Decimal(0), at=at)

        cover = selectors.cover_of(token, at=at)

        assert (cover.held, cover.disclosed, cover.free_for_approval) == amounts(0, 0, 0)
        assert cover.headroom == 0

    def test_counts_them_once_they_have_settled(self, at: datetime) -> None:
        token, _, account = reserves.backed_token(Decimal(0), at=at)
        custody.settled_shares(account, Decimal(600), at=at + MONDAY, request_id=uuid7())
        reserves.supply(token.deployments.get(), Decimal(0), at=at + MONDAY)

        cover = selectors.cover_of(token, at=at + MONDAY)

        assert (cover.held, cover.paid_not_minted) == amounts(600, 600)
        assert (cover.free_for_approval, cover.headroom) == amounts(600, 0)

    def test_counts_no_share_that_is_lent_leaving_or_blocked(self, at: datetime) -> None:
        token, _, account = reserves.backed_token(Decimal(1000), at=at - DAY)
        lent = custody.line(account, Decimal(1000), lent=Decimal(300))
        custody.statement(account.custodian, [lent], at=at)
        reserves.supply(token.deployments.get(), Decimal(0), at=at)

        assert selectors.cover_of(token, at=at).held == 700

    def test_holds_the_smaller_of_custodian_and_books_per_account(self, at: datetime) -> None:
        token, _, account = reserves.backed_token(Decimal(600), at=at - DAY)
        other = custody.account(token_=token)
        custody.settled_shares(other, Decimal(400), at=at - DAY)
        custody.statement(account.custodian, [custody.line(account, Decimal(500))], at=at)
        custody.statement(other.custodian, [custody.line(other, Decimal(9000))], at=at)
        reserves.supply(token.deployments.get(), Decimal(0), at=at)

        assert selectors.cover_of(token, at=at).held == 900

    def test_owes_the_larger_of_chain_and_books(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        reserves.issue(token, Decimal(600), Decimal(600), at=at)

        reserves.supply(deployment, Decimal(500), at=at)
        assert selectors.cover_of(token, at=at).owed_on_tokens == 600
        reserves.supply(deployment, Decimal(700), at=at)
        assert selectors.cover_of(token, at=at).owed_on_tokens == 700

    def test_owes_nothing_for_tokens_of_the_issuers_own(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        network = deployment.network
        treasury = instruments.controlled_address(network_=network)
        returned = instruments.controlled_address(network_=network, role=ControlledRole.REDEMPTION)
        chain.snapshot(
            deployment,
            total_supply_base_units=600 * ONE,
            controlled={
                treasury.address: 50 * ONE,
                returned.address: 20 * ONE,
                parties.evm_address(): 30 * ONE,
            },
            taken_at=at,
        )

        assert selectors.cover_of(token, at=at).owed_on_tokens == 550

    def test_does_not_owe_twice_for_a_mint_that_is_not_booked(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(0), at=at)
        custody.settled_shares(account, Decimal(600), at=at, request_id=uuid7())
        chain.intent(deployment, state=IntentState.FINAL, base_units=600 * ONE)
        reserves.supply(deployment, Decimal(600), at=at)

        cover = selectors.cover_of(token, at=at)

        assert (cover.owed_on_tokens, cover.paid_not_minted, cover.owed) == amounts(0, 600, 600)
        assert cover.status == CoverStatus.COVERED

    def test_owes_for_a_mint_in_a_later_block_only_when_that_is_read(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(at=at)
        snapshot = reserves.supply(deployment, Decimal(600), at=at)
        intent = chain.intent(deployment, state=IntentState.FINAL, base_units=600 * ONE)
        assert intent.event is not None
        assert intent.event.block_number > snapshot.block_number

        assert selectors.cover_of(token, at=at).owed_on_tokens == 600

    def test_sums_chains_of_different_decimals_exactly_and_rounds_up(self, at: datetime) -> None:
        token = instruments.token()
        custody.settled_shares(custody.account(token_=token), Decimal(2), at=at)
        for decimals, base_units in [(18, ONE + 1), (8, 1), (9, 1)]:
            deployment = instruments.deployment(
                token_=token, decimals=decimals, multiplier_=Decimal("1.0025")
            )
            chain.snapshot(
                deployment,
                total_supply_base_units=base_units,
                ui_multiplier_base_units=10**15 * 1002 + 5 * 10**14,
                taken_at=at,
            )

        cover = selectors.cover_of(token, at=at)

        # 1.000000011000000001 tokens are 1.0025000110275000010025 shares.
        assert cover.owed_on_tokens == Decimal("1.002500011027500002")
        assert (cover.multiplier, cover.decimals) == (Decimal("1.0025"), 8)

    def test_is_in_transit_with_own_shares_inside_their_date(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(900), at=at)
        reserves.supply(deployment, Decimal(1000), at=at)
        custody.instruction(account, Decimal(100), at=at, settlement_date=(at + MONDAY).date())

        cover = selectors.cover_of(token, at=at)

        assert cover.status == CoverStatus.IN_TRANSIT
        assert (cover.disclosed, cover.surplus, cover.headroom) == amounts(100, -100, 0)

    def test_is_short_when_they_are_past_it(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(900), at=at - DAY)
        custody.instruction(account, Decimal(100), at=at - DAY)
        reserves.supply(deployment, Decimal(1000), at=at)

        cover = selectors.cover_of(token, at=at)

        assert (cover.status, cover.disclosed) == (CoverStatus.SHORT, Decimal(0))

    def test_is_short_when_the_policy_admits_none(self, at: datetime) -> None:
        token = instruments.token(admits_unsettled_receipts=False)
        token, deployment, account = reserves.backed_token(Decimal(900), at=at, token_=token)
        reserves.supply(deployment, Decimal(1000), at=at)
        custody.instruction(account, Decimal(100), at=at, settlement_date=(at + MONDAY).date())

        cover = selectors.cover_of(token, at=at)

        assert (cover.status, cover.disclosed) == (CoverStatus.SHORT, Decimal(0))
        assert cover.ratio_bps == 9000

    def test_discloses_no_shares_that_come_for_an_issuance(self, at: datetime) -> None:
        token, _, account = reserves.backed_token(at=at)
        custody.instruction(account, at=at, request_id=uuid7())

        assert selectors.cover_of(token, at=at).disclosed == 0

    def test_reserves_what_is_held_for_requests(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        reserves.share_hold(token, Decimal(600), at=at)

        cover = selectors.cover_of(token, at=at)

        assert (cover.reserved, cover.free_for_approval, cover.headroom) == amounts(600, 400, 400)


@dataclass(frozen=True)
class World:
    """A token that is covered, before something happens."""

    token: Token
    deployment: Deployment
    account: CustodyAccount
    at: datetime


def a_network_in_trouble(world: World) -> None:
    chain.trouble(world.deployment.network)


def a_multiplier_that_differs(world: World) -> None:
    chain.snapshot(world.deployment, ui_multiplier_base_units=2 * ONE, taken_at=world.at)


def a_deployment_never_read(world: World) -> None:
    instruments.deployment(token_=world.token)


def a_deployment_without_multiplier(world: World) -> None:
    other = instruments.deployment(token_=world.token, multiplier_=None)
    reserves.supply(other, Decimal(0), at=world.at)


def a_silent_custodian(world: World) -> None:
    custody.account(token_=world.token)


def an_account_left_out(world: World) -> None:
    other = custody.account()
    custody.statement(other.custodian, [custody.line(other, Decimal(0))], at=world.at)
    rows = CustodyAccount.objects.filter(pk=world.account.pk)
    rows.update(custodian=other.custodian)


class TestUnknown:
    @pytest.mark.parametrize(
        ("happen", "side", "reason"),
        [
            pytest.param(
                a_network_in_trouble,
                "owed",
                "{network} has not been read with confidence since",
                id="trouble",
            ),
            pytest.param(
                a_multiplier_that_differs,
                "owed",
                "The multiplier of {deployment} is 2 on chain and 1 in the books.",
                id="multipliers differ",
            ),
            pytest.param(
                a_deployment_never_read, "owed", "has not been read yet.", id="never read"
            ),
            pytest.param(
                a_deployment_without_multiplier,
                "owed",
                "The books know no multiplier",
                id="no multiplier",
            ),
            pytest.param(a_silent_custodian, "held", "no statement of", id="no statement"),
            pytest.param(an_account_left_out, "held", "leaves the account of", id="no position"),
        ],
    )
    def test_gives_a_reason_instead_of_a_number(
        self, happen: Callable[[World], None], side: str, reason: str, at: datetime
    ) -> None:
        token, deployment, account = reserves.backed_token(at=at)
        happen(World(token, deployment, account, at))

        cover = selectors.cover_of(token, at=at)

        assert cover.status == CoverStatus.UNKNOWN
        assert len(cover.reasons) == 1
        expected = reason.format(network=deployment.network, deployment=deployment)
        assert expected in cover.reasons[0]
        assert (cover.owed_on_tokens is None) == (side == "owed")
        assert (cover.held is None) == (side == "held")

    @pytest.mark.parametrize(("age", "known"), [(1800, True), (1801, False)])
    def test_does_not_trust_a_chain_that_stands_still(
        self, age: int, known: bool, at: datetime
    ) -> None:
        token, _, _ = reserves.backed_token(at=at)

        cover = selectors.cover_of(token, at=at + timedelta(seconds=age))

        assert (cover.status != CoverStatus.UNKNOWN) == known
        if not known:
            (reason,) = cover.reasons
            assert reason.startswith("The newest final block of ")
            assert reason.endswith(" that was read is of 2026-11-20 15:00:00Z.")

    def test_does_not_trust_a_statement_that_is_old(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(at=at)
        later = at + timedelta(hours=11)
        reserves.supply(deployment, Decimal(0), at=later)
        assert selectors.cover_of(token, at=later).status == CoverStatus.COVERED

        monday_over = at + timedelta(days=4)
        reserves.supply(deployment, Decimal(0), at=monday_over)

        cover = selectors.cover_of(token, at=monday_over)
        (reason,) = cover.reasons
        missing = f"{token.symbol}: no statement of {account.custodian} for 2026-11-23 is here"
        assert reason == f"{missing}; the last is of 2026-11-20."

    def test_an_account_too_young_for_a_statement_holds_nothing(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        custody.account(token_=token, opened_at=at)

        assert selectors.cover_of(token, at=at).held == 1000


class TestCoversOf:
    def test_asks_as_often_for_thirty_tokens_as_for_three(self, at: datetime) -> None:
        tokens = [reserves.backed_token(at=at)[0] for _ in range(30)]

        with CaptureQueriesContext(connection) as few:
            selectors.covers_of(tokens[:3], at=at)
        with CaptureQueriesContext(connection) as many:
            covers = selectors.covers_of(tokens, at=at)

        assert len(few) == len(many) == 13
        assert {cover.held for cover in covers.values()} == {Decimal(1000)}
        assert len(covers) == 30


class TestScopesOf:
    def test_names_every_gate_of_a_mint(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(at=at)

        assert selectors.scopes_of(token, deployment.network) == [
            (ScopeKind.PROGRAM, token.program_id),
            (ScopeKind.TOKEN, token.pk),
            (ScopeKind.NETWORK, deployment.network_id),
            (ScopeKind.CUSTODIAN, account.custodian_id),
        ]


class TestHoldsOn:
    def test_finds_what_shuts_each_token(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(at=at)
        other, _, _ = reserves.backed_token(at=at)
        holds = [
            gate.hold(ScopeKind.PROGRAM, token.program_id),
            gate.hold(ScopeKind.TOKEN, token.pk),
            gate.hold(ScopeKind.NETWORK, deployment.network_id),
            gate.hold(ScopeKind.CUSTODIAN, account.custodian_id),
        ]

        assert gates.holds_on([token, other]) == {token.pk: holds, other.pk: []}
