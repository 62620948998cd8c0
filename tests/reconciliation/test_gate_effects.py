"""Breaks shut gates by themselves, in the transaction that opens them, and each lets go its own."""

from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuer.chain import services as chain_services
from issuer.chain.states import SignerPurpose
from issuer.custody import services as custody_services
from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.gate import services as gate
from issuer.gate.models import Cause, Hold
from issuer.people.roles import Role
from issuer.reconciliation import selectors, services
from issuer.reconciliation.gate_effects import GATE_EFFECTS, hold_for
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakCode, BreakState, Severity
from tests.make import chain, custody, instruments, parties, people, reconciliation, reserves

pytestmark = pytest.mark.django_db

ONE: Final = 10**18
MINUTE: Final = timedelta(minutes=1)


def in_force() -> list[tuple[str, str, str]]:
    """What is shut: the kind of gate, how tight, and the cause."""
    holds = Hold.objects.filter(released_at=None).order_by("id").select_related("scope")
    return [(hold.scope.kind, hold.effect, hold.cause) for hold in holds]


def close(found: Break, *, at: datetime) -> None:
    """Have two persons close a break."""
    officer = people.staff_actor(Role.OPERATIONS_OFFICER)
    proposal = services.propose_close_break(found.pk, explanation="Over.", actor=officer, at=at)
    services.confirm_close_break(
        found.pk,
        payload_hash=proposal.payload_hash,
        actor=people.staff_actor(Role.APPROVER),
        at=at,
    )


class TestWhatABreakShuts:
    def test_is_the_program_for_a_mint_that_nobody_approved(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        thief = parties.evm_address()
        event = chain.event(deployment, base_units=5 * ONE, sender=thief, seen_at=at)
        reserves.supply(deployment, Decimal(5), at=at)

        reconciliation.run(token.program, at=at)

        found = Break.objects.get(code=BreakCode.UNA_MINT)
        assert thief in found.detail
        assert event.address in found.detail
        hold = Hold.objects.get(reference=found.pk)
        assert (hold.scope.kind, hold.scope.subject_id) == ("PROGRAM", token.program_id)
        assert hold.reason == f"{token.symbol}: a mint that nobody approved (UNA-MINT)."
        assert sorted(in_force()) == [("PROGRAM", "HALTED", "BREAK"), ("TOKEN", "HALTED", "BREAK")]

    def test_is_the_token_for_what_the_custodian_does_not_hold(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(1000), at=at - timedelta(days=1))
        custody.statement(account.custodian, [custody.line(account, Decimal(990))], at=at)
        reserves.supply(deployment, Decimal(0), at=at)

        reconciliation.run(token.program, at=at)

        assert in_force() == [("TOKEN", "HALTED", "BREAK")]

    def test_lets_redemption_go_on_where_shares_are_short(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        found = reconciliation.break_(token, code=BreakCode.BAK_SHORT)

        effect = GATE_EFFECTS[BreakCode(found.code)]

        assert (effect.kind, effect.effect, effect.cause) == ("TOKEN", "REDEEM_ONLY", "BREAK")

    @pytest.mark.parametrize(
        "code", [BreakCode.BAK_SETTLED, BreakCode.CUS_LONG, BreakCode.SET_FAIL]
    )
    def test_is_nothing_for_what_is_worked_on_meanwhile(self, code: BreakCode) -> None:
        assert code not in GATE_EFFECTS

    def test_opens_again_by_itself_when_a_silent_source_speaks(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        trouble = chain.trouble(deployment.network)
        reconciliation.run(token.program, at=at)
        assert in_force() == [("TOKEN", "REDEEM_ONLY", "STALE_SOURCE")]
        trouble.ended_at = at
        trouble.save()

        reconciliation.run(token.program, at=at + MINUTE)

        assert in_force() == []
        assert Break.objects.get().state == BreakState.CLEARED

    def test_opens_again_by_itself_when_what_is_high_is_gone(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(Decimal(1000), at=at)
        found = reconciliation.break_(token, code=BreakCode.SUP_UNDER, severity=Severity.HIGH)
        hold_of(found, at=at)

        reconciliation.run(token.program, at=at + MINUTE)

        assert in_force() == []

    def test_stays_shut_when_what_is_critical_is_gone_and_even_closed(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        reserves.supply(deployment, Decimal(5), at=at)
        reconciliation.run(token.program, at=at)
        reserves.supply(deployment, Decimal(0), at=at)
        reconciliation.run(token.program, at=at + MINUTE)
        found = Break.objects.get()
        close(found, at=at + MINUTE)

        reconciliation.run(token.program, at=at + 2 * MINUTE)

        assert in_force() == [("TOKEN", "HALTED", "BREAK")]

    def test_ends_with_what_is_not_critical_when_persons_close_it(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(Decimal(1000), at=at)
        run = reconciliation.run(token.program, at=at)
        found = reconciliation.break_(
            token, code=BreakCode.SUP_UNDER, severity=Severity.HIGH, run_=run
        )
        hold_of(found, at=at)
        Break.objects.update(last_seen_run=reconciliation.run())

        close(found, at=at + MINUTE)

        assert in_force() == []

    def test_costs_as_many_statements_for_many_tokens_as_for_few(
        self, system: Actor, at: datetime
    ) -> None:
        counts = []
        for number in (2, 12):
            program = parties.program()
            for _ in range(number):
                deployment = instruments.deployment(token_=instruments.token(program=program))
                chain.trouble(deployment.network)
            with CaptureQueriesContext(connection) as queries:
                services.reconcile(program, actor=system, at=at)
            with CaptureQueriesContext(connection) as again:
                services.reconcile(program, actor=system, at=at + MINUTE)
            counts.append((len(queries), len(again)))
            assert Hold.objects.filter(cause=Cause.STALE_SOURCE).count() >= number

        assert counts[0] == counts[1]


def hold_of(found: Break, *, at: datetime) -> Hold:
    """The hold that the run which opened `found` would have placed."""
    hold = hold_for(found)
    assert hold is not None
    return gate.place_holds([hold], actor=people.staff_actor(Role.APPROVER), at=at)[0]


class TestWhoMayAct:
    def test_is_the_signer_in_use_and_nobody_else(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        signer = chain.signer_account(deployment.network)
        stranger = parties.evm_address()
        chain.snapshot(deployment, minters=[signer.address, stranger], taken_at=at)

        reconciliation.run(token.program, at=at)

        found = Break.objects.get()
        assert (found.code, found.severity) == (BreakCode.CHN_UNK, Severity.CRITICAL)
        assert found.subject == f"{deployment.network.caip2}:MINTER:{stranger}"
        network = deployment.network
        assert found.detail == f"{stranger} is minter on {network}, and is no signer of ours."
        assert in_force() == [("PROGRAM", "HALTED", "BREAK")]

    def test_is_nobody_where_no_signer_is_appointed(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        chain.snapshot(deployment, minters=[parties.evm_address()], taken_at=at)

        reconciliation.run(token.program, at=at)

        assert Break.objects.get().code == BreakCode.CHN_UNK

    def test_is_not_one_in_use_that_minted_what_nobody_approved(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        signer = chain.signer_account(deployment.network)
        chain.snapshot(deployment, minters=[signer.address], taken_at=at)
        reconciliation.run(token.program, at=at)
        assert not Break.objects.exists()
        chain.event(deployment, base_units=ONE, sender=signer.address, seen_at=at)

        reconciliation.run(token.program, at=at + MINUTE)

        codes = Break.objects.order_by("code").values_list("code", flat=True)
        assert list(codes) == [BreakCode.CHN_UNK, BreakCode.UNA_MINT]

    @pytest.mark.parametrize("purpose", [each for each in SignerPurpose if each != "MINTER"])
    def test_is_no_stranger_in_any_role(self, purpose: SignerPurpose, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        signer = chain.signer_account(deployment.network, purpose)
        stranger = parties.evm_address()
        holders = {purpose.value: [signer.address, stranger]}
        chain.snapshot(deployment, role_holders=holders, taken_at=at)

        reconciliation.run(token.program, at=at)

        found = Break.objects.get()
        assert (found.code, found.severity) == (BreakCode.CHN_UNK, Severity.CRITICAL)
        assert found.subject == f"{deployment.network.caip2}:{purpose.value}:{stranger}"
        assert in_force() == [("PROGRAM", "HALTED", "BREAK")]

    @pytest.mark.parametrize(
        ("purpose", "severity", "shut"),
        [
            (SignerPurpose.MINTER, "CRITICAL", 1),
            (SignerPurpose.ADMIN, "CRITICAL", 1),
            (SignerPurpose.MULTIPLIER, "CRITICAL", 1),
            (SignerPurpose.BURNER, "HIGH", 0),
            (SignerPurpose.PAUSER, "HIGH", 0),
            (SignerPurpose.SEIZER, "HIGH", 0),
        ],
    )
    def test_is_no_signer_of_ours_that_was_retired(
        self, purpose: SignerPurpose, severity: str, shut: int, system: Actor, at: datetime
    ) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        retired = chain.signer_account(deployment.network, purpose)
        chain_services.retire_signer(
            network=deployment.network, purpose=purpose, reason="Replaced.", actor=system, at=at
        )
        holders = {purpose.value: [retired.address]}
        of_minters = holders.pop("MINTER", [])
        chain.snapshot(deployment, minters=of_minters, role_holders=holders, taken_at=at)

        reconciliation.run(token.program, at=at)

        found = Break.objects.get()
        assert (found.code, found.severity) == (BreakCode.CHN_UNK, severity)
        assert len(in_force()) == shut

    def test_is_known_again_once_the_chain_has_forgotten_the_stranger(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        signer = chain.signer_account(deployment.network)
        chain.snapshot(deployment, minters=[signer.address, parties.evm_address()], taken_at=at)
        reconciliation.run(token.program, at=at)
        found = Break.objects.get()
        assert selectors.still_seen(found)
        chain.snapshot(deployment, minters=[signer.address], taken_at=at)

        reconciliation.run(token.program, at=at + MINUTE)

        found = selectors.with_gone_since(Break.objects.all()).get()
        assert attrgetter("state", "gone_since")(found) == (BreakState.OPEN, at + MINUTE)
        assert not selectors.still_seen(found)


class TestSharesThatFailToSettle:
    def test_are_a_break_of_their_own_until_they_settle(self, system: Actor, at: datetime) -> None:
        token, _, account = reserves.backed_token(Decimal(10), at=at - timedelta(days=2))
        instruction = custody.instruction(account, at=at - timedelta(days=2))
        custody_services.fail_instruction(
            instruction.pk, reason="It did not come.", actor=system, at=at
        )

        reconciliation.run(token.program, at=at)

        found = Break.objects.get(code=BreakCode.SET_FAIL)
        assert (found.severity, found.subject) == (Severity.HIGH, str(instruction.pk))
        assert (found.quantity, found.unit) == (Decimal(600), "shares")
        custody_services.cancel_instruction(instruction.pk, actor=system, at=at)

        reconciliation.run(token.program, at=at + MINUTE)

        found.refresh_from_db()
        assert found.state == BreakState.CLEARED


class TestWhatOthersAreTold:
    def test_is_that_a_break_opened_cleared_and_closed(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        trouble = chain.trouble(deployment.network)
        reconciliation.run(token.program, at=at)
        trouble.ended_at = at
        trouble.save()
        reconciliation.run(token.program, at=at + MINUTE)

        told = Event.objects.filter(type__startswith="break.").order_by("id")

        assert [(event.type, event.sequence) for event in told] == [
            ("break.opened", 1),
            ("break.cleared", 2),
        ]
        assert told[0].data == {
            "token": token.symbol,
            "code": "CHN-SRC",
            "severity": "HIGH",
            "quantity": "",
            "unit": "",
            "subject": deployment.network.caip2,
            "detail": f"{deployment.network.name} has not been read with confidence since "
            f"{trouble.since:%Y-%m-%d %H:%M:%S}Z.",
        }
