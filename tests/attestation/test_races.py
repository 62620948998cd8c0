"""Several officers and workers at once, each with a connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier

import pytest
from django.db import connection

from issuer.attestation import services
from issuer.attestation.models import Attestation, Exhibit
from issuer.attestation.package import verify_offline
from issuer.attestation.states import AttestationState
from issuer.events.models import Event
from issuer.foundation import actors
from issuer.foundation.errors import DomainError
from issuer.people.roles import Role
from tests.make import attestation as make
from tests.make import chain, people, reconciliation

pytestmark = pytest.mark.django_db(transaction=True)

SYSTEM = actors.system("tests")
MINUTE = timedelta(minutes=1)


def at_once(acts: Sequence[Callable[[], object]]) -> list[object]:
    """Carry `acts` out at the same moment; return what each returned, or how it was refused."""
    barrier = Barrier(len(acts))

    def carry_out(act: Callable[[], object]) -> object:
        try:
            barrier.wait(timeout=10)
            return act()
        except DomainError as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(carry_out, acts))


class TestPropose:
    def test_of_two_at_once_one_is_frozen(self, at: datetime) -> None:
        world = make.world(at=at)
        run = reconciliation.run(world.program, at=at)
        officers = [world.officer, people.staff_actor(Role.OPERATIONS_OFFICER)]

        propose = partial(services.propose, world.program, run=run, at=at)

        answers = at_once([partial(propose, actor=officer) for officer in officers])

        assert answers.count("attestation-under-way") == 1
        assert Attestation.objects.count() == 1


class TestConfirm:
    def test_of_confirm_and_decline_at_once_one_happens(self, at: datetime) -> None:
        world = make.world(at=at)
        frozen = make.frozen(world, at=at)
        other = people.staff_actor(Role.APPROVER)

        answers = at_once(
            [
                lambda: services.confirm(frozen.pk, actor=world.approver, at=at),
                lambda: services.decline(frozen.pk, reason="Odd.", actor=other, at=at),
            ]
        )

        assert answers.count("illegal-transition") == 1
        assert frozen.transitions.count() == 1


class TestAttestEvent:
    """Each ends with the event published as the next number, whoever came first."""

    def end(self, world: make.World, at: datetime) -> list[tuple[int, str]]:
        """Go on as beat does until nothing is left to do; return the number and kind of each."""
        for _ in range(3):
            services.attest_event(world.program, actor=SYSTEM, at=at)
            for waiting in Attestation.objects.filter(state__in=["REVIEWED", "SIGNED"]):
                if not services.decline_overtaken(waiting.pk, actor=SYSTEM, at=at):
                    make.signed_and_published(waiting, at=at)
        out = list(
            Attestation.objects.exclude(state=AttestationState.DECLINED).order_by("sequence")
        )
        assert [one.previous for one in out] == [None, *out[:-1]]
        assert Attestation.objects.filter(state=AttestationState.PUBLISHED).get() == out[-1]
        return [(one.sequence, one.kind) for one in out]

    def steal(self, world: make.World, at: datetime) -> None:
        """Let 5 tokens be there that nobody paid for."""
        chain.snapshot(world.deployment, total_supply_base_units=605 * 10**18, taken_at=at)
        reconciliation.run(world.program, at=at)

    def test_at_once_with_another_is_made_once(self, at: datetime) -> None:
        world, later = make.world(at=at), at + MINUTE
        make.published(world, at=at)
        self.steal(world, later)
        attest = partial(services.attest_event, world.program, actor=SYSTEM, at=later)

        answers = at_once([attest, attest, attest])

        assert answers.count(None) == 2
        assert self.end(world, later) == [(1, "SCHEDULED"), (2, "EVENT")]

    def test_at_once_with_a_confirmation_loses_nothing(self, at: datetime) -> None:
        world, later = make.world(at=at), at + 2 * MINUTE
        make.published(world, at=at)
        frozen = make.frozen(world, at=at + MINUTE)
        self.steal(world, later)

        answers = at_once(
            [
                lambda: services.attest_event(world.program, actor=SYSTEM, at=later),
                lambda: services.confirm(frozen.pk, actor=world.approver, at=later),
            ]
        )

        # Too good by now, or declined already: it is not confirmed in either order.
        assert answers[1] in {"illegal-transition", "statement-overtaken"}
        frozen.refresh_from_db()
        assert frozen.state == AttestationState.DECLINED
        assert self.end(world, later) == [(1, "SCHEDULED"), (2, "EVENT")]

    def test_at_once_with_publication_follows_it(self, at: datetime) -> None:
        world, later = make.world(at=at), at + 2 * MINUTE
        make.published(world, at=at)
        reviewed = make.reviewed(world, at=at + MINUTE)
        files = services.assemble(reviewed, signer=make.SIGNER)
        services.sign(reviewed.pk, files=files, actor=SYSTEM, at=at + MINUTE)
        self.steal(world, later)

        at_once(
            [
                lambda: services.attest_event(world.program, actor=SYSTEM, at=later),
                lambda: services.publish(reviewed.pk, actor=SYSTEM, at=later),
            ]
        )

        assert self.end(world, later) == [(1, "SCHEDULED"), (2, "SCHEDULED"), (3, "EVENT")]

    def test_at_once_with_a_correction_waits_for_no_lock_for_ever(self, at: datetime) -> None:
        world, later = make.world(at=at), at + MINUTE
        wrong = make.published(world, at=at)
        self.steal(world, later)
        correct = partial(
            services.propose_correction, wrong.pk, reason="Odd.", actor=world.officer, at=later
        )

        answers = at_once(
            [lambda: services.attest_event(world.program, actor=SYSTEM, at=later), correct]
        )

        # The correction is refused, or declined by the event that came after it.
        assert answers[1] == "attestation-under-way" or isinstance(answers[1], Attestation)
        assert self.end(world, later) == [(1, "SCHEDULED"), (2, "EVENT")]


class TestPublication:
    def test_by_two_workers_at_once_happens_once(self, at: datetime) -> None:
        world = make.world(at=at)
        reviewed = make.reviewed(world, at=at)
        files = services.assemble(reviewed, signer=make.SIGNER)

        def work() -> str:
            services.sign(reviewed.pk, files=files, actor=SYSTEM, at=at)
            return services.publish(reviewed.pk, actor=SYSTEM, at=at).state

        answers = at_once([work, work, work])

        assert answers == [AttestationState.PUBLISHED] * 3
        assert Exhibit.objects.count() == len(verify_offline.FILES)
        assert Event.objects.filter(type="attestation.published").count() == 1
        assert reviewed.transitions.count() == 3
