"""Reconciling: clean worlds explain themselves, and every fault is found with its quantity."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from issuer.audit.models import AuditEvent
from issuer.chain.states import IntentState
from issuer.custody import services as custody_services
from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import ControlledRole, Token
from issuer.primary_market.states import IssuanceState
from issuer.reconciliation import errors, selectors, services
from issuer.reconciliation.legs import LINES, TOTALS
from issuer.reconciliation.models import Break, Item, Line, Run, TokenResult
from issuer.reserves.cover import CoverStatus
from tests.make import chain, custody, instruments, parties, primary_market, reserves

pytestmark = pytest.mark.django_db

ONE = 10**18
DAY = timedelta(days=1)
NO_LINES = dict.fromkeys(LINES, Decimal(0))


def reconcile(token: Token, *, actor: Actor, at: datetime) -> Run:
    return services.reconcile(token.program, actor=actor, at=at)


def quantities(run: Run, token: Token) -> dict[str, Decimal | None]:
    lines = Line.objects.filter(result__run=run, result__token=token)
    return dict(lines.values_list("code", "quantity"))


def items(run: Run, code: str) -> list[Item]:
    return list(Item.objects.filter(line__result__run=run, line__code=code))


def breaks() -> list[tuple[str, str, str, Decimal | None, str]]:
    """Return code, severity, subject, quantity and unit of what is open."""
    rows = selectors.open_breaks()
    return sorted((row.code, row.severity, row.subject, row.quantity, row.unit) for row in rows)


class TestACleanWorld:
    def test_is_explained_line_by_line(self, system: Actor, at: datetime) -> None:
        market = primary_market.market(own_shares=Decimal(2), at=at)
        primary_market.issuance(market, state=IssuanceState.COMPLETED, at=at)

        run = reconcile(market.token, actor=system, at=at)

        expected = {"A1": 600, "A8": 600, "A9": 600, "B1": 602, "B9": 602, "B10": 602}
        expected |= {"C1": 600, "C2": 600, "C5": 602, "C8": 2}
        assert quantities(run, market.token) == NO_LINES | expected
        result = TokenResult.objects.get()
        assert result.status == CoverStatus.COVERED
        assert (result.owed_shares, result.held_shares) == (Decimal(600), Decimal(602))
        assert (result.surplus_shares, result.headroom) == (Decimal(2), Decimal(2))
        assert (result.disclosed_shares, result.cover_bps) == (Decimal(0), 10033)
        assert result.reasons == []
        assert breaks() == []

    def test_counts_shares_that_were_paid_and_not_minted(self, system: Actor, at: datetime) -> None:
        market = primary_market.market(own_shares=Decimal(2), at=at)
        request = primary_market.issuance(market, state=IssuanceState.FUNDED, at=at)

        run = reconcile(market.token, actor=system, at=at)

        expected = {"B1": 602, "B9": 602, "B10": 602, "C3": 600, "C5": 602, "C8": 2}
        assert quantities(run, market.token) == NO_LINES | expected
        (item,) = items(run, "C3")
        assert (item.reference, item.kind, item.quantity) == (str(request.pk), "ISSUANCE", 600)
        assert item.network == market.deployment.network.caip2
        assert request.instruction is not None
        assert request.instruction.evidence is not None
        assert item.evidence_sha256 == request.instruction.evidence.sha256
        assert breaks() == []

    def test_takes_a_mint_off_the_supply_until_it_is_booked(
        self, system: Actor, at: datetime
    ) -> None:
        market = primary_market.market(own_shares=Decimal(2), at=at)
        request = primary_market.issuance(market, state=IssuanceState.MINTING, at=at)
        primary_market.finalize(request, at=at)

        run = reconcile(market.token, actor=system, at=at)

        found = quantities(run, market.token)
        assert (found["A1"], found["A6"], found["A8"]) == (Decimal(600), Decimal(-600), Decimal(0))
        assert (found["A10"], found["C2"], found["C3"]) == (Decimal(0), Decimal(0), Decimal(600))
        (item,) = items(run, "A6")
        assert (item.reference, item.kind, item.quantity) == (str(request.pk), "MINT", -600)
        assert item.transaction_hash.startswith("0x")
        assert breaks() == []

    def test_carries_shares_on_their_way_on_both_sides(self, system: Actor, at: datetime) -> None:
        token, _, account = reserves.backed_token(Decimal(10), at=at)
        instruction = custody.instruction(account, at=at, request_id=uuid7())

        run = reconcile(token, actor=system, at=at)

        expected = {"B1": 10, "B2": 600, "B9": 610, "B10": 610, "C5": 10, "C8": 10}
        assert quantities(run, token) == NO_LINES | expected
        (item,) = items(run, "B2")
        assert (item.reference, item.kind) == (str(instruction.pk), "RECEIPT")
        assert item.since == instruction.instructed_at
        assert item.due_by == datetime.fromisoformat("2026-11-20T23:59:59+00:00")

    def test_takes_the_issuers_own_tokens_off(self, system: Actor, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        treasury = instruments.controlled_address(network_=deployment.network)
        escrow = instruments.controlled_address(
            network_=deployment.network, role=ControlledRole.BRIDGE_ESCROW
        )
        chain.snapshot(
            deployment,
            total_supply_base_units=70 * ONE,
            controlled={treasury.address: 50 * ONE, escrow.address: 20 * ONE},
            taken_at=at,
        )

        run = reconcile(token, actor=system, at=at)

        found = quantities(run, token)
        assert (found["A1"], found["A2"], found["A8"]) == (Decimal(70), Decimal(-20), Decimal(50))
        assert (found["C1"], found["C2"]) == (Decimal(0), Decimal(0))
        assert [item.reference for item in items(run, "A2")] == [escrow.address]

    def test_has_items_that_add_up_to_their_lines(self, system: Actor, at: datetime) -> None:
        market = primary_market.market(own_shares=Decimal(2), at=at)
        primary_market.issuance(market, state=IssuanceState.COMPLETED, at=at)
        primary_market.issuance(market, state=IssuanceState.ACCEPTED, at=at)

        run = reconcile(market.token, actor=system, at=at)

        lines = list(Line.objects.filter(result__run=run).annotate(sum=Sum("items__quantity")))
        assert [line.code for line in lines] == list(LINES)
        assert {line.code for line in lines if line.total} == TOTALS
        listed = {line.code: (line.quantity, line.sum) for line in lines if line.sum is not None}
        assert listed == {"A1": (600, 600), "B1": (602, 602), "B2": (600, 600)}

    def test_keeps_what_its_figures_rest_on(self, system: Actor, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(10), at=at)

        reconcile(token, actor=system, at=at)

        evidence = TokenResult.objects.get().evidence
        snapshot, statement = deployment.supply_snapshots.get(), account.custodian.statements.get()
        assert evidence == {
            "statements": [
                {
                    "id": str(statement.pk),
                    "custodian": account.custodian.code,
                    "as_of_date": "2026-11-20",
                    "sha256": statement.sha256,
                }
            ],
            "blocks": [
                {
                    "snapshot": str(snapshot.pk),
                    "network": deployment.network.caip2,
                    "number": str(snapshot.block_number),
                    "hash": snapshot.block_hash,
                }
            ],
            "silent": {},
            "leaving": {str(account.pk): "0"},
            "books": {
                "tokens_outstanding": "0",
                "shares_owed_on_tokens": "0",
                "shares_paid_not_minted": "0",
                "shares_burned_not_delivered": "0",
                "shares_own": "10",
                "shares_reserved": "0",
            },
        }

    def test_is_recorded(self, system: Actor, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)

        run = reconcile(token, actor=system, at=at)

        assert (run.as_of, run.started_by) == (at, str(system))
        event = AuditEvent.objects.get(action="reconciliation.run")
        assert (event.subject_id, event.facts["breaks_opened"]) == (run.pk, "0")
        assert selectors.newest_run(token.program) == run
        assert selectors.lines_of(run).count() == 27


class TestEveryFault:
    """Injected into a covered world, each is found by its code, its severity and its quantity."""

    def test_more_tokens_than_the_register(self, system: Actor, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        reserves.supply(deployment, Decimal("0.000000000000000001"), at=at)

        run = reconcile(token, actor=system, at=at)

        assert breaks() == [("SUP-OVER", "CRITICAL", "", Decimal("1e-18"), "tokens")]
        assert quantities(run, token)["A10"] == Decimal("1e-18")

    def test_fewer_tokens_than_the_register(self, system: Actor, at: datetime) -> None:
        market = primary_market.market(at=at)
        primary_market.issuance(market, state=IssuanceState.COMPLETED, at=at)
        chain.snapshot(
            market.deployment,
            total_supply_base_units=599 * ONE,
            block_number=100_000,
            taken_at=at,
        )

        run = reconcile(market.token, actor=system, at=at)

        assert breaks() == [("SUP-UNDER", "HIGH", "", Decimal(1), "tokens")]
        assert quantities(run, market.token)["C1"] == 600

    def test_a_mint_that_nobody_approved(self, system: Actor, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        chain.intent(deployment, state=IntentState.BOOKED)
        event = chain.event(deployment, base_units=5 * ONE, block_number=50_000)
        chain.snapshot(
            deployment, total_supply_base_units=5 * ONE, block_number=50_001, taken_at=at
        )

        reconcile(token, actor=system, at=at)

        subject = f"{event.transaction_hash}#0"
        assert breaks() == [
            ("SUP-OVER", "CRITICAL", "", Decimal(5), "tokens"),
            ("UNA-MINT", "CRITICAL", subject, Decimal(5), "tokens"),
        ]

    def test_more_owed_than_held(self, system: Actor, at: datetime) -> None:
        market = primary_market.market(at=at - DAY)
        primary_market.issuance(market, state=IssuanceState.COMPLETED, at=at - DAY)
        custody.statement(
            market.account.custodian, [custody.line(market.account, Decimal(500))], at=at
        )
        reserves.supply(market.deployment, Decimal(600), at=at)
        chain.snapshot(
            market.deployment,
            total_supply_base_units=600 * ONE,
            block_number=100_000,
            taken_at=at,
        )

        reconcile(market.token, actor=system, at=at)

        assert breaks() == [
            ("BAK-SHORT", "CRITICAL", "", Decimal(100), "shares"),
            ("CUS-SHORT", "CRITICAL", "", Decimal(100), "shares"),
        ]
        assert TokenResult.objects.get().status == CoverStatus.SHORT

    @pytest.mark.parametrize("late", [False, True])
    def test_held_only_together_with_shares_in_transit(
        self, late: bool, system: Actor, at: datetime
    ) -> None:
        token, deployment, account = reserves.backed_token(Decimal(900), at=at)
        reserves.supply(deployment, Decimal(1000), at=at)
        custody.instruction(account, Decimal(150), at=at, settlement_date=(at + 3 * DAY).date())
        if late:
            custody.instruction(account, Decimal(7), at=at - DAY)

        reconcile(token, actor=system, at=at)

        assert breaks() == [
            ("BAK-SETTLED", "HIGH" if late else "INFO", "", Decimal(100), "shares"),
            ("SUP-OVER", "CRITICAL", "", Decimal(1000), "tokens"),
        ]

    def test_fewer_shares_than_the_books(self, system: Actor, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(1000), at=at - DAY)
        short = custody.line(account, Decimal("999.999999999"))
        custody.statement(account.custodian, [short], at=at)
        reserves.supply(deployment, Decimal(0), at=at)

        run = reconcile(token, actor=system, at=at)

        assert breaks() == [("CUS-SHORT", "CRITICAL", "", Decimal("1e-9"), "shares")]
        assert quantities(run, token)["B11"] == Decimal("-1e-9")

    def test_shares_that_are_lent_leaving_or_blocked(self, system: Actor, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(1000), at=at - DAY)
        encumbered = custody.line(
            account,
            Decimal(1000),
            lent=Decimal(300),
            pending_delivery=Decimal(20),
            blocked=Decimal(1),
        )
        custody.statement(account.custodian, [encumbered], at=at)
        reserves.supply(deployment, Decimal(0), at=at)

        run = reconcile(token, actor=system, at=at)

        assert breaks() == [("CUS-SHORT", "CRITICAL", "", Decimal(321), "shares")]
        found = quantities(run, token)
        assert (found["B3"], found["B7"], found["C5"]) == (
            Decimal(-20),
            Decimal(-301),
            Decimal(679),
        )
        code = account.custodian.code
        assert [(item.reference, item.kind, item.quantity) for item in items(run, "B7")] == [
            (code, "LENT", Decimal(-300)),
            (code, "BLOCKED", Decimal(-1)),
        ]

    def test_more_shares_than_the_books_and_counts_none_of_them(
        self, system: Actor, at: datetime
    ) -> None:
        token, deployment, account = reserves.backed_token(Decimal(1000), at=at - DAY)
        custody.statement(account.custodian, [custody.line(account, Decimal(1007))], at=at)
        reserves.supply(deployment, Decimal(0), at=at)

        run = reconcile(token, actor=system, at=at)

        assert breaks() == [("CUS-LONG", "MEDIUM", "", Decimal(7), "shares")]
        assert quantities(run, token)["C5"] == 1000

    def test_a_statement_that_is_old(self, system: Actor, at: datetime) -> None:
        later = at + 4 * DAY
        token, deployment, account = reserves.backed_token(Decimal(1000), at=at)
        reserves.supply(deployment, Decimal(0), at=later)

        run = reconcile(token, actor=system, at=later)

        assert breaks() == [("SRC-STALE", "HIGH", account.custodian.code, None, "")]
        found = quantities(run, token)
        unknown = {code for code, quantity in found.items() if quantity is None}
        assert unknown == {"B1", "B2", "B3", "B4", "B5", "B6", "B7", "B9", "B11"} | {
            "C5",
            "C6",
            "C8",
        }
        result = TokenResult.objects.get()
        assert result.evidence["silent"] == {str(account.pk): Break.objects.get().detail}
        assert (result.status, result.surplus_shares, result.cover_bps) == ("UNKNOWN", None, None)
        assert (result.headroom, result.held_shares) == (None, None)
        assert result.owed_shares == 0
        assert result.reasons == [Break.objects.get().detail]

    def test_a_chain_that_cannot_be_read(self, system: Actor, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        chain.trouble(deployment.network)

        run = reconcile(token, actor=system, at=at)

        assert breaks() == [("CHN-SRC", "HIGH", deployment.network.caip2, None, "")]
        found = quantities(run, token)
        unknown = {code for code, quantity in found.items() if quantity is None}
        assert unknown == {"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A10"} | {
            "C1",
            "C2",
            "C8",
        }
        assert found["C5"] == 1000
        assert items(run, "A1") == []
        silent = TokenResult.objects.get().evidence["silent"]
        assert silent == {str(deployment.pk): Break.objects.get().detail}

    def test_shares_paid_for_by_nobody(self, system: Actor, at: datetime) -> None:
        token, _, account = reserves.backed_token(Decimal(0), at=at)
        custody.settled_shares(account, Decimal(600), at=at, request_id=uuid7())

        run = reconcile(token, actor=system, at=at)

        (item,) = items(run, "C3")
        assert (item.reference, item.kind, item.quantity) == ("books", "UNIDENTIFIED", 600)


class TestReconcile:
    def test_covers_every_token_of_the_program_and_no_other(
        self, system: Actor, at: datetime
    ) -> None:
        program = parties.program()
        tokens = [instruments.token(program=program, symbol=symbol) for symbol in ("BBx", "AAx")]
        instruments.token()

        run = services.reconcile(program, actor=system, at=at)

        assert [result.token for result in run.results.all()] == tokens[::-1]

    def test_asks_as_often_for_ten_tokens_as_for_two(self, system: Actor, at: datetime) -> None:
        counts = []
        for number in (2, 10):
            program = parties.program()
            for _ in range(number):
                token = instruments.token(program=program)
                reserves.backed_token(Decimal(10), at=at, token_=token)
            with CaptureQueriesContext(connection) as queries:
                services.reconcile(program, actor=system, at=at)
            counts.append(len(queries))

        assert counts[0] == counts[1]

    def test_repeats_itself_without_repeating_a_break(self, system: Actor, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        reserves.supply(deployment, Decimal(5), at=at)
        first = reconcile(token, actor=system, at=at)
        reserves.supply(deployment, Decimal(7), at=at)

        second = reconcile(token, actor=system, at=at + timedelta(minutes=1))

        row = Break.objects.get()
        assert (row.opened_run, row.last_seen_run) == (first, second)
        assert (row.opened_at, row.last_seen_at) == (at, at + timedelta(minutes=1))
        assert row.quantity == 7

    def test_refuses_to_go_back_in_time(self, system: Actor, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        reconcile(token, actor=system, at=at)

        with pytest.raises(errors.RunOutdated):
            reconcile(token, actor=system, at=at - timedelta(seconds=1))

        assert Run.objects.count() == 1

    def test_clears_what_a_later_run_does_not_find(self, system: Actor, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(1000), at=at)
        chain.trouble(deployment.network)
        reconcile(token, actor=system, at=at)
        deployment.network.troubles.update(ended_at=at)

        run = reconcile(token, actor=system, at=at + timedelta(minutes=1))

        row = Break.objects.get()
        assert (row.state, row.ended_run, row.ended_at) == ("CLEARED", run, run.as_of)
        assert account.custodian
        assert AuditEvent.objects.filter(action="break.clear", subject_id=row.pk).exists()

    def test_opens_a_break_anew_that_comes_back(self, system: Actor, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        for minutes in range(0, 4, 2):
            trouble = chain.trouble(deployment.network)
            reconcile(token, actor=system, at=at + timedelta(minutes=minutes))
            deployment.network.troubles.filter(pk=trouble.pk).update(ended_at=at)
            reconcile(token, actor=system, at=at + timedelta(minutes=minutes + 1))

        assert [row.state for row in Break.objects.all()] == ["CLEARED", "CLEARED"]

    def test_does_not_take_silence_for_a_cure(self, system: Actor, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(1000), at=at - DAY)
        custody.statement(account.custodian, [custody.line(account, Decimal(1007))], at=at)
        reserves.supply(deployment, Decimal(0), at=at)
        reconcile(token, actor=system, at=at)

        reconcile(token, actor=system, at=at + 4 * DAY)

        states = dict(Break.objects.values_list("code", "state"))
        assert states == {"CUS-LONG": "OPEN", "SRC-STALE": "OPEN", "CHN-SRC": "OPEN"}

    def test_raises_the_severity_of_a_break_that_grows_old(
        self, system: Actor, at: datetime
    ) -> None:
        token, deployment, account = reserves.backed_token(Decimal(900), at=at)
        custody.instruction(account, Decimal(150), at=at)
        custody.instruction(account, Decimal(150), at=at, settlement_date=(at + 3 * DAY).date())
        reserves.supply(deployment, Decimal(1000), at=at)
        reconcile(token, actor=system, at=at)
        assert Break.objects.get(code="BAK-SETTLED").severity == "INFO"
        custody.statement(account.custodian, [custody.line(account, Decimal(900))], at=at + 3 * DAY)
        custody_services.fail_overdue(actor=system, at=at + 3 * DAY)
        reserves.supply(deployment, Decimal(1000), at=at + 3 * DAY)

        reconcile(token, actor=system, at=at + 3 * DAY)

        assert Break.objects.get(code="BAK-SETTLED").severity == "HIGH"
        event = AuditEvent.objects.get(action="break.regrade")
        assert event.facts["severity"] == "HIGH"
        told = Event.objects.get(type="break.regraded").data
        assert (told["severity_before"], told["severity"]) == ("INFO", "HIGH")
