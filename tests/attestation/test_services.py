"""Statements from proposal to publication."""

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from issuer.approvals.errors import PersonRequired, SamePerson
from issuer.approvals.models import Proposal
from issuer.attestation import errors, selectors, services
from issuer.attestation.models import Attestation, Exhibit, StatementKey
from issuer.attestation.package import verify_offline
from issuer.attestation.signers import LocalKeySigner
from issuer.attestation.states import AttestationState
from issuer.audit.models import AuditEvent
from issuer.events.models import Event
from issuer.foundation import actors
from issuer.foundation.errors import IllegalTransition
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, ScopeKind
from issuer.instruments import chart
from issuer.ledger import services as ledger
from issuer.parties.models import Criteria
from tests.make import attestation as make
from tests.make import chain, parties, reconciliation

pytestmark = pytest.mark.django_db

SYSTEM = actors.system("tests")


@pytest.fixture
def world(at: datetime) -> make.World:
    return make.world(at=at)


def verified(attestation: Attestation, before: Attestation | None = None) -> list[str]:
    """Return what the checker finds wrong in a published package."""
    report, _ = verify_offline.verify(
        selectors.package_files(attestation),
        keys=selectors.published_keys(),
        previous=None if before is None else selectors.package_files(before),
    )
    return [line for line in report.lines() if line.startswith("      ")]


def found_short(world: make.World, *, at: datetime, tokens: int = 605) -> None:
    """Let the chain show `tokens` for 602 shares, and reconcile."""
    chain.snapshot(
        world.deployment,
        total_supply_base_units=tokens * 10**18,
        taken_at=at - timedelta(seconds=5),
    )
    reconciliation.run(world.program, at=at)


def short_event(world: make.World, *, at: datetime) -> Attestation:
    """Return a statement that waits to say that 3 shares lack, a minute after one that did not."""
    make.published(world, at=at)
    found_short(world, at=at + timedelta(minutes=1))
    event = services.attest_event(world.program, actor=SYSTEM, at=at + timedelta(minutes=1))
    assert event is not None
    return event


def halt(world: make.World, *, at: datetime) -> None:
    """Have somebody halt the program."""
    gate.place_hold(
        kind=ScopeKind.PROGRAM,
        subject_id=world.program.pk,
        effect=GateState.HALTED,
        cause=Cause.PERSON,
        reason="A fire in the vault.",
        actor=world.officer,
        at=at,
    )


class TestPropose:
    def test_freezes_what_the_reconciliation_found(self, world: make.World, at: datetime) -> None:
        attestation = make.frozen(world, at=at)

        attestation.refresh_from_db()
        content = selectors.content_of(attestation)
        assert attestation.state == AttestationState.FROZEN
        assert attestation.sequence == 1
        assert attestation.document is None
        assert content["status"] == "COVERED"
        (token,) = content["tokens"]
        assert (token["owedShares"], token["settledShares"]) == ("600", "602")
        assert token["coverageBp"] == 10033
        assert token["mint"]["headroom"] == [
            {"chain": world.deployment.network.caip2, "state": "OPEN", "tokens": "2"}
        ]
        assert content["published"] is None
        assert content["controls"]["preparedBy"] == {
            "role": "Operations officer",
            "ref": str(world.officer.person),
            "at": "2026-11-20T15:00:00Z",
        }
        assert content["validUntil"] == "2026-11-23T21:00:00Z"
        assert AuditEvent.objects.filter(action="attestation.propose").count() == 1

    def test_takes_the_newest_reconciliation(self, world: make.World, at: datetime) -> None:
        reconciliation.run(world.program, at=at - timedelta(minutes=3))
        newest = reconciliation.run(world.program, at=at)

        attestation = services.propose(world.program, actor=world.officer, at=at)

        assert attestation.run == newest

    def test_waits_for_another_person(self, world: make.World, at: datetime) -> None:
        attestation = make.frozen(world, at=at)

        proposal = Proposal.objects.get(subject_id=attestation.pk)
        assert proposal.action == "attestation.publish"
        assert proposal.payload["contentSha256"] == attestation.content_sha256

    def test_refuses_without_a_reconciliation(self, world: make.World, at: datetime) -> None:
        with pytest.raises(errors.NothingToAttest):
            services.propose(world.program, actor=world.officer, at=at)

        assert not Attestation.objects.exists()

    def test_refuses_the_reconciliation_of_another_program(
        self, world: make.World, at: datetime
    ) -> None:
        run = reconciliation.run(world.program, at=at)

        with pytest.raises(errors.NothingToAttest):
            services.propose(parties.program(), run=run, actor=world.officer, at=at)

        assert not Attestation.objects.exists()

    def test_refuses_without_published_criteria(self, world: make.World, at: datetime) -> None:
        program = parties.program()
        world.deployment.token.program = program
        bare = make.World(program, world.deployment, world.account, world.officer, world.approver)
        assert not Criteria.objects.filter(program=program).exists()

        with pytest.raises(errors.NothingToAttest):
            make.frozen(bare, at=at)

        assert not Attestation.objects.exists()

    def test_refuses_a_second_one_at_a_time(self, world: make.World, at: datetime) -> None:
        make.frozen(world, at=at)

        with pytest.raises(errors.AttestationUnderWay):
            make.frozen(world, at=at)

        assert Attestation.objects.count() == 1
        assert Proposal.objects.count() == 1

    def test_refuses_a_reconciliation_that_was_stated_already(
        self, world: make.World, at: datetime
    ) -> None:
        published = make.published(world, at=at)

        with pytest.raises(errors.RunNotNewest):
            services.propose(world.program, run=published.run, actor=world.officer, at=at)

        assert Attestation.objects.count() == 1

    def test_refuses_a_reconciliation_of_the_second_that_was_stated(
        self, world: make.World, at: datetime
    ) -> None:
        make.published(world, at=at)

        with pytest.raises(errors.RunNotNewest):
            make.frozen(world, at=at + timedelta(milliseconds=999))

        assert Attestation.objects.count() == 1

    def test_refuses_what_does_not_follow_from_the_last_statement(
        self, world: make.World, at: datetime
    ) -> None:
        make.published(world, at=at)
        world.program.name = "Another name"
        world.program.save()

        with pytest.raises(errors.StatementInconsistent, match="sequence: program: expected"):
            make.frozen(world, at=at + timedelta(minutes=1))

        assert Attestation.objects.count() == 1

    def test_refuses_figures_that_do_not_add_up(self, world: make.World, at: datetime) -> None:
        run = reconciliation.run(world.program, at=at)
        # The books moved on without a time of their own: what the run found is not there any more.
        token = world.deployment.token
        ledger.post(
            "late",
            [ledger.Line(chart.shares_own(token), chart.shares_owed_on_tokens(token), Decimal(1))],
            effective_at=at,
            actor=SYSTEM,
            at=at,
        )

        with pytest.raises(errors.StatementInconsistent, match="C2: expected 601, found 600"):
            services.propose(world.program, run=run, actor=world.officer, at=at)

        assert not Attestation.objects.exists()
        assert not Proposal.objects.exists()

    def test_refuses_nobody_s_login(self, world: make.World, at: datetime) -> None:
        run = reconciliation.run(world.program, at=at)

        with pytest.raises(PersonRequired):
            services.propose(world.program, run=run, actor=SYSTEM, at=at)

        assert not Attestation.objects.exists()


class TestUnknown:
    def test_a_silent_custodian_leaves_figures_out_and_says_why(
        self, world: make.World, at: datetime
    ) -> None:
        later = at + timedelta(days=4)
        chain.snapshot(
            world.deployment,
            total_supply_base_units=600 * 10**18,
            taken_at=later - timedelta(minutes=5),
        )

        content = selectors.content_of(make.frozen(world, at=later))

        (token,) = content["tokens"]
        assert content["status"] == token["status"] == "UNKNOWN"
        assert token["settledShares"] is None
        assert token["owedShares"] == "600"
        assert token["custody"][0]["settled"] is None
        assert token["custody"][0]["reason"].endswith("the last is of 2026-11-20.")
        assert token["mint"]["headroom"][0]["tokens"] == "0"
        assert content["validUntil"] == content["cutoff"]["asOf"]  # nothing before it to extend

    @pytest.mark.parametrize("silence", ["trouble", "old block"])
    def test_a_silent_chain_leaves_figures_out_and_says_why(
        self, silence: str, world: make.World, at: datetime
    ) -> None:
        if silence == "trouble":
            chain.trouble(world.deployment.network, reason="No key s3cret here.", since=at)
        else:
            at += timedelta(hours=1)

        content = selectors.content_of(make.frozen(world, at=at))

        (token,) = content["tokens"]
        assert token["status"] == "UNKNOWN"
        assert token["supply"][0]["totalSupply"] is None
        assert token["supply"][0]["reason"]
        assert token["settledShares"] == "602"
        assert content["chains"][0]["height"] is None
        assert content["chains"][0]["reason"] == token["supply"][0]["reason"]
        assert "s3cret" not in str(content)

    def test_may_be_published_and_extends_nothing(self, world: make.World, at: datetime) -> None:
        first = make.published(world, at=at)
        later = at + timedelta(hours=2)

        second = make.published(world, at=later)

        assert second.status == "UNKNOWN"
        assert second.valid_until == first.valid_until
        assert verified(second, first) == []


class TestConfirm:
    def test_completes_what_was_approved(self, world: make.World, at: datetime) -> None:
        frozen = make.frozen(world, at=at)
        confirmed_at = at + timedelta(minutes=20, microseconds=5)

        attestation = services.confirm(frozen.pk, actor=world.approver, at=confirmed_at)

        attestation.refresh_from_db()
        document = selectors.content_of(attestation)
        assert attestation.state == AttestationState.REVIEWED
        assert attestation.sha256 == hashlib.sha256(bytes(attestation.document or b"")).hexdigest()
        assert document["published"] == "2026-11-20T15:20:00Z"
        assert document["controls"]["contentSha256"] == frozen.content_sha256
        assert document["controls"]["approvedBy"] == [
            {"role": "Approver", "ref": str(world.approver.person), "at": "2026-11-20T15:20:00Z"}
        ]

    def test_refuses_the_one_who_proposed(self, world: make.World, at: datetime) -> None:
        attestation = make.frozen(world, at=at)

        with pytest.raises(SamePerson):
            services.confirm(attestation.pk, actor=world.officer, at=at)

        attestation.refresh_from_db()
        assert attestation.state == AttestationState.FROZEN
        assert not attestation.transitions.exists()

    def test_refuses_what_nobody_could_rely_on(self, world: make.World, at: datetime) -> None:
        attestation = make.frozen(world, at=at)

        with pytest.raises(errors.StatementExpired):
            services.confirm(
                attestation.pk, actor=world.approver, at=attestation.valid_until + timedelta(1)
            )

        attestation.refresh_from_db()
        assert attestation.state == AttestationState.FROZEN

    def test_refuses_what_is_reviewed(self, world: make.World, at: datetime) -> None:
        attestation = make.reviewed(world, at=at)

        with pytest.raises(IllegalTransition):
            services.confirm(attestation.pk, actor=world.approver, at=at)

        assert attestation.transitions.count() == 1


class TestDecline:
    def test_gives_the_number_back(self, world: make.World, at: datetime) -> None:
        first = make.frozen(world, at=at)

        services.decline(first.pk, reason="A figure looks odd.", actor=world.approver, at=at)

        first.refresh_from_db()
        assert first.state == AttestationState.DECLINED
        assert Proposal.objects.get(subject_id=first.pk).reason == "A figure looks odd."
        assert make.frozen(world, at=at + timedelta(minutes=1)).sequence == 1

    def test_refuses_what_is_reviewed(self, world: make.World, at: datetime) -> None:
        attestation = make.reviewed(world, at=at)

        with pytest.raises(IllegalTransition):
            services.decline(attestation.pk, reason="Too late.", actor=world.approver, at=at)

        attestation.refresh_from_db()
        assert attestation.state == AttestationState.REVIEWED


class TestWithdraw:
    def test_gives_the_number_back_and_keeps_what_was_approved(
        self, world: make.World, at: datetime
    ) -> None:
        first = make.reviewed(world, at=at)
        approved = bytes(first.document or b"")

        services.withdraw(first.pk, reason="The key is lost.", actor=world.officer, at=at)

        first.refresh_from_db()
        assert first.state == AttestationState.DECLINED
        assert bytes(first.document or b"") == approved
        step = first.transitions.get(step="WITHDRAW")
        assert (step.reason, step.actor) == ("The key is lost.", str(world.officer))
        event = AuditEvent.objects.get(action="attestation.withdraw")
        assert event.facts["reason"] == "The key is lost."
        second = make.published(world, at=at + timedelta(minutes=1))
        assert (second.sequence, second.previous) == (1, None)

    def test_ends_what_was_approved(self, world: make.World, at: datetime) -> None:
        attestation = make.reviewed(world, at=at)
        files = services.assemble(attestation, signer=make.SIGNER)
        services.withdraw(attestation.pk, reason="Odd.", actor=world.officer, at=at)

        with pytest.raises(IllegalTransition):
            services.sign(attestation.pk, files=files, actor=SYSTEM, at=at)
        with pytest.raises(IllegalTransition):
            services.confirm(attestation.pk, actor=world.approver, at=at)

        assert not Exhibit.objects.exists()

    @pytest.mark.parametrize("signed", [False, True])
    def test_refuses_what_nobody_approved_and_what_is_signed(
        self, signed: bool, world: make.World, at: datetime
    ) -> None:
        attestation = make.frozen(world, at=at)
        if signed:
            services.confirm(attestation.pk, actor=world.approver, at=at)
            attestation.refresh_from_db()
            files = services.assemble(attestation, signer=make.SIGNER)
            services.sign(attestation.pk, files=files, actor=SYSTEM, at=at)
        before = Attestation.objects.get().state

        with pytest.raises(IllegalTransition):
            services.withdraw(attestation.pk, reason="Odd.", actor=world.officer, at=at)

        assert Attestation.objects.get().state == before
        assert not attestation.transitions.filter(step="WITHDRAW").exists()

    def test_refuses_nobody_s_login(self, world: make.World, at: datetime) -> None:
        attestation = make.reviewed(world, at=at)

        with pytest.raises(PersonRequired):
            services.withdraw(attestation.pk, reason="Odd.", actor=SYSTEM, at=at)

        assert Attestation.objects.get().state == AttestationState.REVIEWED

    def test_keeps_back_no_event_that_can_go_out(self, world: make.World, at: datetime) -> None:
        later = at + timedelta(minutes=1)
        event = short_event(world, at=at)

        with pytest.raises(errors.EventNotWithdrawn):
            services.withdraw(event.pk, reason="Bad news.", actor=world.officer, at=later)

        event.refresh_from_db()
        assert event.state == AttestationState.REVIEWED
        services.record_failure(event.pk, reason="The key is lost.", actor=SYSTEM, at=later)
        services.withdraw(event.pk, reason="The key is lost.", actor=world.officer, at=later)
        event.refresh_from_db()
        assert event.state == AttestationState.DECLINED


class TestRecordFailure:
    def test_tells_staff_once(self, world: make.World, at: datetime) -> None:
        attestation = make.reviewed(world, at=at)
        later = at + timedelta(minutes=5)

        assert services.record_failure(attestation.pk, reason="No key.", actor=SYSTEM, at=at)
        assert not services.record_failure(attestation.pk, reason="None.", actor=SYSTEM, at=later)

        attestation.refresh_from_db()
        assert attestation.publishing_failed_at == at
        assert attestation.publishing_failure == "No key."
        event = Event.objects.get(type="attestation.publishing_failed")
        assert (event.data["sequence"], event.data["reason"]) == ("1", "No key.")
        assert AuditEvent.objects.filter(action="attestation.publishing_failed").count() == 1

    def test_says_nothing_of_what_waits_for_nothing(self, world: make.World, at: datetime) -> None:
        attestation = make.frozen(world, at=at)

        assert not services.record_failure(attestation.pk, reason="No key.", actor=SYSTEM, at=at)

        attestation.refresh_from_db()
        assert attestation.publishing_failed_at is None
        assert not Event.objects.filter(type="attestation.publishing_failed").exists()


class TestOvertaken:
    """A statement says that 602 shares cover 600 tokens; then a reconciliation finds 605."""

    def test_is_not_confirmed(self, world: make.World, at: datetime) -> None:
        attestation = make.frozen(world, at=at)
        found_short(world, at=at + timedelta(minutes=1))

        with pytest.raises(errors.StatementOvertaken) as refusal:
            services.confirm(attestation.pk, actor=world.approver, at=at + timedelta(minutes=2))

        symbol = world.deployment.token.symbol
        assert refusal.value.detail == (
            "The reconciliation of 2026-11-20 15:01:00Z found worse. "
            f"{symbol}: Short, not Covered. Decline {attestation}, and propose another from it."
        )
        assert refusal.value.facts["tokens"] == symbol
        attestation.refresh_from_db()
        assert attestation.state == AttestationState.FROZEN
        assert Proposal.objects.get(subject_id=attestation.pk).state == "OPEN"

    def test_is_not_signed(self, world: make.World, at: datetime) -> None:
        attestation = make.reviewed(world, at=at)
        files = services.assemble(attestation, signer=make.SIGNER)
        found_short(world, at=at + timedelta(minutes=1))

        with pytest.raises(errors.StatementOvertaken):
            services.sign(attestation.pk, files=files, actor=SYSTEM, at=at + timedelta(minutes=2))

        attestation.refresh_from_db()
        assert attestation.state == AttestationState.REVIEWED
        assert not Exhibit.objects.exists()

    def test_is_declined_so_that_what_got_worse_goes_first(
        self, world: make.World, at: datetime
    ) -> None:
        first = make.published(world, at=at)
        later = at + timedelta(minutes=10)
        chain.snapshot(world.deployment, total_supply_base_units=600 * 10**18, taken_at=later)
        waiting = make.reviewed(world, at=later)
        found_short(world, at=later + timedelta(minutes=1))

        declined = services.decline_overtaken(
            waiting.pk, actor=SYSTEM, at=later + timedelta(minutes=2)
        )

        waiting.refresh_from_db()
        assert declined
        assert waiting.state == AttestationState.DECLINED
        symbol = world.deployment.token.symbol
        reason = (
            f"The reconciliation of 2026-11-20 15:11:00Z found worse. {symbol}: Short, not Covered."
        )
        assert waiting.transitions.get(step="OVERTAKE").reason == reason
        told = Event.objects.get(type="attestation.overtaken")
        assert (told.data["sequence"], told.data["reason"]) == ("2", reason)
        event = services.attest_event(world.program, actor=SYSTEM, at=later + timedelta(minutes=2))
        assert event is not None
        assert (event.sequence, event.previous, event.status) == (2, first, "SHORT")

    def test_is_not_declined_while_nothing_is_worse(self, world: make.World, at: datetime) -> None:
        attestation = make.reviewed(world, at=at)
        reconciliation.run(world.program, at=at + timedelta(minutes=1))

        assert services.worse_since(attestation) is None
        assert not services.decline_overtaken(
            attestation.pk, actor=SYSTEM, at=at + timedelta(minutes=1)
        )
        assert Attestation.objects.get().state == AttestationState.REVIEWED

    @pytest.mark.parametrize("found", ["more lacking", "a gate"])
    def test_says_what_is_worse(self, found: str, world: make.World, at: datetime) -> None:
        if found == "more lacking":
            found_short(world, at=at)
            said = services.propose(world.program, actor=world.officer, at=at)
            found_short(world, tokens=606, at=at + timedelta(minutes=1))
            expected = "short by 4 shares, not by 3"
        else:
            said = make.frozen(world, at=at)
            halt(world, at=at + timedelta(seconds=30))
            reconciliation.run(world.program, at=at + timedelta(minutes=1))
            expected = f"Halted on {world.deployment.network.caip2}"

        worse = services.worse_since(said)

        assert worse is not None
        assert worse.tokens == {world.deployment.token.symbol: expected}

    def test_is_never_an_event(self, world: make.World, at: datetime) -> None:
        event = short_event(world, at=at)
        found_short(world, tokens=700, at=at + timedelta(minutes=3))

        assert not services.decline_overtaken(event.pk, actor=SYSTEM, at=at + timedelta(minutes=3))
        published = make.signed_and_published(event, at=at + timedelta(minutes=3))
        assert published.state == AttestationState.PUBLISHED

    def test_is_an_event_that_could_not_be_published(self, world: make.World, at: datetime) -> None:
        event, later = short_event(world, at=at), at + timedelta(minutes=3)
        services.record_failure(event.pk, reason="No key.", actor=SYSTEM, at=later)
        found_short(world, tokens=700, at=later)

        assert services.decline_overtaken(event.pk, actor=SYSTEM, at=later)

        event.refresh_from_db()
        assert event.state == AttestationState.DECLINED

    def test_is_never_what_is_frozen_or_out(self, world: make.World, at: datetime) -> None:
        frozen = make.frozen(world, at=at)
        found_short(world, at=at + timedelta(minutes=1))

        assert not services.decline_overtaken(frozen.pk, actor=SYSTEM, at=at)

        assert Attestation.objects.get().state == AttestationState.FROZEN


class TestSign:
    def test_keeps_a_package_that_verifies(self, world: make.World, at: datetime) -> None:
        reviewed = make.reviewed(world, at=at)
        files = services.assemble(reviewed, signer=make.SIGNER)

        attestation = services.sign(reviewed.pk, files=files, actor=SYSTEM, at=at)

        assert attestation.state == AttestationState.SIGNED
        kept = {one.name: bytes(one.content) for one in Exhibit.objects.all()}
        assert kept == files
        assert Exhibit.objects.get(name="statement.pdf").media_type == "application/pdf"

    def test_twice_changes_nothing(self, world: make.World, at: datetime) -> None:
        reviewed = make.reviewed(world, at=at)
        files = services.assemble(reviewed, signer=make.SIGNER)
        services.sign(reviewed.pk, files=files, actor=SYSTEM, at=at)

        attestation = services.sign(reviewed.pk, files=files, actor=SYSTEM, at=at)

        assert attestation.state == AttestationState.SIGNED
        assert Exhibit.objects.count() == len(files)

    def test_refuses_what_does_not_verify(self, world: make.World, at: datetime) -> None:
        reviewed = make.reviewed(world, at=at)
        files = services.assemble(reviewed, signer=make.SIGNER)

        for name, content in (
            ("attestation.json", b"{}"),
            ("items.csv", b""),
            ("statement.pdf.ed25519", bytes(64)),
        ):
            with pytest.raises(errors.StatementInconsistent):
                services.sign(reviewed.pk, files=files | {name: content}, actor=SYSTEM, at=at)

        reviewed.refresh_from_db()
        assert reviewed.state == AttestationState.REVIEWED
        assert not Exhibit.objects.exists()

    def test_refuses_what_nobody_approved(self, world: make.World, at: datetime) -> None:
        frozen = make.frozen(world, at=at)

        with pytest.raises(IllegalTransition):
            services.sign(frozen.pk, files={}, actor=SYSTEM, at=at)

        assert not Exhibit.objects.exists()


class TestPublish:
    def test_tells_the_public(self, world: make.World, at: datetime) -> None:
        attestation = make.published(world, at=at)

        assert attestation.state == AttestationState.PUBLISHED
        assert attestation.published_at == at
        assert verified(attestation) == []
        event = Event.objects.get(type="attestation.published")
        assert event.data["sha256"] == attestation.sha256

    def test_supersedes_the_one_before_and_ties_to_it(
        self, world: make.World, at: datetime
    ) -> None:
        first = make.published(world, at=at)
        token, one = world.deployment.token, Decimal(1)
        later = at + timedelta(minutes=15)
        ledger.post(
            "second mint",
            [
                ledger.Line(chart.tokens_issued(token), chart.tokens_outstanding(token), one),
                ledger.Line(chart.shares_own(token), chart.shares_owed_on_tokens(token), one),
            ],
            effective_at=later,
            actor=SYSTEM,
            at=later,
        )
        chain.snapshot(world.deployment, total_supply_base_units=601 * 10**18, taken_at=later)

        second = make.published(world, at=later)

        first.refresh_from_db()
        document = selectors.content_of(second)
        assert first.state == AttestationState.SUPERSEDED
        assert second.sequence == 2
        assert document["prevSha256"] == first.sha256
        assert document["tokens"][0]["rollForward"]["tokens"] == {
            "opening": "600",
            "bookedLate": "0",
            "minted": "1",
            "burned": "0",
            "closing": "601",
        }
        assert verified(second, first) == []
        assert selectors.current(world.program) == second
        assert [one.sequence for one in selectors.published(world.program)] == [2, 1]

    def test_twice_changes_nothing(self, world: make.World, at: datetime) -> None:
        attestation = make.published(world, at=at)

        services.publish(attestation.pk, actor=SYSTEM, at=at)

        assert Event.objects.filter(type="attestation.published").count() == 1

    def test_refuses_what_is_not_signed(self, world: make.World, at: datetime) -> None:
        reviewed = make.reviewed(world, at=at)

        with pytest.raises(IllegalTransition):
            services.publish(reviewed.pk, actor=SYSTEM, at=at)

        reviewed.refresh_from_db()
        assert reviewed.state == AttestationState.REVIEWED


class TestAssemble:
    def test_gives_the_same_bytes_each_time(self, world: make.World, at: datetime) -> None:
        reviewed = make.reviewed(world, at=at)

        assert services.assemble(reviewed, signer=make.SIGNER) == services.assemble(
            reviewed, signer=make.SIGNER
        )

    def test_refuses_a_key_that_the_public_does_not_know(
        self, world: make.World, at: datetime
    ) -> None:
        reviewed = make.reviewed(world, at=at)

        with pytest.raises(errors.SigningKeyUnknown):
            services.assemble(reviewed, signer=LocalKeySigner("33" * 32))


class TestRegisterKey:
    def test_ends_the_key_before_it(self, at: datetime) -> None:
        make.register_key(at=at)
        second = LocalKeySigner("33" * 32)

        services.register_key(public_key=second.public_key, valid_from=at, actor=SYSTEM, at=at)

        old, new = selectors.published_keys()
        assert (old.public_key, old.valid_to) == (make.SIGNER.public_key, "2026-11-20T15:00:00Z")
        assert (new.public_key, new.valid_to) == (second.public_key, None)

    def test_twice_changes_nothing(self, at: datetime) -> None:
        make.register_key(at=at)
        make.register_key(at=at + timedelta(days=3))

        assert StatementKey.objects.count() == 1

    @pytest.mark.parametrize(
        ("public_key", "days"), [(b"short", 1), (bytes(31), 1), (bytes(32), -2)]
    )
    def test_refuses_no_key_and_one_that_begins_earlier(
        self, public_key: bytes, days: int, at: datetime
    ) -> None:
        make.register_key(at=at)

        with pytest.raises(errors.SigningKeyUnusable):
            services.register_key(
                public_key=public_key, valid_from=at + timedelta(days), actor=SYSTEM, at=at
            )

        assert StatementKey.objects.count() == 1


class TestProposeCorrection:
    def test_names_what_it_corrects_and_why(self, world: make.World, at: datetime) -> None:
        wrong = make.published(world, at=at)

        correction = make.corrected(wrong, world, at=at + timedelta(minutes=1))

        document = selectors.content_of(correction)
        wrong.refresh_from_db()
        assert (correction.kind, correction.corrects) == ("CORRECTION", wrong)
        assert document["kind"] == "CORRECTION"
        assert document["supersedes"] == {
            "sequence": 1,
            "sha256": wrong.sha256,
            "reason": "The custodian restated its position.",
        }
        assert wrong.state == AttestationState.SUPERSEDED
        assert selectors.package_files(wrong)

    def test_is_made_once(self, world: make.World, at: datetime) -> None:
        wrong = make.published(world, at=at)
        make.corrected(wrong, world, at=at + timedelta(minutes=1))

        with pytest.raises(errors.AttestationCorrected):
            make.corrected(wrong, world, at=at + timedelta(minutes=2))

        assert Attestation.objects.count() == 2

    def test_is_of_what_was_published(self, world: make.World, at: datetime) -> None:
        frozen = make.frozen(world, at=at)

        with pytest.raises(errors.AttestationNotPublished):
            make.corrected(frozen, world, at=at + timedelta(minutes=1))

        assert Attestation.objects.count() == 1
