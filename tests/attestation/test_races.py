"""Several officers and workers at once, each with a connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
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
from tests.make import people, reconciliation

pytestmark = pytest.mark.django_db(transaction=True)

SYSTEM = actors.system("tests")


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
