from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Token
from issuer.reconciliation.models import Run, TokenResult
from issuer.reserves.cover import CoverStatus
from issuer.transparency.reserves import PublicReserves, public_reserves
from tests.make import attestation as make_attestation
from tests.make import chain, custody, gate, instruments, parties, reconciliation, reserves

pytestmark = pytest.mark.django_db

#: However many tokens there are.
QUERIES = 27


def result(token: Token, status: CoverStatus, *, at: datetime) -> TokenResult:
    """Record what a reconciliation of a token found at `at`."""
    run = Run.objects.create(
        program=token.program, as_of=at, started_by="SYSTEM:tests", recorded_at=at
    )
    figures: dict[str, Any] = dict.fromkeys(
        ["owed_shares", "held_shares", "surplus_shares", "headroom"], Decimal(1)
    )
    if status == CoverStatus.UNKNOWN:
        figures = {"reasons": ["A source is silent."]}
    return TokenResult.objects.create(run=run, token=token, status=status, **figures)


class TestPublicReserves:
    def test_has_every_token_by_symbol_with_its_cover(self, at: datetime) -> None:
        for symbol, shares in (("TSLAx", "5"), ("AAPLx", "1000")):
            token = instruments.token(symbol=symbol)
            reserves.backed_token(Decimal(shares), at=at, token_=token)

        page = public_reserves(at=at)

        assert [row.token.symbol for row in page.tokens] == ["AAPLx", "TSLAx"]
        assert [row.cover.held for row in page.tokens] == [Decimal(1000), Decimal(5)]
        assert page.status == CoverStatus.COVERED
        assert page.alarms == ()

    def test_is_as_of_its_oldest_block_and_statement(self, at: datetime) -> None:
        reserves.backed_token(at=at - timedelta(days=1))
        reserves.backed_token(at=at)

        page = public_reserves(at=at)

        assert page.chains_as_of == at - timedelta(days=1)
        assert page.custodians_as_of == (at - timedelta(days=1)).date()

    def test_is_unknown_without_tokens(self, at: datetime) -> None:
        page = public_reserves(at=at)

        assert page.status == CoverStatus.UNKNOWN
        assert (page.tokens, page.breaks, page.history.rows) == ((), (), ())
        assert (page.chains_as_of, page.custodians_as_of) == (None, None)

    def test_is_as_good_as_its_worst_token(self, at: datetime) -> None:
        reserves.backed_token(at=at)
        _, deployment, _ = reserves.backed_token(Decimal(10), at=at)
        reserves.supply(deployment, Decimal(11), at=at)

        page = public_reserves(at=at)

        assert page.status == CoverStatus.SHORT
        assert [row.token for row in page.alarms] == [deployment.token]

    def test_names_what_is_not_counted(self, at: datetime) -> None:
        _, deployment, _ = reserves.backed_token(at=at)
        treasury = instruments.controlled_address(network_=deployment.network)
        chain.snapshot(
            deployment,
            total_supply_base_units=5 * 10**18,
            controlled={treasury.address: 2 * 10**18},
            taken_at=at,
        )

        ((figures, excluded),) = public_reserves(at=at).exclusions

        assert figures.deployment == deployment
        assert (excluded.address, excluded.quantity) == (treasury.address, Decimal(2))

    def test_alarms_where_a_gate_is_shut(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(at=at)
        reserves.backed_token(at=at)
        for kind, subject, effect in (
            (ScopeKind.CUSTODIAN, account.custodian_id, GateState.REDEEM_ONLY),
            (ScopeKind.NETWORK, deployment.network_id, GateState.HALTED),
        ):
            gate.hold(kind, subject, effect=effect)

        (row,) = public_reserves(at=at).alarms

        assert (row.token, row.gate, len(row.holds)) == (token, GateState.HALTED, 2)

    def test_has_open_breaks_only(self, at: datetime) -> None:
        found = reconciliation.break_()

        assert public_reserves(at=at).breaks == (found,)

    def test_has_published_statements_only(self, at: datetime) -> None:
        world = make_attestation.world(at=at)
        make_attestation.frozen(world, at=at)
        assert public_reserves(at=at).attestations == ()

        other = make_attestation.world(at=at)
        published = make_attestation.published(other, at=at)
        assert public_reserves(at=at).attestations == (published,)

    def test_asks_as_often_for_many_tokens_as_for_one(
        self, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        program = parties.program()
        network = instruments.network()
        custodian = parties.custodian()

        def add_token() -> None:
            token = instruments.token(program=program)
            deployment = instruments.deployment(token_=token, network_=network)
            custody.account(token_=token, custodian_=custodian)
            chain.snapshot(deployment, taken_at=at)

        add_token()
        reconciliation.run(program, at=at)
        with django_assert_num_queries(QUERIES):
            public_reserves(at=at)
        for _ in range(4):
            add_token()
        reconciliation.run(program, at=at + timedelta(minutes=1))
        with django_assert_num_queries(QUERIES):
            public_reserves(at=at + timedelta(minutes=1))


class TestReconciledAt:
    def test_is_that_of_the_program_that_waits_longest(self, at: datetime) -> None:
        for hours in (0, 2):
            token, _, _ = reserves.backed_token(at=at)
            reconciliation.run(token.program, at=at - timedelta(hours=3))
            reconciliation.run(token.program, at=at - timedelta(hours=hours))

        page = public_reserves(at=at)

        assert (page.reconciled_at, page.overdue) == (at - timedelta(hours=2), True)

    def test_is_not_overdue_within_the_hour(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        reconciliation.run(token.program, at=at - timedelta(hours=1))

        assert public_reserves(at=at).overdue is False

    def test_is_nothing_while_a_program_never_was(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        reconciliation.run(token.program, at=at)
        reserves.backed_token(at=at)

        page = public_reserves(at=at)

        assert (page.reconciled_at, page.overdue) == (None, True)


class TestHistory:
    def test_says_since_when_nobody_has_looked(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        reconciliation.run(token.program, at=at - timedelta(hours=3))

        page = public_reserves(at=at)

        (span,) = page.history.spans
        assert (span.label, span.since, span.until) == ("Unknown", at - timedelta(hours=2), None)
        assert span.why == "Not reconciled since 2026-11-20 12:00:00Z."
        (_, (newest,)), *_ = page.history.rows
        assert newest.known is False


class TestSince:
    def test_is_the_first_reconciliation_after_the_last_with_another_answer(
        self, at: datetime
    ) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1), at=at)
        reserves.supply(deployment, Decimal(2), at=at)
        for hours, status in (
            (9, CoverStatus.SHORT),
            (8, CoverStatus.COVERED),
            (7, CoverStatus.UNKNOWN),
            (6, CoverStatus.SHORT),
            (5, CoverStatus.SHORT),
        ):
            result(token, status, at=at - timedelta(hours=hours))

        (row,) = public_reserves(at=at).tokens

        assert row.since == at - timedelta(hours=6)

    def test_is_the_very_first_if_it_never_was_otherwise(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1), at=at)
        reserves.supply(deployment, Decimal(2), at=at)
        result(token, CoverStatus.SHORT, at=at - timedelta(hours=9))

        (row,) = public_reserves(at=at).tokens

        assert row.since == at - timedelta(hours=9)

    def test_is_nothing_where_no_reconciliation_has_seen_it_yet(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1), at=at)
        reserves.supply(deployment, Decimal(2), at=at)
        result(token, CoverStatus.COVERED, at=at - timedelta(hours=9))

        (row,) = public_reserves(at=at).tokens

        assert row.since is None

    def test_is_nothing_where_all_is_well(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        result(token, CoverStatus.COVERED, at=at)

        (row,) = public_reserves(at=at).tokens

        assert row.since is None


class TestBacking:
    def page(self, at: datetime, *, supply: str, multipliers: tuple[str, ...]) -> PublicReserves:
        token, deployment, _ = reserves.backed_token(Decimal(602), at=at)
        deployment.multipliers.all().delete()
        for number, multiplier in enumerate(multipliers):
            one = (
                deployment
                if number == 0
                else instruments.deployment(token_=token, multiplier_=None)
            )
            instruments.multiplier(one, Decimal(multiplier))
            chain.snapshot(
                one,
                total_supply_base_units=int(Decimal(supply).scaleb(18)),
                ui_multiplier_base_units=int(Decimal(multiplier).scaleb(18)),
                taken_at=at,
            )
        return public_reserves(at=at)

    def test_is_cut_and_never_rounded_up(self, at: datetime) -> None:
        (row,) = self.page(at, supply="600", multipliers=("1",)).tokens

        assert row.backing == "1.0033"

    def test_counts_shares_for_each_token(self, at: datetime) -> None:
        (row,) = self.page(at, supply="300", multipliers=("2",)).tokens

        assert row.backing == "2.0066"

    def test_says_nothing_where_nothing_is_owed(self, at: datetime) -> None:
        (row,) = self.page(at, supply="0", multipliers=("1",)).tokens

        assert row.backing is None

    def test_says_nothing_where_networks_differ(self, at: datetime) -> None:
        (row,) = self.page(at, supply="100", multipliers=("1", "2")).tokens

        assert row.known
        assert row.backing is None

    def test_says_nothing_where_it_is_not_known(self, at: datetime) -> None:
        _, deployment, _ = reserves.backed_token(at=at)
        reserves.supply(deployment, Decimal(1), at=at)
        chain.trouble(deployment.network)

        (row,) = public_reserves(at=at).tokens

        assert (row.known, row.backing) == (False, None)

    def test_joins_the_names_of_custodians(self, at: datetime) -> None:
        token, _, account = reserves.backed_token(at=at)
        other = custody.account(token_=token, opened_at=at)

        (row,) = public_reserves(at=at).tokens

        names = sorted([account.custodian.entity.name, other.custodian.entity.name])
        assert row.custodians == " and ".join(names)
