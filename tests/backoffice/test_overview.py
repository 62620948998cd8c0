from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from issuer.backoffice.overview import today
from issuer.chain.states import IntentState
from issuer.gate.models import GateState, ScopeKind
from issuer.people.roles import Role
from issuer.primary_market.states import IssuanceState
from issuer.reconciliation.states import BreakCode, Severity
from issuer.reserves.cover import CoverStatus
from tests.make import (
    attestation,
    chain,
    custody,
    gate,
    instruments,
    parties,
    people,
    primary_market,
    reconciliation,
    reserves,
)

pytestmark = pytest.mark.django_db

#: However many tokens there are.
QUERIES = 40


class TestToday:
    def test_has_each_token_with_its_cover_and_gate(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(602), at=at)
        reserves.supply(deployment, Decimal(600), at=at)
        gate.hold(ScopeKind.NETWORK, deployment.network_id, effect=GateState.REDEEM_ONLY)

        page = today(people.user(Role.AUDITOR), at=at)

        (row,) = page.tokens
        assert (row.token, row.cover.ratio_bps, row.gate) == (token, 10_033, GateState.REDEEM_ONLY)
        assert row.url == f"/admin/instruments/token/{token.pk}/change/"
        assert (page.status, page.lowest_now_bps) == (CoverStatus.COVERED, 10_033)

    def test_is_as_good_as_its_worst_token(self, at: datetime) -> None:
        reserves.backed_token(at=at)
        _, deployment, _ = reserves.backed_token(at=at)
        chain.trouble(deployment.network)

        assert today(people.user(), at=at).status == CoverStatus.UNKNOWN

    def test_is_unknown_before_there_is_a_token(self, at: datetime) -> None:
        page = today(people.user(), at=at)

        assert (page.status, page.lowest_now_bps, page.reconciled_at) == (
            CoverStatus.UNKNOWN,
            None,
            None,
        )

    def test_draws_a_line_through_the_last_day(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(602), at=at)
        reserves.supply(deployment, Decimal(600), at=at)
        for hours in (25, 2, 1, 0):
            reconciliation.run(token.program, at=at - timedelta(hours=hours))

        page = today(people.user(), at=at)

        assert page.reconciled_at == at
        (row,) = page.tokens
        assert row.trend is not None
        assert len(row.trend.segments[0].split()) == 3

    def test_knows_the_lowest_since_the_last_attestation(self, at: datetime) -> None:
        world = attestation.world(at=at)
        reconciliation.run(world.program, at=at - timedelta(minutes=1))
        attestation.published(world, at=at)
        reserves.supply(world.deployment, Decimal(602), at=at)
        reconciliation.run(world.program, at=at + timedelta(minutes=1))
        reserves.supply(world.deployment, Decimal(600), at=at)

        page = today(people.user(), at=at + timedelta(minutes=2))

        assert page.lowest_now_bps == 10_033
        assert page.lowest_since_bps == 10_000

    def test_names_what_each_hold_shuts(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(at=at)
        for kind, subject in (
            (ScopeKind.PROGRAM, token.program_id),
            (ScopeKind.TOKEN, token.pk),
            (ScopeKind.NETWORK, deployment.network_id),
            (ScopeKind.CUSTODIAN, account.custodian_id),
        ):
            gate.hold(kind, subject)

        holds = today(people.user(), at=at).holds

        assert [row.scope_name for row in holds] == [
            token.program.name,
            token.symbol,
            deployment.network.name,
            account.custodian.entity.name,
        ]

    def test_has_the_gravest_break_first_and_of_those_the_oldest(self, at: datetime) -> None:
        token = instruments.token()
        runs = [
            reconciliation.run(token.program, at=at - timedelta(hours=hours)) for hours in (2, 1)
        ]
        for code, severity, run in (
            (BreakCode.BAK_SETTLED, Severity.INFO, runs[0]),
            (BreakCode.SUP_OVER, Severity.CRITICAL, runs[1]),
            (BreakCode.CUS_SHORT, Severity.CRITICAL, runs[0]),
        ):
            reconciliation.break_(token, code=code, severity=severity, run_=run)

        breaks = today(people.user(), at=at).breaks

        ours = [row.found.code for row in breaks if row.found.token_id == token.pk]
        assert [code for code in ours if code in {"BAK-SETTLED", "SUP-OVER", "CUS-SHORT"}] == [
            BreakCode.CUS_SHORT,
            BreakCode.SUP_OVER,
            BreakCode.BAK_SETTLED,
        ]

    def test_counts_what_is_under_way(self, at: datetime) -> None:
        market = primary_market.market()
        for state in (IssuanceState.REQUESTED, IssuanceState.REQUESTED, IssuanceState.ACCEPTED):
            primary_market.issuance(market, state=state)
        chain.intent(state=IntentState.MINED)

        page = today(people.user(), at=at)

        assert [(flow.count, flow.what) for flow in page.flows] == [
            (2, "issuances requested"),
            (1, "issuance accepted, waits for shares"),
            (1, "mint not final"),
        ]
        assert page.next_settlement == at.date()
        assert page.flows[0].url.endswith("?state__exact=REQUESTED")

    def test_asks_as_often_for_many_tokens_as_for_one(
        self, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        program, network, custodian = parties.program(), instruments.network(), parties.custodian()
        user = people.user(Role.OPERATIONS_OFFICER)

        def add_token() -> None:
            token = instruments.token(program=program)
            deployment = instruments.deployment(token_=token, network_=network)
            custody.account(token_=token, custodian_=custodian)
            chain.snapshot(deployment, taken_at=at)
            gate.hold(ScopeKind.TOKEN, token.pk)
            reconciliation.break_(token, run_=reconciliation.run(program, at=at))

        add_token()
        user.has_perm("x")  # asks once for the roles of the person
        with django_assert_num_queries(QUERIES):
            today(user, at=at)
        for _ in range(4):
            add_token()
        with django_assert_num_queries(QUERIES):
            today(user, at=at)


@pytest.mark.usefixtures("market_clock")
class TestPage:
    @pytest.mark.parametrize("role", list(Role))
    def test_opens_for_every_role(self, at: datetime, role: Role) -> None:
        token, _, _ = reserves.backed_token(at=at)
        client = Client()
        client.force_login(people.user(role))

        page = client.get("/admin/")

        assert page.status_code == 200
        assert token.symbol in page.content.decode()

    def test_says_where_to_begin_when_there_is_nothing(self) -> None:
        client = Client()
        client.force_login(people.user(Role.ADMINISTRATOR))

        page = client.get("/admin/").content.decode()

        for words in (
            "No token is registered yet.",
            "Nothing waits for you.",
            "Nothing holds any gate shut.",
            "Nothing is under way.",
            "Books, custodians and chains agree.",
        ):
            assert words in page
