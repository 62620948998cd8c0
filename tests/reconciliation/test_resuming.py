"""Going on under a gate takes two persons and a clean reconciliation after the last hold."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import pytest
from django.db import transaction

from issuer.approvals.errors import PersonRequired, ProposalChanged, ProposalOpen, SamePerson
from issuer.approvals.models import Proposal
from issuer.approvals.states import ProposalState
from issuer.chain import calls, token_contract
from issuer.chain import services as chain_services
from issuer.chain.models import TransactionIntent
from issuer.chain.states import EventKind, IntentState, SignerPurpose
from issuer.custody.models import CustodyAccount, Statement
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.gate import services as gate
from issuer.gate.errors import GateClosed, NothingToResume
from issuer.gate.models import Cause, GateState, Hold, Resumption, ScopeKind
from issuer.instruments.models import Deployment, Token
from issuer.people.roles import Role
from issuer.reconciliation import errors, services
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.states import BreakCode, BreakState, Severity
from tests.fakes.chain import FakeChain
from tests.make import chain as make_chain
from tests.make import custody, instruments, parties, people, reconciliation, reserves
from tests.make import gate as make

pytestmark = pytest.mark.django_db

ONE: Final = 10**18
MINUTE: Final = timedelta(minutes=1)
WHY: Final = "The key was found; nobody had used it."


@pytest.fixture
def officer() -> Actor:
    return people.staff_actor(Role.OPERATIONS_OFFICER)


@pytest.fixture
def approver() -> Actor:
    return people.staff_actor(Role.APPROVER)


@pytest.fixture
def halted(at: datetime) -> Token:
    """A token whose program somebody halted, read and reconciled a minute later."""
    token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
    halt(token, at=at)
    reserves.supply(deployment, Decimal(0), at=at + MINUTE)
    reconciliation.run(token.program, at=at + MINUTE)
    return token


def halt(token: Token, *, at: datetime) -> Hold:
    return gate.place_hold(
        kind=ScopeKind.PROGRAM,
        subject_id=token.program_id,
        effect=GateState.HALTED,
        cause=Cause.PERSON,
        reason="A key was lost.",
        actor=people.staff_actor(Role.COMPLIANCE_OFFICER),
        at=at,
    )


def propose(
    subject_id: UUID, actor: Actor, *, kind: ScopeKind = ScopeKind.PROGRAM, at: datetime
) -> Proposal:
    return services.propose_resume(
        kind=kind, subject_id=subject_id, explanation=WHY, actor=actor, at=at
    )


def confirm(proposal: Proposal, actor: Actor, *, at: datetime) -> Resumption:
    return services.confirm_resume(
        proposal.pk, payload_hash=proposal.payload_hash, actor=actor, at=at
    )


class TestProposeResume:
    def test_binds_the_holds_and_what_was_reconciled(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        proposal = propose(halted.program_id, officer, at=at + MINUTE)

        hold, run = Hold.objects.get(), Run.objects.get()
        assert proposal.payload == {
            "gate": f"Program {halted.program.name}",
            "scope": "PROGRAM",
            "scope_id": str(halted.program_id),
            "holds": [
                {
                    "hold": str(hold.pk),
                    "effect": "HALTED",
                    "cause": "PERSON",
                    "reason": "A key was lost.",
                    "placed_at": "2026-11-20T15:00:00.000000Z",
                    "placed_by": hold.placed_by,
                }
            ],
            "reconciled": {"run": str(run.pk), "as_of": "2026-11-20T15:01:00.000000Z"},
            "explanation": WHY,
        }

    def test_refuses_a_run_that_is_not_later_than_the_hold(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        halt(halted, at=at + MINUTE)

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(halted.program_id, officer, at=at + 2 * MINUTE)

        assert (
            "was not reconciled since 2026-11-20T15:01:00.000000Z." in refusal.value.facts["what"]
        )
        assert not Proposal.objects.exists()

    def test_refuses_a_run_that_looked_at_older_blocks_of_any_chain(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        """The run is later than the hold; one of the two chains was read before it."""
        behind = instruments.deployment(token_=halted)
        reserves.supply(behind, Decimal(0), at=at)
        reconciliation.run(halted.program, at=at + 2 * MINUTE)

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(halted.program_id, officer, at=at + 2 * MINUTE)

        moment = "2026-11-20T15:00:00.000000Z"
        assert refusal.value.facts == {
            "what": f"{behind} was read up to {moment}, not since {moment}."
        }
        assert not Proposal.objects.exists()

    def test_refuses_what_was_read_since_and_not_reconciled(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        """The chain was read after the second hold, and the run was before."""
        halt(halted, at=at + 2 * MINUTE)
        reconciliation.run(halted.program, at=at + 3 * MINUTE)
        reserves.supply(halted.deployments.get(), Decimal(0), at=at + 4 * MINUTE)

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(halted.program_id, officer, at=at + 4 * MINUTE)

        assert "was read up to 2026-11-20T15:01:00.000000Z" in refusal.value.facts["what"]

    def test_refuses_a_run_that_did_not_read_a_chain(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        deployment = instruments.deployment(token_=halted)

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(halted.program_id, officer, at=at + MINUTE)

        assert refusal.value.facts == {"what": f"{deployment} was not read."}

    def test_refuses_a_run_that_rests_on_a_statement_that_was_corrected_since(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        custodian = halted.custody_accounts.get().custodian
        first = Statement.objects.get(custodian=custodian)
        lines = [custody.line(halted.custody_accounts.get(), Decimal(1000))]
        again = custody.statement(custodian, lines, at=at + 2 * MINUTE, supersedes=first.reference)

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(halted.program_id, officer, at=at + MINUTE)

        assert refusal.value.facts == {"what": f"{halted.symbol} was not reconciled with {again}."}

    def test_refuses_while_a_key_that_may_have_minted_is_good_for_anything_anywhere(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        """Another program's token was minted, on another chain, by who knows whom."""
        stolen, elsewhere = instruments.deployment(), instruments.deployment()
        minter = make_chain.signer_account(stolen.network)
        make_chain.snapshot(stolen, minters=[minter.address], taken_at=at)
        make_chain.event(stolen, sender=parties.evm_address(), seen_at=at)
        make_chain.snapshot(elsewhere, minters=[minter.address], taken_at=at)

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(halted.program_id, officer, at=at + MINUTE)

        assert refusal.value.facts == {
            "what": " ".join(
                sorted(
                    f"{minter.address} may have minted past the books, and is minter on {network}."
                    for network in (stolen.network, elsewhere.network)
                )
            )
        }
        for deployment in (stolen, elsewhere):
            make_chain.snapshot(deployment, minters=[], taken_at=at)
        propose(halted.program_id, officer, at=at + MINUTE)

    def test_refuses_while_a_token_is_not_known(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        deployment = instruments.deployment(token_=instruments.token(program=halted.program))
        reconciliation.run(halted.program, at=at + 2 * MINUTE)

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(halted.program_id, officer, at=at + 2 * MINUTE)

        assert f"{deployment.token.symbol} is unknown." in refusal.value.detail

    @pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.HIGH])
    def test_refuses_while_a_grave_break_is_open(
        self, severity: Severity, halted: Token, officer: Actor, at: datetime
    ) -> None:
        reconciliation.break_(halted, severity=severity, run_=Run.objects.get())

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(halted.program_id, officer, at=at + MINUTE)

        assert refusal.value.facts == {"what": f"SUP-OVER {halted.symbol} is open."}

    def test_refuses_while_the_break_behind_a_hold_is_open(
        self, halted: Token, officer: Actor, at: datetime
    ) -> None:
        found = reconciliation.break_(halted, severity=Severity.MEDIUM, run_=Run.objects.get())
        make.hold(ScopeKind.PROGRAM, halted.program_id, reference=found.pk)

        with pytest.raises(errors.HoldNotOver) as refusal:
            propose(halted.program_id, officer, at=at + MINUTE)

        assert refusal.value.facts == {"break_id": str(found.pk), "code": "SUP-OVER"}

    def test_refuses_what_ends_by_itself_the_system_and_a_second_proposal(
        self, halted: Token, officer: Actor, system: Actor, at: datetime
    ) -> None:
        make.hold(ScopeKind.TOKEN, halted.pk, cause=Cause.WINDOW)
        with pytest.raises(NothingToResume):
            propose(halted.pk, officer, kind=ScopeKind.TOKEN, at=at + MINUTE)
        with pytest.raises(PersonRequired):
            propose(halted.program_id, system, at=at + MINUTE)
        propose(halted.program_id, officer, at=at + MINUTE)
        with pytest.raises(ProposalOpen):
            propose(halted.program_id, officer, at=at + MINUTE)

        assert Proposal.objects.count() == 1

    @pytest.mark.parametrize("kind", ScopeKind)
    def test_asks_of_the_tokens_under_the_gate_and_no_others(
        self, kind: ScopeKind, officer: Actor, at: datetime
    ) -> None:
        token, deployment, account = reserves.backed_token(Decimal(1000), at=at)
        instruments.token()
        subject = {
            ScopeKind.PROGRAM: token.program_id,
            ScopeKind.TOKEN: token.pk,
            ScopeKind.NETWORK: deployment.network_id,
            ScopeKind.CUSTODIAN: account.custodian_id,
        }[kind]
        make.hold(kind, subject, cause=Cause.PERSON)
        with pytest.raises(errors.ReconciliationNotClean):
            propose(subject, officer, kind=kind, at=at)
        run = reconciliation.run(token.program, at=at)

        proposal = propose(subject, officer, kind=kind, at=at)

        assert proposal.payload["reconciled"]["run"] == str(run.pk)


class TestConfirmResume:
    def test_opens_the_gate_and_leaves_a_record(
        self, halted: Token, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(halted.program_id, officer, at=at + MINUTE)
        later = reconciliation.run(halted.program, at=at + 2 * MINUTE)

        resumption = confirm(proposal, approver, at=at + 3 * MINUTE)

        assert (resumption.run_id, resumption.reconciled_as_of) == (later.pk, later.as_of)
        assert resumption.proposed_by_id == officer.person
        assert resumption.confirmed_by_id == approver.person
        assert (resumption.explanation, resumption.resumed_at) == (WHY, at + 3 * MINUTE)
        assert Hold.objects.get().resumption == resumption
        with transaction.atomic():
            gate.require_open(scopes=[(ScopeKind.PROGRAM, halted.program_id)])

    def test_is_of_no_earlier_time_than_the_run_that_ended_while_it_waited(
        self, halted: Token, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        """The door asked for the time before it waited for the gate."""
        proposal = propose(halted.program_id, officer, at=at + MINUTE)
        asked_at = at + 2 * MINUTE
        run = reconciliation.run(halted.program, at=asked_at + timedelta(milliseconds=3))

        resumption = confirm(proposal, approver, at=asked_at)

        assert (resumption.run_id, resumption.resumed_at) == (run.pk, run.as_of)
        assert Hold.objects.get().released_at == run.as_of

    def test_refuses_the_one_who_proposed_and_who_saw_something_else(
        self, halted: Token, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(halted.program_id, officer, at=at + MINUTE)

        with pytest.raises(SamePerson):
            confirm(proposal, officer, at=at + MINUTE)
        with pytest.raises(ProposalChanged):
            services.confirm_resume(
                proposal.pk, payload_hash="f" * 64, actor=approver, at=at + MINUTE
            )

        self.assert_shut()

    def test_refuses_what_a_hold_has_voided(
        self, halted: Token, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(halted.program_id, officer, at=at + MINUTE)
        halt(halted, at=at + MINUTE)

        with pytest.raises(errors.ResumeNotProposed):
            confirm(proposal, approver, at=at + 2 * MINUTE)

        proposal.refresh_from_db()
        assert proposal.state == ProposalState.VOIDED
        self.assert_shut()

    def test_refuses_when_a_break_has_opened_since(
        self, halted: Token, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(halted.program_id, officer, at=at + MINUTE)
        reserves.supply(halted.deployments.get(), Decimal(5), at=at + 2 * MINUTE)
        reconciliation.run(halted.program, at=at + 2 * MINUTE)

        with pytest.raises(errors.ReconciliationNotClean):
            confirm(proposal, approver, at=at + 2 * MINUTE)

        self.assert_shut()

    def test_refuses_what_nobody_proposes(
        self, halted: Token, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(halted.program_id, officer, at=at + MINUTE)
        services.decline_resume(proposal.pk, reason="Whose key?", actor=approver, at=at + MINUTE)

        for proposal_id in (proposal.pk, uuid7()):
            with pytest.raises(errors.ResumeNotProposed):
                services.confirm_resume(
                    proposal_id, payload_hash=proposal.payload_hash, actor=approver, at=at
                )

        proposal.refresh_from_db()
        assert (proposal.state, proposal.reason) == (ProposalState.DECLINED, "Whose key?")
        self.assert_shut()

    def assert_shut(self) -> None:
        assert not Resumption.objects.exists()
        assert Hold.objects.filter(released_at=None).exists()


class Theft:
    """A token on a chain of its own, and a thief who mints on it."""

    def __init__(self, system: Actor, at: datetime) -> None:
        self.system = system
        self.chain = FakeChain()
        self.token = instruments.token()
        self.deployment: Deployment = instruments.deployment(
            token_=self.token, address=self.chain.deploy(), deployed_block=1
        )
        self.signer = make_chain.signer_account(self.deployment.network)
        for purpose in set(SignerPurpose) - {SignerPurpose.MINTER}:
            make_chain.signer_account(self.deployment.network, purpose)
        self.account: CustodyAccount = custody.account(token_=self.token)
        custody.settled_shares(self.account, Decimal(1000), at=at)

    def reconcile(self, at: datetime) -> Run:
        """Read the chain at `at`, and reconcile."""
        self.chain.follow(at)
        self.chain.finalize()
        chain_services.scan_deployment(self.deployment, reader=self.chain, actor=self.system, at=at)
        return services.reconcile(self.token.program, actor=self.system, at=at)

    def supply(self, kind: EventKind, tokens: int, holder: str, sender: str) -> None:
        self.chain.change(self.deployment.address, kind, holder, tokens * ONE, sender=sender)
        self.chain.mine()


class TestAThief:
    @pytest.mark.parametrize("relayed", [False, True])
    def test_is_not_reopened_for_while_the_stolen_key_may_mint(
        self, relayed: bool, system: Actor, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        """Also where the stolen key signs what somebody else sends."""
        world = Theft(system, at)
        thief, loot = world.signer.address, parties.evm_address()
        world.reconcile(at)
        assert not Break.objects.exists()
        world.supply(EventKind.MINT, 5, loot, parties.evm_address() if relayed else thief)
        world.reconcile(at + MINUTE)
        codes = {row.code for row in Break.objects.filter(state=BreakState.OPEN)}
        assert codes == {BreakCode.UNA_MINT, BreakCode.SUP_OVER, BreakCode.CHN_UNK}
        world.supply(EventKind.BURN, 5, loot, thief)
        world.reconcile(at + 2 * MINUTE)
        for code in (BreakCode.UNA_MINT, BreakCode.SUP_OVER):
            self.close(Break.objects.get(code=code), officer, approver, at=at + 2 * MINUTE)
        stolen = Break.objects.get(code=BreakCode.CHN_UNK)
        with pytest.raises(errors.BreakStillSeen):
            self.close(stolen, officer, approver, at=at + 2 * MINUTE)

        with pytest.raises(errors.ReconciliationNotClean) as refusal:
            propose(world.token.program_id, officer, at=at + 2 * MINUTE)

        assert refusal.value.facts == {
            "what": f"{thief} may have minted past the books, and is minter on "
            f"{world.deployment.network}. CHN-UNK {world.token.symbol} is open."
        }
        chain_services.retire_signer(
            network=world.deployment.network,
            purpose=SignerPurpose.MINTER,
            reason="Stolen.",
            actor=system,
            at=at + 2 * MINUTE,
        )
        world.chain.revoke(world.deployment.address, token_contract.MINTER_ROLE, thief)
        world.reconcile(at + 3 * MINUTE)
        self.close(stolen, officer, approver, at=at + 3 * MINUTE)
        for kind, subject in (
            (ScopeKind.PROGRAM, world.token.program_id),
            (ScopeKind.TOKEN, world.token.pk),
        ):
            proposal = propose(subject, officer, kind=kind, at=at + 3 * MINUTE)
            confirm(proposal, approver, at=at + 3 * MINUTE)
        assert not Hold.objects.filter(released_at=None).exists()

    def close(self, found: Break, officer: Actor, approver: Actor, *, at: datetime) -> None:
        proposal = services.propose_close_break(found.pk, explanation=WHY, actor=officer, at=at)
        services.confirm_close_break(
            found.pk, payload_hash=proposal.payload_hash, actor=approver, at=at
        )


class TestAMintThatWasSignedBeforeAHalt:
    def test_is_not_sent_while_halted_and_goes_on_afterwards(
        self, system: Actor, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        world = Theft(system, at)
        intent = self.signed(world, at)
        halt(world.token, at=at)

        with pytest.raises(GateClosed):
            chain_services.broadcast(intent.pk, sender=world.chain, actor=system, at=at)
        assert world.chain.received == []

        world.reconcile(at + MINUTE)
        proposal = propose(world.token.program_id, officer, at=at + MINUTE)
        confirm(proposal, approver, at=at + MINUTE)
        chain_services.broadcast(intent.pk, sender=world.chain, actor=system, at=at + MINUTE)

        assert len(world.chain.received) == 1
        intent.refresh_from_db()
        assert intent.state == IntentState.BROADCAST

    def signed(self, world: Theft, at: datetime) -> TransactionIntent:
        request_id, signer = uuid7(), make_chain.signer()
        call = calls.mint(
            recipient=parties.evm_address(), base_units=5 * ONE, request_id=request_id
        )
        prepared = chain_services.prepare(
            deployment=world.deployment, call=call, signer=signer, reader=world.chain
        )
        with transaction.atomic():
            return chain_services.sign(
                deployment=world.deployment,
                call=call,
                request_id=request_id,
                signer=signer,
                prepared=prepared,
                actor=world.system,
                at=at,
            )
