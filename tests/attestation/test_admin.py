"""The pages on which statements are proposed, read and confirmed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from issuer.attestation import services
from issuer.attestation.models import Attestation
from issuer.attestation.states import AttestationState
from issuer.foundation import actors, clock
from issuer.people.models import User
from issuer.people.roles import Role
from tests.make import attestation as make
from tests.make import chain, people, reconciliation

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> make.World:
    # The pages ask the clock, so the program lives in the present.
    return make.world(at=clock.now())


def logged_in(role: Role) -> Client:
    client = Client()
    client.force_login(people.user(role))
    return client


def page(attestation: Attestation) -> str:
    return reverse("admin:attestation_attestation_change", args=[attestation.pk])


def act(attestation: Attestation, name: str) -> str:
    return reverse("admin:attestation_attestation_act", args=[attestation.pk, name])


class TestPropose:
    def test_freezes_a_statement_from_the_newest_reconciliation(self, world: make.World) -> None:
        reconciliation.run(world.program, at=clock.now())

        answer = logged_in(Role.OPERATIONS_OFFICER).post(
            reverse("admin:attestation_attestation_add"),
            {"program": str(world.program.pk)},
            follow=True,
        )

        attestation = Attestation.objects.get()
        assert attestation.state == AttestationState.FROZEN
        assert f"Done: propose attestation, {attestation}." in answer.content.decode()

    def test_says_what_it_refuses(self, world: make.World) -> None:
        answer = logged_in(Role.OPERATIONS_OFFICER).post(
            reverse("admin:attestation_attestation_add"), {"program": str(world.program.pk)}
        )

        assert "has no such reconciliation" in answer.content.decode()
        assert not Attestation.objects.exists()

    def test_is_not_for_everybody(self) -> None:
        client = logged_in(Role.AUDITOR)

        assert client.get(reverse("admin:attestation_attestation_add")).status_code == 403


class TestThePageOfAStatement:
    def test_shows_what_is_signed(self, world: make.World) -> None:
        attestation = make.frozen(world, at=clock.now())

        shown = logged_in(Role.APPROVER).get(page(attestation)).content.decode()

        assert attestation.content_sha256 in shown
        assert '<td class="py-1 text-right tabular-nums">100.33 %</td>' in shown
        assert "No breaks in the period." in shown
        assert act(attestation, "confirm") in shown

    def test_names_who_did_what(self, world: make.World) -> None:
        attestation = make.reviewed(world, at=clock.now())
        kind, _, login = attestation.transitions.get().actor.partition(":")
        assert kind == "STAFF"

        shown = logged_in(Role.AUDITOR).get(page(attestation)).content.decode()

        assert User.objects.get(pk=login).person.name in shown
        assert "STAFF:" not in shown

    def test_offers_nothing_to_who_may_not(self, world: make.World) -> None:
        attestation = make.frozen(world, at=clock.now())

        shown = logged_in(Role.AUDITOR).get(page(attestation)).content.decode()

        assert act(attestation, "confirm") not in shown

    def test_is_listed(self, world: make.World) -> None:
        attestation = make.frozen(world, at=clock.now())

        listed = logged_in(Role.AUDITOR).get(reverse("admin:attestation_attestation_changelist"))

        assert str(attestation) in listed.content.decode()


class TestConfirm:
    def test_is_for_another_person(self, world: make.World) -> None:
        attestation = make.frozen(world, at=clock.now())
        proposer = Client()
        proposer.force_login(User.objects.get(pk=world.officer.name))

        assert proposer.post(act(attestation, "confirm")).status_code == 403

        page = logged_in(Role.APPROVER).get(act(attestation, "confirm"))
        assert attestation.content_sha256 in page.content.decode()

        answer = logged_in(Role.APPROVER).post(act(attestation, "confirm"), follow=True)

        attestation.refresh_from_db()
        assert answer.status_code == 200
        assert attestation.state == AttestationState.REVIEWED

    def test_refuses_the_person_who_proposed_by_whatever_login(self, world: make.World) -> None:
        attestation = make.frozen(world, at=clock.now())
        person = User.objects.get(pk=world.officer.name).person
        again = Client()
        again.force_login(people.user(Role.APPROVER, person=person))

        answer = again.post(act(attestation, "confirm"))

        attestation.refresh_from_db()
        assert "another person has to confirm it" in answer.content.decode()
        assert attestation.state == AttestationState.FROZEN


class TestDecline:
    def test_asks_why(self, world: make.World) -> None:
        attestation = make.frozen(world, at=clock.now())
        client = logged_in(Role.APPROVER)

        assert client.post(act(attestation, "decline"), {"reason": ""}).status_code == 200
        client.post(act(attestation, "decline"), {"reason": "One figure looks odd."})

        attestation.refresh_from_db()
        assert attestation.state == AttestationState.DECLINED


class TestWithdraw:
    def test_gives_up_what_was_approved(self, world: make.World) -> None:
        attestation = make.reviewed(world, at=clock.now())
        client = logged_in(Role.APPROVER)
        assert act(attestation, "withdraw") in client.get(page(attestation)).content.decode()
        assert client.post(act(attestation, "withdraw"), {"reason": ""}).status_code == 200
        attestation.refresh_from_db()
        assert attestation.state == AttestationState.REVIEWED

        client.post(act(attestation, "withdraw"), {"reason": "The key is lost."})

        attestation.refresh_from_db()
        assert attestation.state == AttestationState.DECLINED
        shown = client.get(page(attestation)).content.decode()
        assert "The key is lost." in shown
        assert act(attestation, "withdraw") not in shown

    def test_is_offered_for_an_event_only_once_publishing_it_has_failed(
        self, world: make.World
    ) -> None:
        at = clock.now()
        make.published(world, at=at)
        chain.snapshot(world.deployment, total_supply_base_units=605 * 10**18, taken_at=at)
        event = make.event(world, at=at + timedelta(seconds=1))
        client = logged_in(Role.APPROVER)

        assert act(event, "withdraw") not in client.get(page(event)).content.decode()
        services.record_failure(event.pk, reason="No key.", actor=actors.system("tests"), at=at)

        shown = client.get(page(event)).content.decode()
        assert act(event, "withdraw") in shown
        assert "No key." in shown

    def test_is_not_for_who_proposes(self, world: make.World) -> None:
        attestation = make.reviewed(world, at=clock.now())

        answer = logged_in(Role.OPERATIONS_OFFICER).post(
            act(attestation, "withdraw"), {"reason": "Odd."}
        )

        attestation.refresh_from_db()
        assert answer.status_code == 403
        assert attestation.state == AttestationState.REVIEWED


class TestCorrect:
    def test_takes_two_persons_and_supersedes(self, world: make.World) -> None:
        at = clock.now()
        wrong = make.published(world, at=at - timedelta(minutes=2))
        reconciliation.run(world.program, at=at)
        officer = logged_in(Role.OPERATIONS_OFFICER)
        assert act(wrong, "correct") in officer.get(page(wrong)).content.decode()
        asked = officer.get(act(wrong, "correct")).content.decode()
        assert "statement 1" in asked
        assert "100.33 %" in asked

        officer.post(act(wrong, "correct"), {"reason": "The custodian restated its position."})

        correction = Attestation.objects.get(kind="CORRECTION")
        assert (correction.state, correction.corrects) == (AttestationState.FROZEN, wrong)
        assert officer.post(act(correction, "confirm")).status_code == 403
        logged_in(Role.APPROVER).post(act(correction, "confirm"))
        make.signed_and_published(correction, at=at)
        wrong.refresh_from_db()
        assert wrong.state == AttestationState.SUPERSEDED
        # Each page leads to the other.
        shown = officer.get(page(wrong)).content.decode()
        assert page(correction) in shown
        assert act(wrong, "correct") not in shown
        shown = officer.get(page(correction)).content.decode()
        assert page(wrong) in shown
        assert "The custodian restated its position." in shown

    def test_asks_what_is_wrong(self, world: make.World) -> None:
        wrong = make.published(world, at=clock.now() - timedelta(minutes=2))

        answer = logged_in(Role.OPERATIONS_OFFICER).post(act(wrong, "correct"), {"reason": " "})

        assert "This field is required." in answer.content.decode()
        assert Attestation.objects.count() == 1

    def test_is_of_what_is_out(self, world: make.World) -> None:
        frozen = make.frozen(world, at=clock.now())
        officer = logged_in(Role.OPERATIONS_OFFICER)

        assert act(frozen, "correct") not in officer.get(page(frozen)).content.decode()
        answer = officer.post(act(frozen, "correct"), {"reason": "Odd."})

        assert "has not been published" in answer.content.decode()
        assert Attestation.objects.count() == 1


class TestAuditor:
    """Sees all of a statement, in every state, and finds nothing to press."""

    def test_sees_the_whole_of_it(self, world: make.World) -> None:
        at = clock.now()
        wrong = make.published(world, at=at - timedelta(minutes=2))
        correction = make.corrected(wrong, world, at=at)

        shown = logged_in(Role.AUDITOR).get(page(wrong)).content.decode()

        assert wrong.sha256 in shown
        assert wrong.exhibits.get(name="attestation.json").sha256 in shown
        assert ">Review<" in "".join(shown.split())
        assert page(correction) in shown

    @pytest.mark.parametrize("state", ["frozen", "reviewed", "published"])
    def test_is_offered_no_act(self, state: str, world: make.World) -> None:
        attestation: Attestation = getattr(make, state)(world, at=clock.now())
        auditor = logged_in(Role.AUDITOR)

        assert "/acts/" not in auditor.get(page(attestation)).content.decode()
        for name in ("confirm", "decline", "withdraw", "correct"):
            assert auditor.get(act(attestation, name)).status_code == 403
            assert auditor.post(act(attestation, name), {"reason": "Odd."}).status_code == 403
        before = attestation.state
        attestation.refresh_from_db()
        assert (attestation.state, Attestation.objects.count()) == (before, 1)


class TestPreview:
    def _pdf(self, attestation: Attestation, role: Role = Role.AUDITOR) -> bytes:
        address = reverse("admin:attestation_attestation_preview", args=[attestation.pk])
        answer = logged_in(role).get(address)
        assert answer.headers["Content-Type"] == "application/pdf"
        return answer.content

    def test_is_a_draft_until_it_is_published(self, world: make.World) -> None:
        attestation = make.frozen(world, at=clock.now())

        assert self._pdf(attestation).startswith(b"%PDF-1.7")

    def test_is_the_published_file_then(self, world: make.World) -> None:
        attestation = make.published(world, at=clock.now())

        kept = attestation.exhibits.get(name="statement.pdf")
        assert self._pdf(attestation) == bytes(kept.content)

    def test_is_not_for_who_has_no_role(self, world: make.World) -> None:
        attestation = make.frozen(world, at=clock.now())
        address = reverse("admin:attestation_attestation_preview", args=[attestation.pk])
        client = Client()
        client.force_login(people.user())

        assert client.get(address).status_code in {302, 403}


class TestStatementKeys:
    def test_are_listed(self) -> None:
        make.register_key(at=datetime(2026, 11, 20, tzinfo=UTC) + timedelta(days=1))

        listed = logged_in(Role.AUDITOR).get(reverse("admin:attestation_statementkey_changelist"))

        assert make.SIGNER.public_key.hex() in listed.content.decode()
